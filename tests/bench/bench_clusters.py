"""Clusters beside the first: what one more embedded one costs, and kind beside kind's own `create cluster`."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engines import NODE, docker, kernel_as_it_was, kind

from bench import grid
from pytest_gitops.argocd.destinations import Placement
from pytest_gitops.ground.boot import Ground
from pytest_gitops.processes.process import run
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.settings.settings import Kind, Provider, Settings

DEV = RegisteredCluster(name="dev", server="https://dev.example:6443")

ROUNDS = 3


def second(folder: Path, settings: Callable[..., Settings], memory: Callable[[str], float]) -> None:
    """One destination cluster more: from the wish to its secret, CRDs served."""
    seconds, more = [], []
    for number in range(ROUNDS):
        root = grid.make(folder / f"second-{number}", 1)
        ground = Ground(settings(root, clusters=(DEV,)), say=lambda _: None, died=lambda _: None)
        try:
            ground.up()
            before = memory(ground.supervisor.run_id)
            began = time.monotonic()
            ground.connect(Placement(planes=((DEV,),)))
            seconds.append(time.monotonic() - began)
            more.append(memory(ground.supervisor.run_id) - before)
        finally:
            ground.close()
    print(
        f"second: one embedded cluster more: {statistics.median(seconds):.1f} s (budget 3), "
        f"{statistics.median(more) * 1000:.0f} MB (budget 700); medians of {ROUNDS}"
    )


def on_kind(folder: Path, settings: Callable[..., Settings]) -> None:
    """Nothing running to Argo CD ready on kind, and kind's own command, in turns."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="bench-kind-") as made, kernel_as_it_was(), docker(Path(made)):
        for number in range(ROUNDS + 1):
            began = time.monotonic()
            words = ("--image", NODE, "--wait", "120s", "--kubeconfig", folder / "kubeconfig")
            run(kind(), "create", "cluster", "--name", "bench", *words, limit=600)
            theirs.append(time.monotonic() - began)
            run(kind(), "delete", "cluster", "--name", "bench", limit=120)
            root = grid.make(folder / f"kind-{number}", 1)
            ground = Ground(
                settings(root, provider=Provider.KIND, kind=Kind(node_image=NODE)),
                say=lambda _: None,
                died=lambda _: None,
            )
            try:
                began = time.monotonic()
                ground.up()
                ours.append(time.monotonic() - began)
            finally:
                ground.close()
    more = [mine - own for mine, own in zip(ours[1:], theirs[1:], strict=True)]  # the first pair is colder
    print(
        f"kind: nothing running → Argo CD ready: {statistics.median(ours[1:]):.1f} s; `kind create cluster --wait` "
        f"{statistics.median(theirs[1:]):.1f} s; {statistics.median(more):.1f} s more (budget 5; {ROUNDS} pairs)"
    )
