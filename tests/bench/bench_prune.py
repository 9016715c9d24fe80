"""How long deleting takes, one small Application and many: the stage's time beside Argo CD's own."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from bench import grid
from pytest_gitops.model import Outcome
from pytest_gitops.run.asking import Selection
from pytest_gitops.run.engine import Engine
from pytest_gitops.settings.settings import Settings
from pytest_gitops.stages.inventory import Clusters

STAGES = ("source", "render", "converge", "prune")


def prune(folder: Path, settings: Settings, *, counts: tuple[int, ...] = (1, 100)) -> None:
    """Argo CD's own time is that of the Application that ended last, after the first was deleted."""
    for count in counts:
        engine = Engine(settings_of(settings, grid.make(folder / f"prune-{count}", count)))
        try:
            plan = engine.prepare()
            context = engine._context
            assert context is not None and context.api is not None
            engine.begin(Selection(tuple((c.id, s) for c in plan.cases for s in STAGES)))
            for case in plan.cases:
                assert engine.wait(case.id, "converge", limit=600) is not None
            began = time.monotonic()
            results = [engine.wait(c.id, "prune", limit=600) for c in plan.cases]
            seconds = time.monotonic() - began
            assert all(r is not None and r.outcome is Outcome.PASSED for r in results), results
            ended = max(float(r.evidence["deletedSeconds"]) for r in results if r is not None)
            gone = sum(int(r.evidence["gone"]) for r in results if r is not None)
            began = time.monotonic()
            read = len(Clusters(context.api, context.destinations).everything())
            look = time.monotonic() - began
            print(
                f"prune: {count} Applications, {gone} objects: {seconds:.1f} s, the last one ended after {ended:.1f} s; "
                f"a look at everything ({read} objects) {look:.2f} s"
            )
        finally:
            engine.finish()


def settings_of(settings: Settings, root: Path) -> Settings:
    """`settings` for a repository in `root`, with the stages that are needed."""
    return replace(settings, root=root, report=root / "gitops-report", stages=STAGES)
