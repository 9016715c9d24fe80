"""Argo CD's processes beside the cluster: redis, repo-server, applicationset-controller, application-controller.

Flags and variables: see each process's `--help`; why they are set is said where they are.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_gitops.argocd import certificates, parameters
from pytest_gitops.argocd.appstate import AppState
from pytest_gitops.argocd.cache import Cache
from pytest_gitops.argocd.confinement import Confinement, command
from pytest_gitops.errors import EngineError
from pytest_gitops.processes.ports import answers, free_ports
from pytest_gitops.processes.process import Daemon, Supervisor

START_LIMIT = 180.0
"""Seconds that one of them may take to answer: a second on an idle machine, far more on a busy one."""


EXEC_SECONDS = 90.0
"""Argo CD's own limit for one helm, kustomize or git."""


SOCKET_BYTES = 107
"""The longest path of a unix socket (sockaddr_un)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the processes stand on. `world` is the loopback world's environment, `path` folders for PATH;
    `exec_limit`, in seconds, is for each command that the repo-server runs; `confinement` is None where the machine
    cannot confine them; `side` ends the names of the processes where there is more than one Argo CD; `parameters` is
    what the repository says to them (see `parameters`). `certificates` are authorities, PEM, by host,
    `authority` is the world's own."""

    tools: Mapping[str, Path]
    environ: Mapping[str, str]
    world: Mapping[str, str]
    path: tuple[Path, ...] = ()
    control: str = "argocd"
    exec_limit: float = EXEC_SECONDS
    confinement: Confinement | None = None
    side: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""


