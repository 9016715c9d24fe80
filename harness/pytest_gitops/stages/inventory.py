"""What is live on the clusters of an upgrade, object by object, of the kinds that either side renders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_gitops.argocd.sharing import HOOKS
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import IN_CLUSTER, Case

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

ALWAYS = (("v1", "PersistentVolumeClaim"), ("v1", "Namespace"))
"""Kinds that are looked at whoever renders them: a StatefulSet makes claims, and Argo CD namespaces."""

PARALLEL = 8


class Key(NamedTuple):
    """One object of one cluster; `namespace` is empty for a cluster-scoped one."""

    cluster: str
    group: str
    kind: str
    namespace: str
    name: str

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name"."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An Application that renders an object, and how."""

    case: Case
    manifest: Mapping[str, Any]


Live = Mapping[Key, str]
"""The uid of each object."""


class Clusters:
    """The clusters of an upgrade: `api` is where Argo CD runs, `destinations` are others by server and by name."""

    def __init__(self, api: Api, destinations: Mapping[str, Api]) -> None:
        names: dict[int, str] = {id(api): IN_CLUSTER}
        for name, other in sorted(destinations.items()):
            names.setdefault(id(other), name)
        self._names, self._api, self._destinations = names, api, destinations

    def of(self, case: Case) -> tuple[str, Api]:
        """The name of the cluster that `case` deploys to, and the way there."""
        to = case.destination
        api = self._destinations.get(to.server.rstrip("/")) or self._destinations.get(to.name) or self._api
        return self._names[id(api)], api

    def claims(self, rendered: Iterable[tuple[Case, Iterable[Mapping[str, Any]]]]) -> dict[Key, Claim]:
        """Who renders what, hooks left out; of several that claim one object, the first."""
        found: dict[Key, Claim] = {}
        for case, objects in rendered:
            cluster, api = self.of(case)
            for each in objects:
                metadata = each.get("metadata") or {}
                if not metadata.get("name") or any(h in (metadata.get("annotations") or {}) for h in HOOKS):
                    continue
                version, kind = str(each.get("apiVersion", "")), str(each.get("kind", ""))
                namespace = str(metadata.get("namespace") or case.destination.namespace)
                if not _is_namespaced(api, version, kind):
                    namespace = ""
                group = version.rpartition("/")[0]
                key = Key(cluster, group, kind, namespace, str(metadata["name"]))
                found.setdefault(key, Claim(case=case, manifest=each))
        return found

    def live(self, manifests: Iterable[Mapping[str, Any]]) -> dict[Key, str]:
        """Everything there is of the kinds of `manifests` that is nobody's part and not on its way out."""
        kinds = {(str(m.get("apiVersion", "")), str(m.get("kind", ""))) for m in manifests} | {*ALWAYS}
        by_id = {id(a): a for a in (self._api, *self._destinations.values())}
        wanted = [(a, *k) for a in by_id.values() for k in sorted(kinds)]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="inventory") as pool:
            parts = pool.map(lambda w: self._of_kind(*w), wanted)
            return {key: uid for part in parts for key, uid in part.items()}

    def _of_kind(self, api: Api, version: str, kind: str) -> dict[Key, str]:
        try:
            items = api.get(api.collection(version, kind)).get("items") or ()
        except ApiError as error:
            if error.status != 404:
                raise
            return {}  # its definition is not there, or not any more: so is no object of it
        found = {}
        for each in items:
            meta = each["metadata"]
            if not meta.get("ownerReferences") and not meta.get("deletionTimestamp"):
                key = Key(
                    self._names[id(api)],
                    version.rpartition("/")[0],
                    kind,
                    meta.get("namespace", ""),
                    meta["name"],
                )
                found[key] = str(meta["uid"])
        return found


def _is_namespaced(api: Api, version: str, kind: str) -> bool:
    try:
        return api.is_namespaced(version, kind)
    except ApiError:
        return True  # as almost every custom resource is
