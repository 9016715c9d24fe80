"""Argo Rollouts' controller as a process beside a cluster, confined as Argo CD's own are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_gitops.argocd.confinement import Confinement, command
from pytest_gitops.processes.ports import answers, free_ports
from pytest_gitops.processes.process import Daemon, Supervisor

START_LIMIT = 180.0
"""Seconds that it may take to answer: a second on an idle machine, far more on a busy one."""

NAMESPACE = "pytest-gitops-argo-rollouts"
"""Where it looks for its own settings. Nobody's: what a pull request could write into `argo-rollouts` would have it
load plugins, which are programs, and send notifications."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What it stands on: its `program`, the loopback world's environment, and with what it is confined, None where the
    machine cannot. `ports` are those of this machine that metrics may be asked at."""

    program: Path
    world: Mapping[str, str]
    confinement: Confinement | None
    ports: tuple[int, ...] = ()


def start(
    supervisor: Supervisor, directory: Path, around: Surroundings, kubeconfig: Path, *, label: str
) -> Daemon:
    """Start one for the cluster of `kubeconfig` and return when it answers; `directory` becomes its own.

    It waits by itself for definitions that are still to come. Raises ProcessDied or WaitTimeout.
    """
    metrics, health = free_ports(2)
    (directory / "tmp").mkdir(mode=0o700, parents=True)
    prefix: tuple[str | Path, ...] = ()
    if around.confinement is not None:
        confinement = replace(around.confinement, programs=())
        rules = confinement.controller(directory, around.program, kubeconfig, ports=around.ports)
        prefix = tuple(command(rules, directory / "rules.json"))
    daemon = supervisor.start(
        label,
        *prefix,
        around.program,
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        f"--metricsPort={metrics}",
        f"--healthzPort={health}",
        "--loglevel=warn",
        "--logformat=text",
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(directory),
            "TMPDIR": str(directory / "tmp"),
            "LANG": "C.UTF-8",
            **around.world,
            "POD_NAMESPACE": NAMESPACE,
        },
        cwd=directory,
    )
    daemon.wait_ready(lambda: answers(health), limit=START_LIMIT)
    return daemon
