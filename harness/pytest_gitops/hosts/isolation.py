"""What is changed of an Application for a cluster that others use too, and what may not go there.

Its destination: the namespace becomes one of the run's own. Sources and what they render to stay as they are in the
repository; what would leave the run's namespaces is not brought there at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pytest_gitops.model import Case, Destination
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.shapes import some

LABEL = "pytest-gitops/run"
"""The label of every namespace that a run makes on a cluster that exists; its value is the run's id."""

SHARED = "pytest-gitops/shared"
"""The annotation of a run's namespace that lists, in JSON, what the run makes outside of them."""

NAME_LENGTH = 63
"""The longest name of a namespace, and the longest value of a label."""

SHOWN = 6
"""As many objects as a text names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The namespaces of one run, whose id ends with a word that no other run's has."""

    run: str

    @property
    def prefix(self) -> str:
        return f"gitops-{self.run.rpartition('-')[2]}-"

    def namespace(self, original: str) -> str:
        """The run's own in the place of `original`; those that differ get names that differ."""
        name = f"{self.prefix}{original or 'default'}"
        if len(name) <= NAME_LENGTH:
            return name
        digest = hashlib.sha256(original.encode()).hexdigest()[:8]
        return f"{name[: NAME_LENGTH - 9].rstrip('-')}-{digest}"

    def isolated(self, case: Case, cluster: RegisteredCluster) -> Case:
        """`case` with a destination on `cluster`, in a namespace of the run's own."""
        to = Destination(
            server=cluster.server, namespace=self.namespace(case.destination.namespace), known=cluster.name
        )
        manifest = dict(case.manifest)
        manifest["spec"] = {
            **manifest["spec"],
            "destination": {"server": to.server, "namespace": to.namespace},
        }
        return replace(case, destination=to, manifest=manifest)


def makes_argo_cd_objects(objects: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any of them is one that Argo CD itself works by: their place is its own cluster."""
    return any(
        str(o.get("apiVersion", "")).startswith("argoproj.io/")
        and o.get("kind") in {"Application", "ApplicationSet", "AppProject"}
        for o in objects
    )


class Outside(NamedTuple):
    """An object that would not be in a namespace of the run's own; `namespace` is empty for one without."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name"."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def leaving(
    objects: Iterable[Mapping[str, Any]], namespace: str, *, is_namespaced: Callable[[str, str], bool | None]
) -> tuple[Outside, ...]:
    """The objects that are not in `namespace`: they are in another, or they have none at all. A kind that the cluster
    does not know (None) cannot be made there."""
    found = []
    for each in objects:
        metadata = each.get("metadata") or {}
        version, kind = str(each.get("apiVersion", "")), str(each.get("kind", ""))
        name, within = str(metadata.get("name") or ""), str(metadata.get("namespace") or "")
        scoped = is_namespaced(version, kind)
        if scoped is False:
            found.append(Outside(version, kind, "", name))
        elif within not in {"", namespace}:
            found.append(Outside(version, kind, within, name))
    return tuple(found)


def listed(outside: Sequence[Outside]) -> str:
    """The first of them, and how many more there are."""
    return some([o.title for o in outside], SHOWN)


def refusal(outside: Sequence[Outside], cluster: str) -> str:
    """Why an Application is not brought to a cluster."""
    return (
        f"{listed(outside)} would not be in a namespace of the run's own on {cluster}, and what is outside of those "
        "is not touched; `--gitops-cluster embedded` proves it, and `--gitops-allow-shared` makes what is not there yet"
    )


def taken(outside: Sequence[Outside], cluster: str) -> str:
    """Why it is not brought there though objects outside are allowed."""
    return f"{listed(outside)} may be there already on {cluster}, and what others have is never taken over"


def unmarked(outside: Sequence[Outside]) -> str:
    """Why some may never be made, or nothing: Argo CD marks no CustomResourceDefinition (reposerver/repository), so one
    of the run's could not be told from one that somebody else has made meanwhile."""
    found = [o for o in outside if o.kind == "CustomResourceDefinition"]
    if not found:
        return ""
    return (
        f"{listed(found)} would be on the cluster for everybody, and Argo CD marks none, so it could not be told whose "
        "it is and taken away; have it there beforehand, or prove the Application on the embedded cluster"
    )


def nameless(cases: Iterable[Case], *, control: str) -> str:
    """Why nothing goes to a cluster that others use, or nothing: a name of an Application that is no label's value."""
    for case in cases:
        name = case.name if case.namespace == control else f"{case.namespace}_{case.name}"
        if len(name) > NAME_LENGTH:
            return (
                f"Argo CD would mark what Application {case.key} makes by the label's value {name!r}, which is longer "
                f"than {NAME_LENGTH} characters; leave it out (-k), or shorten its name"
            )
    return ""


def mark(run: str) -> str:
    """The label by which the Argo CD of a run marks what it makes (argocd-cm: application.instanceLabelKey). No other
    Argo CD knows it, so none takes these objects for those of an Application of its own that has the same name."""
    return f"{run}.pytest-gitops/application"
