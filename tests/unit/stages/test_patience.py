"""When the waiting for an Application ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_gitops.argocd.convergence import ASKED, Observation, State
from pytest_gitops.stages.patience import Patience, Progress

STUCK = Observation(state=State.STUCK, code="sync-failed", message="no")
OTHER = Observation(state=State.STUCK, code="sync-failed", message="not yet")
TRYING = Observation(state=State.MOVING, code="syncing", message="trying again", retries=1)
PROGRESSING = Observation(state=State.MOVING, code="progressing", message="not up")


def patience() -> Patience:
    return Patience(deadline=100, quiet=10, still=40)


def test_a_stuck_application_is_given_up_after_the_quiet_time() -> None:
    waits = patience()
    waits.note(STUCK, now=5)
    assert waits.final(STUCK, now=14.9, others_moved=0) is None
    assert waits.final(STUCK, now=15, others_moved=0) is STUCK


def test_while_others_move_a_stuck_application_is_not_given_up() -> None:
    waits = patience()
    waits.note(STUCK, now=5)
    assert waits.final(STUCK, now=24, others_moved=15) is None
    assert waits.final(STUCK, now=25, others_moved=15) is STUCK


def test_another_problem_begins_another_quiet_time() -> None:
    waits = patience()
    waits.note(STUCK, now=5)
    waits.note(OTHER, now=12)
    assert waits.final(OTHER, now=21, others_moved=0) is None
    assert waits.final(OTHER, now=22, others_moved=0) is OTHER


def test_a_retry_of_what_fails_again_is_no_movement() -> None:
    waits = patience()
    for at, seen in ((1, STUCK), (3, TRYING), (4, STUCK), (8, TRYING), (9, STUCK), (12, TRYING)):
        waits.note(seen, now=at)
    assert waits.final(TRYING, now=12.9, others_moved=0) is None
    assert waits.final(TRYING, now=13, others_moved=0) is STUCK  # not the attempt that happens to run


MISSING = 'namespaces "oracle" not found'
FAILED = Observation(state=State.STUCK, code="sync-failed", message=MISSING, phase="Running", retrying=True)
ATTEMPT = Observation(state=State.MOVING, code="syncing", message="trying again", phase="Running", retries=1)


def tried(*moments: tuple[float, Observation]) -> Patience:
    waits = patience()
    for at, seen in moments:
        waits.note(seen, now=at)
    return waits


def test_the_attempt_after_others_brought_something_is_waited_for() -> None:
    waits = tried((0, ATTEMPT), (1, FAILED), (6, ATTEMPT), (7, FAILED), (17, ATTEMPT), (18, FAILED))
    # Argo CD will try again at 38; what came at 20 may be what it lacked.
    assert waits.final(FAILED, now=37.9, others_moved=20, others_brought=20) is None
    waits.note(ATTEMPT, now=38)
    assert waits.final(ATTEMPT, now=38.5, others_moved=20, others_brought=20) is None
    waits.note(FAILED, now=39)
    assert waits.final(FAILED, now=39, others_moved=20, others_brought=20) is FAILED


def test_what_came_before_an_attempt_began_is_in_it() -> None:
    waits = tried((0, ATTEMPT), (1, FAILED), (6, ATTEMPT), (7, FAILED))
    assert waits.final(FAILED, now=15.8, others_moved=5.9, others_brought=5.9) is None
    assert waits.final(FAILED, now=15.9, others_moved=5.9, others_brought=5.9) is FAILED


def test_what_came_during_an_attempt_may_have_come_too_late_for_it() -> None:
    waits = tried((0, ATTEMPT), (1, FAILED), (6, ATTEMPT), (7, FAILED))
    assert waits.final(FAILED, now=17, others_moved=6.5, others_brought=6.5) is None
    # Longer than anybody else stands still.
    assert waits.final(FAILED, now=60, others_moved=6.5, others_brought=6.5) is None
    assert waits.final(FAILED, now=100, others_moved=6.5, others_brought=6.5) is FAILED  # its time is up


def test_others_that_only_move_give_it_no_hope() -> None:
    waits = tried((0, ATTEMPT), (1, FAILED), (6, ATTEMPT), (7, FAILED))
    assert waits.final(FAILED, now=29.9, others_moved=20, others_brought=6) is None
    assert waits.final(FAILED, now=30, others_moved=20, others_brought=6) is FAILED  # a Pod got ready


def test_an_attempt_that_does_not_end_is_no_reason_to_wait_for_ever() -> None:
    waits = tried((0, ATTEMPT), (1, FAILED), (50, ATTEMPT))
    assert waits.final(ATTEMPT, now=89.9, others_moved=20, others_brought=20) is None
    assert waits.final(ATTEMPT, now=90, others_moved=20, others_brought=20) is FAILED


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"retrying": False, "phase": "Failed"}, "the last attempt was the last"),
        ({"message": "spec.selector: Invalid value: field is immutable"}, "nobody else can mend it"),
    ],
)
def test_where_nothing_can_come_of_another_attempt_none_is_waited_for(
    changes: dict[str, Any], why: str
) -> None:
    failed = replace(FAILED, **changes)
    waits = tried((0, ATTEMPT), (1, failed))
    assert waits.final(failed, now=29.9, others_moved=20, others_brought=20) is None
    assert waits.final(failed, now=30, others_moved=20, others_brought=20) is failed, why


def test_progress_forgets_what_was_stuck() -> None:
    waits = patience()
    waits.note(STUCK, now=1)
    waits.note(PROGRESSING, now=5)
    assert waits.final(PROGRESSING, now=44, others_moved=0) is None
    assert waits.final(PROGRESSING, now=45, others_moved=0) is PROGRESSING


@pytest.mark.parametrize("seen", [STUCK, PROGRESSING])
def test_the_deadline_ends_all_waiting(seen: Observation) -> None:
    waits = patience()
    waits.note(seen, now=99.5)
    assert waits.final(seen, now=99.9, others_moved=99.9) is None
    assert waits.final(seen, now=100, others_moved=99.9) is seen


def test_at_the_deadline_what_was_stuck_is_blamed() -> None:
    waits = patience()
    waits.note(TRYING, now=1)
    waits.note(STUCK, now=2)
    waits.note(TRYING, now=99)
    assert waits.final(TRYING, now=100, others_moved=99) is STUCK


def test_what_is_asked_to_compare_again_and_again_and_stays_as_it_was_stands_still() -> None:
    waits = Patience(deadline=300, quiet=12, still=60)
    asked = replace(PROGRESSING, code="stale-revision", message=ASKED)
    for at in range(10):
        waits.note(PROGRESSING, now=2 * at)
        waits.note(asked, now=2 * at + 1)
    assert waits.progress(80) is Progress.STILL
