"""converge in depth: sync windows, deadlines, nudges, RollingSync, and what is told of a difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from drive_support import LIMIT, Driver, case, state

from pytest_gitops.argocd.appstate import Managed
from pytest_gitops.model import Case, Outcome
from pytest_gitops.stages import telling, tracks, windows

DENY = {"kind": "deny", "schedule": "0 0 * * *", "duration": "24h", "applications": ["*"]}
BLOCKED = "Sync operation blocked by sync window"


class Windows:
    """An Argo CD whose project has windows; keeps what was asked."""

    def __init__(self, driver: Driver, *found: Mapping[str, Any]) -> None:
        self.found, self.asked, self.ended = found, list[bool](), list[str]()
        for name in ("windows", "sync", "terminate"):
            setattr(driver.fake, name, getattr(self, name))

    def windows(self, project: str, *, control: str) -> tuple[Mapping[str, Any], ...]:
        assert (project, control) == ("default", "argocd")
        return self.found

    def sync(self, application: Mapping[str, Any], *, automated: bool = False) -> None:
        self.asked.append(automated)

    def terminate(self, application: Mapping[str, Any]) -> None:
        self.ended.append(application["metadata"]["name"])


def not_synced(**more: Any) -> dict[str, Any]:
    return state("web", "OutOfSync", "Missing", "", **more)


# ---------------------------------------------------------------- sync windows


def test_a_closed_window_is_neither_green_nor_red(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    argocd = Windows(driver, DENY)
    driver.see("web", not_synced())
    driver.after(tracks.QUIET - 1)
    assert argocd.asked == []
    driver.after(2)
    assert argocd.asked == [True]  # as automation asks
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message=BLOCKED))
    driver.after(windows.SURE - 1)
    assert driver.none_given()
    driver.after(2)
    result = driver.of("web")
    assert (result.outcome, result.code, result.findings) == (Outcome.SKIPPED, "sync-window", ())
    assert "window   deny '0 0 * * *' for 24h, no manual sync; applications *" in result.message
    assert "a person may sync" not in result.message
    assert argocd.ended == ["web"]


def test_without_windows_automation_that_does_not_begin_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    argocd = Windows(driver)
    driver.see("web", not_synced())
    driver.after(tracks.STILL + 1)
    assert argocd.asked == []
    assert driver.of("web").code == "not-synced"


def test_what_is_synced_by_hand_is_blocked_at_first_sight_only(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    argocd = Windows(driver, {**DENY, "manualSync": True})
    driver.see("web", not_synced(automated=False))
    driver.after(1)
    assert argocd.asked == [False]
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message=BLOCKED, automated=False))
    driver.after(tracks.NUDGE + 1)
    assert driver.fake.refreshed == ["web"]
    driver.see("web", state("web", automated=False))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_stays_blocked_by_hand_too_is_given_up_later(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    Windows(driver, DENY)
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message=BLOCKED, automated=False))
    driver.after(windows.SURE_BY_HAND - 1)
    assert driver.none_given()
    driver.after(2)
    assert driver.of("web").code == "sync-window"


def test_where_a_person_may_sync_the_second_look_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    argocd = Windows(driver, {**DENY, "manualSync": True})
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message=BLOCKED, automated=False))
    driver.after(windows.SURE_BY_HAND + 1)
    driver.after(tracks.STILL + 1)
    assert (driver.none_given(), argocd.ended) == (True, [])
    driver.see("web", state("web", automated=False))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_where_a_person_may_sync_one_window_that_says_otherwise_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    Windows(driver, {**DENY, "manualSync": True}, DENY)
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message=BLOCKED, automated=False))
    driver.after(windows.SURE_BY_HAND + 1)
    assert driver.of("web").code == "sync-window"


def test_without_a_second_look_it_is_not_judged_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    Windows(driver, {**DENY, "manualSync": True})
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message=BLOCKED, automated=False))
    driver.after(windows.SURE_BY_HAND + 1)
    driver.after(300)
    assert (driver.of("web").outcome, driver.of("web").code) == (Outcome.SKIPPED, "sync-window")


def test_at_its_deadline_what_is_blocked_is_not_red_either(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [with_timeout("15s")])
    Windows(driver, DENY)
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message=BLOCKED))
    driver.after(16)
    assert (driver.of("web").outcome, driver.of("web").code) == (Outcome.SKIPPED, "sync-window")


def test_where_a_person_may_sync_all_the_same_it_is_said() -> None:
    told = telling.blocked(case("web"), [{**DENY, "manualSync": True, "timeZone": "Europe/Lisbon"}])
    assert "window   deny '0 0 * * *' Europe/Lisbon for 24h, manual sync allowed; applications *" in told
    assert "manual   a person may sync it all the same: argocd app sync web" in told


# ---------------------------------------------------------------- deadlines


def with_timeout(text: str) -> Case:
    known = case("web")
    annotated = {**known.manifest["metadata"], "annotations": {"pytest-gitops/timeout": text}}
    return replace(known, manifest={**known.manifest, "metadata": annotated})


def syncing(step: int) -> dict[str, Any]:
    message = f"waiting for completion of hook batch/Job/step-{step}"
    return state("web", "OutOfSync", "Missing", "Running", message=message)


def test_what_is_still_getting_on_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [with_timeout("30s")])
    for step in range(6):
        driver.see("web", syncing(step))
        driver.after(5)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "never-healthy")
    assert "within 30 s, though it was still getting on: what it said 5 s before was new" in result.message
    assert result.evidence["progress"] == "slow"
    assert result.evidence["deadlineFrom"] == "annotation pytest-gitops/timeout: 30s"
    assert [s["step"] for s in result.evidence["steps"]] == [
        f"waiting for completion of hook batch/Job/step-{n}" for n in range(6)
    ]


def test_what_stands_still_until_its_deadline_is_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [with_timeout("30s")])
    driver.see("web", syncing(0))
    driver.after(31)
    result = driver.of("web")
    assert "within 30 s: nothing has moved for 30 s" in result.message
    assert (result.evidence["progress"], result.evidence["cause"]["class"]) == ("still", "hook-unfinished")


QUEUED = [{}, state("web", sync="", health="", phase=""), state("web", "OutOfSync", "Missing", phase="")]


@pytest.mark.parametrize("queued", QUEUED, ids=["not created", "not compared", "not synced"])
def test_its_time_begins_when_argo_cd_begins_with_it(
    monkeypatch: pytest.MonkeyPatch, queued: dict[str, Any]
) -> None:
    driver = Driver(monkeypatch, [with_timeout("30s"), case("busy")])
    for step in range(10):  # others have its attention
        driver.see("busy", state("busy", "OutOfSync", "Missing", "Running", message=f"step {step}"))
        driver.after(5)
        if queued:
            driver.see("web", queued)
    assert driver.none_given()
    for step in range(6):
        driver.see("web", syncing(step))
        driver.after(4)
    assert driver.none_given()
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_argo_cd_has_as_long_to_begin_as_any_application_has(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [with_timeout("30s"), case("busy")])
    for step in range(int(LIMIT / 5)):
        driver.see("busy", state("busy", "OutOfSync", "Missing", "Running", message=f"step {step}"))
        driver.after(5)
        driver.see("web", state("web", sync="", health="", phase=""))
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")
    assert f"has not got to it within {LIMIT:g} s" in result.message


def test_what_goes_round_in_circles_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    for _ in range(6):
        driver.see("web", state("web", "OutOfSync"))
        driver.after(2)
        driver.see("web", state("web", health="Progressing"))
        driver.after(0.5)
    driver.after(2)
    result = driver.of("web")
    assert "and never will: it comes back to the same states again and again" in result.message
    assert result.evidence["progress"] == "circles"


def test_a_sync_that_stands_is_asked_about_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", syncing(0))
    driver.after(LIMIT / 5)
    assert 3 <= len(driver.fake.refreshed) <= 5
    driver.see("web", syncing(1))
    driver.after(tracks.NUDGE + 1)
    assert len(driver.fake.refreshed) <= 6


def test_a_sync_that_is_at_work_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message="one of 200 applied"))
    driver.after(LIMIT / 6)
    assert driver.fake.refreshed == []


# ---------------------------------------------------------------- RollingSync


def test_what_an_application_set_rolls_out_is_synced_by_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", "sets", "ApplicationSet", automated=False)])
    track = driver.drive.tracks["argocd/web"]
    track.rolled = True
    driver.see("web", not_synced(automated=False))
    driver.after(tracks.STILL + 1)
    assert driver.fake.synced == []
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "step-not-reached")
    assert result.message.startswith(
        "not asked: ApplicationSet argocd/sets (RollingSync) has not come to the step"
    )


def _rolling(**parameters: str) -> frozenset[str]:
    def declared(strategy: Any) -> SimpleNamespace:
        return SimpleNamespace(manifest={"spec": {"strategy": strategy}})

    # Those of files and those that an Application renders are one to the plan.
    sets = {
        "argocd/a": declared({"type": "RollingSync"}),
        "team/b": declared(None),
        "team/c": declared({"type": "AllAtOnce"}),
        "team/rendered": declared({"type": "RollingSync"}),
    }
    said = {f"applicationsetcontroller.enable.{k}".replace("_", "."): v for k, v in parameters.items()}
    context = SimpleNamespace(plan=SimpleNamespace(sets=sets), parameters=said)
    return tracks.rolling_sets(cast(Any, context))


def test_only_a_set_that_says_so_rolls() -> None:
    assert _rolling() == _rolling(progressive_syncs="true") == {"argocd/a", "team/rendered"}


def test_no_set_rolls_where_progressive_syncs_are_switched_off() -> None:
    assert _rolling(progressive_syncs="false") == frozenset()


# ---------------------------------------------------------------- what differs


def test_what_keeps_it_out_of_sync_is_named_with_its_path_and_both_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("web")])
    there = [
        Managed(
            group="", kind="Deployment", namespace="web", name="web", hook=False,
            desired={"spec": {"replicas": 3}}, live={"spec": {"replicas": 1}},
        )
    ]  # fmt: skip
    driver.context.app_state = cast(Any, SimpleNamespace(managed=lambda key: there, tree=lambda key: ()))
    driver.see("web", state("web", "OutOfSync"))
    driver.after(tracks.QUIET + 1)
    result = driver.of("web")
    assert "  differs  Deployment web/web: spec.replicas: desired 3, live 1" in result.message
    (finding,) = result.findings
    assert finding.message.endswith(": Deployment web/web: spec.replicas: desired 3, live 1")
    assert result.evidence["differences"] == [
        {"object": "Deployment web/web", "path": "spec.replicas", "desired": 3, "live": 1}
    ]


# ---------------------------------------------------------------- where it stands


def test_a_failure_stands_where_the_object_that_is_waited_for_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hook = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "step-0"}}
    driver = Driver(monkeypatch, [with_timeout("30s")], renders={"web": [hook]})
    monkeypatch.setattr(type(driver.context), "locate", lambda self, case, manifest: ("web/step.yaml", 3))
    driver.see("web", syncing(0))
    driver.after(31)
    result = driver.of("web")
    (finding,) = result.findings
    assert (finding.file, finding.line, finding.resource) == ("web/step.yaml", 3, "Job step-0")
    assert result.message.startswith(
        "web/step.yaml:3: Application argocd/web did not become Synced and Healthy"
    )


def test_of_what_is_slow_the_application_itself_is_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [with_timeout("30s")])
    for step in range(6):
        driver.see("web", syncing(step))
        driver.after(5)
    result = driver.of("web")
    assert (result.findings[0].where, result.findings[0].resource) == ("web.yaml:1", "")
    assert result.evidence["cause"]["class"] == "deadline-exceeded"
