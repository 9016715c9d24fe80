"""What is live on the clusters that Applications deploy to, object by object, and who renders it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_gitops.argocd.sharing import HOOKS
from pytest_gitops.changes.identity import TRACKING
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import IN_CLUSTER, Case
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.peace import ARGOCD
from pytest_gitops.waiting import wait_until

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.clusters.bounds import Bounds

ALWAYS = (("v1", "PersistentVolumeClaim"), ("v1", "Namespace"))
"""Kinds that are looked at whoever renders them: a StatefulSet makes claims, and Argo CD namespaces."""

PARALLEL = 8

ALWAYS_THERE = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
"""What Kubernetes puts into each namespace (kube-controller-manager)."""

NOT_LOOKED_AT = {"Event", "Lease", "Endpoints", "EndpointSlice", "Node", "ApplicationSet"}
"""Kinds that controllers write all the time and that nobody brings; and the one whose large definition takes the API
server seconds to serve, of which no object is ever judged."""

SERVED_SECONDS = 60.0
"""How long the API server may take to serve a kind that it has just learned of (429: storage is initializing)."""


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


def key_of(kind: str, key: str) -> Key:
    """Where an Application or ApplicationSet is, `key` being its "namespace/name": beside Argo CD."""
    namespace, _, name = key.rpartition("/")
    return Key(IN_CLUSTER, ARGOCD, kind, namespace, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An Application that renders an object, and how."""

    case: Case
    manifest: Mapping[str, Any]


Live = Mapping[Key, str]
"""The uid of each object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What metadata says of one object: `owners` are uids; `application` is whose it is to Argo CD (its tracking id,
    "APPLICATION:GROUP/KIND:NAMESPACE/NAME", begins with it), or empty; `writes` has, by field manager, what that one
    wrote last, status left out."""

    uid: str
    owners: tuple[str, ...] = ()
    finalizers: tuple[str, ...] = ()
    deleting: bool = False
    application: str = ""
    writes: Mapping[str, Any] = field(default_factory=dict)


Stock = Mapping[Key, Thing]
"""Everything on all clusters."""


