"""What a drive knows of one Application on its way, and how long it waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.convergence import Observation, Patience, State
from pytest_gitops.argocd.sharing import Shared
from pytest_gitops.model import Case

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

SETTLE = 1.0
"""Seconds that an Application must stay Synced and Healthy before it counts."""

QUIET = 12.0
"""Seconds without any change after which a stuck Application is given up. Argo CD's first retries come after 5 and
10 s more (retry backoff 5 s, factor 2), so one more attempt has been seen by then. As long must those stay Synced
and Healthy that claim one object: Argo CD warns the one that does not have it, when it gets to comparing that one."""

STILL = 60.0
"""Seconds without any change after which an Application that says Progressing is given up: on the embedded cluster
everything that can come up does so within seconds."""

BUSY = 20.0
"""Seconds for which an Application that is at work counts as moving though nothing is seen of it: a hook's Job."""

NOT_THERE = Observation(state=State.MOVING, code="never-created", message="it was not created")


@dataclass(slots=True)
class Track:
    """One Application on its way."""

    case: Case
    patience: Patience
    began: float
    wanted: bool  # it is judged; otherwise it is only there because others need it
    revisions: tuple[str, ...]
    state: Mapping[str, Any] = field(default_factory=dict)
    seen: Observation = NOT_THERE
    good_since: float | None = None
    synced_at: float | None = None
    asked: float | None = None  # when we last started a sync
    shared: tuple[Shared, ...] = ()  # what it claims and others claim too
    dispute: tuple[Shared, str] | None = None  # one of those, and what Argo CD says of it, to whomever
    looked: float | None = None  # when it was last asked for a comparison because it stood still
    aligned: float | None = None  # since when what it renders to is applied, children included
    kept: tuple[str, ...] = ()  # what Argo CD rightly leaves unpruned
    done: bool = False

    @property
    def settle(self) -> float:
        """Seconds that it must stay Synced and Healthy."""
        return QUIET if self.shared else SETTLE

    def settled(self, at: float) -> bool:
        return self.good_since is not None and at - self.good_since >= self.settle


def expected(context: Context, case: Case) -> tuple[str, ...]:
    """The commit of each source that is of this repository; what others are at is not ours to say."""
    return tuple(
        (context.snapshot.resolve(s.target_revision or "HEAD") or "")
        if context.is_ours(s.repo_url) and not s.chart
        else ""
        for s in case.sources
    )
