"""Rests for Applications that go round for ever, which would take a core from all others.

Argo CD itself heals ever more slowly (--self-heal-backoff-*); that is turned off here, for `self-heal` would wait with
it. Without, a fight with a controller is ten syncs a second.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_gitops.argocd.applications import REFRESH, SKIP_RECONCILE, Applications
from pytest_gitops.errors import GitOpsError
from pytest_gitops.stages.drifts import heals
from pytest_gitops.stages.tracks import Track

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

SPIN = 12
"""Turns after which one gets a rest: about two seconds of such a fight."""

REST = 5.0
"""Seconds of a rest."""


def is_unwatched(track: Track) -> bool:
    """Whether what is seen of it may be old, because Argo CD leaves it alone or has not compared it since."""
    if track.rested is not None:
        return True
    annotations = (track.state.get("metadata") or {}).get("annotations") or {}
    return track.spun is not None and bool({SKIP_RECONCILE, REFRESH} & annotations.keys())


class Pacing:
    """`keeps` says that those that go round when they are judged rest until `prune` wakes them."""

    def __init__(self, context: Context, applications: Applications, *, keeps: bool) -> None:
        self._context, self._applications = context, applications
        # Where the cluster is kept, people come to see just that.
        self._keeps = keeps and not context.settings.keep

    def pace(self, track: Track, at: float) -> None:
        """Begin a rest of `track`, or end one, when it is time to."""
        with suppress(GitOpsError):  # one that is gone is judged as such
            if track.rested is None:
                if _spins(track):
                    track.rested, track.spun = at, track.patience.turns
                    self._applications.rest(track.state)
            elif at - track.rested >= REST:
                track.rested = None
                self._applications.wake(track.case)

    def leave(self, track: Track) -> None:
        """`track` is judged: it rests on, or is woken."""
        with suppress(GitOpsError):
            if track.circles and self._keeps:
                self._context.resting[track.case.key] = track.case
                self._applications.rest(track.state)
            elif track.rested is not None:
                self._applications.wake(track.case)


def _spins(track: Track) -> bool:
    """Whether Argo CD heals it, and it has made as many turns since its last rest, or since it last moved. One that
    counts as converged meanwhile is tried again for what it may leave (Prune=false), and needs no more than to settle.
    """
    turns = track.patience.turns
    since = track.spun if track.spun is not None and track.spun <= turns else 0
    return bool(track.state) and heals(track.state) and track.good_since is None and turns - since >= SPIN
