"""What a Rollout says, read from objects as the controller writes them; and the patches of kubectl argo rollouts."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_gitops.rollouts.reading import (
    ABORT,
    HASH,
    RETRY,
    look,
    name_of,
    not_serving,
    promote,
    promote_full,
    seconds,
    service_of,
)

CANARY = {"canary": {"stableService": "web", "steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}}


def rollout(status: dict[str, Any], strategy: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "shop", "generation": 3},
        "spec": {"replicas": 2, "strategy": strategy or CANARY, **spec},
        "status": {"observedGeneration": "3", "stableRS": "old", "currentPodHash": "new", **status},
    }


PAUSED = {
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "currentStepIndex": 1,
    "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}],
}


def test_a_canary_that_waits_for_a_person() -> None:
    seen = look(rollout(PAUSED))
    assert (seen.strategy, seen.phase, seen.step, seen.steps) == ("canary", "Paused", 1, 3)
    assert (seen.doing, seen.pause, seen.reason) == ("pause until promoted", math.inf, "CanaryPauseStep")
    assert not seen.promoted


def test_a_status_of_an_earlier_specification_says_nothing() -> None:
    seen = look(rollout({**PAUSED, "observedGeneration": "2"}))
    assert (seen.phase, seen.message) == ("Progressing", "not yet observed")


def test_a_rollout_without_a_status_says_nothing() -> None:
    seen = look({"metadata": {"name": "web", "generation": 1}, "spec": {"strategy": {"canary": {}}}})
    assert (seen.phase, seen.stable, seen.pause, seen.promoted) == ("Progressing", "", None, False)


def test_a_canary_that_is_through_is_at_no_step() -> None:
    seen = look(rollout({"phase": "Healthy", "currentStepIndex": 3, "stableRS": "new"}))
    assert (seen.step, seen.doing, seen.promoted) == (None, "", True)


@pytest.mark.parametrize(
    ("blue_green", "pause"), [({}, math.inf), ({"autoPromotionSeconds": 30}, 30.0), ({"autoPromotionSeconds": 0}, math.inf)]
)  # fmt: skip
def test_a_blue_green_waits_for_a_person_or_for_a_while(blue_green: dict[str, Any], pause: float) -> None:
    strategy = {"blueGreen": {"activeService": "web", **blue_green}}
    status = {"phase": "Paused", "pauseConditions": [{"reason": "BlueGreenPause"}]}
    assert look(rollout(status, strategy)).pause == pause


@pytest.mark.parametrize(
    ("duration", "length"),
    [
        (10, 10.0),
        ("10", 10.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        ("soon", math.inf),
        ("", math.inf),
    ],
)
def test_durations_are_read_as_go_writes_them(duration: Any, length: float) -> None:
    assert seconds(duration) == length


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ({"analysis": {"templates": [{"templateName": "a"}, {"templateName": "b"}]}}, "analysis a, b"),
        ({"setCanaryScale": {"weight": 10}}, "setCanaryScale weight 10"),
        ({"experiment": {"templates": []}}, "experiment"),
        ({}, ""),
    ],
)
def test_steps_are_named_in_a_few_words(step: dict[str, Any], name: str) -> None:
    assert name_of(step) == name


def test_only_an_analysis_that_holds_the_rollout_up_is_one_that_it_waits_for() -> None:
    step = {"currentStepAnalysisRunStatus": {"name": "run", "status": "Running"}}
    assert look(rollout({"canary": step})).running == "run"
    assert (
        look(
            rollout({"canary": {"currentStepAnalysisRunStatus": {"name": "run", "status": "Failed"}}})
        ).running
        == ""
    )
    background = {"currentBackgroundAnalysisRunStatus": {"name": "run", "status": "Running"}}
    assert look(rollout({"canary": background})).running == ""
    before = {"blueGreen": {"prePromotionAnalysisRunStatus": {"name": "run", "status": "Running"}}}
    assert look(rollout(before, {"blueGreen": {}})).running == "run"


def test_what_is_patched_is_what_the_command_patches() -> None:
    assert promote(look(rollout(PAUSED))) == {"status": {"pauseConditions": None}}
    analysing = look(rollout({"phase": "Progressing", "currentStepIndex": 1}))
    assert promote(analysing) == {"status": {"pauseConditions": None, "currentStepIndex": 2}}
    unsure = {**PAUSED, "pauseConditions": [{"reason": "InconclusiveAnalysisRun"}]}
    assert promote(look(rollout(unsure))) == {
        "status": {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}
    }
    assert (ABORT, RETRY) == ({"status": {"abort": True}}, {"status": {"abort": False}})
    assert promote_full() == {"status": {"promoteFull": True, "abort": False}}


# ------------------------------------------------------------------ after an abort

ABORTED = {"phase": "Degraded", "message": "RolloutAborted: …", "abort": True}


def replica_set(version: str, available: int) -> dict[str, Any]:
    return {"metadata": {"labels": {HASH: version}}, "status": {"availableReplicas": available}}


def service(version: str) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web", HASH: version}}}


STABLE = [replica_set("old", 2), replica_set("new", 0)]
BLUE_GREEN = {"blueGreen": {"activeService": "web"}}
ROUTED = {"canary": {"stableService": "web", "trafficRouting": {"nginx": {}}}}


@pytest.mark.parametrize(
    ("status", "strategy", "sets", "selected", "missing"),
    [
        (ABORTED, CANARY, STABLE, service("old"), ""),
        (ABORTED, CANARY, STABLE, None, ""),
        (ABORTED, BLUE_GREEN, [replica_set("old", 2), replica_set("new", 2)], service("old"), ""),
        (ABORTED, ROUTED, [replica_set("old", 2), replica_set("new", 1)], service("old"), ""),
        (ABORTED, CANARY, [replica_set("old", 1)], None, "1 of 2 Pods of the stable version are available"),
        (ABORTED, CANARY, [replica_set("old", 2), replica_set("new", 1)], None, "1 Pods of the new version are still there"),
        (ABORTED, BLUE_GREEN, STABLE, service("new"), "Service web selects version new, expected old"),
        ({**ABORTED, "phase": "Paused"}, CANARY, STABLE, None, "it says Paused, RolloutAborted: …, expected Degraded"),
        ({**ABORTED, "abort": False}, CANARY, STABLE, None, "expected Degraded"),
        ({**ABORTED, "stableRS": "new"}, CANARY, STABLE, None, "the stable version became new, expected old"),
        ({**ABORTED, "canary": {"weights": {"canary": {"weight": 20}}}}, ROUTED, STABLE, None, "20 % of the traffic"),
    ],
)  # fmt: skip
def test_after_an_abort_the_stable_version_serves_by_itself(
    status: dict[str, Any], strategy: dict[str, Any], sets: Any, selected: Any, missing: str
) -> None:
    told = not_serving(rollout(status, strategy), "old", sets, selected)
    assert missing in told
    assert bool(told) is bool(missing)


def test_the_service_of_users_is_the_active_or_the_stable_one() -> None:
    assert service_of(rollout({}, BLUE_GREEN)) == "web"
    assert service_of(rollout({}, {"canary": {}})) == ""
