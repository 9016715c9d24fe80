"""A plane for admission: etcd and one kube-apiserver, of the version that is asked for, and nothing behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.core import Core
from pytest_gitops.processes.process import Supervisor

PROGRAMS = Core.programs
"""The tools that one takes."""

ENVIRON = {"GOGC": "400"}
"""It lives for seconds and holds little, so it may collect its garbage late, else an eighth of its work."""


class Plane:
    """One API server on which nothing acts by itself; `tools` maps each of `PROGRAMS` to its file, `cache` is the
    folder where definitions are kept. `api` and
    `version` are there after `start`. Raises ToolError if a tool is missing."""

    api: Api

    def __init__(
        self,
        supervisor: Supervisor,
        directory: Path,
        tools: Mapping[str, Path],
        *,
        name: str,
        cache: Path | None = None,
    ) -> None:
        self._core = Core(supervisor, directory, tools, name=name, cache=cache, environ=ENVIRON)

    @property
    def version(self) -> str:
        """Kubernetes' version, without a leading "v"."""
        return self._core.version

    def start(self) -> None:
        """Return when the API server is ready. Raises ProcessDied or WaitTimeout."""
        self._core.start()
        self.api = self._core.connect()

    def close(self) -> None:
        """End it, and remove its directory."""
        if hasattr(self, "api"):
            self.api.close()
        self._core.stop()
