"""Measures what the budgets are about, each figure beside what it is compared with, in one run: `make bench`.

usage: python -m bench [boot|converge|prune|review|changed|idle|second|kind …]   (from tests/, with the package on PYTHONPATH)

Nothing is asserted: figures differ between machines, ratios hardly.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import bench_changed, bench_clusters, bench_cycle, bench_prune, grid
from pytest_gitops.argocd.applications import Applications
from pytest_gitops.argocd.convergence import State, observe
from pytest_gitops.ground.boot import Ground
from pytest_gitops.model import Outcome
from pytest_gitops.processes.process import run
from pytest_gitops.run.asking import Selection
from pytest_gitops.run.engine import Engine
from pytest_gitops.settings.settings import Provider, Settings, default_cache, environment

STAGES = ("source", "render", "policy", "converge")


def settings(root: Path, **changed: Any) -> Settings:
    made = Settings(
        root=root,
        report=root / "gitops-report",
        cache=default_cache(environment()),
        environ=environment(),
        stages=STAGES,
        urls=(grid.URL,),
        keep_renders=False,  # what an earlier run left would be measured
    )
    return dataclasses.replace(made, **changed)


def boot(folder: Path) -> None:
    """Nothing running to Argo CD ready."""
    seconds = []
    for number in range(3):
        began = time.monotonic()
        ground = Ground(
            settings(grid.make(folder / f"boot-{number}", 1)), say=lambda _: None, died=lambda _: None
        )
        try:
            began = time.monotonic()
            ground.up()
            seconds.append(time.monotonic() - began)
        finally:
            ground.close()
    print(
        f"boot: nothing running → Argo CD ready: {statistics.median(seconds):.1f} s (median of 3; budget 6 s)"
    )


def converge(folder: Path, count: int = 100) -> None:
    """`count` Applications by our engine, and the same given to a bare Argo CD that the same code started."""
    root = grid.make(folder / "converge", count)
    ratios = []
    for _ in range(2):
        ours, memory = _ours(root)
        bare = _bare(root)
        ratios.append(ours / bare)
        print(
            f"converge: {count} Applications: ours {ours:.1f} s, bare Argo CD {bare:.1f} s, "
            f"ratio {ours / bare:.2f} (budget 1.15); memory of everything {memory:.1f} GB (budget 2)"
        )
    print(f"converge: ratio {statistics.median(ratios):.2f} (median of {len(ratios)} pairs)")


def _ours(root: Path) -> tuple[float, float]:
    engine = Engine(settings(root))
    try:
        engine.prepare()
        assert engine._context is not None
        planned = engine._ground.timings["plan"] - engine._ground.timings["argocd"]
        pairs = tuple((c.id, s) for c in engine._context.plan.cases for s in STAGES)
        began = time.monotonic()
        engine.begin(Selection(pairs))
        for case, stage in pairs:
            result = engine.wait(case, stage, limit=600)
            assert result is not None and result.outcome is Outcome.PASSED, result
        return time.monotonic() - began + planned, _memory(engine._ground.supervisor.run_id)
    finally:
        engine.finish()


def _bare(root: Path) -> float:
    engine = Engine(settings(root))
    try:
        ground = engine._ground
        ground.up()
        assert ground.api is not None and ground.cluster is not None
        cases = [
            dataclasses.replace(_case(d.manifest), file=d.file) for d in ground.declarations.applications
        ]
        done: set[str] = set()
        all_done, stop = threading.Event(), threading.Event()

        def act(key: str, application: Mapping[str, Any]) -> None:
            if application and observe(application).state is State.CONVERGED:
                done.add(key)
                if len(done) == len(cases):
                    all_done.set()

        applications = Applications(ground.api)
        threading.Thread(target=lambda: applications.watch(act, stop=stop), daemon=True).start()
        ground.head.argocd.start_application_controller(ground.cluster.kubeconfig)
        began = time.monotonic()
        applications.create(cases, lambda case, error: print(case.key, error))
        assert all_done.wait(600)
        seconds = time.monotonic() - began
        stop.set()
        return seconds
    finally:
        engine.close()


def _case(manifest: Mapping[str, Any]) -> Any:
    from pytest_gitops.repository.discovery import case_of

    return case_of(manifest, control="argocd", file="", line=1)


def _memory(run_id: str) -> float:
    """Resident memory of a run's processes and of this one, in GB; what several share, like the code of a program
    that runs five times, counts once (proportional set size)."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            mine = entry.name == str(os.getpid()) or f"PYTEST_GITOPS_RUN={run_id}".encode() in (
                entry / "environ"
            ).read_bytes().split(b"\0")
            if entry.name.isdigit() and mine:
                lines = (entry / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
        except OSError:
            continue
    return total / 1e9


def review(folder: Path, count: int = 200) -> None:
    """Review of `count` Applications without a cluster, from nothing running to the last verdict."""
    root = grid.make(folder / "review", count)
    stages = ("source", "render", "policy")
    began = time.monotonic()
    engine = Engine(settings(root, stages=stages, provider=Provider.NONE))
    try:
        plan = engine.prepare()
        pairs = tuple((c.id, s) for c in plan.cases for s in stages)
        engine.begin(Selection(pairs))
        for case, stage in pairs:
            assert engine.wait(case, stage, limit=300) is not None
        seconds = time.monotonic() - began
    finally:
        engine.finish()
    print(f"review: {count} Applications: {seconds:.1f} s (budget 8 s)")


def idle(folder: Path) -> None:
    """What the plugin adds to a pytest run that does not use it."""
    write_test = folder / "idle" / "test_nothing.py"
    write_test.parent.mkdir()
    write_test.write_text("def test_nothing():\n    pass\n")

    def once(*args: str) -> float:
        # Users have byte code; a switch of this environment must not make every run compile.
        env = {k: v for k, v in environment().items() if k != "PYTHONDONTWRITEBYTECODE"}
        began = time.monotonic()
        run(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *args,
            cwd=write_test.parent,
            env=env,
        )
        return time.monotonic() - began

    pairs = [(once(), once("-p", "no:gitops")) for _ in range(20)]
    added = statistics.median(a - b for a, b in pairs)
    print(f"idle: the plugin adds {added * 1000:.0f} ms to a pytest run (median of 20 pairs; budget 5 ms)")


BENCHES: dict[str, Callable[[Path], None]] = {
    "idle": idle,
    "boot": boot,
    "review": review,
    "changed": lambda folder: bench_changed.changed(folder, settings(folder)),
    "converge": converge,
    "cycle": lambda folder: bench_cycle.cycle(folder, settings(folder), bare=_bare, memory=_memory),
    "prune": lambda folder: bench_prune.prune(folder, settings(folder)),
    "second": lambda folder: bench_clusters.second(folder, settings, _memory),
    "kind": lambda folder: bench_clusters.on_kind(folder, settings),
}

BY_NAME = ("kind",)
"""What takes more than this package: asked by name only."""


def main() -> None:
    words = sys.argv[1:] or [name for name in BENCHES if name not in BY_NAME]
    cpus, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(
        f"machine: {platform.machine()}, {cpus} processors, {memory:.0f} GiB, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for word in words:
            BENCHES[word](Path(folder))


if __name__ == "__main__":
    main()
