"""Which Applications are given up, when, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
from drive_support import LIMIT, Driver, case, state

from pytest_gitops.model import Outcome
from pytest_gitops.stages import tracks


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (state("web", "OutOfSync"), "out-of-sync"),
        (state("web", health="Degraded"), "never-healthy"),
        (state("web", health="Missing"), "never-healthy"),
        (state("web", health="Suspended"), "never-healthy"),
        (state("web", "OutOfSync", "Missing", "Failed"), "sync-failed"),
    ],
)
def test_what_is_stuck_is_given_up_when_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any], code: str
) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", seen)
    driver.after(tracks.QUIET - 1)
    assert driver.none_given()
    driver.after(2)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, code)
    assert "did not become Synced and Healthy and nothing moves any more" in result.message
    (finding,) = result.findings
    assert (finding.rule, finding.file, finding.line) == (code, "web.yaml", 1)


def test_while_others_move_what_is_stuck_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web"), case("crd")])
    driver.see("web", state("web", "OutOfSync", "Missing", "Failed"))
    for phase in ("", "Running", "Succeeded"):
        driver.see("crd", state("crd", "OutOfSync", "Missing", phase))
        driver.after(tracks.QUIET - 1)
    assert driver.none_given()
    driver.see("web", state("web"))
    driver.after(2)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_is_at_work_counts_as_moving_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web"), case("db")])
    driver.see("web", state("web", "OutOfSync", "Missing", "Failed"))
    driver.see("db", state("db", "OutOfSync", "Missing", "Running"))  # a hook's Job, of which nothing is seen
    driver.after(tracks.BUSY + tracks.QUIET - 1)
    assert driver.none_given()
    driver.after(2)
    assert driver.of("web").code == "sync-failed"


def test_what_is_through_is_not_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web"), case("db")])
    driver.see("db", state("db"))
    driver.after(tracks.SETTLE)
    driver.see("db", state("db", health="Progressing"))
    driver.see("web", state("web", "OutOfSync", "Missing", "Failed"))
    driver.after(tracks.QUIET + 1)
    assert driver.of("web").code == "sync-failed"


def test_one_application_gets_one_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web"))
    driver.see("web", state("web", "OutOfSync"))
    driver.after(tracks.QUIET - tracks.SETTLE / 2)
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE / 2)
    assert driver.none_given()  # it has been good before, and may stay so now
    driver.after(tracks.SETTLE + 5)
    assert driver.of("web").outcome is Outcome.PASSED


def test_news_of_a_good_application_do_not_begin_its_time_again(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    for _ in range(4):
        driver.see("web", state("web"))
        driver.after(tracks.SETTLE / 2)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_claims_to_be_at_work_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web", health="Progressing"))
    driver.after(tracks.STILL - 1)
    assert driver.none_given()
    driver.after(2)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "never-healthy")
    assert "it did not come up" in result.message


def test_what_stands_still_at_work_is_looked_at_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web", health="Progressing"))
    driver.after(tracks.QUIET - 1)
    assert driver.fake.refreshed == []
    driver.after(tracks.QUIET)
    assert driver.fake.refreshed == ["web"]
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_differs_after_its_sync_is_looked_at_again_before_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("late"), case("wrong")])
    driver.see("late", state("late", "OutOfSync", "Missing"))
    driver.see("wrong", state("wrong", "OutOfSync", "Missing"))
    driver.after(tracks.ASK_AGAIN - 1)
    assert driver.fake.refreshed == []
    driver.after(2)
    assert driver.fake.refreshed == ["late", "wrong"]
    driver.see("late", state("late"))  # Argo CD had overlooked the first status of its definition
    driver.after(tracks.QUIET + 2)
    assert driver.of("late").outcome is Outcome.PASSED
    assert driver.of("wrong").code == "out-of-sync"
    # Without it its next heal might be long after it is given up.
    assert set(driver.fake.forgotten[2:]) == {"wrong"}
    assert driver.fake.refreshed.count("wrong") == driver.fake.forgotten.count("wrong")


def test_of_many_syncs_that_wait_only_some_are_asked_about_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"web-{n}" for n in range(tracks.NUDGES + 2)]
    driver = Driver(monkeypatch, [case(n) for n in names])
    waiting = {
        n: state(n, "OutOfSync", "Missing", "Running", message="waiting for healthy state") for n in names
    }
    for name in names:
        driver.see(name, waiting[name])
    driver.after(tracks.NUDGE)
    first = list(driver.fake.refreshed)
    assert len(first) == tracks.NUDGES
    driver.see(first[0], waiting[first[0]])  # it was looked at, and waits on
    driver.after(1)
    assert len(driver.fake.refreshed) == tracks.NUDGES + 1
    assert driver.fake.refreshed[-1] not in first
    driver.after(tracks.ASK_AGAIN)
    assert set(driver.fake.refreshed) == set(names), (
        "what is not answered was forgotten, and keeps nobody back"
    )


def test_one_that_is_deleted_after_it_was_asked_about_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web", "OutOfSync", "Missing", "Running", message="waiting for healthy state"))
    driver.after(tracks.NUDGE)
    assert driver.fake.refreshed == ["web"]
    driver.see("web", {})
    driver.after(tracks.QUIET)
    assert driver.of("web").code == "deleted"


def test_a_sync_that_was_asked_for_and_not_begun_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web", automated=False)])
    asked = {**state("web", "OutOfSync", "Missing", "", automated=False), "operation": {"sync": {}}}
    driver.see("web", asked)
    driver.after(tracks.NUDGE - 1)
    assert driver.fake.refreshed == []
    driver.after(2)
    assert driver.fake.refreshed == ["web"]
    running = {**state("web", "OutOfSync", "Missing", "Running", automated=False), "operation": {"sync": {}}}
    driver.see("web", running)
    driver.after(tracks.NUDGE * 4)
    assert driver.fake.refreshed == ["web"]


@pytest.mark.parametrize(("silent", "kind"), [(tracks.BUSY - 2, "slow"), (tracks.BUSY + 2, "still")])
def test_what_is_at_work_is_slow_while_it_may_get_on(
    monkeypatch: pytest.MonkeyPatch, silent: float, kind: str
) -> None:
    driver = Driver(monkeypatch, [case("web")])
    while driver.at < 1000 + LIMIT - silent:
        driver.see("web", state("web", health="Progressing", phase=f"Running{driver.at}"))
        driver.after(min(5, 1000 + LIMIT - silent - driver.at))
    driver.see("web", state("web", health="Progressing", phase="last"))
    driver.after(silent + 1)
    assert driver.of("web").evidence["progress"] == kind


def test_two_that_fail_and_are_retried_do_not_keep_each_other_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web"), case("db")])
    ended: dict[str, Any] = {"finishedAt": "2025-03-01T10:00:01Z"}
    for attempt in range(1, 9):
        for name in ("web", "db"):
            text = f"no. Retrying attempt #{attempt} at x."
            driver.see(
                name,
                state(name, "OutOfSync", "Missing", "Running", message=text, retryCount=attempt, **ended),
            )
            driver.after(2)
            text = f"Retrying operation. Attempt #{attempt}"
            driver.see(name, state(name, "OutOfSync", "Missing", "Running", message=text, retryCount=attempt))
            driver.after(1)
    assert driver.done
    assert driver.at <= 1000 + 3 * (tracks.QUIET + tracks.BUSY)
    assert {driver.of(n).code for n in ("web", "db")} == {"sync-failed"}


def test_the_deadline_ends_it_whatever_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    for number in range(int(LIMIT / 10)):
        driver.see("web", state("web", health="Progressing", message=f"{number}", phase=f"Running{number}"))
        driver.after(9.9)
    assert driver.none_given()
    driver.after(4)
    result = driver.of("web")
    assert result.outcome is Outcome.FAILED
    assert "did not become Synced and Healthy within 300 s" in result.message


def test_what_is_deleted_meanwhile_is_not_green(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web"))
    driver.see("web", {})
    driver.after(tracks.QUIET + 1)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "deleted")


def test_a_failure_says_where_what_was_seen_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.fake.events = ("Pod web-1: Failed: no image",)
    failed = [
        {"kind": "Deployment", "namespace": "web", "name": f"d{n}", "status": "SyncFailed", "message": "no"}
        for n in range(9)
    ]
    driver.see("web", state("web", "OutOfSync", "Missing", "Failed", message='namespaces "web" not found', retryCount=2,
                            syncResult={"resources": failed}))  # fmt: skip
    driver.after(tracks.QUIET)
    result = driver.of("web")
    assert result.message.splitlines() == [
        "web.yaml:1: Application argocd/web did not become Synced and Healthy and nothing moves any more",
        '  Argo CD  namespaces "web" not found (tried 3 times)',
        *[f"  object   Deployment web/d{n}: no" for n in range(8)],
        "           and 1 more",
        "  expected Synced, Healthy; saw OutOfSync, Missing after 12.0 s",
        "  event    Pod web-1: Failed: no image",
        "  cause    the destination namespace does not exist",
        f"  next     {result.findings[0].help}",
    ]
    assert result.findings[0].resource == "Deployment web/d0"
    assert result.evidence["retries"] == 2
