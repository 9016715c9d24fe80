"""Definitions by URL against an HTTPS server: through the world's proxy, past its guard, and in a whole run."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import commit, gitops, write
from tools_support import Hosts, certificates, hosts

from pytest_gitops.processes.process import run
from pytest_gitops.settings.settings import default_cache
from pytest_gitops.world import download as module
from pytest_gitops.world.download import NotDownloaded, download
from pytest_gitops.world.loopback import World

pytestmark = pytest.mark.engine

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: telescopes.example.com}
spec:
  group: example.com
  names: {kind: Telescope, plural: telescopes}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {metres: {type: integer}}}}}
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://git.example.com/o/r.git, path: web, targetRevision: HEAD}
  destination: {server: https://kubernetes.default.svc, namespace: default}
"""

TELESCOPE = "apiVersion: example.com/v1\nkind: Telescope\nmetadata: {name: t}\nspec: {metres: %s}\n"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Hosts]:
    (tmp_path / "server").mkdir()
    with hosts(tmp_path / "server") as served:
        yield served


@contextlib.contextmanager
def started(folder: Path, ca: Path, **more: str) -> Iterator[World]:
    environ = {"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(ca), **more}
    world = World(folder / "world", environ=environ)
    world.start()
    try:
        yield world
    finally:
        world.stop()


@pytest.fixture
def world(tmp_path: Path, served: Hosts) -> Iterator[World]:
    with started(tmp_path, served.ca) as world:
        yield world


def get(world: World, url: str) -> bytes:
    return download(url, proxy=world.url, bundle=world.bundle)


def failure(world: World, url: str) -> NotDownloaded:
    with pytest.raises(NotDownloaded) as error:
        get(world, url)
    return error.value


@contextlib.contextmanager
def answering(folder: Path, *pieces: bytes) -> Iterator[tuple[str, Path]]:
    """An HTTPS server that says `pieces` to its one client and hangs up; its URL and its CA."""
    folder.mkdir()
    ca, chain = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = listening.accept()
                with context.wrap_socket(client, server_side=True) as tls:
                    tls.recv(65_536)
                    for piece in pieces:
                        tls.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}", ca
        listening.close()
        thread.join(10)


def test_a_file_of_an_allowed_host_is_had(world: World, served: Hosts) -> None:
    world.allow(["127.0.0.1"])
    served.files["a.yaml?x=1"] = CRD.encode()
    assert get(world, f"{served.url}/a.yaml?x=1") == CRD.encode()


def test_a_host_that_nobody_named_is_refused_and_not_asked(world: World, served: Hosts) -> None:
    port = served.url.rpartition(":")[2]
    error = failure(world, f"{served.url}/a.yaml")
    assert str(error) == f"127.0.0.1 (port {port}) is not allowed by pytest-gitops"
    assert (error.refused, error.away, served.asked) == (True, False, [])


def test_a_redirect_within_what_is_allowed_is_followed(world: World, served: Hosts) -> None:
    world.allow(["127.0.0.1"])
    served.files["new/a.yaml"] = CRD.encode()
    served.status["old/a.yaml"], served.redirect["old/a.yaml"] = 302, "../new/a.yaml"
    assert get(world, f"{served.url}/old/a.yaml") == CRD.encode()


def test_a_redirect_to_another_host_is_followed_and_its_signature_not_told(
    world: World, served: Hosts
) -> None:
    world.allow(["127.0.0.1"])
    served.status["a"], served.redirect["a"] = 302, "https://me:hidden@other.invalid/b?sig=hidden"
    error = failure(world, f"{served.url}/a")
    assert str(error).startswith(
        "a redirect to https://other.invalid/b?…, and there other.invalid (port 443) is out of reach: "
    )
    assert (error.away, "hidden" in str(error)) == (True, False)


def test_a_redirect_to_this_machine_is_refused(world: World, served: Hosts) -> None:
    world.allow(["127.0.0.1"])
    served.status["a"], served.redirect["a"] = 302, "https://localhost/b"
    error = failure(world, f"{served.url}/a")
    assert str(error) == (
        "a redirect to https://localhost/b, and there localhost (port 443) is not allowed by pytest-gitops"
    )
    assert error.refused


