"""Closed sync windows: Argo CD writes nothing down of a sync that it may not begin by itself, so it is asked."""

from __future__ import annotations

from contextlib import suppress

from pytest_gitops.argocd.applications import Applications
from pytest_gitops.argocd.convergence import is_automated
from pytest_gitops.errors import GitOpsError
from pytest_gitops.stages import telling
from pytest_gitops.stages.tracks import QUIET, Track

SURE = 20.0
"""Seconds for which a sync has to be blocked; it has been asked about three times by then (`tracks.NUDGE`)."""

SURE_BY_HAND = 60.0
"""The same for one that a person began, for only Argo CD's second look tells: it comes after 30 s at the latest."""


def is_suspect(track: Track, at: float) -> bool:
    """Whether automation has not begun what it begins at once, and nobody has asked why."""
    waited = at - max(track.patience.moved, track.began)
    automated = bool(track.state) and is_automated(track.state)
    return automated and track.seen.code == "not-synced" and track.windows is None and waited >= QUIET


def ask(applications: Applications, track: Track, *, control: str) -> None:
    """Let Argo CD itself say whether a window is closed: ask for a sync as automation does."""
    track.windows = ()
    with suppress(GitOpsError):  # without an answer it is judged as it is then
        track.windows = applications.windows(track.case.project, control=control)
        if track.windows:
            applications.sync(track.state, automated=True)


def is_closed(applications: Applications, track: Track, at: float, *, control: str) -> bool:
    """Whether Argo CD says so of the sync that was asked for, and goes on saying so: in its very first look at a sync
    it does not know yet that a person began it (controller/sync.go: syncWindowPreventsSync). Where every window lets a
    person sync, that look alone can say so, and the second is waited for: it took longer than a minute once, on a
    machine with seven times the load that it can bear."""
    if telling.BLOCKED not in track.seen.message:
        return False
    if at >= track.patience.deadline:
        return True
    automated = is_automated(track.state)
    if at - track.patience.moved < (SURE if automated else SURE_BY_HAND):
        return False
    if not automated and track.windows is None:
        track.windows = ()
        with suppress(GitOpsError):
            track.windows = applications.windows(track.case.project, control=control)
    return not is_open_by_hand(track)


def is_open_by_hand(track: Track) -> bool:
    """Whether a person began its sync, Argo CD says that it is blocked, and no window is known that blocks a person."""
    by_hand = telling.BLOCKED in track.seen.message and not is_automated(track.state)
    return by_hand and telling.lets_a_person(track.windows or ())


def give_up(applications: Applications, track: Track, *, control: str) -> str:
    """End the sync that never begins; returns why the Application was not judged."""
    with suppress(GitOpsError):
        applications.terminate(track.state)
        track.windows = track.windows or applications.windows(track.case.project, control=control)
    return telling.blocked(track.case, track.windows or ())
