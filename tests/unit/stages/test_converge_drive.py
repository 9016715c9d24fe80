"""Who creates and syncs Applications, and what is nobody's fault."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from drive_support import LIMIT, Driver, case, manifest, state

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Outcome
from pytest_gitops.stages import drive, tracks

# ---------------------------------------------------------------- created


def test_roots_are_created_by_us_and_children_by_their_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = [case("root"), case("child", "root"), case("made", "set", "ApplicationSet")]
    driver = Driver(monkeypatch, plan)
    started: list[bool] = []
    driver.context.start_controller = lambda: started.append(True)
    driver.context.stopping.set()
    driver.drive.run()
    assert driver.fake.created == ["argocd/root"]
    assert started == [True]


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (ApiError("bad name", status=422, reason="Invalid"), Outcome.FAILED, "not-accepted"),
        (ApiError("unknown kind", status=404, reason="NotFound"), Outcome.FAILED, "not-accepted"),
        (ApiError("later", status=500, reason="Internal"), Outcome.ERROR, "not-created"),
        (ApiError("gone", status=0, reason="Unreachable"), Outcome.ERROR, "not-created"),
        (ValueError("ours"), Outcome.ERROR, "not-created"),
    ],
)
def test_what_the_api_server_refuses_is_the_repositorys_fault_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: Outcome, code: str
) -> None:
    driver = Driver(monkeypatch, [case("web"), case("other")])
    driver.fake.refuse["web"] = error
    driver.context.stopping.set()
    driver.drive.run()
    result = driver.of("web")
    assert (result.outcome, result.code) == (outcome, code)
    assert str(error) in result.message
    assert driver.fake.created == ["argocd/other"]


def test_the_refusal_of_one_that_nobody_asks_about_is_nobodys_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.drive._refused(case("moves-along"), ApiError("bad name", status=422, reason="Invalid"))
    assert driver.none_given()


def test_a_child_that_its_parent_never_makes_fails_once_the_parent_is_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("root"), case("child", "root")])
    driver.after(tracks.QUIET + 1)
    assert driver.none_given()  # the parent is still on its way
    driver.see("root", state("root"))
    driver.after(tracks.QUIET + 3)
    assert driver.of("root").outcome is Outcome.PASSED
    result = driver.of("child")
    assert (result.outcome, result.code) == (Outcome.FAILED, "never-created")
    assert "its parent did not create it" in result.message


def test_a_child_whose_parent_never_comes_up_is_the_parents_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), case("child", "root")])
    driver.see("root", state("root", health="Progressing"))
    driver.after(tracks.STILL + tracks.QUIET + tracks.BUSY + 1)
    assert (driver.of("child").outcome, driver.of("child").code) == (Outcome.FAILED, "never-created")


def test_a_child_that_is_there_has_its_own_time_whatever_its_parent_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("root"), case("child", "root")])
    driver.see("root", state("root"))
    driver.see("child", state("child", health="Progressing"))
    driver.after(tracks.STILL - 1)
    assert [key for key, _ in driver.answers.given] == ["argocd/root"]


def test_what_others_need_is_created_and_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(
        monkeypatch, [case("root"), case("child", "root"), case("other", "root")], judged=["child"]
    )
    assert set(driver.drive.tracks) == {"argocd/root", "argocd/child"}
    driver.see("root", state("root", "OutOfSync", "Missing", "Failed"))
    driver.see("child", state("child"))
    driver.after(tracks.QUIET * 3)
    assert driver.done
    assert [key for key, _ in driver.answers.given] == ["argocd/child"]


# ---------------------------------------------------------------- synced by us


def test_what_nobody_syncs_we_sync_once_it_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False), case("auto")])
    driver.see("web", manifest("web", automated=False))
    driver.see("auto", state("auto", "OutOfSync", "Missing", ""))
    driver.after(1)
    assert driver.fake.synced == []
    driver.see("web", state("web", "OutOfSync", "Missing", "", automated=False))
    driver.after(3)
    assert driver.fake.synced == ["web"]


@pytest.mark.parametrize("pending", [True, False])
def test_a_sync_that_somebody_else_has_started_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch, pending: bool
) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    seen = state("web", "OutOfSync", "Missing", "" if pending else "Running", automated=False)
    driver.see("web", {**seen, "operation": {"sync": {}}} if pending else seen)
    driver.after(3)
    assert driver.fake.synced == []


@pytest.mark.parametrize(
    ("seen", "more"),
    [
        (("Synced", "Degraded", "Succeeded"), {}),
        (("OutOfSync", "Missing", "Running"), {"finishedAt": "2025-03-01T10:00:01Z", "retryCount": 1}),
    ],
)
def test_only_a_sync_that_has_ended_and_failed_is_repeated(
    monkeypatch: pytest.MonkeyPatch, seen: tuple[str, str, str], more: dict[str, Any]
) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False), case("crd")])
    driver.see("web", state("web", "OutOfSync", "Missing", "", automated=False))
    driver.after(1)
    driver.see("web", state("web", *seen, automated=False, **more))
    driver.see("crd", state("crd", "OutOfSync", "Missing", "Failed"))
    driver.after(2)
    driver.see("crd", state("crd"))
    driver.after(2)
    assert driver.fake.synced == ["web"]


def test_what_is_synced_and_healthy_at_once_is_synced_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing but hooks: Argo CD calls it Synced and Healthy, and none of them has run.
    driver = Driver(monkeypatch, [case("web", automated=False)])
    driver.see("web", state("web", phase="", automated=False))
    driver.after(tracks.SETTLE + 5)
    assert driver.fake.synced == ["web"]
    assert driver.none_given()
    driver.see("web", state("web", automated=False))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_a_sync_of_ours_that_failed_is_repeated_when_others_have_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False), case("crd")])
    driver.see("web", state("web", "OutOfSync", "Missing", "", automated=False))
    driver.after(1)
    driver.see("web", state("web", "OutOfSync", "Missing", "Failed", automated=False))
    driver.see("crd", state("crd", "OutOfSync", "Missing", "Failed"))
    driver.after(1)
    synced = len(driver.fake.synced)
    driver.after(3)
    assert len(driver.fake.synced) == synced  # nothing has moved since
    driver.see("crd", state("crd"))
    driver.after(1)
    assert len(driver.fake.synced) == synced + 1


def test_two_that_we_sync_and_that_fail_do_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False), case("db", automated=False)])
    for name in ("web", "db"):
        driver.see(name, state(name, "OutOfSync", "Missing", "", automated=False))
    answered = 0
    while not driver.done and driver.at < 1000 + LIMIT:
        driver.after(1)
        for name in driver.fake.synced[answered:]:
            driver.see(name, state(name, "OutOfSync", "Missing", "Running", automated=False))
            driver.see(name, state(name, "OutOfSync", "Missing", "Failed", automated=False))
        answered = len(driver.fake.synced)
    assert driver.at < 1000 + 3 * (tracks.QUIET + tracks.BUSY)
    assert {driver.of(n).code for n in ("web", "db")} == {"sync-failed"}


# ---------------------------------------------------------------- not the repository's fault


@pytest.mark.parametrize("seen", [None, "fresh", "stale"])
@pytest.mark.parametrize("parent_kind", ["", "ApplicationSet"])
def test_what_argo_cd_never_got_to_is_an_error_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, seen: str | None, parent_kind: str
) -> None:
    driver = Driver(monkeypatch, [case("web", "set" if parent_kind else "", parent_kind)])
    if seen == "fresh":
        driver.see("web", manifest("web"))
    if seen == "stale":
        driver.see("web", state("web", revision="0" * 40))
    driver.after(tracks.STILL - 1)
    assert driver.none_given()
    driver.after(1)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")
    assert result.message.startswith("Argo CD has not got to it within 60 s: ")


@pytest.mark.parametrize(
    "message",
    [
        "failed to initialize sync context: failed to manage resources: failed to generate temp file for kubeconfig",
        'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing"',
        'Failed to load live state: failed to get cluster info for "https://kubernetes.default.svc": error '
        "synchronizing cache state : failed to load open api schema while syncing cluster cache: error getting openapi "
        'resources: Get "https://127.0.0.1:24091/openapi/v2?timeout=32s": context deadline exceeded',
    ],
)
def test_what_argo_cd_itself_cannot_do_is_no_fault_of_the_application(
    monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web", "OutOfSync", "Missing", "Error", message=message))
    driver.after(tracks.QUIET + 1)
    assert driver.none_given()
    assert driver.fake.refreshed[:2] == ["web"] * 2, "it may go on when it tries again"
    driver.after(tracks.STILL)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")
    assert message in result.message


def test_a_watch_that_fails_is_an_error_of_all_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])

    def broken(act: Any, *, stop: threading.Event) -> None:
        raise ApiError("forbidden", status=403, reason="Forbidden")

    monkeypatch.setattr(driver.fake, "watch", broken)
    with pytest.raises(EngineError, match="the Applications cannot be watched: forbidden"):
        driver.drive.run()
    assert driver.none_given()


def test_a_sync_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    driver.fake.no_sync = ApiError("conflict", status=409, reason="Conflict")
    driver.see("web", state("web", "OutOfSync", "Missing", "", automated=False))
    driver.after(1)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "sync-not-started")


def test_a_run_ends_when_all_that_is_judged_is(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), case("child", "root")], judged=["child"])
    monkeypatch.setattr(drive, "TICK", 0.001)
    ticks = itertools.count()
    monkeypatch.setattr(drive, "now", lambda: 1000.0 + next(ticks) / 10)

    def watch(act: Callable[[str, Mapping[str, Any]], None], *, stop: threading.Event) -> None:
        act("argocd/stranger", state("stranger"))
        act("argocd/child", driver.fake.stamped(state("child")))
        assert stop.wait(30)

    monkeypatch.setattr(driver.fake, "watch", watch)
    driver.drive.run()
    assert [(key, r.outcome) for key, r in driver.answers.given] == [("argocd/child", Outcome.PASSED)]
    assert set(driver.context.applications) == {"child.yaml::argocd/child"}


def test_a_run_that_is_stopped_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.context.stopping.set()
    driver.drive.run()
    assert driver.none_given()
    assert driver.drive.stop.is_set()
