"""The values that reports are made of."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest

from pytest_gitops import model
from pytest_gitops.model import (
    IN_CLUSTER,
    Case,
    Destination,
    Finding,
    Moment,
    Outcome,
    Resource,
    Run,
    Severity,
    Source,
    StageResult,
    Tools,
    Verdict,
    Waiver,
)

FINDING = Finding(
    rule="missing-path",
    severity=Severity.ERROR,
    message="no such path",
    file="a.yaml",
    line=3,
    resource="Service web/web",
    help="make it",
    waiver=Waiver(reason="known", expires="2030-01-01"),
)
CASE = Case(
    name="web",
    namespace="argocd",
    project="omega",
    file="apps/web.yaml",
    line=2,
    manifest={"kind": "Application"},
)


def result(outcome: Outcome, *findings: Finding) -> StageResult:
    return StageResult(stage="source", outcome=outcome, findings=findings)


def test_values_are_frozen() -> None:
    for each in vars(model).values():
        if dataclasses.is_dataclass(each):
            assert getattr(each, "__dataclass_params__").frozen, each  # noqa: B009  # unknown to typeshed
            assert hasattr(each, "__slots__"), each


@pytest.mark.parametrize(
    "finding",
    [
        FINDING,
        Finding(rule="r", severity=Severity.INFO, message="m"),
        dataclasses.replace(FINDING, waiver=Waiver(reason="for good")),
        dataclasses.replace(FINDING, line=None),
    ],
)
def test_a_finding_comes_back_from_what_is_written(finding: Finding) -> None:
    assert Finding.from_dict(json.loads(json.dumps(finding.to_dict()))) == finding


def test_a_result_comes_back_from_what_is_written() -> None:
    told = StageResult(
        stage="converge",
        outcome=Outcome.FAILED,
        code="sync-failed",
        message="no",
        duration=1.25,
        findings=(FINDING,),
        evidence={"retries": 2},
    )
    assert StageResult.from_dict(json.loads(json.dumps(told.to_dict()))) == told
    empty = StageResult(stage="source", outcome=Outcome.PASSED)
    assert StageResult.from_dict(json.loads(json.dumps(empty.to_dict()))) == empty


@pytest.mark.parametrize(
    ("severity", "waiver", "counts"),
    [
        (Severity.ERROR, None, True),
        (Severity.ERROR, Waiver(reason="known"), False),
        (Severity.WARNING, None, False),
        (Severity.INFO, None, False),
    ],
)
def test_only_an_error_that_is_not_waived_counts(
    severity: Severity, waiver: Waiver | None, counts: bool
) -> None:
    assert Finding(rule="r", severity=severity, message="m", waiver=waiver).counts is counts


@pytest.mark.parametrize(
    ("file", "line", "where"),
    [("a.yaml", 3, "a.yaml:3"), ("a.yaml", None, "a.yaml"), ("", 3, ""), ("", None, "")],
)
def test_a_place_is_file_and_line_as_far_as_they_are_known(file: str, line: int | None, where: str) -> None:
    assert Finding(rule="r", severity=Severity.INFO, message="m", file=file, line=line).where == where


def test_a_case_is_known_by_its_file_and_its_name() -> None:
    assert CASE.key == "argocd/web"
    assert CASE.id == "apps/web.yaml::argocd/web"


@pytest.mark.parametrize("outcomes", [c for n in range(4) for c in itertools.product(Outcome, repeat=n)])
def test_the_worst_of_the_stages_is_the_applications_outcome(outcomes: tuple[Outcome, ...]) -> None:
    found = Verdict(case=CASE, stages=tuple(map(result, outcomes))).outcome
    if Outcome.ERROR in outcomes:
        assert found is Outcome.ERROR
    elif Outcome.FAILED in outcomes:
        assert found is Outcome.FAILED
    else:
        assert found is (Outcome.PASSED if Outcome.PASSED in outcomes else Outcome.SKIPPED)


@pytest.mark.parametrize(
    ("destination", "cluster"),
    [
        (Destination(), IN_CLUSTER),
        (Destination(name="prod"), "prod"),
        (Destination(server="https://x:6443", name="prod"), "https://x:6443"),
    ],
)
def test_a_destination_without_a_cluster_is_argo_cds_own(destination: Destination, cluster: str) -> None:
    assert destination.cluster == cluster


def test_an_objects_title_has_its_namespace_where_it_has_one() -> None:
    assert Resource(api_version="v1", kind="Service", namespace="web", name="a").title == "Service web/a"
    assert Resource(api_version="v1", kind="Namespace", namespace="", name="web").title == "Namespace web"


def run(**more: Any) -> Run:
    return Run(
        version="1.0",
        tools=Tools(argocd="3.6.1", kubernetes="1.37.2", opa="1.22.2"),
        repository="github.com/example/grid",
        head={"name": "main", "commit": "4f1c2a9"},
        base=None,
        started="2025-03-01T10:00:00+00:00",
        duration=12.34567,
        provider="embedded",
        simulated=("Pods",),
        stages=("source",),
        **more,
    )


def test_a_run_is_json_with_nothing_for_nothing() -> None:
    verdict = Verdict(
        case=dataclasses.replace(CASE, sources=(Source(repo_url="https://x"),)),
        stages=(result(Outcome.PASSED),),
        resources=(Resource(api_version="v1", kind="Namespace", namespace="", name="web"),),
        timeline=(Moment(at=1.2345, sync="Synced", health=""),),
    )
    written = json.loads(json.dumps(run(verdicts=(verdict,), timings={"plan": 1.23456}).to_dict()))
    assert written["run"]["durationSeconds"] == 12.346
    assert written["run"]["timings"] == {"plan": 1.235}
    assert written["run"]["base"] is None
    assert written["run"]["error"] is None
    (application,) = written["applications"]
    assert application["timeline"] == [{"at": 1.23, "sync": "Synced", "health": None, "phase": None}]
    assert application["sources"][0]["path"] is None
    assert application["resources"][0]["namespace"] is None
    assert application["parent"] is None
    assert "manifest" not in application
