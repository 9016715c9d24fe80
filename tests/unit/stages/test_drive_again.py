"""The drive of Applications that have been through it before: what was true of the other revision does not count."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from drive_support import GOOD, Driver, case, state
from stage_support import HEAD

from pytest_gitops.model import Case, Outcome
from pytest_gitops.stages import drive, tracks

OTHER = "0" * 40


class Again(Driver):
    """A driver in its second phase."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, plan: list[Case], **more: Any) -> None:
        super().__init__(monkeypatch, plan, **more)
        self.drive.again = True


def extra(name: str, phase: str = "Succeeded", *, skipped: bool = True, **more: Any) -> dict[str, Any]:
    """An Application with an object that no manifest has; `skipped`: Argo CD has tried to prune it and may not."""
    found = state(name, "OutOfSync", "Healthy", phase, **more)
    found["status"]["resources"][0]["requiresPruning"] = True
    if skipped:
        left = {k: found["status"]["resources"][0][k] for k in ("kind", "namespace", "name")}
        found["status"]["operationState"]["syncResult"] = {
            "revision": found["status"]["sync"]["revision"],
            "resources": [{**left, "status": "PruneSkipped"}],
        }
    return found


def test_what_it_was_at_the_other_revision_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web")])
    driver.see("web", state("web", revision=OTHER))
    driver.after(tracks.QUIET)
    assert driver.none_given()
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_a_comparison_that_is_forgotten_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web")])
    driver.see("web", state("web", revision=OTHER))
    driver.after(tracks.ASK_AGAIN - 1)
    assert driver.fake.refreshed == []
    driver.after(tracks.ASK_AGAIN)
    assert driver.fake.refreshed == ["web"]
    driver.after(tracks.ASK_AGAIN)
    assert driver.fake.refreshed == ["web", "web"]


def test_of_many_that_are_forgotten_only_some_are_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"app-{n}" for n in range(6)]
    driver = Again(monkeypatch, [case(n) for n in names])
    driver.fake.answer = lambda name: None
    for name in names:
        driver.see(name, state(name, revision=OTHER))
    driver.after(tracks.ASK_AGAIN)
    assert len(driver.fake.refreshed) == tracks.NUDGES
    driver.after(2 * tracks.ASK_AGAIN)
    assert sorted(driver.fake.refreshed) == names


def test_a_child_waits_for_its_parent_to_give_it_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("root"), case("child", "root")])
    driver.see("root", state("root", revision=OTHER))
    driver.see("child", state("child"))  # at head's commit, in base's form
    driver.after(tracks.SETTLE + 3)
    assert driver.none_given()
    driver.see("root", state("root"))
    driver.after(tracks.SETTLE / 2)
    assert driver.none_given()
    driver.after(tracks.SETTLE + 1)
    assert driver.of("child").outcome is Outcome.PASSED


def test_a_child_whose_parent_is_through_is_judged_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("root"), case("child", "root")])
    driver.see("root", state("root", "OutOfSync", "Missing", "Failed"))
    driver.see("child", state("child"))
    driver.after(tracks.QUIET + tracks.SETTLE + 2)
    assert driver.of("root").code == "sync-failed"
    assert driver.of("child").outcome is Outcome.PASSED


