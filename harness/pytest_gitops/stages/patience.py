"""When the waiting for an Application ends, and what kind of no-end that is: pure judgement of its moments, which asks
neither a clock nor a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pytest_gitops.argocd.causes import is_for_good
from pytest_gitops.argocd.convergence import ASKED, Observation, State


class Progress(StrEnum):
    """How an Application that is given up was getting on."""

    SLOW = "slow"  # it was still coming to what it had never been, and its time was up
    CIRCLES = "circles"  # it comes back to the same states again and again: healed, retried, fought over
    STILL = "still"  # nothing of it moves


CIRCLING = 4
"""As often it has to come back to a state that it was in before, for that to be a circle."""


@dataclass(slots=True, kw_only=True)
class Patience:
    """When to stop waiting for one Application. Times are seconds on any one clock.

    Only what was never seen before is movement: an Application that is healed again and again, or retried, comes
    back to where it was. One that is stuck is given up when neither it nor any other has moved for `quiet` seconds,
    for then what keeps it down is nobody's work in progress; one that claims to be at work, after `still` seconds,
    and for `busy` seconds it is believed to get on though nothing is seen of it.

    Argo CD makes its attempts ever more rarely: it announces them for 5, 10, 20, 40 and 80 s later, and the first two
    come after 10 and 20 (seen with v3.6.1). Where another Application has brought something since the last that failed
    began, that one says nothing of now, and the next is waited for.
    """

    deadline: float
    quiet: float
    still: float
    busy: float = 0.0
    moved: float = 0.0
    turns: int = 0  # how often it has come back to what it was before, since it last moved
    tried: float = 0.0  # when the last attempt began that has failed and is followed by another
    _known: set[tuple[object, ...]] = field(default_factory=set, init=False)
    _last: tuple[object, ...] = field(default=(), init=False)
    _stuck: Observation | None = field(default=None, init=False)
    _trying: float | None = field(default=None, init=False)  # when the attempt began that is going on

    def note(self, seen: Observation, *, now: float) -> None:
        """Take in a state that Argo CD has written."""
        if seen.retrying:
            self.tried, self._trying = self.tried if self._trying is None else self._trying, None
        elif seen.phase == "Running":
            self._trying = now if self._trying is None else self._trying
        else:
            self._trying = None
        key = (seen.state, seen.problem, seen.causes, seen.summary, seen.phase)
        if seen.message == ASKED and key in self._known:
            return  # whoever asks again and again makes nothing go round
        if key not in self._known:
            self._known.add(key)
            self.moved, self._stuck, self.turns = now, None, 0
        elif key != self._last:
            self.turns += 1
        self._last = key
        if seen.state is State.STUCK:
            self._stuck = seen

    def progress(self, now: float) -> Progress:
        """What kind of no-end it is that is given up at `now`."""
        believed = self.quiet if self._stuck is not None else max(self.quiet, self.busy)
        if now >= self.deadline and now - self.moved < believed:
            return Progress.SLOW
        return Progress.CIRCLES if self.turns >= CIRCLING else Progress.STILL

    def final(
        self, seen: Observation, *, now: float, others_moved: float, others_brought: float = 0.0
    ) -> Observation | None:
        """What to judge, if `seen` at `now` is where the waiting ends; None to wait on.

        `others_moved` is when another Application last moved, `others_brought` when one last put something into a
        cluster, 0 for never. In a loop the state that was stuck is judged, not the one that happens to be there.
        """
        last = seen if seen.state is State.STUCK else self._stuck
        if now >= self.deadline:
            return last or seen
        calm = now - max(self.moved, others_moved)
        if last is not None and calm >= self.quiet:
            return None if self._is_to_be_tried(seen, now, others_brought) else last
        return seen if calm >= self.still else None

    def _is_to_be_tried(self, seen: Observation, now: float, others_brought: float) -> bool:
        """Whether others have brought something since its last attempt began, and another one, which may end otherwise,
        is to come or has just begun."""
        comes = seen.retrying or (self._trying is not None and now - self._trying < self.still)
        failed = self._stuck.message if self._stuck is not None else ""
        return comes and self.tried < others_brought and not is_for_good(failed)
