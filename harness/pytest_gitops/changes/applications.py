"""Which Application of base is which of head, and about which of them nothing can be told.

An Application that is missing on one side only because its file cannot be read there, or because what creates it does
not render, is unknown: it was neither added nor removed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_gitops.changes.identity import cluster, group_kind, metadata, text
from pytest_gitops.changes.matching import by_key
from pytest_gitops.model import Case, Origin
from pytest_gitops.repository.sources import KEYS
from pytest_gitops.shapes import mapping

MAX_OWNERS = 20
"""Generations of owners that are followed; the plan allows ten, and a circle has no end."""


FIXING = {"create-only", "create-delete"}
"""Policies by which the applicationset-controller changes no Application that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One Application and what it renders to; None and a `reason` if it does not."""

    case: Case
    objects: tuple[Mapping[str, Any], ...] | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One revision: its Applications in order, and what else decides about them.

    `application_sets` has the ApplicationSets of files by "namespace/name"; `unexpanded` those that could not be
    expanded, and `unreadable` the files that could not be read, each with the reason; `settings` is the data of
    argocd-cm; `others` are objects that are declared in files and not rendered (StorageClasses,
    CustomResourceDefinitions); `clusters` has the server of each cluster name that is known; `set_policy` is what
    the applicationset-controller may do to Applications, in the words of `applicationsSync`, by which a set
    `may_override` it.
    """

    renditions: Sequence[Rendition]
    application_sets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unexpanded: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    others: Sequence[Mapping[str, Any]] = ()
    clusters: Mapping[str, str] = field(default_factory=dict)
    set_policy: str = ""
    may_override: bool = True

    @cached_property
    def by_key(self) -> dict[str, Rendition]:
        """The Applications by "namespace/name"; of one name, the last."""
        return {r.case.key: r for r in self.renditions}

    @cached_property
    def owners(self) -> dict[tuple[str, str], tuple[Rendition, Mapping[str, Any]]]:
        """Who renders an Application or ApplicationSet, and how, by kind and "namespace/name"."""
        found = {}
        for rendition in self.renditions:
            for manifest in rendition.objects or ():
                group, kind = group_kind(manifest)
                if group == "argoproj.io" and kind in {"Application", "ApplicationSet"}:
                    own = metadata(manifest)
                    namespace = text(own.get("namespace")) or rendition.case.destination.namespace
                    found[kind, f"{namespace}/{text(own.get('name'))}"] = rendition, manifest
        return found

    def application_set(self, key: str) -> Mapping[str, Any] | None:
        """The ApplicationSet of this "namespace/name", declared in a file or rendered by an Application."""
        rendered = self.owners.get(("ApplicationSet", key))
        return rendered[1] if rendered else self.application_sets.get(key)

    def policy_of(self, application_set: Mapping[str, Any]) -> str:
        """What the ApplicationSet may do to its Applications; empty for everything."""
        return policy_of(application_set, self.set_policy, self.may_override)

    def cluster(self, case: Case) -> str:
        """The cluster that `case` deploys to, in one spelling."""
        return cluster(case.destination, self.clusters)

    def owner(self, case: Case) -> Case | None:
        """The Application that renders `case`, or the ApplicationSet that generates it."""
        if case.parent_kind == "ApplicationSet":
            found = self.owners.get(("ApplicationSet", case.parent))
            return found[0].case if found else None
        parent = self.by_key.get(case.parent)
        return parent.case if parent else None

    def lost(self, case: Case) -> str:
        """Why `case`, which is on the other side, is missing here without being gone; empty if it may be gone."""
        made = case.parent_kind == "ApplicationSet"
        if made and case.parent in self.unexpanded:
            return f"ApplicationSet {case.parent} cannot be expanded: {self.unexpanded[case.parent]}"
        written = not case.parent or (made and self.application_set(case.parent) is None)
        if written and case.file in self.unreadable:
            return f"{case.file} cannot be read: {self.unreadable[case.file]}"
        return ""


def policy_of(application_set: Mapping[str, Any], general: str, may_override: bool) -> str:
    """What the applicationset-controller may do to the Applications of one set; empty for everything. `general` is its
    own policy, which a set `may_override`."""
    own = text(mapping(application_set, "spec", "syncPolicy").get("applicationsSync"))
    return own if own and may_override else general


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An Application of both sides (renamed if their keys differ), or of one; `unknown` is why that is not certain."""

    old: Rendition | None
    new: Rendition | None
    unknown: str = ""


def match(old: Side, new: Side) -> list[Match]:
    """Every Application of either side, once: head's in its order, then those that only base has."""
    pairs: dict[int, Rendition] = {}
    groups: dict[str, tuple[list[Rendition], list[Rendition]]] = defaultdict(lambda: ([], []))
    for index, side in enumerate((old, new)):
        for rendition in side.renditions:
            groups[rendition.case.key][index].append(rendition)
    for ours, theirs in groups.values():  # of one name mostly one; else the same file first, then in order
        for a, b in list(by_key(ours, theirs, lambda r: r.case.file)):
            pairs[id(b)] = a
            ours.remove(a)
            theirs.remove(b)
        pairs.update((id(b), a) for a, b in zip(ours, theirs, strict=False))
    taken = {id(a) for a in pairs.values()}
    left = (
        [r for r in old.renditions if id(r) not in taken],
        [r for r in new.renditions if id(r) not in pairs],
    )
    pairs.update((id(b), a) for a, b in _renamed(*left))
    taken = {id(a) for a in pairs.values()}
    found = [
        Match(old=pairs[id(r)], new=r)
        if id(r) in pairs
        else Match(old=None, new=r, unknown=_unknown(r.case, new, old, "base"))
        for r in new.renditions
    ]
    gone = (r for r in old.renditions if id(r) not in taken)
    return [*found, *(Match(old=r, new=None, unknown=_unknown(r.case, old, new, "head")) for r in gone)]


def _unknown(case: Case, here: Side, there: Side, name: str) -> str:
    """Why `case`, which is `here` only, may be missing `there` without being gone; `name` is what `there` is called."""
    for _ in range(MAX_OWNERS):
        if lost := there.lost(case):
            return f"{name}: {lost}"
        owner = here.owner(case)
        if owner is None:
            break
        if found := there.by_key.get(owner.key):
            if found.objects is None:
                return (
                    f"{name}: Application {owner.key}, from which it comes, does not render: {found.reason}"
                )
            break
        case = owner
    return ""


def _renamed(old: Iterable[Rendition], new: Iterable[Rendition]) -> Iterable[tuple[Rendition, Rendition]]:
    """Applications of another name or namespace that deploy the same sources to the same place."""

    def sources(rendition: Rendition) -> Hashable | None:
        spec = mapping(rendition.case.manifest.get("spec"))
        deploys = {k: spec.get(k) for k in (*KEYS, "destination")}
        if not any(deploys[k] for k in KEYS):
            return None
        return json.dumps(deploys, sort_keys=True, default=str)

    return list(by_key(old, new, sources))


def moved_file(old: Case, new: Case) -> bool:
    """Whether an Application is the same but for the file that declares it."""
    return old.origin is Origin.FILE is new.origin and old.key == new.key and old.file != new.file