def test_what_an_application_set_has_not_changed_yet_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("city", "cities", "ApplicationSet")])
    before = state("city")
    before["spec"]["source"] = {**before["spec"]["source"], "path": "elsewhere"}
    driver.see("city", before)
    driver.after(tracks.SETTLE + 3)
    assert driver.none_given()
    driver.see("city", state("city"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("city").outcome is Outcome.PASSED


def test_what_argo_cd_rightly_leaves_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web")])
    driver.see("web", extra("web"))
    driver.after(tracks.SETTLE + 1)
    result = driver.of("web")
    assert result.outcome is Outcome.PASSED
    assert result.evidence["notPruned"] == ["Deployment web/web"]


def test_what_is_tried_again_and_again_in_vain_is_no_difference_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Again(monkeypatch, [case("web")])
    for _ in range(8):
        driver.see("web", extra("web"))
        driver.after(tracks.SETTLE / 4)
        driver.see("web", extra("web", "Running", skipped=False))
        driver.after(tracks.SETTLE / 4)
    assert driver.of("web").outcome is Outcome.PASSED


def test_a_try_that_was_not_compared_yet_is_as_much_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web")])
    for _ in range(8):
        driver.see("web", extra("web"))
        driver.after(tracks.SETTLE / 4)
        ended = extra("web")
        ended["status"] |= {"reconciledAt": "2026-01-01T00:00:00Z"}
        ended["status"]["operationState"]["finishedAt"] = "2026-01-01T00:00:01Z"
        driver.see("web", ended)
        driver.after(tracks.SETTLE / 4)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_is_tried_in_vain_counts_only_when_argo_cd_has_looked_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Again(monkeypatch, [case("web")])
    driver.fake.answer = lambda name: None
    driver.see("web", extra("web"))
    driver.after(tracks.SETTLE + 1)
    asked = extra("web", "Running", skipped=False)
    asked["metadata"]["annotations"] = {"argocd.argoproj.io/refresh": "normal"}
    driver.see("web", asked)  # its next try, while the request stands
    driver.after(tracks.SETTLE + 1)
    assert driver.none_given()
    driver.see("web", extra("web"))
    driver.after(1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_is_yet_to_be_pruned_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web")])
    pending = extra("web", skipped=False)
    pending["spec"]["syncPolicy"] = {"automated": {"prune": True}}
    driver.see("web", pending)
    driver.after(tracks.SETTLE + 3)
    assert driver.none_given()


def test_from_nothing_what_would_be_pruned_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", extra("web"))
    driver.after(tracks.QUIET + 1)
    assert driver.of("web").code == "out-of-sync"


@pytest.mark.parametrize(("tried", "outcome"), [(OTHER, Outcome.PASSED), (HEAD, Outcome.FAILED)])
def test_a_sync_that_failed_at_another_revision_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tried: str, outcome: Outcome
) -> None:
    driver = Again(monkeypatch, [case("web")])
    driver.see("web", state("web", phase="Failed", syncResult={"revision": tried}))
    driver.after(tracks.QUIET + 1)
    assert driver.of("web").outcome is outcome


def test_what_nobody_else_syncs_is_synced_once_it_differs_at_the_new_revision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Again(monkeypatch, [case("web", automated=False)])
    driver.see("web", state("web", revision=OTHER, automated=False))
    driver.after(2)
    assert driver.fake.synced == []
    driver.see("web", state("web", "OutOfSync", automated=False))
    driver.after(2)
    assert driver.fake.synced == ["web"]


def test_what_is_not_affected_is_not_synced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web", automated=False)])
    driver.see("web", state("web", *GOOD, automated=False))
    driver.after(tracks.SETTLE + 1)
    assert driver.fake.synced == []
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_is_asked_for_comes_before_anything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web")])
    order: list[str] = []

    def begin(refused: Callable[[Case, Exception], None]) -> None:
        del refused
        order.append("begin")

    def watch(act: Any, *, stop: Any) -> None:
        order.append("watch")
        act("argocd/web", state("web"))
        stop.wait(30)

    driver.drive.begin = begin
    driver.drive._watch = lambda: watch(lambda k, a: driver.see("web", a), stop=driver.drive.stop)  # type: ignore[method-assign]
    ticks = iter(range(10_000))
    monkeypatch.setattr(drive, "TICK", 0.001)
    monkeypatch.setattr(drive, "now", lambda: 1000.0 + next(ticks) * 0.5)
    driver.drive.run()
    assert order == ["begin", "watch"]
    assert driver.of("web").outcome is Outcome.PASSED


@pytest.mark.parametrize("policy", ["create-only", "create-delete"])
def test_what_a_set_may_not_change_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    child = case("child", "web", "Application")
    driver = Again(monkeypatch, [case("web", "sets", "ApplicationSet"), child])
    track = driver.drive.tracks["argocd/web"]
    track.fixed_by = policy
    other = state("web")
    other["spec"]["destination"] = {"namespace": "elsewhere"}
    driver.see("web", other)
    driver.see("child", state("child"))
    driver.after(1)
    for name in ("web", "child"):
        assert (driver.of(name).outcome, driver.of(name).code) == (Outcome.SKIPPED, "not-updated")
    assert f"changes no Application that is there (applicationsSync: {policy})" in driver.of("web").message
    assert (
        "Application argocd/web, which renders Application argocd/child, stays" in driver.of("child").message
    )


def test_what_a_set_may_not_change_and_does_not_mean_otherwise_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Again(monkeypatch, [case("web", "sets", "ApplicationSet")])
    driver.drive.tracks["argocd/web"].fixed_by = "create-only"
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("own", "parameters", "fixing"),
    [
        ("create-only", {}, {"argocd/sets": "create-only"}),
        ("create-update", {}, {}),
        ("", {}, {}),
        ("", {"applicationsetcontroller.policy": "create-delete"}, {"argocd/sets": "create-delete"}),
        ("sync", {"applicationsetcontroller.policy": "create-only"}, {"argocd/sets": "create-only"}),
        (
            "sync",
            {
                "applicationsetcontroller.policy": "create-only",
                "applicationsetcontroller.enable.policy.override": "true",
            },
            {},
        ),
    ],
)
def test_which_sets_change_no_application(
    own: str, parameters: dict[str, str], fixing: dict[str, str]
) -> None:
    spec = {"syncPolicy": {"applicationsSync": own}} if own else {}
    sets = {"argocd/sets": SimpleNamespace(manifest={"spec": spec})}
    context = SimpleNamespace(plan=SimpleNamespace(sets=sets), parameters=parameters)
    assert tracks.fixing_sets(cast(Any, context)) == fixing


def test_a_warning_of_one_that_is_gone_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Again(monkeypatch, [case("web")])
    warned = state("web", "OutOfSync")
    message = "Deployment/web is part of applications argocd/web and gone"
    warned["status"]["conditions"] = [{"type": "SharedResourceWarning", "message": message}]
    driver.see("web", warned)
    driver.after(tracks.ASK_AGAIN)
    assert driver.fake.forgotten == ["web"]  # healed before or not, it is healed at once
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED
