"""What has to exist for other objects to be judged: which kinds, and which clusters can share one API server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_gitops.admission.values import Item, Manifest, Request, metadata_of
from pytest_gitops.shapes import mapping

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
NAMESPACE = ("", "Namespace")
ACCOUNT = ("", "ServiceAccount")
LIMITS = ("", "LimitRange")
QUOTA = ("", "ResourceQuota")
PRIORITY = ("scheduling.k8s.io", "PriorityClass")
RUNTIME = ("node.k8s.io", "RuntimeClass")
CLASSES = (PRIORITY, RUNTIME, ("storage.k8s.io", "StorageClass"), ("networking.k8s.io", "IngressClass"))

_ADMISSION = "admissionregistration.k8s.io"
POLICIES = ((_ADMISSION, "ValidatingAdmissionPolicy"), (_ADMISSION, "MutatingAdmissionPolicy"))
BINDINGS = tuple((group, f"{kind}Binding") for group, kind in POLICIES)

IN_NAMESPACE = (LIMITS, QUOTA, ACCOUNT)
"""What acts on the objects of its own namespace."""

EVERYWHERE = (*CLASSES, *POLICIES, *BINDINGS)
"""What acts on objects wherever they are."""

PRESENT = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
"""The namespaces of every cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A namespace as it will be: `known` if something makes it, an Application or a prerequisite."""

    name: str
    known: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, object]:
        metadata = {"name": self.name, "labels": dict(self.labels), "annotations": dict(self.annotations)}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Clusters that can be judged on one API server: their requests and items, base's items, and namespaces."""

    clusters: tuple[str, ...]
    requests: tuple[Request, ...]
    items: tuple[Item, ...]
    base: tuple[Item, ...]
    spaces: Mapping[str, Space]


def param_kinds(items: Iterable[Item]) -> frozenset[tuple[str, str]]:
    """The kinds that policies take their parameters from."""
    kinds = (mapping(i.manifest, "spec", "paramKind") for i in items if i.kind in POLICIES)
    return frozenset(
        (str(k.get("apiVersion") or "").rpartition("/")[0], str(k.get("kind"))) for k in kinds if k
    )


def scenes(
    requests: Sequence[Request],
    items: Sequence[Item],
    base: Sequence[Item],
    *,
    present: Mapping[str, set[str]],
) -> list[Scene]:
    """As few scenes as there can be in which no cluster's objects are judged by what another cluster has.

    Two clusters share one where all that acts on objects is the same in both: cluster-wide policies and classes,
    and, of what both use, namespaces with their labels, limits and accounts, and definitions of kinds. A quota
    counts what is in its namespace, so it is never shared. `present` are namespaces that are there already, by
    cluster.
    """
    clusters = sorted({r.cluster for r in requests})
    found: list[tuple[dict[tuple[str, ...], str], list[str], dict[str, Space]]] = []
    for cluster in clusters:
        own = [i for i in items if i.cluster == cluster]
        spaces = _spaces([r for r in requests if r.cluster == cluster], own, present.get(cluster, set()))
        state = _state(cluster, own, spaces)
        for together, names, shared in found:
            if all(together[key] == value for key, value in state.items() if key in together):
                together.update(state)
                names.append(cluster)
                shared.update(spaces)
                break
        else:
            found.append((state, [cluster], spaces))
    return [
        Scene(
            clusters=tuple(names),
            requests=tuple(r for r in requests if r.cluster in names),
            items=tuple(i for i in items if i.cluster in names),
            base=tuple(i for i in base if i.cluster in names),
            spaces=shared,
        )
        for _, names, shared in found
    ]


def _spaces(requests: Sequence[Request], items: Sequence[Item], present: set[str]) -> dict[str, Space]:
    """Every namespace that a cluster's objects use or make. What Argo CD makes it with is added to what is
    rendered, as it does."""
    spaces = {i.namespace: Space(name=i.namespace) for i in items if i.namespace}
    for name in PRESENT | present:
        spaces[name] = Space(name=name, known=True)
    for item in items:
        if item.kind == NAMESPACE and item.name:
            metadata = metadata_of(item.manifest)
            spaces[item.name] = Space(
                name=item.name,
                known=True,
                labels=mapping(metadata, "labels"),
                annotations=mapping(metadata, "annotations"),
            )
    for request in requests:
        if request.creates and request.namespace:
            old = spaces.get(request.namespace) or Space(name=request.namespace)
            spaces[request.namespace] = Space(
                name=old.name,
                known=True,
                labels={**old.labels, **request.labels},
                annotations={**old.annotations, **request.annotations},
            )
    return spaces


def _state(cluster: str, items: Sequence[Item], spaces: Mapping[str, Space]) -> dict[tuple[str, ...], str]:
    """What a cluster's objects are judged by, piece by piece, as texts that can be compared."""
    params = param_kinds(items)
    inside: dict[str, list[Manifest]] = {name: [] for name in spaces}
    everywhere: list[Manifest] = []
    definitions: dict[tuple[str, str], list[Manifest]] = {item.kind: [] for item in items}
    for item in items:
        if item.kind in EVERYWHERE or item.kind in params:
            everywhere.append(item.body)
        elif item.kind in IN_NAMESPACE:
            inside[item.namespace].append({"of": cluster if item.kind == QUOTA else "", **item.body})
        elif item.kind == CRD:
            definitions.setdefault(defines(item.manifest), []).append(item.manifest)
    state: dict[tuple[str, ...], str] = {("everywhere",): _text(everywhere)}
    for name, space in spaces.items():
        said = [space.known, dict(space.labels), dict(space.annotations), _text(inside[name])]
        state["space", name] = json.dumps(said, sort_keys=True, default=str)
    for kind, manifests in definitions.items():
        state["kind", *kind] = _text(manifests)
    return state


def defines(crd: Manifest) -> tuple[str, str]:
    """The group and kind that a CustomResourceDefinition defines."""
    spec = mapping(crd, "spec")
    return str(spec.get("group") or ""), str(mapping(spec, "names").get("kind") or "")


def _text(manifests: Sequence[Manifest]) -> str:
    return "\n".join(sorted(json.dumps(m, sort_keys=True, default=str) for m in manifests))
