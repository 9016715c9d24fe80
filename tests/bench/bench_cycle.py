"""The whole verification of a pull request, one small Application and many, beside the same given to a bare Argo CD."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from runs import pull_request

from bench import grid
from bench.bench_alone import alone
from pytest_gitops.model import VERIFY_STAGES, Outcome
from pytest_gitops.repository.base import find_base
from pytest_gitops.repository.git import open_repository
from pytest_gitops.run.asking import Selection
from pytest_gitops.run.engine import Engine
from pytest_gitops.settings.settings import Settings

STAGES = ("source", "render", "change", *VERIFY_STAGES)


def cycle(
    folder: Path,
    settings: Settings,
    *,
    bare: Callable[[Path], float],
    memory: Callable[[str], float],
    counts: tuple[int, ...] = (1, 100),
) -> None:
    """`bare` gives the seconds that a bare Argo CD needs for a repository, `memory` the GB of a run's processes."""
    for count in counts:
        root = grid.make(folder / f"cycle-{count}", count)
        texts = {str(p.relative_to(root)): p.read_text() for p in root.rglob("*.yaml")}
        pull_request(root, {p: t.replace("main:1.0.0", "main:1.1.0") for p, t in texts.items()})
        seconds, used, stages = _seconds(_of(settings, root), memory)
        once = bare(root)
        print(
            f"cycle: {count} Applications through {', '.join(VERIFY_STAGES)}: {seconds:.1f} s after boot"
            f"{' (budget 8 s)' if count == 1 else ''}; converged by a bare Argo CD in {once:.1f} s, "
            f"ratio {seconds / once:.1f} (budget 2.5 for 100); memory of everything {used:.1f} GB; through at: {stages}"
        )
        steps = alone(_of(settings, root))
        # `converge` brings head up from nothing beside `upgrade`, which begins with base.
        least = sum(steps.values()) + steps["base"]
        print(
            f"cycle: what Argo CD alone takes for the same without drift: {least:.1f} s, ratio {least / once:.1f} ("
            f"{', '.join(f'{name} {taken:.1f} s' for name, taken in steps.items())}, head from nothing as base)"
        )


def _of(settings: Settings, root: Path) -> Settings:
    base = find_base(open_repository(root, environ=settings.environ), "main", environ=settings.environ)
    return dataclasses.replace(
        settings, root=root, report=root / "gitops-report", stages=STAGES, base=base, keep_renders=False
    )


def _seconds(settings: Settings, memory: Callable[[str], float]) -> tuple[float, float, str]:
    """From the plan being made to the last verdict; what is used then; when each stage was through, in words."""
    engine = Engine(settings)
    try:
        plan = engine.prepare()
        began = time.monotonic()
        pairs = tuple((c.id, s) for c in plan.cases for s in STAGES)
        engine.begin(Selection(pairs))
        for case, stage in pairs:
            result = engine.wait(case, stage, limit=1200)
            assert result is not None and result.outcome in {Outcome.PASSED, Outcome.SKIPPED}, result
        seconds = time.monotonic() - began
        used = memory(engine._ground.supervisor.run_id)
    finally:
        engine.finish()
    marks = engine._ground.timings
    stages = ", ".join(f"{s} {marks[s] - marks['plan']:.1f} s" for s in VERIFY_STAGES)
    return seconds, used, stages
