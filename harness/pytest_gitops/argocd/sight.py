"""Which version of each managed object the application-controller has seen: it leaves that in its redis with every
comparison (util/cache/appstate/cache.go: app|managed-resources).

A comparison alone does not tell: the controller takes in changes of the cluster every 100 ms (ARGOCD_CLUSTER_CACHE_
EVENTS_PROCESSING_INTERVAL), so one that is asked for right after a change may not know of it.
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Mapping
from typing import Any

from pytest_gitops.errors import EngineError

LIMIT = 10.0
"""Seconds that redis may take to answer."""

Key = tuple[str, str, str, str]
"""Group, kind, namespace and name of an object."""


class Sight:
    """One Argo CD's redis, on loopback."""

    def __init__(self, port: int, password: str) -> None:
        self._port, self._password = port, password

    def versions(self, instance: str) -> dict[Key, int] | None:
        """The resourceVersion of each object of an Application as it was compared last, objects that are not there left
        out; None if it was not compared yet. `instance` is the Application's name, `namespace_name` outside of the
        control namespace. Raises EngineError if redis does not answer."""
        try:
            with _Connection(self._port) as redis:
                redis.ask("AUTH", self._password)
                keys = redis.ask("KEYS", f"app|managed-resources|{instance}|*")
                content = redis.ask("GET", keys[0]) if keys else None
        except OSError as error:
            raise EngineError(f"Argo CD's redis does not answer: {error}") from error
        return versions_in(content) if content is not None else None


def versions_in(content: bytes) -> dict[Key, int]:
    """What the controller wrote: JSON, compressed or not."""
    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    entries: list[Mapping[str, Any]] = json.loads(plain) or []
    return {
        tuple(str(e.get(k) or "") for k in ("group", "kind", "namespace", "name")): int(e["resourceVersion"])  # type: ignore[misc]
        for e in entries
        if e.get("resourceVersion")
    }


class _Connection:
    """As much of redis' protocol (RESP2) as is needed to read."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        self._in = self._socket.makefile("rb")

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()
        self._socket.close()

    def ask(self, *words: str | bytes) -> Any:
        parts = [w.encode() if isinstance(w, str) else w for w in words]
        self._socket.sendall(
            b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
        )
        return self._reply()

    def _reply(self) -> Any:
        line = self._in.readline()
        kind, rest = line[:1], line[1:].rstrip()
        match kind:
            case b"+":
                return rest
            case b":":
                return int(rest)
            case b"$":
                return self._in.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
            case b"*":
                return [self._reply() for _ in range(int(rest))]
            case _:
                raise EngineError(f"Argo CD's redis: {rest.decode(errors='replace') or 'it said nothing'}")
