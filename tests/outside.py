"""Other hosts, as a company has them: for its git, its charts and its registry one needs a password, a token or a key. One
more would like to have a password, too.

They are another loopback world, with a lock before it; the way there is this machine's own proxy, as companies have one, too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from pytest_gitops.serving.wire import CHUNK, Exchange
from pytest_gitops.world import loopback
from pytest_gitops.world.certificates import ssh_key, write_private
from pytest_gitops.world.charts import ChartRepository
from pytest_gitops.world.loopback import World
from pytest_gitops.world.proxy import Proxy

GIT, CHARTS, REGISTRY, TOKENS, ELSEWHERE, PAGES, RELEASES, STORE = (
    f"{name}.acme.example"
    for name in ("git", "charts", "registry", "auth", "elsewhere", "pages", "releases", "store")
)

PASSWORDS = {GIT: "git:Gr8Secret-git", CHARTS: "ci:Gr8Secret-charts", TOKENS: "robot$ci:Gr8Secret-registry"}

TOKEN = "a-token-of-the-registry"

CREDENTIALS = f"""\
https://git:Gr8Secret-git@{GIT}/acme
https://ci:Gr8Secret-charts@{CHARTS}/stable
oci://robot%24ci:Gr8Secret-registry@{REGISTRY}/team
"""


PAGES_INDEX = f"""\
apiVersion: v1
entries:
  redis:
  - {{apiVersion: v2, name: redis, version: 1.2.3, urls: ["https://{RELEASES}/download/v1/redis-1.2.3.tgz"]}}
"""
"""Charts as they are on GitHub: an index on pages, packages among the releases, files in a store."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A request: `authorization` is what it brought."""

    host: str
    path: str
    authorization: str


@dataclass(slots=True)
class Outside:
    """`environ` is what a user has who gets there; `heard` are the requests."""

    world: World
    environ: dict[str, str]
    heard: list[Heard] = field(default_factory=list)


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@contextmanager
def outside(
    directory: Path, *, repositories: Mapping[str, Path], charts: Path | None = None, helm: Path | None = None
) -> Iterator[Outside]:
    """The hosts, with bare `repositories` by their path on GIT, and `charts` on CHARTS and REGISTRY."""
    heard: list[Heard] = []

    class Locked(Proxy):
        def _answer(self, exchange: Exchange, *, tls: bool, host: str, port: int, path: str) -> None:
            given = exchange.header("Authorization")
            heard.append(Heard(host, path, given))
            if host == CHARTS and path.startswith("/moved/"):
                exchange.reply(
                    302, headers=[("Location", f"https://{ELSEWHERE}/stable/{path.split('/')[-1]}")]
                )
            elif host == RELEASES:
                exchange.reply(302, headers=[("Location", f"https://{STORE}/{path.split('/')[-1]}")])
            elif host == REGISTRY and given != f"Bearer {TOKEN}":
                realm = f'Bearer realm="https://{TOKENS}/token",service="{REGISTRY}"'
                scope = f'scope="repository:{"/".join(path.split("/")[2:-2])}:pull"'
                exchange.reply(401, headers=[("www-authenticate", f"{realm},{scope}")])
            elif host == ELSEWHERE or (host in PASSWORDS and given != basic(PASSWORDS[host])):
                exchange.reply(401, headers=[("www-authenticate", f'Basic realm="{host}"')])
            elif host == TOKENS:
                exchange.reply(
                    200, json.dumps({"token": TOKEN}).encode(), headers=[("content-type", "application/json")]
                )
            else:
                super()._answer(exchange, tls=tls, host=host, port=port, path=path)

    with patch.object(loopback, "Proxy", Locked):
        world = World(directory / "outside", environ={"PATH": os.environ["PATH"]})
    for path, bare in repositories.items():
        world.serve_repository([f"https://{GIT}/{path}.git"], bare)
    if charts and helm:
        for url in (
            f"https://{CHARTS}/stable",
            f"https://{STORE}",
            f"oci://{REGISTRY}/team/charts",
        ):
            world.serve_charts(url, charts, helm=helm)
    # Nothing is served there; whoever comes is to be answered.
    for host in (TOKENS, ELSEWHERE, RELEASES):
        world._routes.add_charts(ChartRepository(host=host, path="", files={}))
    index = directory / "pages.yaml"
    index.write_text(PAGES_INDEX)
    world._routes.add_charts(ChartRepository(host=PAGES, path="", files={"index.yaml": index}))
    world.start()
    trust = str(world.bundle)
    environ = {"HTTPS_PROXY": world.url, "SSL_CERT_FILE": trust, "GIT_SSL_CAINFO": trust}
    try:
        yield Outside(world, environ, heard)
    finally:
        world.stop()


@contextmanager
def by_key(directory: Path, bare: Path) -> Iterator[dict[str, str]]:
    """An ssh server that lets in one key and has `bare` at every path; yields the environment of who has that key, and
    knows the server by the name of GIT."""
    import asyncssh

    directory.mkdir()
    (host_key, host_public), (key, public) = ssh_key(), ssh_key()

    async def session(process: asyncssh.SSHServerProcess[bytes]) -> None:
        with subprocess.Popen(
            ["git", "upload-pack", bare], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as git:
            stdin, stdout = git.stdin, git.stdout
            assert stdin and stdout

            async def feed() -> None:
                while data := await process.stdin.read(CHUNK):
                    stdin.write(data)
                    stdin.flush()

            feeding = asyncio.create_task(feed())
            while piece := await asyncio.to_thread(stdout.read1, CHUNK):
                process.stdout.write(piece)
            feeding.cancel()
            process.exit(git.wait())

    ports: queue.Queue[int] = queue.Queue()
    over = threading.Event()

    async def serve() -> None:
        async with asyncssh.listen(
            "127.0.0.1",
            server_host_keys=[asyncssh.import_private_key(host_key)],
            authorized_client_keys=asyncssh.import_authorized_keys(public),
            process_factory=session,
            encoding=None,
        ) as server:
            ports.put(server.get_port())
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    known = directory / "known_hosts"
    known.write_text(f"{GIT} {host_public}\n")
    options = {
        "HostName": "127.0.0.1",
        "HostKeyAlias": GIT,
        "Port": ports.get(timeout=10),
        "IdentityFile": write_private(directory / "key", key),
        "UserKnownHostsFile": known,
    }
    lines = [f"Host {GIT}", *(f"  {name} {value}" for name, value in options.items())]
    config = directory / "config"
    config.write_text("\n".join(lines) + "\n")
    try:
        yield {"GIT_SSH_COMMAND": f"ssh -o BatchMode=yes -F {config}"}
    finally:
        over.set()
        thread.join(10)
