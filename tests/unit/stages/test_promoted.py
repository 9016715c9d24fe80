"""What Rollouts add to the verdict of an upgrade."""

from __future__ import annotations

from typing import Any, cast

from pytest_gitops.model import Finding, Outcome, Severity, StageResult
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.rollouts.analysis import Analysis, Metric
from pytest_gitops.rollouts.reading import Look
from pytest_gitops.rollouts.story import Happening, Story
from pytest_gitops.stages.crossing import Phase
from pytest_gitops.stages.inventory import Key
from pytest_gitops.stages.promoted import with_rollouts

CASE = case_of({"metadata": {"name": "shop"}, "spec": {}}, control="argocd", file="shop.yaml", line=1)
KEY = Key("in-cluster", "argoproj.io", "Rollout", "shop", "web")
SEEN = Look(strategy="canary", phase="Healthy", message="")
PASSED = StageResult(stage="upgrade", outcome=Outcome.PASSED)
UNASKED = Analysis(
    name="run",
    owner=("Rollout", "web"),
    phase="Running",
    metrics=(
        Metric(name="errors", provider="prometheus", errors=1, message="no host", unasked="p:9090 is far"),
    ),
)


def story(**more: Any) -> Story:
    return Story(title=KEY.title, owner=CASE.key, happenings=[Happening(at=0, seen=SEEN)] * 2, **more)


def judged(*stories: Story, result: StageResult = PASSED) -> StageResult:
    phases = [cast(Phase, type("P", (), {"stories": {KEY: each}})()) for each in stories]
    return with_rollouts(
        result, CASE, phases, lambda case, manifest: (f"{manifest['metadata']['name']}.yaml", 7)
    )


def test_a_rollout_that_went_well_adds_nothing() -> None:
    assert judged(story(aborted=True), story()) is PASSED


def test_a_rollout_of_another_application_adds_nothing() -> None:
    other = Story(title=KEY.title, owner="argocd/other", aborted=False, why="x")
    assert judged(other) is PASSED


def test_a_stable_version_that_does_not_serve_after_an_abort_fails() -> None:
    result = judged(story(aborted=False, why="1 of 4 Pods of the stable version are available"))
    (finding,) = result.findings
    assert (result.outcome, result.code) == (Outcome.FAILED, "rollout-abort-failed")
    assert (finding.severity, finding.file, finding.line) == (Severity.ERROR, "web.yaml", 7)
    assert "after an abort, and 1 of 4 Pods of the stable version are available" in result.message


def test_an_analysis_that_was_not_run_is_told_once_and_is_never_passed() -> None:
    result = judged(story(analyses={"run": UNASKED}), story(analyses={"run": UNASKED}))
    (finding,) = result.findings
    assert (result.outcome, result.code, finding.severity) == (
        Outcome.SKIPPED,
        "analysis-not-run",
        Severity.WARNING,
    )
    assert "metric errors (prometheus): p:9090 is far" in result.message
    assert "  said     no host" in result.message


def test_an_analysis_that_had_no_measurement_in_time_was_not_run_either() -> None:
    assert judged(story(unwaited={"run": 0})).code == "analysis-not-run"
    assert judged(story(unwaited={"run": 2})) is PASSED


def test_what_failed_stays_failed_and_an_abort_weighs_more_than_what_was_not_run() -> None:
    failed = StageResult(
        stage="upgrade",
        outcome=Outcome.FAILED,
        code="sync-failed",
        message="it failed",
        findings=(Finding(rule="sync-failed", severity=Severity.ERROR, message="m", file="f", line=1),),
    )
    result = judged(story(analyses={"run": UNASKED}), result=failed)
    assert (result.outcome, result.code, result.message) == (Outcome.FAILED, "sync-failed", "it failed")
    assert [f.rule for f in result.findings] == ["sync-failed", "analysis-not-run"]
    both = judged(story(aborted=False, why="x", analyses={"run": UNASKED}))
    assert (both.outcome, both.code) == (Outcome.FAILED, "rollout-abort-failed")
    assert "its analysis was not run" not in both.message
