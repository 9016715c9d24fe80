"""Applications whose hooks nobody runs: Argo CD compares no hook, and its automation syncs only what is OutOfSync."""

from __future__ import annotations

from typing import Any

import pytest
from drive_support import Driver, case, state

from pytest_gitops.model import Outcome
from pytest_gitops.stages import tracks

NEVER_SYNCED = {"phase": ""}


def job(name: str = "migrate", **annotations: str) -> dict[str, Any]:
    notes = {k.replace("__", "/").replace("_", "."): v for k, v in annotations.items()}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "annotations": notes}}


def hook(kind: str) -> dict[str, Any]:
    return job(argocd_argoproj_io__hook=kind)


def green(monkeypatch: pytest.MonkeyPatch, *objects: dict[str, Any], **seen: Any) -> Driver:
    """An Application with automation that renders to `objects`, and is Synced and Healthy from the start."""
    driver = Driver(monkeypatch, [case("web")], renders={"web": objects})
    driver.see("web", state("web", **{**NEVER_SYNCED, **seen}))
    driver.after(tracks.SETTLE + 1)
    return driver


@pytest.mark.parametrize(
    "made",
    [
        hook("Sync"),
        hook("PreSync"),
        hook("PostSync,SyncFail"),
        job(helm_sh__hook="post-install,post-upgrade"),
    ],
)
def test_hooks_that_automation_never_runs_are_red(
    monkeypatch: pytest.MonkeyPatch, made: dict[str, Any]
) -> None:
    result = green(monkeypatch, made).of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "hooks-never-run")
    (finding,) = result.findings
    assert (finding.rule, finding.where, finding.resource) == ("hooks-never-run", "web.yaml:1", "Job migrate")
    assert result.message.splitlines() == [
        "web.yaml:1: Application argocd/web is Synced, Healthy, and its hooks have not run: no sync ever begins",
        "  hooks    Job migrate",
        "  expected a sync that runs them; saw Synced, Healthy without one",
        "  cause    automation never begins a sync of nothing but hooks: Argo CD compares none, so it is Synced at once",
        f"  next     {finding.help}",
    ]
    assert finding.message == "Job migrate: expected a sync to run the hook, saw Synced, Healthy without one"
    assert result.evidence["cause"]["class"] == "hooks-only"


def test_a_hook_that_is_written_somewhere_is_found_there(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")], renders={"web": [hook("Sync")]})
    monkeypatch.setattr(type(driver.context), "locate", lambda self, case, manifest: ("web/job.yaml", 3))
    driver.see("web", state("web", phase=""))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").findings[0].where == "web/job.yaml:3"


@pytest.mark.parametrize(
    "made",
    [
        hook("PostDelete"),  # runs when the Application is deleted
        hook("SyncFail"),
        hook("Skip"),  # never applied
        job(helm_sh__hook="test"),
        job(),
    ],
)
def test_what_no_sync_would_run_is_not_missed(monkeypatch: pytest.MonkeyPatch, made: dict[str, Any]) -> None:
    assert green(monkeypatch, made).of("web").outcome is Outcome.PASSED


def test_without_any_object_nothing_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert green(monkeypatch).of("web").outcome is Outcome.PASSED


def test_hooks_beside_what_is_compared_run_with_its_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    assert green(monkeypatch, hook("Sync"), job("web"), phase="Succeeded").of("web").outcome is Outcome.PASSED


def test_what_has_been_there_before_need_not_be_synced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")], renders={"web": [hook("Sync")]})
    driver.drive.again = True
    driver.see("web", state("web", phase=""))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_only_others_need_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = [case("root"), case("child", "root")]
    driver = Driver(monkeypatch, plan, judged=["child"], renders={"root": [hook("Sync")]})
    driver.see("root", state("root", phase=""))
    driver.see("child", state("child"))
    driver.after(tracks.SETTLE + 1)
    assert [key for key, _ in driver.answers.given] == ["argocd/child"]
    assert driver.done
