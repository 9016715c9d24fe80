"""The time of Applications that others create, and those that Argo CD is told to leave alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from drive_support import LIMIT, Driver, case, state

from pytest_gitops.model import Case, Outcome
from pytest_gitops.stages import tracks

TIMEOUT, SKIP = "pytest-gitops/timeout", "argocd.argoproj.io/skip-reconcile"


def noted(known: Case, **annotations: str) -> Case:
    """`known` with annotations: `timeout`, `skip`."""
    notes = {{"timeout": TIMEOUT, "skip": SKIP}[k]: v for k, v in annotations.items()}
    metadata = {**known.manifest["metadata"], "annotations": notes}
    return replace(known, manifest={**known.manifest, "metadata": metadata})


def busy(driver: Driver, name: str, seconds: float) -> None:
    """`name` is getting on, for so long."""
    for step in range(int(seconds / 5)):
        driver.see(name, state(name, "OutOfSync", "Missing", "Running", message=f"step {driver.at} {step}"))
        driver.after(5)


# ---------------------------------------------------------------- deadlines of children


def test_the_time_of_a_child_begins_when_its_parent_creates_it(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), noted(case("child", "root"), timeout="30s")])
    busy(driver, "root", 40)  # the wave before the child's
    assert driver.none_given()
    busy(driver, "child", 25)
    assert driver.none_given()
    driver.see("child", state("child"))
    driver.see("root", state("root"))
    driver.after(tracks.SETTLE + 1)
    assert (driver.of("child").outcome, driver.of("root").outcome) == (Outcome.PASSED, Outcome.PASSED)


def test_from_then_on_a_child_has_its_own_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), noted(case("child", "root"), timeout="30s")])
    busy(driver, "root", 40)
    busy(driver, "child", 25)
    driver.after(4)
    assert driver.none_given()
    driver.after(1)
    result = driver.of("child")
    assert result.code == "never-healthy"
    assert "did not become Synced and Healthy within 30 s, though it was still getting on" in result.message
    assert "saw OutOfSync, Missing after 30.0 s" in result.message
    assert result.evidence["deadlineSeconds"] == 30


def test_a_child_is_not_given_up_while_its_parent_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), noted(case("child", "root"), timeout="30s")])
    for track in driver.drive.tracks.values():
        track.patience.still = track.deadline.seconds  # as where containers run
    driver.see("root", state("root", health="Progressing"))
    driver.after(LIMIT / 2)  # of an image that is pulled nobody hears
    assert driver.none_given()
    driver.see("child", state("child"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("child").outcome is Outcome.PASSED


@pytest.mark.parametrize("ends", [state("root"), state("root", "OutOfSync", "Missing", "Failed")])
def test_a_child_that_never_comes_ends_with_its_parent(
    monkeypatch: pytest.MonkeyPatch, ends: dict[str, Any]
) -> None:
    driver = Driver(monkeypatch, [case("root"), noted(case("child", "root"), timeout="30s")])
    busy(driver, "root", 40)
    driver.see("root", ends)
    driver.after(2 * tracks.QUIET + 1)
    assert driver.of("child").code == "never-created"
    assert driver.done


def test_a_child_ends_with_a_parent_that_runs_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), case("child", "root"), case("grandchild", "child")])
    busy(driver, "root", LIMIT - 1)
    assert driver.none_given()
    driver.after(2 * tracks.QUIET)
    assert {driver.of(n).code for n in ("child", "grandchild")} == {"never-created"}


def test_a_child_ends_though_its_parent_moves_on_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), noted(case("child", "root"), timeout="30s")])
    busy(driver, "root", 2 * LIMIT + 5)
    assert driver.of("child").code == "never-created"


def test_what_an_application_set_makes_has_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", "set", "ApplicationSet"), case("busy")])
    busy(driver, "busy", LIMIT - 1)
    assert driver.none_given()
    busy(driver, "busy", 10)
    assert driver.of("web").code == "not-reconciled"


def test_after_a_move_the_time_of_a_child_begins_with_its_present_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("root"), noted(case("child", "root"), timeout="30s")])
    driver.drive.again = True
    driver.see("child", state("child"))
    busy(driver, "root", 40)  # it has not come to the child's wave
    assert driver.none_given()
    driver.see("root", state("root"))
    driver.after(tracks.SETTLE + 2)
    assert driver.of("child").outcome is Outcome.PASSED


# ---------------------------------------------------------------- what is not reconciled


@pytest.mark.parametrize("said", ["true", "True", "1", "t"])
def test_what_argo_cd_is_told_not_to_reconcile_is_skipped_at_once(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    driver = Driver(monkeypatch, [noted(case("web"), skip=said)])
    driver.after(1)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "reconcile-skipped")
    assert result.message == (
        "not asked: Application argocd/web has the annotation argocd.argoproj.io/skip-reconcile: "
        f'"{said}", so Argo CD leaves it alone\n'
        "  next     take the annotation out where it is to be deployed"
    )
    assert driver.done


@pytest.mark.parametrize("said", ["false", "0", "yes", "TrUe", ""])
def test_what_is_no_such_word_is_reconciled(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    driver = Driver(monkeypatch, [noted(case("web"), skip=said)])
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_it_would_create_is_skipped_too_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = [noted(case("root"), skip="true"), case("child", "root"), case("grandchild", "child"), case("web")]
    driver = Driver(monkeypatch, plan, judged=["child", "grandchild", "web"])
    driver.after(1)
    assert {(k, r.code) for k, r in driver.answers.given} == {
        ("argocd/child", "reconcile-skipped"),
        ("argocd/grandchild", "reconcile-skipped"),
    }
    assert driver.of("grandchild").message.startswith(
        "not asked: Application argocd/root, without which Application argocd/grandchild is not created, has the"
    )
