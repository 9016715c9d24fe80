"""The cluster that Argo CD runs in, as `--gitops-cluster` has it: made for the run, and gone with it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from pytest_gitops.clusters.base import Cluster
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.clusters.kind import PREFIX, RECORDS, Kind
from pytest_gitops.clusters.kubeconfig import skew
from pytest_gitops.configuration.file import FILE_NAME
from pytest_gitops.errors import EngineError
from pytest_gitops.ground.crowd import at_a_glance
from pytest_gitops.ground.planes import embedded
from pytest_gitops.model import Finding, Severity
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.settings.settings import Provider, Settings

log = logging.getLogger(__name__)

OTHERS = (
    "Containers really run on the kind cluster, where Argo CD is. Every other cluster, and those of `upgrade` and of "
    "scenarios, is an embedded one, of which the following holds."
)


class Own:
    """The run's own cluster, in the directory of `supervisor`; `tools` are paths by name."""

    def __init__(self, settings: Settings, supervisor: Supervisor, tools: Mapping[str, Path]) -> None:
        directory = supervisor.directory / "cluster"
        self._kind: Kind | None = None
        if settings.provider is Provider.KIND and not settings.kind.name:
            self._kind = Kind(
                tools["kind"],
                name=f"{PREFIX}{supervisor.run_id}",
                directory=directory,
                records=settings.cache / RECORDS,
                environ=settings.environ,
                config=settings.kind.config,
                node_image=settings.kind.node_image,
                images=settings.kind.images,
            )
        self.cluster: Cluster = self._kind or embedded(
            settings, supervisor, directory, tools, environ=at_a_glance(settings)
        )

    @property
    def simulated(self) -> tuple[str, ...]:
        """What it only pretends, and what the embedded ones beside it do, one sentence each."""
        return self.cluster.simulated if self._kind is None else (OTHERS, *Embedded.simulated)

    def findings(self, *, pinned: str) -> tuple[Finding, ...]:
        """What is to be said of a version that is not `pinned`, that of our API server. Raises EngineError if it is
        too old."""
        told = skew(self.cluster.version, pinned)
        if not told:
            return ()
        return (
            Finding(
                rule="version-skew",
                severity=Severity.WARNING,
                message=f"the {self.cluster.provider} cluster: {told}",
                file=FILE_NAME,
                help="test on the version that production has: `node-image` of `kind:` in pytest-gitops.yaml",
            ),
        )

    def settle(self) -> None:
        """Return when containers find each other by name. Raises EngineError."""
        if self._kind is not None:
            self._kind.settle()

    def export_logs(self, folder: Path) -> None:
        """Write what containers and nodes said to `folder`, where there are any. Raises EngineError."""
        shutil.rmtree(folder, ignore_errors=True)
        if self._kind is not None:
            self._kind.export_logs(folder)

    def close(self, *, keep: bool) -> None:
        """Delete what is no process of the run. What cannot be deleted is logged, for reports are to be written yet;
        the next run tries again."""
        if self._kind is not None:
            try:
                self._kind.close(keep=keep)
            except EngineError as error:
                log.warning("the kind cluster %s is left to the next run: %s", self._kind.name, error)
