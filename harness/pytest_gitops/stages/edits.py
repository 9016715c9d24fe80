"""Which field of an object to change for a drift: one that the manifest has, that is safe, and what to change it to;
and what another manager may add to it.

Pure: an object's manifest, what is live, and the repository's `ignoreDifferences` make a list of candidates.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.changes.fields import spelled
from pytest_gitops.changes.identity import group_kind
from pytest_gitops.changes.ignore import at
from pytest_gitops.changes.lists import KEYS, MISSING
from pytest_gitops.stages.peace import ARGOCD

Manifest = Mapping[str, Any]
Path = tuple[str | int, ...]

MARK = "pytest-gitops/drift"
"""The label and annotation that are added."""

CANDIDATES = 4
"""As many fields of one object as are tried: the API server may refuse a value, or the field may be immutable."""

NEVER = "0 0 30 2 *"
"""A schedule that Kubernetes takes and that never comes: the 30th of February."""

PREFERRED: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("apps", "Deployment"): (("spec", "template", "spec", "containers", 0, "image"),),
    ("apps", "DaemonSet"): (("spec", "template", "spec", "containers", 0, "image"),),
    ("", "Service"): (("spec", "selector"),),
    ("batch", "CronJob"): (("spec", "schedule"),),
    ("networking.k8s.io", "Ingress"): (("spec", "rules", 0, "host"),),
    ("autoscaling", "HorizontalPodAutoscaler"): (("spec", "maxReplicas"),),
    # What its own case is judged by does not depend on these.
    (ARGOCD, "Application"): (
        ("spec", "revisionHistoryLimit"),
        ("spec", "syncPolicy", "retry", "limit"),
        ("spec", "syncPolicy", "retry", "backoff"),
        ("spec", "info", 0, "value"),
    ),
}
"""Fields to change first, by API group and kind; of a mapping the first of its values."""

SETTINGS = {(ARGOCD, "Application")}
"""Kinds whose preferred fields may be changed though they are otherwise left in peace."""

SELECTED: tuple[Path, ...] = (("spec", "selector"), ("spec", "template", "metadata", "labels"))

FIXED: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("apps", "Deployment"): SELECTED,
    ("apps", "StatefulSet"): SELECTED,
    ("apps", "DaemonSet"): SELECTED,
    ("apps", "ReplicaSet"): SELECTED,
    ("batch", "Job"): SELECTED,
    ("rbac.authorization.k8s.io", "RoleBinding"): (("roleRef",),),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (("roleRef",),),
}
"""Fields that the API server does not let anybody change, or only together, by API group and kind."""

REPLACED_AS_A_WHOLE = {"subjects", "items", "versions"}
"""Lists of `changes.lists.KEYS` that Kubernetes does not merge."""

MEANINGFUL = ("kubernetes.io/", "k8s.io/", "argoproj.io/", "helm.sh/", "api-approved.kubernetes.io")
"""Labels and annotations with these in their keys mean something to somebody."""

VALUE = 63
"""The longest value of a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One field's change. `old` is what is live now."""

    path: Path
    old: Any
    new: Any

    @property
    def field(self) -> str:
        """The path as people read it."""
        texts = [f"[{p}]" if isinstance(p, int) else p for p in self.path]
        return spelled(tuple(texts))


def candidates(manifest: Manifest, live: Manifest, *, metadata_only: bool) -> list[Edit]:
    """Changes of fields that the manifest has and that are live as it says, the best ones first."""
    key = group_kind(live)
    paths: list[Path] = []
    for path in PREFERRED.get(key, ()) if not metadata_only or key in SETTINGS else ():
        paths += [(*path, *rest) for rest, _ in _scalars(at(manifest, path))]
    if not metadata_only:
        for top, value in manifest.items():
            if top not in {"apiVersion", "kind", "metadata", "status"}:
                paths += [(top, *rest) for rest, _ in _scalars(value)]
    paths += metadata_paths(manifest, annotations_only=key == ("", "Namespace"))
    found = []
    for path in dict.fromkeys(paths):
        path, wanted = _stored(key, path, at(manifest, path))
        have = at(live, path)
        if _is_fixed(key, path) or _is_identity(path):
            continue
        if wanted is not MISSING and type(have) is type(wanted) and have == wanted:
            found.append(Edit(path=path, old=have, new=changed(path, have, secret=key == ("", "Secret"))))
    return found


