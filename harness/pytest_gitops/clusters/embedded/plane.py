"""The embedded cluster as a whole: what is started after what, and what may overlap."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gitops.clusters.embedded import apiserver, etcd, kubeconfig, kwok, managers
from pytest_gitops.clusters.embedded.pki import MASTERS, Authority, Pair
from pytest_gitops.clusters.embedded.reservation import LOOPBACK, reserve
from pytest_gitops.errors import ToolError
from pytest_gitops.process import Daemon, Supervisor
from pytest_gitops.warden import remove

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
"""The tools that it takes."""

NODES = 3
"""As many as charts with a hard anti-affinity ask for."""

START_SECONDS = 60.0

PROBE_SECONDS = 0.05

CLIENTS = {
    "kube-controller-manager": "system:kube-controller-manager",
    "kube-scheduler": "system:kube-scheduler",
}
"""The users that the API server's own RBAC rules know by name."""

MASTER_CLIENTS = ("admin", "argocd", "kwok")


class Embedded:
    """A cluster of plain processes in `directory`, which is made here (0700). Several may run at once, by
    `name`.

    `tools` maps each of `PROGRAMS` to its file; `nodes` is how many nodes are pretended; `limit` is in
    seconds. `ca` is the file of the certificate that the API server's own is signed by; it is valid for
    127.0.0.1, localhost and kubernetes.default.svc with its shorter forms.
    """

    provider = "embedded"
    simulated = kwok.SIMULATED

    def __init__(
        self,
        supervisor: Supervisor,
        directory: Path,
        tools: Mapping[str, Path],
        *,
        name: str = "embedded",
        nodes: int = NODES,
        limit: float = START_SECONDS,
    ) -> None:
        for program in PROGRAMS:
            if program not in tools:
                raise ToolError(program, "the embedded cluster needs it, and nobody said where it is")
        self.name, self.directory, self.nodes = name, directory, nodes
        self.ca = directory / "ca.crt"
        self.kubeconfig = self.kubeconfig_of("admin")
        self.version = ""
        self._supervisor, self._tools, self._limit = supervisor, tools, limit
        self._env = {"HOME": str(directory), "TMPDIR": str(directory / "tmp"), "PATH": "/usr/bin:/bin"}
        self._port = 0
        self._daemons: list[Daemon] = []

    @property
    def address(self) -> tuple[str, int]:
        return (LOOPBACK, self._port)

    @property
    def daemons(self) -> tuple[Daemon, ...]:
        """What runs of it, first started first."""
        return tuple(self._daemons)

    def kubeconfig_of(self, user: str) -> Path:
        """The kubeconfig of a user of the cluster (admin, argocd, kwok, …); it is there after `start`."""
        return self.directory / f"{user}.kubeconfig"

    def start(self) -> None:
        """Return when the API server is ready and the nodes exist.

        The controller manager, the scheduler and kwok have then been started, and come up while their user
        does something else. Raises ProcessDied or WaitTimeout.
        """
        self.directory.mkdir(mode=0o700, parents=True)
        (self.directory / "tmp").mkdir(mode=0o700)
        with reserve() as held:
            self._port = held.getsockname()[1]
            accounts, api = self._start_server()
        self.version = api.server_version()
        for index in range(self.nodes):
            api.post("/api/v1/nodes", kwok.node(index, cluster=self.name))
        self._start_rest(accounts)
        api.post("/apis/storage.k8s.io/v1/storageclasses", kwok.storage_class())

    def stop(self) -> None:
        """End this cluster alone and remove its directory, while the run goes on."""
        self._supervisor.stop(*self._daemons)
        self._daemons.clear()
        remove(self.directory)

    def _start_server(self) -> tuple[Pair, Api]:
        """Bring etcd and the API server up; returns the service accounts' key and the API."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name) as beside:
            certified = beside.submit(self._certify)
            self._daemons.append(
                etcd.start(
                    self._supervisor,
                    self._tools["etcd"],
                    directory=self.directory,
                    label=self._label("etcd"),
                    env=self._env,
                    limit=self._limit,
                )
            )
            serving, accounts = certified.result()
        server = self._run_apiserver(serving, accounts)
        api = self._connect()
        server.wait_ready(api.ready, limit=self._limit, pause=PROBE_SECONDS)
        return accounts, api

    def _certify(self) -> tuple[Pair, Pair]:
        """Make all certificates and kubeconfigs; returns the serving pair and the service accounts' key."""
        authority = Authority(self.directory)
        for user in MASTER_CLIENTS:
            self._write_kubeconfig(user, authority.client(user, user=user, group=MASTERS))
        for user, known_as in CLIENTS.items():
            self._write_kubeconfig(user, authority.client(user, user=known_as))
        return authority.server("kube-apiserver", LOOPBACK), authority.signing_key("accounts")

    def _write_kubeconfig(self, user: str, pair: Pair) -> None:
        host, port = self.address
        kubeconfig.write(
            self.kubeconfig_of(user),
            cluster=self.name,
            user=user,
            server=f"https://{host}:{port}",
            ca=self.ca,
            pair=pair,
        )

    def _connect(self) -> Api:
        # Loaded while the API server starts, and only by who starts one.
        from pytest_gitops.clusters.api import Api

        return Api(self.kubeconfig)

    def _run_apiserver(self, serving: Pair, accounts: Pair) -> Daemon:
        daemon = apiserver.start(
            self._supervisor,
            self._tools["kube-apiserver"],
            directory=self.directory,
            label=self._label("kube-apiserver"),
            port=self.address[1],
            ca=self.ca,
            serving=serving,
            accounts=accounts,
            env=self._env,
        )
        self._daemons.append(daemon)
        return daemon

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
