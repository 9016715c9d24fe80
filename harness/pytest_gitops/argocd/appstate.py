"""What Argo CD itself keeps of each Application beside its status: desired and live objects, and the resource tree.

The application-controller writes both into redis after each comparison, before it writes the status, and
argocd-server shows them as diff and tree (argo-cd util/cache/appstate/cache.go). Each is JSON, gzipped, under
"app|managed-resources|NAME|VERSION.gz" and "app|resources-tree|NAME|VERSION.gz"; NAME is "namespace_name" outside
of the control namespace. Data of Secrets is hidden by Argo CD before it is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.argocd.cache import Cache

Key = tuple[str, str, str, str]
"""Group, kind, namespace and name of an object."""


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
    """Reads it from the cache of an Argo CD that runs in the namespace `control`."""

    def __init__(self, cache: Cache, *, control: str) -> None:
        self._cache, self._control = cache, control

    def managed(self, key: str) -> tuple[Managed, ...]:
        """The objects of the Application "namespace/name"; nothing before its first comparison. Raises EngineError."""
        return managed_of(self._find("managed-resources", key) or [])

    def versions(self, key: str) -> dict[Key, int] | None:
        """The resourceVersion of each of those objects as it was compared, objects that are not there left out; None
        before the first comparison. Raises EngineError.

        That a comparison was made does not tell: the controller takes in changes of the cluster every 100 ms
        (ARGOCD_CLUSTER_CACHE_EVENTS_PROCESSING_INTERVAL), so one right after a change may not know of it.
        """
        found = self._find("managed-resources", key)
        return None if found is None else versions_of(found)

    def tree(self, key: str) -> tuple[Node, ...]:
        """Its resource tree, likewise. Raises EngineError."""
        return tree_of(self._find("resources-tree", key) or {})

    def _find(self, what: str, key: str) -> Any:
        namespace, _, name = key.partition("/")
        instance = name if namespace == self._control else f"{namespace}_{name}"
        return self._cache.find(f"app|{what}|{instance}|*")


def versions_of(found: list[Any]) -> dict[Key, int]:
    """The resourceVersions in what is under "app|managed-resources"."""
    return {
        (
            str(e.get("group") or ""),
            str(e.get("kind") or ""),
            str(e.get("namespace") or ""),
            str(e.get("name") or ""),
        ): int(e["resourceVersion"])
        for e in found
        if e.get("resourceVersion")
    }


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
