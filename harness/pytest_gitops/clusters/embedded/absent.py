"""Speaks for controllers that do not run on the embedded cluster: a custom resource has the status that its own would
write, where it has none, as soon as it is there and whenever its specification changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.embedded.statuses import Said, Statuses
from pytest_gitops.shapes import mapping

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.2
"""Between two looks at whether a kind is served whose definition has come."""

SERVED_SECONDS = 60
"""After which it is not waited for any more."""


class Absent:
    """Follows the definitions on a cluster, and the objects of those kinds for which there is something to say, from
    `start` to `close`."""

    def __init__(self, api: Api, definitions: str, statuses: Statuses) -> None:
        self._api, self._definitions, self._statuses = api, definitions, statuses
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._followed: set[str] = set()

    def start(self) -> None:
        """Return at once."""
        self._thread(self._watch, self._definitions, self._defined, bare=True)

    def close(self) -> None:
        """Say nothing any more."""
        self._stop.set()

    def _thread(self, target: Any, *args: Any, **more: Any) -> None:
        threading.Thread(target=target, args=args, kwargs=more, daemon=True, name=f"absent {args[0]}").start()

    def _watch(self, path: str, act: Any, **more: Any) -> None:
        try:
            self._api.watch(path, act, stop=self._stop, **more)
        except ApiError as error:  # the kind is gone, or its objects cannot be listed
            log.info("%s is not followed any more: %s", path, error)

    def _defined(self, event: str, definition: Mapping[str, Any]) -> None:
        name = str(mapping(definition, "metadata").get("name"))
        plural, _, group = name.partition(".")
        if event == "DELETED" or not self._statuses.may_concern(plural, group):
            return
        with self._lock:
            if name in self._followed:
                return
            self._followed.add(name)
        self._thread(self._follow, name)

    def _follow(self, name: str) -> None:
        """Speak for all objects of one definition while it is there."""
        plural, _, group = name.partition(".")
        try:
            if (served := self._served(plural, group)) is not None:
                version, kind = served
                said = self._statuses.of(group, kind)
                if said is not None:
                    voice = _Voice(self._api, version, plural, said)
                    self._watch(f"/apis/{version}/{plural}", voice.heed)
        finally:
            with self._lock:
                self._followed.discard(name)

    def _served(self, plural: str, group: str) -> tuple[str, str] | None:
        """The version in which a kind is preferred, with its group, and the kind; None where its status is no resource
        of its own, or it is never served."""
        for _ in range(int(SERVED_SECONDS / PAUSE_SECONDS)):
            try:
                for version in self._api.get(f"/apis/{group}")["versions"]:
                    written = str(version["groupVersion"])
                    names = {r["name"]: r["kind"] for r in self._api.get(f"/apis/{written}")["resources"]}
                    if plural in names:
                        return (written, str(names[plural])) if f"{plural}/status" in names else None
            except ApiError as error:
                if error.status not in {0, 404, 503}:
                    log.info("%s.%s is not followed: %s", plural, group, error)
                    return None
            if self._stop.wait(PAUSE_SECONDS):
                return None
        return None


class _Voice:
    """Speaks for the objects of one kind: `plural` in `version`, which has its group."""

    def __init__(self, api: Api, version: str, plural: str, said: Said | Mapping[str, Any]) -> None:
        self._api, self._version, self._plural, self._said = api, version, plural, said
        self._given: dict[str, Any] = {}  # by uid: the generation of which something was said

    def heed(self, event: str, found: Mapping[str, Any]) -> None:
        """Take in an object as it is now, and say what is to be said of it."""
        metadata = mapping(found, "metadata")
        uid, generation = str(metadata.get("uid")), metadata.get("generation")
        if event == "DELETED" or metadata.get("deletionTimestamp"):
            self._given.pop(uid, None)
            return
        known = uid in self._given
        if self._given.get(uid) == generation or (found.get("status") and not known):
            return  # somebody else speaks for it
        self._given[uid] = generation
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = self._said.of(found, at=at) if isinstance(self._said, Said) else self._said
        place = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
        path = f"/apis/{self._version}{place}/{self._plural}/{metadata['name']}/status"
        try:
            self._api.patch(path, {"status": status})
        except ApiError as error:  # it is gone, or its definition does not take that
            log.info("%s: its status is not written: %s", metadata.get("name"), error)