class Clusters:
    """`api` is where Argo CD runs, `destinations` are others by server and by name.

    `bounds`, by the same, has those that are not the run's own: only what is within is looked at there. `mark` is the
    label by which Argo CD marks what it makes, empty for its usual tracking id. `unseen` has the kinds that we may not
    list there, and those that nobody converts; `gone` the names of those that did not answer: nothing is known of what
    is there.
    """

    def __init__(
        self,
        api: Api,
        destinations: Mapping[str, Api],
        *,
        bounds: Mapping[str, Bounds] | None = None,
        mark: str = "",
    ) -> None:
        names: dict[int, str] = {id(api): IN_CLUSTER}
        for name, other in sorted(destinations.items()):
            names.setdefault(id(other), name)
        self._names, self._api, self._destinations = names, api, destinations
        self._bounds = {id(destinations[name]): each for name, each in (bounds or {}).items()}
        self._mark = mark
        self.unseen: set[str] = set()
        self._unconverted: dict[str, str] = {}  # what is said of it, by kind
        self.gone: set[str] = set()

    @property
    def by_name(self) -> dict[str, Api]:
        """Each cluster once, by the name that keys have for it."""
        return {self._names[id(a)]: a for a in (self._api, *self._destinations.values())}

    def of(self, case: Case) -> tuple[str, Api]:
        """The name of the cluster that `case` deploys to, and the way there."""
        to = case.destination
        api = self._destinations.get(to.server.rstrip("/")) or self._destinations.get(to.name) or self._api
        return self._names[id(api)], api

    def claims(
        self, rendered: Iterable[tuple[Case, Iterable[Mapping[str, Any]]]], *, hooks: bool = False
    ) -> dict[Key, Claim]:
        """Who renders what, with or without `hooks`; of several that claim one object, the first."""
        found: dict[Key, Claim] = {}
        for case, objects in rendered:
            cluster, api = self.of(case)
            for each in objects:
                metadata = each.get("metadata") or {}
                hook = any(h in (metadata.get("annotations") or {}) for h in HOOKS)
                if not metadata.get("name") or (hook and not hooks):
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
        """Everything there is of the kinds of `manifests` that is nobody's part and not on its way out. A claim for a
        volume is looked at whoever owns it: a StatefulSet becomes the owner of its claims when it is to take them along
        (persistentVolumeClaimRetentionPolicy)."""
        kinds = {(str(m.get("apiVersion", "")), str(m.get("kind", ""))) for m in manifests} | {*ALWAYS}
        by_id = {id(a): a for a in (self._api, *self._destinations.values())}
        wanted = [(a, *k) for a in by_id.values() for k in sorted(kinds)]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="inventory") as pool:
            parts = pool.map(lambda w: self._of_kind(*w), wanted)
            return {key: uid for part in parts for key, uid in part.items()}

    def everything(self, *, within: Collection[tuple[str, str]] | None = None) -> dict[Key, Thing]:
        """All there is, of every kind, by metadata alone. `within` bounds only kinds of these (group, kind) are looked
        at, where they are given: a cluster of others may have hundreds, and is not next door. Raises ApiError."""
        by_id = {id(a): a for a in (self._api, *self._destinations.values())}
        wanted = [
            (a, *k)
            for key, a in by_id.items()
            for k in self._kinds(a)
            if k[1] not in NOT_LOOKED_AT
            and (within is None or key not in self._bounds or (k[0].rpartition("/")[0], k[1]) in within)
        ]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="inventory") as pool:
            parts = pool.map(lambda w: self._things(*w), wanted)
            return {key: thing for part in parts for key, thing in part.items()}

    def _kinds(self, api: Api) -> tuple[tuple[str, str], ...]:
        try:
            return api.kinds()
        except ApiError as error:
            if not self._is_gone(api, error):
                raise
            return ()

    def _is_gone(self, api: Api, error: ApiError) -> bool:
        """Whether `error` says that a cluster of others does not answer, which is noted."""
        if error.status != 0 or id(api) not in self._bounds:
            return False
        self.gone.add(self._names[id(api)])
        return True

    def _is_hidden(self, kind: str, error: ApiError) -> bool:
        """Whether `error` says that nobody converts the objects of a kind, which is noted."""
        if not error.unconverted:
            return False
        self._unconverted[kind] = error.unconverted
        self.unseen.add(kind)
        return True

    def users(self, claims: Iterable[Key]) -> dict[Key, tuple[str, ...]]:
        """The Pods that use each of `claims`, which are PersistentVolumeClaims, by their titles. Those on their way out
        do not count, nor those on no node yet, for which Kubernetes does not wait. Raises ApiError."""
        wanted = list(claims)
        found: dict[Key, tuple[str, ...]] = {}
        for cluster, namespace in sorted({(c.cluster, c.namespace) for c in wanted}):
            pods = self._pods(self.by_name[cluster], namespace)
            there = [p for p in pods if not p["metadata"].get("deletionTimestamp")]
            for claim in (c for c in wanted if (c.cluster, c.namespace) == (cluster, namespace)):
                using = sorted(p["metadata"]["name"] for p in there if _uses(p, claim.name))
                if using:
                    found[claim] = tuple(f"Pod {namespace}/{name}" for name in using)
        return found

    def kept_open(self, namespaces: Iterable[Key]) -> dict[Key, str]:
        """What Kubernetes says keeps each of `namespaces`, which are on their way out, from its end; those of which it
        says nothing are left out. It lists what is in one, of every kind, before it says anything; where it cannot do
        that for minutes, what we were told when we listed it stands for that. Raises ApiError."""
        hidden = "; ".join(
            f"{kind} cannot be listed: {said}" for kind, said in sorted(self._unconverted.items())
        )
        found = {}
        for key in namespaces:
            api = self.by_name[key.cluster]
            try:
                status = api.get(f"/api/v1/namespaces/{key.name}").get("status") or {}
            except ApiError as error:
                if error.status != 404 and not self._is_gone(api, error):
                    raise
                continue
            conditions = [c for c in status.get("conditions") or () if c.get("status") == "True"]
            if said := "; ".join(str(c.get("message")) for c in conditions if c.get("message")) or hidden:
                found[key] = said
        return found

    def _pods(self, api: Api, namespace: str) -> Sequence[Mapping[str, Any]]:
        try:
            return api.get(f"/api/v1/namespaces/{namespace}/pods").get("items") or ()
        except ApiError as error:
            if self._is_gone(api, error):
                return ()
            if error.status != 403 or id(api) not in self._bounds:
                raise
            self.unseen.add("Pod")
            return ()

    def _things(self, api: Api, version: str, kind: str) -> dict[Key, Thing]:
        cluster, group = self._names[id(api)], version.rpartition("/")[0]
        bounds = self._bounds.get(id(api))

        def listed() -> tuple[list[dict[str, Any]]] | None:
            try:
                if bounds is not None:
                    return (bounds.metadata(api, version, kind),)
                return (api.metadata(api.collection(version, kind)),)
            except ApiError as error:
                if self._is_gone(api, error):
                    return ([],)
                if error.status in {0, 429}:  # its storage is initializing
                    return None
                if self._is_hidden(kind, error):
                    return ([],)
                if error.status == 403 and bounds is not None:
                    self.unseen.add(kind)
                    return ([],)
                if error.status not in {404, 405, 503}:  # gone meanwhile, or served by nobody
                    raise
                return ([],)

        (found,) = wait_until(listed, limit=SERVED_SECONDS, what=f"the list of all {kind}s")
        return {
            Key(cluster, group, kind, m.get("namespace", ""), m["name"]): thing(m, mark=self._mark)
            for m in found
        }

    def _of_kind(self, api: Api, version: str, kind: str) -> dict[Key, str]:
        try:
            listed = api.metadata(api.collection(version, kind))
        except ApiError as error:
            if error.status != 404 and not self._is_hidden(kind, error):
                raise
            return {}  # its definition is not there, or not any more: so is no object of it
        found = {}
        for meta in listed:
            part = bool(meta.get("ownerReferences")) and kind != "PersistentVolumeClaim"
            if not part and not meta.get("deletionTimestamp"):
                key = Key(
                    self._names[id(api)],
                    version.rpartition("/")[0],
                    kind,
                    meta.get("namespace", ""),
                    meta["name"],
                )
                found[key] = str(meta["uid"])
        return found


