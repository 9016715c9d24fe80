"""What Argo CD itself keeps of each Application beside its status: desired and live objects, and the resource tree.

The application-controller writes both into redis after each comparison, before it writes the status, and
argocd-server shows them as diff and tree (argo-cd util/cache/appstate/cache.go). Each is JSON, gzipped, under
"app|managed-resources|NAME|VERSION.gz" and "app|resources-tree|NAME|VERSION.gz"; NAME is "namespace_name" outside
of the control namespace. Data of Secrets is hidden by Argo CD before it is written.
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedRWPair
from typing import Any

from pytest_gitops.errors import EngineError

LIMIT = 5.0
"""Seconds for one answer of redis, which is on loopback."""

Answer = None | int | bytes | list["Answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """One object that an Application manages. `desired` is what it would be after a sync, `live` what it is, both as
    Argo CD compares them; None where there is none."""

    group: str
    kind: str
    namespace: str
    name: str
    hook: bool
    desired: Mapping[str, Any] | None
    live: Mapping[str, Any] | None

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name"."""
        return _title(self.kind, self.namespace, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One object of the resource tree; `owner` is the title of what owns it, empty for what the Application has."""

    group: str
    kind: str
    namespace: str
    name: str
    owner: str = ""
    health: str = ""
    message: str = ""

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name"."""
        return _title(self.kind, self.namespace, self.name)


class AppState:
    """Reads it. `address` is "host:port" of Argo CD's redis, `control` the namespace that Argo CD runs in."""

    def __init__(self, address: str, password: str, *, control: str) -> None:
        host, _, port = address.rpartition(":")
        self._address, self._password, self._control = (host, int(port)), password, control

    def managed(self, key: str) -> tuple[Managed, ...]:
        """The objects of the Application "namespace/name"; nothing before its first comparison. Raises EngineError."""
        return managed_of(self._get("managed-resources", key) or [])

    def tree(self, key: str) -> tuple[Node, ...]:
        """Its resource tree, likewise. Raises EngineError."""
        return tree_of(self._get("resources-tree", key) or {})

    def _get(self, what: str, key: str) -> Any:
        namespace, _, name = key.partition("/")
        instance = name if namespace == self._control else f"{namespace}_{name}"
        try:
            with socket.create_connection(self._address, timeout=LIMIT) as connection:
                stream = connection.makefile("rwb")
                ask(stream, "AUTH", self._password)
                # The version is Argo CD's own (common.CacheVersion): whichever there is, is the one.
                found = ask(stream, "KEYS", f"app|{what}|{instance}|*.gz")
                if not isinstance(found, list) or not found:
                    return None
                data = ask(stream, "GET", found[0])
            return json.loads(gzip.decompress(data)) if isinstance(data, bytes) else None
        except (OSError, ValueError, EOFError) as error:
            raise EngineError(f"Argo CD's cache cannot be read: {error}") from error


def ask(stream: BufferedRWPair, *words: Any) -> Answer:
    """Send one command in redis's protocol, and return its answer. Raises ValueError for a refusal, EOFError."""
    parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
    stream.flush()
    return _answer(stream)


def _answer(stream: BufferedRWPair) -> Answer:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError("redis ended the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise ValueError(rest.decode(errors="replace"))
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    size = int(rest)
    if size < 0:
        return None
    if kind == b"*":
        return [_answer(stream) for _ in range(size)]
    data = stream.read(size + 2)
    if len(data) != size + 2:
        raise EOFError("redis ended the connection")
    return data[:-2]


def managed_of(found: list[Any]) -> tuple[Managed, ...]:
    """The objects in what is under "app|managed-resources" (v1alpha1.ResourceDiff)."""
    return tuple(
        Managed(
            group=str(r.get("group") or ""),
            kind=str(r.get("kind") or ""),
            namespace=str(r.get("namespace") or ""),
            name=str(r.get("name") or ""),
            hook=bool(r.get("hook")),
            # Where nothing is live nothing is predicted, and where nothing is desired the prediction is what is live.
            desired=_object(r, "predictedLiveState", "targetState") if _object(r, "targetState") else None,
            live=_object(r, "normalizedLiveState", "liveState") if _object(r, "liveState") else None,
        )
        for r in found
    )


def _object(resource: Mapping[str, Any], *fields: str) -> Mapping[str, Any] | None:
    for field in fields:
        value = json.loads(resource.get(field) or "null")
        if isinstance(value, dict) and value:
            return value
    return None


def tree_of(found: Mapping[str, Any]) -> tuple[Node, ...]:
    """The nodes in what is under "app|resources-tree" (v1alpha1.ApplicationTree)."""
    return tuple(
        Node(
            group=str(n.get("group") or ""),
            kind=str(n.get("kind") or ""),
            namespace=str(n.get("namespace") or ""),
            name=str(n.get("name") or ""),
            owner=next((_of(p) for p in n.get("parentRefs") or ()), ""),
            health=str((n.get("health") or {}).get("status") or ""),
            message=str((n.get("health") or {}).get("message") or ""),
        )
        for n in found.get("nodes") or ()
    )


def _of(ref: Mapping[str, Any]) -> str:
    return _title(str(ref.get("kind") or ""), str(ref.get("namespace") or ""), str(ref.get("name") or ""))


def _title(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
