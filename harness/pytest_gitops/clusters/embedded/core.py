"""The core of every cluster of ours: etcd and a kube-apiserver, certificates, and kubeconfigs for its users."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_gitops.clusters.embedded import apiserver, etcd, kubeconfig
from pytest_gitops.clusters.embedded.etcd import Store
from pytest_gitops.clusters.embedded.pki import MASTERS, Authority, Pair
from pytest_gitops.clusters.embedded.reservation import reserve
from pytest_gitops.clusters.embedded.shelf import Shelf
from pytest_gitops.errors import ToolError
from pytest_gitops.keeping import ESTABLISHED, Kept
from pytest_gitops.processes.ports import LOOPBACK
from pytest_gitops.processes.process import Daemon, Supervisor
from pytest_gitops.processes.warden import remove

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

PROGRAMS = ("etcd", "kube-apiserver")
"""The tools that it takes."""

START_SECONDS = 180.0
"""Seconds that it may take to be ready: three on an idle machine, more than sixty on one with ten times the load it can
bear. One that dies is told at once."""

PROBE_SECONDS = 0.05

ADMIN = "admin"


class Core:
    """etcd and a kube-apiserver in `directory`, which is made here (0700). Several may run at once, by `name`.

    `tools` maps each of `programs` to its file; `cache` is the folder where definitions of kinds are kept; `limit` is
    in seconds. `users` are names for kubeconfigs, each with the user and the group that its certificate says;
    `environ`, the class's and the given one, is added to what the processes see. `ca` is the file of the certificate
    that the API server's own is signed by; it is valid for 127.0.0.1, localhost and kubernetes.default.svc with its
    shorter forms. Raises ToolError if a tool is not among `tools`.
    """

    programs: tuple[str, ...] = PROGRAMS
    users: Mapping[str, tuple[str, str]] = {ADMIN: (ADMIN, MASTERS)}
    environ: Mapping[str, str] = {}

    def __init__(
        self,
        supervisor: Supervisor,
        directory: Path,
        tools: Mapping[str, Path],
        *,
        name: str,
        cache: Path | None = None,
        environ: Mapping[str, str] | None = None,
        limit: float = START_SECONDS,
    ) -> None:
        for program in self.programs:
            if program not in tools:
                raise ToolError(program, "the embedded cluster needs it, and nobody said where it is")
        self.name, self.directory = name, directory
        self.ca = directory / "ca.crt"
        self.kubeconfig = self.kubeconfig_of(ADMIN)
        self.version = ""
        self._supervisor, self._tools, self._limit, self._cache = supervisor, tools, limit, cache
        own = {"HOME": str(directory), "TMPDIR": str(directory / "tmp"), "PATH": "/usr/bin:/bin"}
        self._env = {**own, **self.environ, **(environ or {})}
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
        """The kubeconfig of one of `users`; it is there after `start`."""
        return self.directory / f"{user}.kubeconfig"

    def start(self) -> None:
        """Return when the API server is ready. Raises ProcessDied or WaitTimeout."""
        self._bring_up()

    def stop(self) -> None:
        """End this cluster alone and remove its directory, while the run goes on."""
        self._supervisor.stop(*self._daemons)
        self._daemons.clear()
        remove(self.directory)

    def _bring_up(self) -> tuple[Pair, Api]:
        """Bring etcd and the API server up; returns the service accounts' key and the API."""
        self.directory.mkdir(mode=0o700, parents=True)
        (self.directory / "tmp").mkdir(mode=0o700)
        with reserve() as held:
            self._port = held.getsockname()[1]
            accounts, api = self._start_server()
        self.version = api.server_version()
        return accounts, api

    def _start_server(self) -> tuple[Pair, Api]:
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
        api = self.connect()
        server.wait_ready(api.ready, limit=self._limit, pause=PROBE_SECONDS)
        return accounts, api

    def _certify(self) -> tuple[Pair, Pair]:
        """Make all certificates and kubeconfigs; returns the serving pair and the service accounts' key."""
        authority = Authority(self.directory)
        for name, (user, group) in self.users.items():
            self._write_kubeconfig(name, authority.client(name, user=user, group=group))
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

    def connect(self) -> Api:
        """The way to the API server, with full rights. Raises EngineError."""
        # Loaded while the API server starts, and only by who starts one.
        from pytest_gitops.clusters.api import Api

        if self._cache is None or not self.version:
            return Api(self.kubeconfig)
        kept = Kept(self._cache / ESTABLISHED)
        return Api(self.kubeconfig, shelf=Shelf(Store(self.directory), kept, version=self.version))

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

    def _label(self, program: str) -> str:
        return f"{program}-{self.name}"
