"""Which Applications there are and who creates whom, as a value; `planner` builds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.model import Case
from pytest_gitops.repository.discovery import Declared, Problem
from pytest_gitops.scenarios.values import Scenario
from pytest_gitops.settings.expectations import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What an ApplicationSet makes: Application manifests, or the controller's words why it cannot; `unknown` where
    nobody was asked."""

    manifests: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cases, in the order of their files, parents before their children.

    `duplicates` has the cases of one name, by key; `cycles` the ids of cases that are their own ancestors, or whose
    descendants have no end; `projects` the AppProjects of files and of renders; `sets` the ApplicationSets of both,
    by "namespace/name", as they were expanded, and `file_sets` those of files, what an Application renders in the form
    that it gives them; `removed` are the cases of base that head has no more, or of which that cannot be told;
    `answered` is what came of `rbac:`.
    `needs` has, by key, the keys of the cases that must be there for one, beside its ancestors; `lots` the name of the
    lot that each key is judged in, empty where the run is not split (see `companions`).
    `scenarios` are those that are asked; of them, the ids in `left_alone` are about nothing that changes.
    """

    cases: tuple[Case, ...]
    duplicates: Mapping[str, tuple[Case, ...]]
    cycles: frozenset[str]
    projects: tuple[Mapping[str, Any], ...]
    problems: tuple[Problem, ...]
    file_sets: tuple[Declared, ...] = ()
    removed: tuple[Case, ...] = ()
    changed: Mapping[str, tuple[str, ...]] | None = None
    answered: tuple[Answered, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lots: Mapping[str, str] = field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
    left_alone: frozenset[str] = frozenset()
    sets: Mapping[str, Declared] = field(default_factory=dict)
    _by_key: Mapping[str, Case] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {c.key: c for c in reversed(self.cases)})

    @property
    def by_id(self) -> dict[str, Case]:
        return {c.id: c for c in self.cases}

    def parent_of(self, case: Case) -> Case | None:
        """The Application that creates it, None for a root and for what an ApplicationSet makes."""
        return self._by_key.get(case.parent) if case.parent_kind == "Application" else None

    def ancestors(self, case: Case) -> tuple[Case, ...]:
        """Its parent, its parent's parent, and so on; each once, also in a circle."""
        found: dict[str, Case] = {}
        each = self.parent_of(case)
        while each is not None and each.id not in found and each.id != case.id:
            found[each.id] = each
            each = self.parent_of(each)
        return tuple(found.values())

    def with_ancestors(self, cases: Iterable[Case]) -> tuple[Case, ...]:
        """`cases` and every Application that must be there for them, because it creates them or because they need what
        it brings, in the plan's order."""
        wanted: dict[str, Case] = {}
        pending = list(cases)
        while pending:
            case = pending.pop()
            if case.id not in wanted:
                wanted[case.id] = case
                pending += self.ancestors(case)
                pending += (self._by_key[k] for k in self.needs.get(case.key, ()) if k in self._by_key)
        return tuple(c for c in self.cases if c.id in wanted)
