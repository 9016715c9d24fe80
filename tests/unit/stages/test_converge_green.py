"""Which Applications are green, and when; what is kept of their way."""

from __future__ import annotations

from typing import Any

import pytest
from drive_support import GOOD, LIMIT, Driver, case, state
from stage_support import HEAD, URL, make_context

from pytest_gitops.model import Outcome
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages import tracks


def test_synced_and_healthy_counts_when_it_has_stayed_so(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.after(3)
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE / 2)
    assert driver.none_given()
    driver.after(tracks.SETTLE)
    result = driver.of("web")
    assert (result.outcome, result.code, result.message) == (Outcome.PASSED, "", "")
    assert result.evidence["healthyAtSeconds"] == 3
    assert result.evidence["sync"] == "Synced"
    assert result.evidence["syncedAtSeconds"] == 3
    assert driver.done


def asked_for(application: dict[str, Any]) -> dict[str, Any]:
    """It, before Argo CD has answered a request to look."""
    annotations = {"argocd.argoproj.io/refresh": "normal"}
    return {**application, "metadata": {**application["metadata"], "annotations": annotations}}


def test_one_that_is_good_and_never_says_so_again_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.fake.answer = lambda name: None
    driver.see("web", state("web"))
    driver.after(LIMIT + 2 * tracks.ASK_AGAIN)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")
    assert "a refresh is asked for and not yet done" in result.message


def asked_once_more(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """`web` has stayed good, Argo CD was asked whether it still is, and has not answered."""
    driver = Driver(monkeypatch, [case("web")])
    driver.fake.answer = lambda name: None
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE)
    assert driver.fake.refreshed == ["web"]
    driver.see("web", asked_for(state("web")))  # the request itself
    return driver


def test_what_stays_so_only_because_argo_cd_has_not_looked_is_not_green(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = asked_once_more(monkeypatch)
    driver.after(2)
    driver.see("web", state("web", "OutOfSync"))  # a controller had written what was not compared
    driver.after(2 * tracks.QUIET)
    assert driver.of("web").code == "out-of-sync"


def test_the_answer_counts_from_when_it_was_first_good(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = asked_once_more(monkeypatch)
    driver.after(3)
    assert driver.none_given()
    driver.see("web", state("web"))
    driver.after(1)
    assert driver.of("web").evidence["healthyAtSeconds"] == 0
    assert driver.fake.refreshed == ["web"]


def test_a_request_to_look_that_is_forgotten_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.fake.answer = lambda name: None
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 3 * tracks.ASK_AGAIN)
    assert driver.fake.refreshed == ["web"] * 4
    assert driver.none_given()


def test_the_answer_to_the_first_request_counts_whatever_was_asked_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = asked_once_more(monkeypatch)
    answer = driver.fake.stamped(state("web"))
    driver.after(tracks.ASK_AGAIN)
    assert driver.fake.refreshed == ["web"] * 2
    driver.drive._observe(driver.drive.tracks["argocd/web"], answer)
    driver.after(1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_of_many_without_an_answer_only_some_are_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a busy Argo CD has ever more to do, and never comes to an end."""
    names = [f"app-{n}" for n in range(10)]
    driver = Driver(monkeypatch, [case(n) for n in names])
    driver.fake.answer = lambda name: None
    for name in names:
        driver.see(name, state(name))
    driver.after(tracks.SETTLE)
    assert sorted(driver.fake.refreshed) == names
    driver.after(tracks.ASK_AGAIN)
    assert len(driver.fake.refreshed) == len(names) + tracks.NUDGES
    driver.after(4 * tracks.ASK_AGAIN)
    assert set(driver.fake.refreshed[len(names) :]) == set(names), "each has its turn"


def test_without_an_answer_until_the_deadline_it_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = asked_once_more(monkeypatch)
    driver.after(LIMIT + 2 * tracks.ASK_AGAIN)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")


def test_what_others_need_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("root"), case("child", "root")], judged=["child"])
    driver.see("root", state("root"))
    driver.see("child", state("child"))
    driver.after(tracks.SETTLE + 1)
    assert driver.done
    assert driver.fake.refreshed == ["child"]


def test_what_does_not_stay_is_not_counted_from_its_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    for _ in range(8):
        driver.see("web", state("web"))
        driver.after(tracks.SETTLE * 0.9)
        driver.see("web", state("web", "OutOfSync"))
        driver.after(0.1)
    assert driver.none_given()


def test_what_turns_back_and_forth_until_the_deadline_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("web")])
    while not driver.done and driver.at < 1000 + 2 * LIMIT:
        driver.see("web", state("web", health="Progressing"))
        driver.see("web", state("web"))
        driver.after(tracks.SETTLE * 0.9)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "never-healthy")
    assert "it became Synced and Healthy again and again, and never stayed so for 1 s" in result.message


def test_a_revision_of_before_is_not_green(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web", revision="0" * 40))
    driver.after(LIMIT - 1)
    assert driver.done is False or driver.of("web").outcome is not Outcome.PASSED
    driver.after(2)
    assert driver.of("web").outcome is not Outcome.PASSED


def test_a_timeline_has_each_change_once(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    for seconds, seen in (
        (1, ("OutOfSync", "Missing")),
        (1, ("OutOfSync", "Missing")),
        (2, ("Synced", "Progressing")),
        (3, GOOD),
    ):
        driver.at += seconds
        driver.see("web", state("web", *seen))
    (line,) = driver.context.timelines.values()
    assert [(m.at, m.sync, m.health) for m in line] == [
        (1, "OutOfSync", "Missing"), (4, "Synced", "Progressing"), (7, "Synced", "Healthy"),
    ]  # fmt: skip
    assert driver.context.applications["web.yaml::argocd/web"]["status"]["health"] == {"status": "Healthy"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"repoURL": URL, "targetRevision": "main"}, HEAD),
        ({"repoURL": URL}, HEAD),
        ({"repoURL": URL, "targetRevision": "1.*"}, ""),
        ({"repoURL": URL, "chart": "x", "targetRevision": "main"}, ""),
        ({"repoURL": "https://github.com/other/x", "targetRevision": "main"}, ""),
    ],
)
def test_only_a_source_of_this_repository_has_an_expected_commit(
    source: dict[str, Any], expected: str
) -> None:
    made = case_of({"spec": {"sources": [source, {"repoURL": URL}]}}, control="argocd", file="a.yaml", line=1)
    assert tracks.expected(make_context(), made) == (expected, HEAD)


def test_the_first_time_that_it_was_synced_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    for sync, health in (("OutOfSync", "Missing"), ("Synced", "Progressing"), ("Synced", "Healthy")):
        driver.after(1)
        driver.see("web", state("web", sync, health))
    driver.after(2)
    assert driver.of("web").evidence["syncedAtSeconds"] == 2


def test_without_an_object_to_blame_no_events_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.fake.events = ("Pod web-1: Failed: no image",)
    seen = state("web", "OutOfSync", "Missing", "Failed")
    driver.see("web", seen)
    driver.after(tracks.QUIET)
    assert "event" not in driver.of("web").message
    assert " and 0 more" not in driver.of("web").message
    assert "tried" not in driver.of("web").message
