"""Brings up the clusters that what is selected deploys to, once, before anything acts; says who has to do without."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.ground.boot import Ground
from pytest_gitops.ground.fleet import placement
from pytest_gitops.ground.hosting import STAGES, Hosting
from pytest_gitops.model import Case
from pytest_gitops.settings.registered import meant
from pytest_gitops.stages import OF_BASE
from pytest_gitops.stages.base import NotAsked
from pytest_gitops.stages.context import Context


class Connecting:
    """The destinations of one run; safe to use from the threads of all its stages."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._settings = ground, ground.settings
        self.hosting = Hosting(ground)
        self._lock, self._done = threading.Lock(), False

    def connect(self, context: Context, selected: Collection[str]) -> None:
        """Start what the Applications of these ids need, and what they needed at base. Raises EngineError."""
        with self._lock:
            if self._done or self._ground.api is None:
                return
            settings, api = self._settings, self._ground.api
            known, limit = settings.clusters, settings.cluster_limit
            self.hosting.admit(context, selected)
            self._ground.connect(placement(_rendered(context, selected), known, api=api, limit=limit))
            self._done = True

    def why_not(self, stage: str, case: Case, context: Context) -> NotAsked | None:
        """Why a stage is not asked of `case`: its cluster does not take it, or nothing stands in for
        that, or for the one that it was on at base. None if it may be asked."""
        if (told := self.hosting.why_not(stage, case)) is not None:
            return told
        without = self._ground.placement.without
        if not without or (stage in STAGES and case.id in self.hosting.guests):
            return None
        old = _before(context, case) if stage in OF_BASE else None
        for each in (case, old):
            if each is None or (cluster := meant(each.destination, self._settings.clusters)) not in without:
                continue
            return NotAsked(
                code="cluster-limit",
                why=f"there are more destination clusters than `cluster-limit` ({self._settings.cluster_limit}), and "
                f"{cluster.name if cluster else ''} has a namespace or an object in common with each of the others; "
                "raise it in pytest-gitops.yaml, or select fewer Applications",
            )
        return None


def _before(context: Context, case: Case) -> Case | None:
    """What an Application was at base, None where it was nothing or that is not known."""
    change = context.comparison.of(case) if context.comparison is not None else None
    return change.old if change is not None else None


def _rendered(
    context: Context, selected: Collection[str]
) -> Iterator[tuple[Case, Sequence[Mapping[str, Any]]]]:
    """What has to be there for the cases of these ids, on either side, with what each renders to."""
    head = context.plan.with_ancestors(c for c in context.plan.cases if c.id in selected)
    yield from _objects(context, head)
    if context.base is not None:
        plan = context.base.plan
        keys = {c.key for c in (*head, *(r for r in context.plan.removed if r.id in selected))}
        keys |= {old.key for c in head if (old := _before(context, c)) is not None}
        yield from _objects(context.base, plan.with_ancestors(c for c in plan.cases if c.key in keys))


def _objects(context: Context, cases: Iterable[Case]) -> Iterator[tuple[Case, Sequence[Mapping[str, Any]]]]:
    for case in cases:
        result = context.renders.get(case.id)
        yield case, result.objects if isinstance(result, Rendered) else ()
