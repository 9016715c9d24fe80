"""Review of a pull request that changes one of many Applications: all of them judged, only the changed one, and again
with what an earlier run has rendered. Prints; asserts nothing."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from runs import pull_request

from bench import grid
from pytest_gitops.repository.base import find_base
from pytest_gitops.repository.git import open_repository
from pytest_gitops.run.asking import Selection
from pytest_gitops.run.engine import Engine
from pytest_gitops.settings.settings import Provider, Settings

STAGES = ("source", "render", "policy", "change")


def changed(folder: Path, settings: Settings, count: int = 200) -> None:
    """`settings` are those of any run; what is compared is made here."""
    root = grid.make(folder / "changed", count)
    overlay = "overlays/app-002/kustomization.yaml"
    pull_request(root, {overlay: (root / overlay).read_text() + "commonAnnotations: {changed: yes-it-is}\n"})
    base = find_base(open_repository(root, environ=settings.environ), "main", environ=settings.environ)
    plain = dataclasses.replace(
        settings,
        root=root,
        report=root / "gitops-report",
        stages=STAGES,
        provider=Provider.NONE,
        base=base,
        keep_renders=False,
    )
    everything = _seconds(plain)
    only = _seconds(dataclasses.replace(plain, changed=True))
    kept = dataclasses.replace(plain, changed=True, keep_renders=True)
    _seconds(kept)
    again = _seconds(kept)
    print(
        f"changed: one of {count} Applications, after Argo CD is up: all judged {everything:.1f} s (budget 8 s); with "
        f"--gitops-changed {only:.1f} s, ratio {only / everything:.2f}; a second time {again:.1f} s (budget 3 s), "
        f"ratio {again / everything:.2f}"
    )


def _seconds(settings: Settings) -> float:
    """From Argo CD being up to the last verdict."""
    began = time.monotonic()
    engine = Engine(settings)
    try:
        plan = engine.prepare()
        judged = [c for c in plan.cases if plan.changed is None or c.id in plan.changed]
        pairs = tuple((c.id, s) for c in judged for s in STAGES)
        engine.begin(Selection(pairs))
        for case, stage in pairs:
            assert engine.wait(case, stage, limit=300) is not None
        return time.monotonic() - began - engine._ground.timings["argocd"]
    finally:
        engine.finish()
