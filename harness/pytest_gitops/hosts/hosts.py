"""The clusters that exist and that a run may use: reached before anything is started, left as they were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_gitops.clusters.kind import RECORDS, Kind
from pytest_gitops.clusters.kubeconfig import Existing, skew
from pytest_gitops.configuration.file import FILE_NAME
from pytest_gitops.errors import GitOpsError
from pytest_gitops.hosts.removal import leftovers, remove
from pytest_gitops.model import Finding, Severity
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.settings.settings import Settings, kubeconfig


class Hosts:
    """Those of the contexts in `settings`; `findings` is what is to be said of them."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self.existing: dict[RegisteredCluster, Existing] = {}
        self.findings: list[Finding] = []

    def reach(self, directory: Path, *, pinned: str, tools: Mapping[str, Path]) -> None:
        """Ask each whether it is there, and see that the one of kind's is; `directory` is the run's, `pinned` the
        version of our API server. Raises EngineError."""
        settings = self._settings
        files = (
            {settings.kind.context: str(self._kind(directory, tools["kind"]))} if settings.kind.name else {}
        )
        for cluster in (c for c in settings.clusters if c.context in settings.contexts):
            self._say(f"asking {cluster.context}")
            file = files.get(cluster.context) or kubeconfig(settings.environ)
            existing = Existing(file, cluster.context, directory=directory)
            existing.start()
            if told := skew(existing.version, pinned):
                self.findings.append(
                    Finding(
                        rule="version-skew",
                        severity=Severity.WARNING,
                        message=f"cluster {cluster.name} (context {cluster.context}): {told}",
                        file=FILE_NAME,
                        line=cluster.line,
                        help="test on a cluster of the version that production has",
                    )
                )
            self.existing[cluster] = existing

    def _kind(self, directory: Path, tool: Path) -> Path:
        """The kubeconfig of the kind cluster that stays, which is made if there is none of its name."""
        settings, kind = self._settings, self._settings.kind
        self._say(f"looking for the kind cluster {kind.name}")
        cluster = Kind(
            tool,
            name=kind.name,
            directory=directory / "kind",
            records=settings.cache / RECORDS,
            environ=settings.environ,
            config=kind.config,
            node_image=kind.node_image,
            images=kind.images,
        )
        cluster.stay()
        return cluster.kubeconfig

    def leave(self, run: str) -> tuple[Finding, ...]:
        """Take away what the run made, once; what does not go is a finding, with what to do."""
        found = []
        while self.existing:
            cluster, existing = self.existing.popitem()
            self._say(f"removing what was made on {existing.context}")
            try:
                left = remove(existing.api, leftovers(existing.api, run=run))
                why = f"still there: {', '.join(left)}" if left else ""
            except GitOpsError as error:
                why = str(error)
            if why:
                found.append(
                    Finding(
                        rule="not-removed",
                        severity=Severity.WARNING,
                        message=f"not all that the run made on cluster {cluster.name} (context {existing.context}) "
                        f"could be removed: {why}",
                        file=FILE_NAME,
                        line=cluster.line,
                        help=f"later: pytest-gitops clean --context {existing.context} --run {run}",
                    )
                )
        return tuple(found)
