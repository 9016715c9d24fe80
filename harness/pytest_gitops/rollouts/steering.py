"""What a person who looks after an update would do next to a Rollout: a pure decision from what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from pytest_gitops.rollouts.reading import Look

SHORT = 5.0
"""Seconds of a pause that is waited for; out of a longer one it is promoted."""

ANALYSIS = 10.0
"""Seconds after which an analysis or experiment that still goes on is left behind: the interval of Argo Rollouts' own
second measurement after an error."""

UNMEASURED = 30.0
"""Seconds after which one with a metric that was not measured once is left behind. Argo Rollouts measures at once,
where no `initialDelay` says otherwise; on a machine that was more than busy, ten seconds were not enough for that."""

SYNC = 5.0
"""Seconds that a sync may say that it waits for the Rollout before an abort counts as one that would fail it: one that
waits for its health, for a later wave or hook, ends with the abort."""

ELSEWHERE = 60.0
"""Seconds that a sync may go on for something else before no abort is tried."""


class Deed(StrEnum):
    """What is done."""

    NOTHING = ""
    ABORT = "abort"
    PROMOTE = "promote"
    FULL = "promote --full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a decision is made from: what the Rollout says, for how many seconds it has said so, whether a sync of its
    Application runs, whether an abort is still to be tried, whether what it waits for cannot be asked here
    (`hindered`), whether what can be asked ends in errors (`erring`), and whether a metric of its analysis was not
    measured yet (`unmeasured`). `awaited`: the sync says that it waits for the Rollout, or may mean it."""

    seen: Look
    since: float
    syncing: bool = False
    awaited: bool = False
    try_abort: bool = False
    hindered: bool = False
    erring: bool = False
    unmeasured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A deed with its reason, in a few words; `no_abort` says why no abort is tried any more, if it is given up."""

    deed: Deed = Deed.NOTHING
    why: str = ""
    no_abort: str = ""


WAIT = Decision()


def decide(now: Situation) -> Decision:
    """What to do next."""
    seen = now.seen
    if seen.promoted or not seen.phase:
        return WAIT
    if seen.aborted and now.hindered:
        deed = Deed.ABORT if now.try_abort and seen.stable else Deed.FULL
        return _do(deed, "its analysis cannot be asked here, and had aborted it")
    if seen.aborted:
        return WAIT
    onward = _onward(now)
    if onward is WAIT or not now.try_abort or not seen.stable:
        return onward
    if now.syncing:
        if now.since < (SYNC if now.awaited else ELSEWHERE):
            return WAIT
        if now.awaited:
            why = "the sync waits for this Rollout, so an abort would fail it"
        else:
            why = "the sync does not end, so what comes of an abort could not be told"
        return Decision(deed=onward.deed, why=onward.why, no_abort=why)
    return _do(Deed.ABORT, "to see whether the stable version serves")


def _onward(now: Situation) -> Decision:
    seen = now.seen
    if seen.pause is not None:
        if seen.pause <= SHORT:
            return WAIT
        endless = seen.pause == math.inf
        return _do(
            Deed.PROMOTE, "as a person would" if endless else f"{seen.pause:g} s of pause are not waited for"
        )
    if seen.running or (seen.experiment and seen.doing.startswith("experiment")):
        # Blue-green has no step to leave: there, promoting is promoting to the end.
        deed = Deed.PROMOTE if seen.step is not None else Deed.FULL
        what = "analysis" if seen.running else "experiment"
        if now.hindered:
            return _do(deed, f"its {what} cannot be asked here")
        limit = UNMEASURED if now.unmeasured else ANALYSIS
        if now.since >= limit and not now.erring:  # else it will end by itself, and not well
            return _do(deed, f"its {what} goes on for longer than {limit:g} s")
    return WAIT


def _do(deed: Deed, why: str) -> Decision:
    return Decision(deed=deed, why=why)
