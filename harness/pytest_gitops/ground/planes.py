"""Embedded clusters as the configuration has them: the nodes beside the three, and what custom resources say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.clusters.embedded.statuses import Statuses
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.settings.settings import Settings


def embedded(
    settings: Settings,
    supervisor: Supervisor,
    directory: Path,
    tools: Mapping[str, Path],
    *,
    name: str = "embedded",
    environ: Mapping[str, str] | None = None,
) -> Embedded:
    """One more control plane of the run, not started."""
    return Embedded(
        supervisor,
        directory,
        tools,
        name=name,
        cache=settings.cache,
        environ=environ,
        pools=settings.nodes,
        statuses=Statuses(settings.statuses),
    )