def thing(metadata: Mapping[str, Any], *, mark: str = "") -> Thing:
    """What the metadata of an object says; `mark` is a label that has the tracking id's place."""
    annotations, labels = mapping(metadata.get("annotations")), mapping(metadata.get("labels"))
    return Thing(
        uid=str(metadata["uid"]),
        owners=tuple(str(o.get("uid")) for o in metadata.get("ownerReferences") or ()),
        finalizers=tuple(metadata.get("finalizers") or ()),
        deleting=bool(metadata.get("deletionTimestamp")),
        application=str((labels.get(mark) if mark else annotations.get(TRACKING)) or "").partition(":")[0],
        writes={
            str(e.get("manager")): (e.get("time"), e.get("fieldsV1"))
            for e in metadata.get("managedFields") or ()
            if not e.get("subresource")
        },
    )


def _uses(pod: Mapping[str, Any], claim: str) -> bool:
    spec = pod.get("spec") or {}
    if not spec.get("nodeName"):
        return False
    return any(
        mapping(v.get("persistentVolumeClaim")).get("claimName") == claim for v in spec.get("volumes") or ()
    )


def maker(key: Key, claims: Mapping[Key, Claim]) -> Claim | None:
    """The StatefulSet that made a claim for a volume."""
    return claims[made[0]] if (made := made_by(key, claims)) else None


def made_by(key: Key, claims: Mapping[Key, Claim]) -> tuple[Key, int] | None:
    """The StatefulSet that made a claim for a volume, and for which of its Pods: "TEMPLATE-NAME-NUMBER" (Kubernetes'
    getPersistentVolumeClaimName)."""
    if (key.group, key.kind) != ("", "PersistentVolumeClaim"):
        return None
    for made, claim in claims.items():
        if made.kind != "StatefulSet" or (made.cluster, made.namespace) != (key.cluster, key.namespace):
            continue
        templates = (claim.manifest.get("spec") or {}).get("volumeClaimTemplates") or ()
        for stem in (f"{(t.get('metadata') or {}).get('name')}-{made.name}-" for t in templates):
            number = key.name.removeprefix(stem)
            if key.name.startswith(stem) and number.isdigit():
                return made, int(number)
    return None


def _is_namespaced(api: Api, version: str, kind: str) -> bool:
    try:
        return api.is_namespaced(version, kind)
    except ApiError:
        return True  # as almost every custom resource is