class ArgoCD:
    """One Argo CD. `redis` and `repo_server` are "host:port" after their start."""

    def __init__(self, supervisor: Supervisor, directory: Path, around: Surroundings) -> None:
        self._supervisor, self._dir, self._around = supervisor, directory, around
        self._password = secrets.token_urlsafe(24)
        self._redis_port, self._repo_port, self._metrics_port = free_ports(3)
        self.redis, self.repo_server = f"127.0.0.1:{self._redis_port}", f"127.0.0.1:{self._repo_port}"
        for sub in ("tls", "ssh", "gpg", "gpg-data", "plugins", "tmp", "bin", "conf", "home"):
            (directory / sub).mkdir(mode=0o700, parents=True)
        self._write_tools()
        certificates.write(directory / "tls", around.certificates, more=around.authority)

    @property
    def state(self) -> AppState:
        """What it keeps of the Applications beside their status."""
        return AppState(Cache(self.redis, self._password), control=self._around.control)

    def _write_tools(self) -> None:
        """A PATH of its own for the repo-server: the locked helm and kustomize, and the machine's git."""
        folder = self._dir / "bin"
        for name in ("helm", "kustomize"):
            (folder / name).symlink_to(self._around.tools[name])
        git = shutil.which("git", path=self._around.environ.get("PATH"))
        if git is None:
            raise EngineError("git: not on PATH; Argo CD's repo-server needs it. Install git.")
        # The repo-server asks a script of its image about every revision's signature, even with GPG switched off,
        # and answers "permission denied" if it is missing or fails. An unsigned revision is no failure.
        wrapper = folder / "git-verify-wrapper.sh"
        wrapper.write_text('#!/bin/sh\ngit verify-commit "$1" 2>&1 || git verify-tag "$1" 2>&1 || true\n')
        wrapper.chmod(0o700)

    def _environment(self, role: str, **more: str) -> dict[str, str]:
        folders = [*self._around.path, self._dir / "bin"]
        ours = {
            "PATH": ":".join([*map(str, folders), self._around.environ.get("PATH", "/usr/bin:/bin")]),
            "HOME": str(self._dir / "home"),
            "TMPDIR": str(self._dir / "tmp"),
            "LANG": "C.UTF-8",
            "HOSTNAME": "argocd-application-controller-0",
            "ARGOCD_BINARY_NAME": role,
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_APP_CONF_PATH": str(self._dir / "conf"),
            "ARGOCD_TLS_DATA_PATH": str(self._dir / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(self._dir / "ssh"),
            "ARGOCD_GNUPGHOME": str(self._dir / "gpg"),
            "ARGOCD_GPG_DATA_PATH": str(self._dir / "gpg-data"),
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_PLUGINSOCKFILEPATH": str(self._dir / "plugins"),
            "ARGOCD_ASK_PASS_SOCK": self._socket("ask.sock"),
            "REDIS_PASSWORD": self._password,
        }
        # What the run needs goes before what the repository says.
        return {**parameters.environment(role, self._around.parameters), **ours, **more}

    def _start(self, name: str, *argv: str | Path, env: Mapping[str, str], cwd: Path | None = None) -> Daemon:
        return self._supervisor.start(f"{name}{self._around.side}", *argv, env=env, cwd=cwd)

    def _socket(self, name: str) -> str:
        """A socket's path: one that is too long for a socket is named from the repo-server's own folder."""
        path = str(self._dir / name)
        return path if len(path.encode()) <= SOCKET_BYTES else name

    def start_redis(self) -> Daemon:
        """Start redis: the tool part `redis`, a server binary or our stand-in of the same flags."""
        config = self._dir / "redis.conf"
        config.touch(mode=0o600)
        # In a file, not among the arguments: those can be read by every user of the machine.
        config.write_text(
            f"port {self._redis_port}\nbind 127.0.0.1\nset-proc-title no\n"
            f'save ""\nappendonly no\nrequirepass {self._password}\n'
        )
        daemon = self._start(
            "redis", self._around.tools["redis"], config, env={"PATH": self._around.environ.get("PATH", "")}
        )
        daemon.wait_ready(lambda: answers(self._redis_port), limit=START_LIMIT)
        return daemon

    def _argocd(self, role: str, kubeconfig: Path | None = None) -> tuple[str | Path, ...]:
        """The program, confined where that can be."""
        program, confinement = self._around.tools["argocd"], self._around.confinement
        if confinement is None:
            return (program,)
        if kubeconfig is None:
            rules = confinement.repo_server(self._dir, ports=[self._redis_port])
        else:
            ports = [self._redis_port, self._repo_port]
            rules = confinement.controller(self._dir, program, kubeconfig, ports=ports)
        return (*command(rules, self._dir / f"{role}.rules.json"), program)

    def start_repo_server(self) -> Daemon:
        """Start the repo-server in the loopback world; returns once its port answers."""
        daemon = self._start(
            "argocd-repo-server",
            *self._argocd("repo-server"),
            "--address=127.0.0.1",
            f"--port={self._repo_port}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={self._metrics_port}",
            f"--redis={self.redis}",
            "--logformat=text",
            "--loglevel=warn",
            # Plain text on loopback: its TLS does not authenticate anybody either.
            "--disable-tls",
            "--client-ca-path=",
            env={
                **self._environment(parameters.SERVER),
                **self._around.world,
                # A host that is refused stays refused; three attempts only make the wait longer.
                "ARGOCD_GIT_ATTEMPTS_COUNT": "1",
                "ARGOCD_EXEC_TIMEOUT": f"{self._around.exec_limit:g}s",
            },
            cwd=self._dir,
        )
        daemon.wait_ready(lambda: answers(self._repo_port), limit=START_LIMIT)
        return daemon

    def start_applicationset_controller(self, kubeconfig: Path, *flags: str) -> Daemon:
        """Start the applicationset-controller with further flags; CRDs must be Established before."""
        # Chosen now: a cluster takes its time, and a port that nobody has bound may be another run's by then.
        metrics, probe, webhook = free_ports(3)
        daemon = self._start(
            "argocd-applicationset-controller",
            *self._argocd("applicationset-controller", kubeconfig),
            f"--metrics-addr=127.0.0.1:{metrics}",
            f"--probe-addr=127.0.0.1:{probe}",
            f"--webhook-addr=127.0.0.1:{webhook}",
            f"--argocd-repo-server={self.repo_server}",
            "--repo-server-plaintext",
            "--enable-leader-election=false",
            f"--namespace={self._around.control}",
            "--logformat=text",
            *flags,
            env={
                **self._environment(parameters.SETS, KUBECONFIG=str(kubeconfig)),
                **self._around.world,
            },
        )
        daemon.wait_ready(lambda: answers(probe), limit=START_LIMIT)
        return daemon

    def start_application_controller(self, kubeconfig: Path, *, namespaces: str = "") -> Daemon:
        """Start the application-controller; it begins to reconcile at once."""
        (metrics,) = free_ports(1)
        daemon = self._start(
            "argocd-application-controller",
            *self._argocd("application-controller", kubeconfig),
            f"--repo-server={self.repo_server}",
            "--repo-server-plaintext",
            f"--redis={self.redis}",
            f"--metrics-port={metrics}",
            f"--namespace={self._around.control}",
            "--logformat=text",
            "--loglevel=warn",
            # The cause of bad health is read from status.resources[].health.
            "--persist-resource-health",
            *([f"--application-namespaces={namespaces}"] if namespaces else []),
            env={
                **self._environment(parameters.CONTROLLER, KUBECONFIG=str(kubeconfig)),
                **self._around.world,
                # Two seconds after every wave, meant for controllers that are slow to notice.
                "ARGOCD_SYNC_WAVE_DELAY": "0",
            },
        )
        daemon.wait_ready(lambda: answers(metrics), limit=START_LIMIT)
        return daemon

    @property
    def logs(self) -> Path:
        return self._supervisor.directory / "logs"
