"""converge, driven by hand: states come in, the clock is turned, verdicts go out."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
from stage_support import HEAD, URL, Answers, make_context, make_plan

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages import drive, tracks

LIMIT = 300.0


class FakeApplications:
    """Takes what the driver asks for; states are fed by the test."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.synced: list[str] = []
        self.refreshed: list[str] = []
        self.forgotten: list[str] = []  # the heals of
        self.refuse: dict[str, Exception] = {}
        self.events: tuple[str, ...] = ()
        self.no_sync: Exception | None = None
        self.versions = itertools.count(1)
        self.answer: Callable[[str], None] = lambda name: None

    def create(self, cases: Sequence[Case], failed: Callable[[Case, Exception], None]) -> None:
        for case in cases:
            if case.name in self.refuse:
                failed(case, self.refuse[case.name])
            else:
                self.created.append(case.key)

    def sync(self, application: Mapping[str, Any]) -> None:
        if self.no_sync is not None:
            raise self.no_sync
        self.synced.append(application["metadata"]["name"])

    def urge(self, application: Mapping[str, Any]) -> None:
        self.forgotten.append(application["metadata"]["name"])
        self.refresh(application)

    def refresh(self, application: Mapping[str, Any]) -> dict[str, Any]:
        asked = self.stamped(application)
        self.refreshed.append(application["metadata"]["name"])
        self.answer(application["metadata"]["name"])
        return asked

    def stamped(self, application: Mapping[str, Any]) -> dict[str, Any]:
        """It, written now."""
        return {
            **application,
            "metadata": {**application["metadata"], "resourceVersion": str(next(self.versions))},
        }

    def watch(self, act: Callable[[str, Mapping[str, Any]], None], *, stop: threading.Event) -> None:
        stop.wait(30)

    def warnings(self, namespace: str, names: Sequence[str]) -> tuple[str, ...]:
        return self.events if namespace == "web" and names else ()


class FakeApi:
    """Knows ClusterRoles, which have no namespace, and nothing else of kinds."""

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        return kind != "ClusterRole"


class Driver:
    """One run of the stage, its clock in the test's hand. `renders` has the objects of cases, by name."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        plan: Sequence[Case],
        judged: Sequence[str] | None = None,
        renders: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.at = 1000.0
        monkeypatch.setattr(drive, "now", lambda: self.at)
        self.context = make_context(timeout=LIMIT, api=FakeApi())
        self.context.plan = make_plan(plan)
        self.context.renders = {c.id: Rendered(objects=tuple((renders or {}).get(c.name, ()))) for c in plan}
        self.answers = Answers()
        cases = [c for c in plan if judged is None or c.name in judged]
        self.fake = FakeApplications()
        self.drive = drive.Drive(self.context, cases, self.answers, stage="converge")
        self.drive.applications = cast(Any, self.fake)
        self.fake.answer = self.still_good

    def still_good(self, name: str) -> None:
        """Argo CD's answer to whether a good one still is: at once, and yes."""
        track = self.drive.tracks[f"argocd/{name}"]
        if track.inquired is not None:
            self.see(name, track.state)

    def see(self, name: str, application: Mapping[str, Any]) -> None:
        """A state comes in."""
        track = self.drive.tracks[f"argocd/{name}"]
        self.drive._observe(track, self.fake.stamped(application) if application else application)

    def after(self, seconds: float) -> None:
        """The clock goes on, a look every second, and one at what was answered."""
        end = self.at + seconds
        while self.at < end:
            self.at = min(self.at + 1, end)
            self.drive._judge()
            self.drive._judge()

    @property
    def done(self) -> bool:
        return all(t.done for t in self.drive.tracks.values())

    def of(self, name: str) -> StageResult:
        return self.answers.of(f"argocd/{name}")

    def none_given(self) -> bool:
        return not self.answers.given


def manifest(name: str, *, automated: bool = True) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": URL, "path": name, "targetRevision": "main"},
            "destination": {"namespace": "web"},
            **({"syncPolicy": {"automated": {}}} if automated else {}),
        },
    }


def case(name: str, parent: str = "", parent_kind: str = "Application", *, automated: bool = True) -> Case:
    return case_of(
        manifest(name, automated=automated),
        control="argocd",
        file=f"{name}.yaml",
        line=1,
        parent=f"argocd/{parent}" if parent else "",
        parent_kind=parent_kind if parent else "",
    )


def state(
    name: str,
    sync: str = "Synced",
    health: str = "Healthy",
    phase: str = "Succeeded",
    *,
    automated: bool = True,
    message: str = "said",
    revision: str = HEAD,
    **operation: Any,
) -> dict[str, Any]:
    resource = {
        "kind": "Deployment",
        "namespace": "web",
        "name": name,
        "status": sync,
        "health": {"status": health},
    }
    status: dict[str, Any] = {
        "sync": {"status": sync, "revision": revision},
        "health": {"status": health},
        "reconciledAt": "2025-03-01T10:00:05Z",
        "resources": [resource],
    }
    if phase:
        status["operationState"] = {"phase": phase, "message": message, **operation}
    return {**manifest(name, automated=automated), "status": status}


GOOD = ("Synced", "Healthy")


# ---------------------------------------------------------------- green


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


# ---------------------------------------------------------------- red


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
    ],
)
def test_what_argo_cd_itself_cannot_do_is_no_fault_of_the_application(
    monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    driver = Driver(monkeypatch, [case("web")])
    driver.see("web", state("web", "OutOfSync", "Missing", "Error", message=message))
    driver.after(tracks.QUIET + 1)
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


# ---------------------------------------------------------------- what is kept


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
