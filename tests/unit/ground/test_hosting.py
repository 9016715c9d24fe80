"""What is asked of Applications on clusters that exist, and which settings of Argo CD's that takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.ground.hosting import Guest, Hosting
from pytest_gitops.model import Case, Finding, Outcome, Severity, StageResult
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.stages.base import NotAsked

DEV = RegisteredCluster(name="dev", server="https://dev.example", context="kind-dev")


def case(name: str) -> Case:
    return Case(name=name, namespace="argocd", project="p", file=f"{name}.yaml", line=1)


def hosting(*, there: bool = True) -> Hosting:
    """One guest, `web`; `root`, which it comes from; `roles`, which may not go there."""
    existing = SimpleNamespace(is_there=lambda: there, address=("dev.example", 6443), context="kind-dev")
    guest = Guest(
        case=case("web"),
        original=case("web"),
        host=DEV,
        existing=cast(Any, existing),
        rendered=cast(Any, None),
    )
    return Hosting(
        cast(Any, None),
        guests={guest.case.id: guest},
        refused={case("roles").id: NotAsked(code="shared-object", why="ClusterRole reader")},
        parents=frozenset({case("root").id}),
    )


@pytest.mark.parametrize(
    ("stage", "name", "code"),
    [
        ("converge", "web", None),
        ("idempotent", "web", None),
        ("upgrade", "web", None),
        ("some-later-stage", "web", "existing-cluster"),
        ("converge", "roles", "shared-object"),
        ("upgrade", "roles", None),
        ("converge", "root", None),
        ("idempotent", "root", "existing-cluster"),
        ("some-later-stage", "other", None),
        ("self-heal", "web", None),
        ("self-heal", "root", None),
        ("self-heal", "roles", "shared-object"),
        ("prune", "web", None),
        ("prune", "root", None),
        ("prune", "other", None),
    ],
)
def test_what_is_asked_of_whom(stage: str, name: str, code: str | None) -> None:
    told = hosting().why_not(stage, case(name))
    assert (told.code if told else None) == code


@pytest.mark.parametrize(("there", "code"), [(True, "never-healthy"), (False, "cluster-gone")])
def test_a_failure_on_a_cluster_that_has_gone_is_not_the_applications(there: bool, code: str) -> None:
    given: list[StageResult] = []
    finding = Finding(rule="never-healthy", severity=Severity.ERROR, message="x")
    result = StageResult(
        stage="converge",
        outcome=Outcome.FAILED,
        code="never-healthy",
        message="it waits",
        findings=(finding,),
    )
    host = hosting(there=there)
    told = host.telling(lambda _, r: given.append(r))
    told(case("web"), result)
    told(case("other"), result)
    assert [r.code for r in given] == [code, "never-healthy"]
    if not there:
        assert given[0].outcome is Outcome.ERROR and not given[0].findings
        assert "it waits" in given[0].message and "kind-dev" in given[0].message
