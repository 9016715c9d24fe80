"""The loopback world of one run, put together: who stands in for whom, and the way in."""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_gitops.processes.ports import LOOPBACK
from pytest_gitops.serving.listener import Connections, Listener
from pytest_gitops.world.certificates import Authority, ssh_key, system_roots, write_private
from pytest_gitops.world.charts import package
from pytest_gitops.world.egress import Egress, Network, Refusal
from pytest_gitops.world.private import Private
from pytest_gitops.world.proxy import MIRRORS, USER, Proxy
from pytest_gitops.world.routes import Routes
from pytest_gitops.world.ssh import Server, Socks
from pytest_gitops.world.urls import SSH_HOSTS, Address, locate, parse

DIRECT = "127.0.0.1,localhost,::1"
"""What is never asked through the proxy."""


class World:
    """Stand-ins on loopback for git hosts, chart repositories and clusters, and the guard of everything else.

    `directory` is private to the run and made here, 0700; `environ` is the user's environment: it says how
    this machine gets outside and what it trusts. `network` "allow" lets every host be reached. `private` is
    what the user may read of other hosts, `spoken` are URLs that will be asked for: over ssh, hosts have ports of
    their own. `certificate`, PEM, is of the authority that vouches for the stand-ins. What is served may be added
    before and after `start`; every method may be called from any thread.
    """

    def __init__(
        self,
        directory: Path,
        *,
        environ: Mapping[str, str],
        network: Network = "deny",
        private: Private | None = None,
        spoken: Iterable[str] = (),
    ) -> None:
        directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        directory.chmod(0o700)
        for name in ("bin", "ssh", "charts"):
            (directory / name).mkdir(mode=0o700)
        self._directory, self._environ = directory, environ
        self._token = secrets.token_urlsafe(24)
        roots = system_roots(environ)
        authority = Authority(directory)
        self._bundle = authority.bundle(roots)
        self.certificate = authority.certificate.decode()
        self._egress = Egress(environ, network=network, roots=roots)
        private = private or Private((), directory / "private", environ=environ)
        self._mirrors = private.mirrors
        self._routes = Routes(self._egress, environ, private=private)
        self._spoken = tuple(a for url in spoken if (a := parse(url)))
        self._private_key, _ = ssh_key()
        host_key, self._host_key = ssh_key()
        self._connections = Connections()
        self._ssh = Server(self._routes, host_key=host_key)
        self._proxy = Listener(
            "world-http",
            Proxy(self._routes, authority, self._connections, token=self._token),
            self._connections,
        )
        self._socks = Listener(
            "world-socks",
            Socks(self._routes, self._ssh, self._connections, user=USER, token=self._token),
            self._connections,
        )
        self._charts = 0
        self._write_ssh()

    def serve_repository(self, urls: Iterable[str], bare: Path) -> None:
        """Answer every spelling of `urls` (https, http, ssh) from the bare repository, to read only."""
        self._routes.add_repository(urls, bare)
        self._write_ssh()

    def serve_charts(self, url: str, folder: Path, *, helm: Path) -> None:
        """Answer `url` as a chart repository made of `folder`, an oci:// one as a registry. Raises ConfigError as
        charts.package does."""
        self._charts += 1
        into = self._directory / "charts" / str(self._charts)
        self._routes.add_charts(package(url, folder, into=into, helm=helm, environ=self._environ))

    def tunnel(self, host: str, port: int, *, to: tuple[str, int]) -> None:
        """Lead connections for `host`:`port` to the address `to`, unread: destination clusters."""
        self._routes.add_tunnel(host, port, to)

    def allow(self, hosts: Iterable[str]) -> None:
        """Let hosts outside be reached: names, or "*.example.com"."""
        self._egress.allow(hosts)

    def allow_named(self, hosts: Iterable[str]) -> None:
        """Let hosts outside be reached that only the repository names; never this machine or its link."""
        self._egress.allow_named(hosts)

    def trust(self, certificates: Mapping[str, str]) -> None:
        """Trust further authorities, PEM, each for the host outside that it is given for."""
        self._egress.trust(certificates)

    def start(self) -> None:
        """Begin to answer."""
        self._proxy.start()
        self._socks.start()

    def stop(self) -> None:
        """End every connection and thread. The directory stays: it is the run's."""
        self._connections.shut()
        self._ssh.stop()
        self._proxy.stop()
        self._socks.stop()

    @property
    def url(self) -> str:
        """The HTTP proxy, password included: for HTTPS_PROXY and for a cluster Secret's proxyUrl."""
        return f"http://{USER}:{self._token}@{LOOPBACK}:{self._proxy.port}"

    @property
    def env(self) -> dict[str, str]:
        """What leads a process into the world; lay it over its environment. PATH must begin with `bin`,
        too."""
        socks = f"socks5://{USER}:{self._token}@{LOOPBACK}:{self._socks.port}"
        both = {"HTTPS_PROXY": self.url, "HTTP_PROXY": self.url, "NO_PROXY": DIRECT, "ALL_PROXY": socks}
        return {
            **both,
            # curl, and so git, reads http_proxy in lower case only; an inherited one would win over ours.
            **{name.lower(): value for name, value in both.items()},
            # Without it git asks first without the password, then again.
            "GIT_HTTP_PROXY_AUTHMETHOD": "basic",
            "GIT_SSL_CAINFO": str(self._bundle),
            # Neither other repositories of this machine, nor a protocol that the guard does not see.
            "GIT_ALLOW_PROTOCOL": "http:https:ssh",
            "SSL_CERT_FILE": str(self._bundle),
            "CURL_CA_BUNDLE": str(self._bundle),
            # The user's insteadOf, proxies and credential helpers have no say in what Argo CD's git does.
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "ARGOCD_SSH_DATA_PATH": str(self._directory / "ssh"),
        }

    @property
    def bin(self) -> Path:
        """A folder to put first on PATH: its `ssh` is git's way into the world."""
        return self._directory / "bin"

    @property
    def programs(self) -> tuple[Path, ...]:
        """What the `ssh` in `bin` runs, beside the interpreter."""
        return (Path(__file__).parent,)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of loopback by which everything outside is reached; there after `start`."""
        return (self._proxy.port, self._socks.port)

    @property
    def bundle(self) -> Path:
        """The certificates to trust in here: the system's and ours."""
        return self._bundle

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The hosts that were asked for and not reached."""
        return self._egress.refusals

    def secrets(self, namespace: str) -> list[dict[str, Any]]:
        """Credential templates for the ssh URLs that are answered here: Argo CD does not begin without a key.

        They are repo-creds, so a repository Secret that brings its own credentials goes first.
        """
        found = []
        for number, prefix in enumerate(sorted(self._ssh_prefixes())):
            found.append(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": "Opaque",
                    "metadata": {
                        "name": f"pytest-gitops-ssh-{number}",
                        "namespace": namespace,
                        "labels": {"argocd.argoproj.io/secret-type": "repo-creds"},
                    },
                    "stringData": {"type": "git", "url": prefix, "sshPrivateKey": self._private_key},
                }
            )
        return found

    def credentials(self, url: str) -> dict[str, str]:
        """What `secrets` adds to the repository message of a URL: our key where it is an ssh URL that is answered
        here."""
        address = parse(url)
        if address is None or address.scheme != "ssh":
            return {}
        is_served = self._routes.repository_for(address.host, address.path) is not None
        if not is_served and not self._mirrors.covers(address.host, address.path):
            return {}
        return {"sshPrivateKey": self._private_key}

    @property
    def _addresses(self) -> tuple[Address, ...]:
        return (*self._routes.addresses, *self._mirrors.addresses(self._spoken))

    def _ssh_prefixes(self) -> set[str]:
        """URL prefixes as Argo CD compares them: without .git, a port written only where the URL has one."""
        found = set()
        for address in self._addresses:
            path = address.path.removesuffix(".git")
            users = {"git", address.user} if address.scheme == "ssh" and address.user else {"git"}
            for host, port in _ssh_targets(address):
                found |= {f"ssh://{user}@{host}{port}/{path}" for user in users}
        return found

    def _write_ssh(self) -> None:
        """Rewrite what the ssh side reads from files: Argo CD's known hosts and the client's table."""
        hosts = {target for address in self._addresses for target in _ssh_targets(address)}
        lines = sorted(f"[{h}]{p}" if p not in {"", ":22"} else h for h, p in hosts)
        known = "".join(f"{name} {self._host_key}\n" for name in dict.fromkeys(lines))
        write_private(self._directory / "ssh" / "ssh_known_hosts", known)
        table = {
            "repositories": {name: str(bare) for name, bare in self._routes.repositories.items()},
            "mirrored": sorted({locate(a.host, "") for a in self._mirrors.addresses()}),
            "mirrors": MIRRORS,
            "proxy": self._proxy.port,
            "socks": self._socks.port,
            "user": USER,
            "token": self._token,
            "ssh": shutil.which("ssh", path=self._environ.get("PATH")),
        }
        file = write_private(self._directory / "world.json.new", json.dumps(table)).rename(
            self._directory / "world.json"
        )
        program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("sshclient.py")), str(file)]
        wrapper = self.bin / "ssh"
        if not wrapper.exists():
            write_private(wrapper, f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n').chmod(0o700)


def _ssh_targets(address: Address) -> set[tuple[str, str]]:
    """The (host, ":port" or "") under which an address may be asked for by ssh."""
    hosts = {address.host} | {alias for alias, host in SSH_HOSTS.items() if host == address.host}
    ports = {"", ":22"} | ({f":{address.port}"} if address.scheme == "ssh" else set())
    ports |= {":443"} if len(hosts) > 1 else set()
    return {(host, port) for host in hosts for port in ports}
