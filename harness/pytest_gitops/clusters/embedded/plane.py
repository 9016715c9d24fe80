"""The embedded cluster as a whole: what is started after what, and what may overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.embedded import core, kwok, managers
from pytest_gitops.clusters.embedded.absent import Absent
from pytest_gitops.clusters.embedded.pki import MASTERS, Pair
from pytest_gitops.clusters.embedded.served import Served
from pytest_gitops.clusters.embedded.statuses import Statuses
from pytest_gitops.errors import ConfigError
from pytest_gitops.processes.process import Daemon, Supervisor
from pytest_gitops.settings.nodes import NodePool

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

PROGRAMS = (*core.PROGRAMS, "kube-controller-manager", "kube-scheduler", "kwok")
"""The tools that it takes."""

NODES = 3
"""As many as charts with a hard anti-affinity ask for."""

USERS = {
    **{name: (name, MASTERS) for name in (core.ADMIN, "argocd", "kwok")},
    # The users that the API server's own RBAC rules know by name.
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
}


class Embedded(core.Core):
    """A cluster of plain processes in `directory`, as `Core` says; `nodes` is how many nodes are pretended, beside
    those of `pools`; `statuses` is what is said for controllers of custom resources. Starting it raises ConfigError for
    a pool that is none."""

    provider = "embedded"
    simulated = kwok.SIMULATED
    programs = PROGRAMS
    users = USERS

    def __init__(
        self,
        supervisor: Supervisor,
        directory: Path,
        tools: Mapping[str, Path],
        *,
        name: str = "embedded",
        nodes: int = NODES,
        pools: Sequence[NodePool] = (),
        statuses: Statuses | None = None,
        cache: Path | None = None,
        environ: Mapping[str, str] | None = None,
        limit: float = core.START_SECONDS,
    ) -> None:
        super().__init__(supervisor, directory, tools, name=name, cache=cache, environ=environ, limit=limit)
        self.nodes, self._pools, self._statuses = nodes, pools, statuses or Statuses()
        self._served: Served | None = None
        self._absent: Absent | None = None

    def start(self) -> None:
        """Return when the API server is ready and the nodes exist.

        The controller manager, the scheduler and kwok have then been started, and come up while their user
        does something else. Raises ProcessDied or WaitTimeout.
        """
        from pytest_gitops.clusters.api import DEFINITIONS

        accounts, api = self._bring_up()
        pools = [None] * self.nodes + [pool for pool in self._pools for _ in range(pool.count)]
        for index, pool in enumerate(pools):
            self._add(api, index, pool)
        self._start_rest(accounts)
        api.post("/apis/storage.k8s.io/v1/storageclasses", kwok.storage_class())
        self._absent = absent = Absent(api, DEFINITIONS, self._statuses)
        self._supervisor.at_end(absent.close)
        absent.start()

    def stop(self) -> None:
        """End this cluster alone and remove its directory, while the run goes on."""
        if self._absent is not None:
            self._absent.close()
        super().stop()
        if self._served is not None:
            self._served.close()

    def _add(self, api: Api, index: int, pool: NodePool | None) -> None:
        try:
            api.post("/api/v1/nodes", kwok.node(index, cluster=self.name, pool=pool))
        except ApiError as error:
            if pool is None or error.failed:
                raise
            raise ConfigError(
                f"nodes: the API server does not take such a Node: {error}", where=pool.where
            ) from error

    def _run_apiserver(self, serving: Pair, accounts: Pair) -> Daemon:
        self._served = served = Served(self.directory, serving)
        self._supervisor.at_end(served.close)
        return super()._run_apiserver(serving, accounts)

    def _start_rest(self, accounts: Pair) -> None:
        supervisor, directory, env = self._supervisor, self.directory, self._env
        self._daemons += [
            managers.start_controllers(
                supervisor,
                self._tools["kube-controller-manager"],
                directory=directory,
                label=self._label("kube-controller-manager"),
                kubeconfig=self.kubeconfig_of("kube-controller-manager"),
                ca=self.ca,
                accounts=accounts,
                env=env,
            ),
            managers.start_scheduler(
                supervisor,
                self._tools["kube-scheduler"],
                directory=directory,
                label=self._label("kube-scheduler"),
                kubeconfig=self.kubeconfig_of("kube-scheduler"),
                env=env,
            ),
            kwok.start(
                supervisor,
                self._tools["kwok"],
                directory=directory,
                label=self._label("kwok"),
                kubeconfig=self.kubeconfig_of("kwok"),
                env=env,
            ),
        ]

    def _label(self, program: str) -> str:
        return program if self.name == "embedded" else f"{program}-{self.name}"