@pytest.mark.parametrize("target", ["http://127.0.0.1/a", "file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_a_redirect_out_of_https_is_not_followed(world: World, served: Hosts, target: str) -> None:
    world.allow(["127.0.0.1"])
    served.status["a"], served.redirect["a"] = 302, target
    assert str(failure(world, f"{served.url}/a")) == f"a redirect to {target}, which is not https"


def test_redirects_have_an_end(world: World, served: Hosts) -> None:
    world.allow(["127.0.0.1"])
    served.status["a"], served.redirect["a"] = 302, "/a"
    assert str(failure(world, f"{served.url}/a")) == "more than 5 redirects"
    assert len(served.asked) == 6


@pytest.mark.parametrize(
    ("status", "seen", "away"),
    [(404, "HTTP 404 Not Found", False), (403, "HTTP 403 Forbidden", False), (503, "HTTP 503 Service Unavailable", True), (429, "HTTP 429 Too Many Requests", True)],
)  # fmt: skip
def test_a_status_is_told(world: World, served: Hosts, status: int, seen: str, away: bool) -> None:
    world.allow(["127.0.0.1"])
    served.status["a"] = status
    error = failure(world, f"{served.url}/a")
    assert (str(error), error.status, error.away, error.refused) == (seen, status, away, False)


def test_a_host_out_of_reach_is_told(world: World) -> None:
    world.allow(["127.0.0.1"])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = failure(world, f"https://127.0.0.1:{port}/a")
    assert str(error) == f"127.0.0.1 (port {port}) is out of reach: Connection refused"
    assert error.away


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, world: World) -> None:
    world.allow(["127.0.0.1"])
    with answering(tmp_path / "strangers") as (url, _):
        error = failure(world, f"{url}/a")
    assert str(error).startswith("a certificate that cannot be trusted: ")
    assert not error.away


def test_a_file_that_says_it_is_too_large_is_not_read(
    world: World, served: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.allow(["127.0.0.1"])
    served.files["a"] = b"x" * (module.MAX_BYTES + 1)
    assert str(failure(world, f"{served.url}/a")) == "more than 10 MB"
    served.files["a"] = served.files["a"][1:]
    assert len(get(world, f"{served.url}/a")) == module.MAX_BYTES


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


@pytest.mark.parametrize(
    ("pieces", "seen", "away"),
    [
        ((HEAD, b"\r\n", *[b"x" * 100_000] * 101), "more than 10 MB", False),
        ((HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 160), "more than 10 MB", False),
        ((HEAD, b"Content-Length: 10000001\r\n\r\n"), "more than 10 MB", False),
        ((HEAD, b"Content-Length: 10\r\n\r\nshort"), "5 of 10 bytes, then the end", True),
        ((HEAD, b"Transfer-Encoding: chunked\r\n\r\n5\r\nsh"), "IncompleteRead", True),
        ((HEAD, b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"), "content that is encoded as 'gzip', which was not asked for", False),
        ((b"SSH-2.0-x\r\n",), "127.0.0.1 (port PORT) is out of reach: SSH-2.0-x", True),
        ((), "127.0.0.1 (port PORT) is out of reach: Remote end closed connection without response", True),
    ],
    ids=["no end", "chunks", "long", "short", "short chunk", "gzip", "no HTTP", "nothing"],
)  # fmt: skip
def test_an_answer_that_is_none_is_told(
    tmp_path: Path, pieces: tuple[bytes, ...], seen: str, away: bool
) -> None:
    with answering(tmp_path / "server", *pieces) as (url, ca), started(tmp_path, ca) as world:
        world.allow(["127.0.0.1"])
        error = failure(world, f"{url}/a")
    assert str(error).startswith(seen.replace("PORT", url.rpartition(":")[2]))
    assert error.away is away


def test_a_file_without_a_length_ends_with_its_connection(tmp_path: Path) -> None:
    with (
        answering(tmp_path / "server", HEAD, b"\r\n", b"a: 1\n", b"b: 2\n") as (url, ca),
        started(tmp_path, ca) as world,
    ):
        world.allow(["127.0.0.1"])
        assert get(world, f"{url}/a") == b"a: 1\nb: 2\n"


def test_a_host_that_goes_silent_is_left(
    world: World, served: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.2)
    world.allow(["127.0.0.1"])
    served.files["a"], served.stall["a"] = CRD.encode(), threading.Event()
    error = failure(world, f"{served.url}/a")
    assert (str(error), error.away) == ("no answer within 0.2 s", True)


def test_a_file_that_never_ends_is_left(world: World, served: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", -1.0)
    world.allow(["127.0.0.1"])
    served.files["a"] = CRD.encode()
    assert failure(world, f"{served.url}/a").away


def test_a_host_that_is_stood_in_for_is_answered_by_the_stand_in(
    tmp_path: Path, world: World, toolbox: dict[str, Path]
) -> None:
    chart = write(tmp_path / "charts", {"c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n"})
    world.serve_charts("https://charts.example.com/stable", chart, helm=toolbox["helm"])
    assert b"c-1.0.0.tgz" in get(world, "https://charts.example.com/stable/index.yaml")
    error = failure(world, "https://charts.example.com/elsewhere.yaml")
    assert error.refused
    assert "charts.example.com/elsewhere.yaml (port 443) is not allowed by pytest-gitops" in str(error)


# ---------------------------------------------------------------------- whole runs


def environ_of(tmp_path: Path, served: Hosts) -> dict[str, str]:
    """A cache of its own with the tools that are there."""
    cache = tmp_path / "cache"
    cache.mkdir()
    for folder in default_cache(os.environ).iterdir():
        if folder.name not in {"definitions", "downloads", "renders", "lock"}:
            (cache / folder.name).symlink_to(folder)
    return {"PYTEST_GITOPS_CACHE": str(cache), "SSL_CERT_FILE": str(served.ca)}


def repository(tmp_path: Path, url: str, metres: str = "3") -> Path:
    files = {
        "apps/web.yaml": APPLICATION,
        "web/t.yaml": TELESCOPE % metres,
        "pytest-gitops.yaml": f"crds:\n- {url}\nrepository: {{urls: [https://git.example.com/o/r.git]}}\n",
    }
    return commit(write(tmp_path / "repository", files))


def test_a_run_has_the_definition_on_every_api_server_and_the_next_one_offline(
    tmp_path: Path, served: Hosts, toolbox: dict[str, Path]
) -> None:
    served.files["v1.0.0/crds.yaml"] = CRD.encode()
    environ = environ_of(tmp_path, served)
    folder = repository(tmp_path, f"{served.url}/v1.0.0/crds.yaml")
    outcome = gitops(folder, "--gitops-stages", "converge", environ=environ)
    assert outcome.status == 0, outcome.output
    assert [path for path, _ in served.asked] == ["v1.0.0/crds.yaml"]
    served.files.clear()
    (folder / "web" / "t.yaml").write_text(TELESCOPE % "wide", "utf-8")
    outcome = gitops(folder, "--gitops-stages", "admit", "--gitops-cluster", "none", environ=environ)
    assert outcome.status == 1, outcome.output
    assert outcome.stage("argocd/web", "admit")["outcome"] == "failed"
    assert "spec.metres" in outcome.output
    assert len(served.asked) == 1


def test_a_run_says_which_url_cannot_be_had_and_where_it_is_named(
    tmp_path: Path, served: Hosts, toolbox: dict[str, Path]
) -> None:
    environ = environ_of(tmp_path, served)
    url = f"{served.url}/main/crds.yaml"
    outcome = gitops(
        repository(tmp_path, url), "--gitops-stages", "admit", "--gitops-cluster", "none", environ=environ
    )
    assert outcome.status == 4, outcome.output
    said = " ".join(outcome.output.split())
    assert (
        f"pytest-gitops.yaml:2: crds: {url}: expected CustomResourceDefinitions, saw HTTP 404 Not Found. Correct the URL, "
        "or put a copy of the file into the repository and name its path"
    ) in said


def test_with_a_base_the_urls_are_its_own(tmp_path: Path, served: Hosts, toolbox: dict[str, Path]) -> None:
    served.files["main/crds.yaml"] = CRD.encode()
    folder = repository(tmp_path, f"{served.url}/main/crds.yaml")
    run("git", "-C", folder, "branch", "base", env=dict(os.environ))
    write(folder, {"pytest-gitops.yaml": "crds: ['https://evil.example.com/crds.yaml']\n"})
    commit(folder)
    outcome = gitops(
        folder, "--gitops-base", "base", "--gitops-stages", "render,change", "--gitops-cluster", "none",
        environ=environ_of(tmp_path, served),
    )  # fmt: skip
    assert outcome.status == 0, outcome.output
    assert [path for path, _ in served.asked] == ["main/crds.yaml"]
