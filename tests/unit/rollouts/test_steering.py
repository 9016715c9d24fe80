"""What is done next to a Rollout, decided from what it says."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_gitops.rollouts.reading import Look
from pytest_gitops.rollouts.steering import (
    ANALYSIS,
    ELSEWHERE,
    SHORT,
    SYNC,
    UNMEASURED,
    Deed,
    Situation,
    decide,
)


def situation(since: float = 0.0, *, syncing: bool = False, awaited: bool = False, hindered: bool = False, erring: bool = False,
              unmeasured: bool = False, try_abort: bool = False, **seen: Any) -> Situation:  # fmt: skip
    look = Look(**{"strategy": "canary", "phase": "Progressing", "message": "", "stable": "old", "current": "new",
                   **seen})  # fmt: skip
    return Situation(
        seen=look,
        since=since,
        syncing=syncing,
        awaited=awaited,
        hindered=hindered,
        erring=erring,
        unmeasured=unmeasured,
        try_abort=try_abort,
    )


PAUSED = {"phase": "Paused", "pause": math.inf, "reason": "CanaryPauseStep", "step": 1}
ANALYSING = {"running": "run", "step": 1}


@pytest.mark.parametrize(
    ("now", "deed", "why"),
    [
        (situation(), Deed.NOTHING, ""),
        (situation(**PAUSED), Deed.PROMOTE, "as a person would"),
        (situation(**{**PAUSED, "pause": SHORT}), Deed.NOTHING, ""),
        (situation(**{**PAUSED, "pause": 3600.0}), Deed.PROMOTE, "3600 s of pause are not waited for"),
        # through, or not begun
        (situation(**{**PAUSED, "stable": "new"}), Deed.NOTHING, ""),
        (situation(**{**PAUSED, "phase": ""}), Deed.NOTHING, ""),
        # an abort that is not ours stays: it is what is wrong
        (situation(phase="Degraded", aborted=True, since=99), Deed.NOTHING, ""),
        (situation(phase="Degraded", aborted=True, hindered=True), Deed.FULL, "its analysis cannot be asked here, and had aborted it"),
        # analyses
        (situation(**ANALYSING), Deed.NOTHING, ""),
        (situation(**ANALYSING, hindered=True), Deed.PROMOTE, "its analysis cannot be asked here"),
        (situation(running="run", strategy="blueGreen", hindered=True), Deed.FULL, "its analysis cannot be asked here"),
        (situation(ANALYSIS, **ANALYSING), Deed.PROMOTE, "its analysis goes on for longer than 10 s"),
        (situation(ANALYSIS, **ANALYSING, erring=True), Deed.NOTHING, ""),
        (situation(UNMEASURED - 1, **ANALYSING, unmeasured=True), Deed.NOTHING, ""),
        (situation(UNMEASURED, **ANALYSING, unmeasured=True), Deed.PROMOTE, "its analysis goes on for longer than 30 s"),
        # an analysis in the background holds nothing up
        (situation(step=1, hindered=True), Deed.NOTHING, ""),
        # experiments
        (situation(ANALYSIS, experiment="e", doing="experiment", step=1), Deed.PROMOTE, "its experiment goes on for longer than 10 s"),
        (situation(ANALYSIS, experiment="e", doing="setWeight 20", step=2), Deed.NOTHING, ""),
    ],
)  # fmt: skip
def test_what_waits_for_a_person_or_for_too_long_is_promoted(now: Situation, deed: Deed, why: str) -> None:
    decision = decide(now)
    assert (decision.deed, decision.why) == (deed, why)


def test_before_the_first_promotion_an_abort_is_tried() -> None:
    assert decide(situation(**PAUSED, try_abort=True)).deed is Deed.ABORT
    assert decide(situation(**ANALYSING, hindered=True, try_abort=True)).deed is Deed.ABORT
    assert decide(situation(try_abort=True)).deed is Deed.NOTHING


def test_an_abort_by_an_analysis_that_cannot_be_asked_is_looked_at_as_ours_would_be() -> None:
    aborted = situation(phase="Degraded", aborted=True, hindered=True, try_abort=True)
    assert decide(aborted).deed is Deed.ABORT


def test_a_first_deployment_is_not_aborted() -> None:
    assert decide(situation(**{**PAUSED, "stable": ""}, try_abort=True)).deed is Deed.PROMOTE


def test_a_sync_that_waits_for_the_rollout_is_not_failed_by_an_abort() -> None:
    waits = {**PAUSED, "try_abort": True, "syncing": True, "awaited": True}
    assert decide(situation(SYNC / 2, **waits)).deed is Deed.NOTHING
    decision = decide(situation(SYNC, **waits))
    assert decision.deed is Deed.PROMOTE
    assert decision.no_abort == "the sync waits for this Rollout, so an abort would fail it"


def test_a_sync_that_goes_on_for_something_else_is_waited_for() -> None:
    goes_on = {**PAUSED, "try_abort": True, "syncing": True}
    assert decide(situation(2 * SYNC, **goes_on)).deed is Deed.NOTHING
    decision = decide(situation(ELSEWHERE, **goes_on))
    assert decision.deed is Deed.PROMOTE
    assert decision.no_abort == "the sync does not end, so what comes of an abort could not be told"
