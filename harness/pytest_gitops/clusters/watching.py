"""Following a collection of objects: listed once, then watched, taken up again when a connection drops."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from pytest_gitops.clusters.apierror import ApiError, refusal

Act = Callable[[str, dict[str, Any]], None]

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""How to ask for as little as can be of an object that is not looked at."""

METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

GONE = 410
"""The status of a watch whose place the server has forgotten."""

WATCH_SECONDS = 300
"""How long the server keeps one watch open; the next begins where it ended."""

PAUSE_SECONDS = 0.1
"""The pause after a connection that failed; it doubles up to `PAUSE_MAX_SECONDS`."""

PAUSE_MAX_SECONDS = 2.0


class Stream(Protocol):
    """The lines of a watch. `shutdown` makes them end, from any thread."""

    def __iter__(self) -> Iterator[bytes]: ...

    def shutdown(self) -> None: ...

    def close(self) -> None: ...


class Source(Protocol):
    """What is asked of the API server."""

    def get(self, path: str, **params: Any) -> dict[str, Any]: ...

    def stream(self, path: str, params: Mapping[str, Any]) -> Stream: ...


class Negotiating(Protocol):
    """What is asked of an API server that answers in more than one form."""

    def get(self, path: str, *, accept: str, **params: Any) -> dict[str, Any]: ...

    def stream(self, path: str, params: Mapping[str, Any], *, accept: str) -> Stream: ...


class Bare:
    """Asks for no more than metadata."""

    def __init__(self, source: Negotiating) -> None:
        self._source = source

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """A list of metadata."""
        return self._source.get(path, accept=METADATA_LIST, **params)

    def stream(self, path: str, params: Mapping[str, Any]) -> Stream:
        """A watch of metadata."""
        return self._source.stream(path, params, accept=METADATA)


class Watch:
    """Calls `act(type, object)` for all at `path` and each change until `stop` is set; see `Api.watch`."""

    def __init__(
        self, source: Source, path: str, act: Act, *, stop: threading.Event, params: Mapping[str, Any]
    ) -> None:
        self._source, self._path, self._act, self._stop = source, path, act, stop
        self._params = dict(params)
        self._seen: dict[str, tuple[str, dict[str, Any]]] = {}  # uid → resourceVersion, bare identity
        self._place = ""  # the resourceVersion from which to go on; empty: list again
        self._stream: Stream | None = None
        self._over = threading.Event()

    def run(self) -> None:
        """Follow until `stop` is set. Raises ApiError when the server refuses, and whatever `act` raises."""
        threading.Thread(target=self._end_on_stop, daemon=True, name=f"watch {self._path}").start()
        pause = PAUSE_SECONDS
        try:
            while not self._stop.is_set():
                try:
                    if not self._place:
                        self._list()
                    self._follow()
                    pause = PAUSE_SECONDS
                except _Dropped:
                    if self._stop.wait(pause):
                        return
                    pause = min(pause * 2, PAUSE_MAX_SECONDS)
        finally:
            self._over.set()

    def _end_on_stop(self) -> None:
        # A thread that reads cannot be woken by an event: its connection must end.
        while not self._stop.wait(1):
            if self._over.is_set():
                return
        while not self._over.is_set():
            if (stream := self._stream) is not None:
                stream.shutdown()
            self._over.wait(0.05)

    def _list(self) -> None:
        found = self._asked(lambda: self._source.get(self._path, **self._params))
        kind = str(found.get("kind") or "").removesuffix("List")
        before, self._seen = self._seen, {}
        for item in found.get("items") or []:
            item.setdefault("apiVersion", found.get("apiVersion"))
            item.setdefault("kind", kind)
            uid, version = self._remember(item)
            known = before.pop(uid, None)
            if known is None:
                self._tell("ADDED", item)
            elif known[0] != version:
                self._tell("MODIFIED", item)
        for _, identity in before.values():
            self._tell("DELETED", identity)
        self._place = str(found["metadata"]["resourceVersion"])

    def _follow(self) -> None:
        params = {
            **self._params,
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": self._place,
            "timeoutSeconds": WATCH_SECONDS,
        }
        self._stream = self._asked(lambda: self._source.stream(self._path, params))
        if self._stream is None:
            return
        try:
            lines = iter(self._stream)
            while (line := _next(lines)) is not None and not self._stop.is_set():
                if line and not self._event(json.loads(line)):
                    return
        finally:
            stream, self._stream = self._stream, None
            stream.close()

    def _event(self, event: Mapping[str, Any]) -> bool:
        """Pass one event on; False if the watch has to begin anew."""
        kind, thing = str(event["type"]), event["object"]
        if kind == "ERROR":
            if thing.get("code") != GONE:
                raise refusal(int(thing.get("code") or 0), thing, f"watch {self._path}")
            self._place = ""
            return False
        self._place = str(thing["metadata"]["resourceVersion"])
        if kind == "BOOKMARK":
            return True
        if kind == "DELETED":
            self._seen.pop(str(thing["metadata"]["uid"]), None)
        else:
            self._remember(thing)
        self._tell(kind, thing)
        return True

    def _remember(self, thing: Mapping[str, Any]) -> tuple[str, str]:
        metadata = thing["metadata"]
        uid, version = str(metadata["uid"]), str(metadata["resourceVersion"])
        identity = {k: metadata[k] for k in ("namespace", "name", "uid") if k in metadata}
        self._seen[uid] = (
            version,
            {"apiVersion": thing.get("apiVersion"), "kind": thing.get("kind"), "metadata": identity},
        )
        return uid, version

    def _tell(self, kind: str, thing: dict[str, Any]) -> None:
        if not self._stop.is_set():
            self._act(kind, thing)

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except ApiError as error:
            if error.status == GONE:
                self._place = ""
                raise _Dropped from error
            if error.status == 0 or error.status == 429 or error.status >= 500:
                raise _Dropped from error
            raise


class _Dropped(Exception):
    """The connection failed; it is worth trying again."""


def _next(lines: Iterator[bytes]) -> bytes | None:
    try:
        return next(lines, None)
    except ApiError as error:
        raise _Dropped from error
