"""Which scenarios a run that judges only what changes has, and what is said of a configuration that is to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.model import Case
from pytest_gitops.planning.plan import Plan
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.run.surveys import to_come, with_scenarios

FILE = "a.gitops-test.yaml"
HELD = "scenarios:\n- name: s\n  steps:\n  - render: {application: web, golden: web.gitops-golden.yaml}\n"


class Files:
    """A side of a pull request, as {path: text}."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {p: self.texts[p].encode() for p in paths if p in self.texts}


def case(name: str) -> Case:
    return case_of({"metadata": {"name": name}, "spec": {}}, control="argocd", file=f"{name}.yaml", line=1)


def plan(*cases: Case, removed: tuple[Case, ...] = ()) -> Plan:
    made = Plan(cases=cases, duplicates={}, cycles=frozenset(), projects=(), problems=(), removed=removed)
    return replace(made, changed={})


def left_alone(of: Plan, base: Mapping[str, str], head: Mapping[str, str]) -> bool:
    context = SimpleNamespace(
        plan=of,
        settings=SimpleNamespace(stages=("render", "converge")),
        checkout=SimpleNamespace(files=lambda: [SimpleNamespace(path=p) for p in head]),
        snapshot=Files(head),
        base=SimpleNamespace(snapshot=Files(base)),
    )
    found = with_scenarios(cast(Any, context))
    assert len(found.scenarios) == 1, found.problems
    return bool(found.left_alone)


GOLDEN = "web.gitops-golden.yaml"


@pytest.mark.parametrize(
    ("base", "head", "alone"),
    [
        ({FILE: HELD, GOLDEN: "a"}, {FILE: HELD, GOLDEN: "a"}, True),
        ({FILE: HELD, GOLDEN: "a"}, {FILE: HELD, GOLDEN: "b"}, False),
        ({FILE: HELD, GOLDEN: "a"}, {FILE: HELD}, False),
        ({GOLDEN: "a"}, {FILE: HELD, GOLDEN: "a"}, False),
    ],
)
def test_a_scenario_is_left_alone_where_none_of_its_files_differs(
    base: Mapping[str, str], head: Mapping[str, str], alone: bool
) -> None:
    assert left_alone(plan(case("web")), base, head) is alone


def test_a_scenario_about_an_application_that_goes_is_asked() -> None:
    both = {FILE: HELD, GOLDEN: "a"}
    assert left_alone(plan(case("db")), both, both)
    assert not left_alone(plan(case("db"), removed=(case("web"),)), both, both)


def coming(text: str | None, *, base: bool = True) -> tuple[Any, list[tuple[str, int | None]]]:
    head = Files({} if text is None else {"pytest-gitops.yaml": text})
    found, wrong = to_come(cast(Any, SimpleNamespace(snapshot=head, base=head if base else None)))
    return found, [(f.rule, f.line) for f in wrong]


@pytest.mark.parametrize(
    ("text", "line"),
    [("timeout: fast\n", 1), ("version: 1\nwaivers:\n- {rule: a}\n", 3), ("a: [\n", 1), ("- a\n", 1)],
)
def test_a_configuration_with_which_no_run_could_begin_is_found_before_it_is_merged(
    text: str, line: int
) -> None:
    assert coming(text) == (None, [("configuration-invalid", line)])
    assert coming(text, base=False) == (None, [])  # it counts already, and no run begins


def test_a_configuration_that_is_to_come_has_its_waivers() -> None:
    found, wrong = coming("waivers: [{rule: a, reason: b}]\n")
    assert ([w.rule for w in found.waivers], wrong) == (["a"], [])
    assert coming(None)[0].waivers == ()