def metadata_paths(manifest: Manifest, *, annotations_only: bool = False) -> list[Path]:
    """Annotations and labels of the manifest that mean nothing to Kubernetes or to Argo CD."""
    metadata = manifest.get("metadata") or {}
    return [
        ("metadata", place, key)
        for place in (("annotations",) if annotations_only else ("annotations", "labels"))
        for key in metadata.get(place) or {}
        if not any(word in key for word in MEANINGFUL)
    ]


def below(live: Manifest, paths: Sequence[Path]) -> list[Edit]:
    """Changes of live fields at or below `paths`, whether or not the manifest has them; nobody's bookkeeping."""
    found = []
    secret = group_kind(live) == ("", "Secret")
    for path in sorted(paths, key=str):
        if path[:1] in {("status",), ("kind",), ("apiVersion",)} or _is_bookkeeping(path):
            continue
        for rest, value in _scalars(at(live, path)):
            whole = (*path, *rest)
            if not _is_bookkeeping(whole) and not _is_identity(whole):
                found.append(Edit(path=whole, old=value, new=changed(whole, value, secret=secret)))
    return found


def _is_bookkeeping(path: Path) -> bool:
    if path[:1] != ("metadata",):
        return False
    return path[1:2] not in {("labels",), ("annotations",)} or any(
        word in str(key) for key in path[2:] for word in MEANINGFUL
    )


def _is_fixed(key: tuple[str, str], path: Path) -> bool:
    return any(path[: len(f)] == f for f in FIXED.get(key, ()))


def _is_identity(path: Path) -> bool:
    """Whether Kubernetes tells one element of a list from another by the field: with another value it is another
    element, beside which the one of the manifest is put back, and nobody takes it away."""
    for at_, index in enumerate(path):
        name = path[at_ - 1]
        if isinstance(index, int) and isinstance(name, str) and name not in REPLACED_AS_A_WHOLE:
            rest = ".".join(str(p) for p in path[at_ + 1 :])
            if any(rest in keys for keys in KEYS.get(name, ())):
                return True
    return False


def _stored(key: tuple[str, str], path: Path, value: Any) -> tuple[Path, Any]:
    """Where the API server keeps what a manifest says there: of a Secret, `stringData` as `data`."""
    if key == ("", "Secret") and path[0] == "stringData" and isinstance(value, str):
        return ("data", *path[1:]), base64.b64encode(value.encode()).decode()
    return path, value


def _scalars(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _scalars(inner, (*path, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _scalars(inner, (*path, index))
    elif isinstance(value, (str, int, float)):
        yield path, value


def changed(path: Path, value: Any, *, secret: bool = False) -> Any:
    """Another value of the same type that most likely is valid in the same place."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if secret and path[0] == "data":
        return base64.b64encode(b"drift").decode()
    if path[-1] == "schedule":
        return NEVER if value != NEVER else "0 0 31 2 *"
    if path[-1] == "host":
        return "drift.example.invalid"
    if path[:2] == ("metadata", "labels") or "selector" in path or "matchLabels" in path:
        return f"{value[: VALUE - 6]}-drift" if value else "drift"
    return f"{value}-drift" if value else "drift"


def is_managed(live: Manifest, managers: Sequence[str], path: Path) -> bool:
    """Whether one of the field managers `managers` has a say in the field: as far as its entry can be followed."""
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if entry.get("manager") not in managers:
            continue
        inner: Any = entry.get("fieldsV1") or {}
        for key in path:
            if isinstance(key, int):
                return bool(inner)  # elements of lists are named by their keys there
            inner = inner.get(f"f:{key}") if isinstance(inner, Mapping) else None
            if inner is None:
                break
        else:
            return True
    return False


def addition(live: Manifest) -> dict[str, Any]:
    """A label and a field for another manager to add by server-side apply; on a Namespace, whose labels others go by,
    a field alone. What is added changes nothing that runs."""
    metadata = live["metadata"]
    named = {k: metadata[k] for k in ("name", "namespace") if metadata.get(k)}
    body: dict[str, Any] = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {**named, "annotations": {MARK: "added"}},
    }
    key = group_kind(live)
    if key != ("", "Namespace"):
        body["metadata"]["labels"] = {MARK: "added"}
    spec = live.get("spec") or {}
    if key == ("apps", "Deployment") and "minReadySeconds" not in spec:
        body["spec"] = {"minReadySeconds": 1}
    elif key == ("", "Service") and "publishNotReadyAddresses" not in spec:
        body["spec"] = {"publishNotReadyAddresses": True}
    elif key == ("", "ConfigMap") and not live.get("immutable"):
        body["data"] = {"pytest-gitops-drift": "added"}
    return body
