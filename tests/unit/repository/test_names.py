"""invalid-name: a name that no API server takes is said at its line, and reaches neither a terminal nor a URL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_gitops.model import Case
from pytest_gitops.planning.planner import Planner
from pytest_gitops.repository.discovery import Declarations, FileEntry, discover, wrong_name

BAD = (
    "$(touch x)", "<b>x</b>", "a\nb", "\x1b[31mred", "../../etc/passwd", "a_b", "A", "-a", "a-", "a..b", "a" * 254, "ü", 5,
)  # fmt: skip


def declare(kind: str, metadata: dict[str, Any]) -> Declarations:
    text = (
        f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata:\n"
        + "".join(f"  {k}: {json.dumps(v)}\n" for k, v in metadata.items())
        + "spec: {}\n"
    )
    content = text.encode()
    return discover([FileEntry(path="a.yaml", size=len(content))], lambda _: {"a.yaml": content})


@pytest.mark.parametrize("kind", ["Application", "ApplicationSet", "AppProject"])
@pytest.mark.parametrize("name", [n for n in BAD if isinstance(n, str)])
def test_a_bad_name_is_a_problem_at_its_line(kind: str, name: str) -> None:
    found = declare(kind, {"namespace": "argocd", "name": name})
    assert (found.applications, found.application_sets, found.projects) == ((), (), ())
    (problem,) = found.problems
    assert (problem.finding.rule, problem.finding.line) == ("invalid-name", 5)
    assert problem.finding.message.isprintable()
    assert len(problem.finding.message) < 250


def test_a_bad_namespace_is_one_too() -> None:
    (problem,) = declare("Application", {"name": "a", "namespace": "a.b"}).problems
    assert (problem.finding.rule, problem.finding.line) == ("invalid-name", 5)


@pytest.mark.parametrize("name", ["a", "a-1.b", "0", "a" * 253])
def test_a_good_name_is_none(name: str) -> None:
    assert wrong_name("Application", {"name": name, "namespace": "argocd"}) is None
    assert wrong_name("Application", {"name": name}) is None


@pytest.mark.parametrize("metadata", [None, [], {}, {"name": ""}, {"name": 5}])
def test_no_name_is_told_apart(metadata: Any) -> None:
    wrong = wrong_name("Application", metadata)
    assert wrong is not None
    assert wrong.rule == "no-name"


def test_a_child_with_a_bad_name_is_its_parents_problem() -> None:
    found = declare("Application", {"name": "parent", "namespace": "argocd"})

    def render(cases: Any) -> list[Any]:
        child = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "spec": {}}
        return (
            [[{**child, "metadata": {"name": "a\x1bb"}}, {**child, "metadata": {"name": "good"}}]]
            if len(cases) == 1
            else []
        )

    rendered: list[Case] = []

    def once(cases: Any) -> list[Any]:
        answer = render(cases) if not rendered else [[] for _ in cases]
        rendered.extend(cases)
        return answer

    plan = Planner(
        declarations=found, render=once, generate=lambda _: {}, forget=lambda _: None, reads=lambda _: ()
    ).build()
    assert [c.name for c in plan.cases] == ["parent", "good"]
    (problem,) = plan.problems
    assert (problem.file, problem.finding.rule, problem.finding.line) == ("a.yaml", "invalid-name", 1)
    assert "rendered by Application argocd/parent" in problem.finding.message
