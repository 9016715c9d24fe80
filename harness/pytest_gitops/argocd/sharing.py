"""Which objects are claimed by more than one Application: known from renders, before Argo CD has compared them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Case
from pytest_gitops.shapes import title

HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")
"""Annotations of what a sync makes anew and no comparison looks at."""

Rendered = Iterable[tuple[Case, Sequence[Mapping[str, Any]]]]
"""Applications, each with the objects that it renders to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """An object, and what the Applications that claim it each render, by their keys; `namespace` is empty for a
    cluster-scoped one."""

    kind: str
    namespace: str
    name: str
    claims: Mapping[str, Mapping[str, Any]]

    @property
    def keys(self) -> tuple[str, ...]:
        """The Applications that claim it, sorted."""
        return tuple(sorted(self.claims))

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name"."""
        return title(self.kind, self.name, self.namespace)

    def is_meant(self, warning: str) -> bool:
        """Whether Argo CD's SharedResourceWarning is of this object; it names kind and name only
        (controller/state.go: "%s/%s is part of applications %s and %s")."""
        return warning.startswith(f"{self.kind}/{self.name} is part of applications ")


def shared(rendered: Rendered, *, is_namespaced: Callable[[str, str], bool]) -> tuple[Shared, ...]:
    """The objects that more than one Application claims, hooks left out.

    `is_namespaced` answers for an apiVersion and a kind, or raises ApiError for what the cluster does not know yet:
    such a kind is taken to have a namespace, as almost every custom resource has.
    """
    named: dict[tuple[str, str, str, str], list[tuple[Case, Mapping[str, Any]]]] = {}
    for case, objects in rendered:
        for each in objects:
            metadata = each.get("metadata") or {}
            if metadata.get("name") and not any(h in (metadata.get("annotations") or {}) for h in HOOKS):
                group = str(each.get("apiVersion", "")).rpartition("/")[0]
                claim = (case.destination.cluster, group, str(each.get("kind", "")), str(metadata["name"]))
                named.setdefault(claim, []).append((case, each))

    found: list[Shared] = []
    for (_, _, kind, name), same in named.items():
        if len({c.key for c, _ in same}) == 1:
            continue  # as most are: nothing has to be asked
        claims: dict[str, dict[str, Mapping[str, Any]]] = {}
        for case, each in same:
            claims.setdefault(_namespace(each, case, is_namespaced), {})[case.key] = each
        found += [
            Shared(kind=kind, namespace=namespace, name=name, claims=mine)
            for namespace, mine in claims.items()
            if len(mine) > 1
        ]
    return tuple(found)


def _namespace(manifest: Mapping[str, Any], case: Case, is_namespaced: Callable[[str, str], bool]) -> str:
    try:
        if not is_namespaced(str(manifest.get("apiVersion")), str(manifest.get("kind"))):
            return ""
    except ApiError:
        pass
    return str(manifest["metadata"].get("namespace") or case.destination.namespace)
