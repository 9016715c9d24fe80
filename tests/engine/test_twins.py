"""Twins on the real engine: an Application with one defect is red in the one stage that can see it, its twin green."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runs import ROOT, Outcome

from pytest_gitops.repository.manifest import parse

pytestmark = pytest.mark.engine

RunFixture = Callable[[str], Outcome]


@pytest.fixture
def run(run_fixture: RunFixture) -> Outcome:
    return run_fixture("twins")


def twins() -> list[dict[str, str]]:
    found: list[dict[str, str]] = parse((ROOT / "fixtures" / "twins" / "twins.yaml").read_bytes())[0].value
    return found


def evidence(run: Outcome, name: str) -> dict[str, Any]:
    found: dict[str, Any] = run.stage(f"argocd/{name}", "idempotent")["evidence"]
    return found


def test_each_defect_is_seen_by_its_stage_alone_and_no_twin_is_red(run: Outcome) -> None:
    red = {
        (key, stage["stage"], stage["code"])
        for key, application in run.applications.items()
        for stage in application["stages"]
        if stage["outcome"] in {"failed", "error"}
    }
    assert red == {(t["application"], t["stage"], t["code"]) for t in twins()}, run.output


def test_each_defect_is_found_where_it_is_written(run: Outcome) -> None:
    found = {(f[0], f[1], f"{f[3]}:{f[4]}") for f in run.findings if f[2] == "error"}
    assert found == {(t["application"], t["code"], t["at"]) for t in twins()}


def test_what_differs_is_told_with_its_path_and_without_the_values_of_a_secret(run: Outcome) -> None:
    (finding,) = run.stage("argocd/random-secret", "idempotent")["findings"]
    assert "stringData.key is another (value hidden)" in finding["message"]
    (finding,) = run.stage("argocd/stamped", "idempotent")["findings"]
    assert "data.at was '17" in finding["message"]


def test_a_rendering_that_differs_where_argocd_leaves_it_alone_is_only_told(run: Outcome) -> None:
    (finding,) = run.stage("argocd/stamped-left-alone", "idempotent")["findings"]
    assert (finding["rule"], finding["severity"]) == ("render-not-deterministic", "warning")
    assert evidence(run, "stamped-left-alone")["changes"] == []


def test_what_runs_again_by_its_own_wish_is_in_the_evidence(run: Outcome) -> None:
    assert evidence(run, "hooked-by-hand")["sync"]["hooksRunAgain"] == ["Job migrate"]
    assert evidence(run, "job-made-anew")["madeAnewOnPurpose"] == ["Job job-made-anew/migrate"]


def test_the_timeline_goes_on_after_it_converged(run: Outcome) -> None:
    line = run.applications["argocd/random-secret"]["timeline"]
    assert line[-1]["sync"] == "OutOfSync"
    assert [m["at"] for m in line] == sorted(m["at"] for m in line)
