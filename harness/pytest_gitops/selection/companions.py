"""Which Applications must be judged together, and which must be there for others: read off what they render to.

Two Applications in one cluster can act on each other. Where one of them changes what becomes of the other, and the
other way round, they are one lot: only together does it show. Where it goes one way only, the one that gives is needed:
it has to be there, and may be judged elsewhere. What only running containers would notice (a ConfigMap that a
program reads, a Service that it calls) is neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_gitops.argocd.sharing import shared
from pytest_gitops.model import Case
from pytest_gitops.shapes import mapping

Rendered = Sequence[tuple[Case, Sequence[Mapping[str, Any]]]]
"""Applications, each with what it renders to. One of base and one of head may have the same key: they are one."""

Fact = tuple[str, ...]
"""What one Application provides and another one wants."""

OF_ALL = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
"""What the API server judges everything by."""

OF_NAMESPACE = ("LimitRange",)
"""What it judges everything in a namespace by. A ResourceQuota goes further: what one takes, another one lacks."""

NAMED = {
    "serviceAccountName": "ServiceAccount",
    "claimName": "PersistentVolumeClaim",
    "volumeName": "PersistentVolume",
    "priorityClassName": "PriorityClass",
    "storageClassName": "StorageClass",
    "runtimeClassName": "RuntimeClass",
}
"""Fields that name an object without which the API server, the scheduler or a controller does not go on."""

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def lots(
    rendered: Rendered, *, is_namespaced: Callable[[str, str], bool], same: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """The lot of each Application, by key; a lot is called by the first key in it.

    One lot are: an Application and what it creates, at any depth; what one ApplicationSet makes; those that claim one
    object, one fixed port or one fixed address; those in a namespace with a ResourceQuota; and the pairs in `same`,
    which are one Application under two names. `is_namespaced` is asked as `sharing.shared` does.
    """
    sets = _Sets()
    quotas = {
        _place(case, each)
        for case, objects in rendered
        for each in objects
        if each.get("kind") == "ResourceQuota"
    }
    for case, objects in rendered:
        node = ("Application", case.key)
        sets.join(node, node)
        if case.parent:
            sets.join(node, (case.parent_kind, case.parent))
        for each in objects:
            if each.get("kind") == "ApplicationSet":
                namespace, name = _place(case, each)[1], str(_meta(each).get("name"))
                sets.join(node, ("ApplicationSet", f"{namespace}/{name}"))
            if _place(case, each) in quotas:
                sets.join(node, ("quota", *_place(case, each)))
            for claim in _taken(each):
                sets.join(node, (*claim, case.destination.cluster))
    for claimed in shared(rendered, is_namespaced=is_namespaced):
        for key in claimed.keys:
            sets.join(("Application", claimed.keys[0]), ("Application", key))
    for one, other in same:
        sets.join(("Application", one), ("Application", other))
    members: defaultdict[Fact, list[str]] = defaultdict(list)
    for key in dict.fromkeys(case.key for case, _ in rendered):
        members[sets.top(("Application", key))].append(key)
    return {key: min(keys) for keys in members.values() for key in keys}


def needs(rendered: Rendered) -> dict[str, tuple[str, ...]]:
    """The keys of those that must be there for each Application, by key, nothing for those that need none.

    They provide its AppProject, a kind of its objects, a namespace or a limit in it, an object that a field names, or
    what everything is judged by.
    """
    providers: defaultdict[Fact, set[str]] = defaultdict(set)
    for case, objects in rendered:
        for each in objects:
            for fact in _provided(case, each):
                providers[fact].add(case.key)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for case, objects in rendered:
        for fact in _wanted(case, objects):
            found[case.key] |= providers.get(fact, set()) - {case.key}
    return {key: tuple(sorted(keys)) for key, keys in found.items() if keys}


def _provided(case: Case, manifest: Mapping[str, Any]) -> Iterator[Fact]:
    cluster, namespace = _place(case, manifest)
    kind, meta, spec = str(manifest.get("kind")), _meta(manifest), mapping(manifest, "spec")
    name = str(meta.get("name"))
    if kind == "CustomResourceDefinition":
        yield "kind", cluster, str(spec.get("group")), str(mapping(spec, "names").get("kind"))
    elif kind == "Namespace":
        yield "namespace", cluster, name
    elif kind == "AppProject":
        yield "project", name
    elif kind in OF_NAMESPACE:
        yield "limits", cluster, namespace
    elif kind in {"ServiceAccount", "PersistentVolumeClaim"}:
        yield "named", cluster, kind, namespace, name
    elif kind in NAMED.values():
        yield "named", cluster, kind, "", name
    default = str(mapping(meta, "annotations").get(DEFAULT_CLASS)).lower() == "true"
    if kind in OF_ALL or manifest.get("globalDefault") is True or default:
        yield "all", cluster


def _wanted(case: Case, objects: Sequence[Mapping[str, Any]]) -> set[Fact]:
    cluster = case.destination.cluster
    wanted: set[Fact] = {("project", case.project), ("all", cluster)}
    wanted.add(("namespace", cluster, case.destination.namespace))
    for each in objects:
        _, namespace = _place(case, each)
        group = str(each.get("apiVersion", "")).rpartition("/")[0]
        wanted |= {("kind", cluster, group, str(each.get("kind")))}
        wanted |= {("namespace", cluster, namespace), ("limits", cluster, namespace)}
        for field, name in _names(each):
            kind = NAMED[field]
            own = namespace if kind in {"ServiceAccount", "PersistentVolumeClaim"} else ""
            wanted.add(("named", cluster, kind, own, name))
    return wanted


def _names(value: Any) -> Iterator[tuple[str, str]]:
    """Every field of `NAMED` at any depth, with the name in it."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, Mapping):
            yield from ((k, v) for k, v in each.items() if k in NAMED and isinstance(v, str))
            pending += each.values()
        elif isinstance(each, list | tuple):
            pending += each


def _taken(manifest: Mapping[str, Any]) -> Iterator[Fact]:
    """What of a cluster's own a Service takes for itself: the second one that asks for it is refused."""
    if manifest.get("kind") != "Service":
        return
    spec = mapping(manifest, "spec")
    ports = spec.get("ports")
    for port in ports if isinstance(ports, list | tuple) else ():
        if isinstance(port, Mapping) and port.get("nodePort"):
            yield "port", str(port["nodePort"]), str(port.get("protocol") or "TCP")
    if spec.get("clusterIP") not in {None, "", "None"}:
        yield "address", str(spec["clusterIP"])


def _place(case: Case, manifest: Mapping[str, Any]) -> Fact:
    """An object's cluster and namespace: its own, else its Application's."""
    return case.destination.cluster, str(_meta(manifest).get("namespace") or case.destination.namespace)


def _meta(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(manifest, "metadata")


class _Sets:
    """Disjoint sets of facts."""

    def __init__(self) -> None:
        self._above: dict[Fact, Fact] = {}

    def top(self, fact: Fact) -> Fact:
        """What stands for the whole set that `fact` is in."""
        way = [fact]
        while (above := self._above.setdefault(way[-1], way[-1])) != way[-1]:
            way.append(above)
        self._above.update(dict.fromkeys(way, way[-1]))
        return way[-1]

    def join(self, one: Fact, other: Fact) -> None:
        self._above[self.top(other)] = self.top(one)
