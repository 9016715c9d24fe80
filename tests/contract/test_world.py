"""The loopback world against the real clients: git over https, http and ssh, helm, and TLS to a tunnelled
server."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import ssl
import threading
from pathlib import Path

import pytest
from runs import tools
from world_support import Inside

from pytest_gitops.processes.process import piped, run
from pytest_gitops.world.certificates import Authority
from pytest_gitops.world.loopback import World

pytestmark = pytest.mark.engine

URLS = {
    "https": "https://github.com/o/r.git",
    "https, no ending": "https://GitHub.com/o/r",
    "https, credentials": "https://user:secret@github.com/o/r/",
    "https, port": "https://github.com:8443/O/R.git",
    "http": "http://github.com/o/r.git",
    "scp-like": "git@github.com:o/r.git",
    "scp-like, slash": "git@github.com:/o/r",
    "ssh": "ssh://git@github.com/o/r.git",
    "ssh, port": "ssh://git@github.com:2222/o/r.git",
}


@pytest.fixture
def helm() -> Path:
    return tools("helm")["helm"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A bare repository with a text, a large file and a tag."""
    work, bare = tmp_path / "work", tmp_path / "bare"
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    env |= {f"GIT_{w}_{n}": "dev@example.com" for w in ("AUTHOR", "COMMITTER") for n in ("NAME", "EMAIL")}
    run("git", "init", "-q", "-b", "main", work, env=env)
    (work / "a.txt").write_text("served\n")
    (work / "large").write_bytes(os.urandom(3 << 20))
    run("git", "-C", work, "add", "-A", env=env)
    run("git", "-C", work, "commit", "-q", "-m", "x", env=env)
    run("git", "-C", work, "tag", "v1", env=env)
    run("git", "clone", "-q", "--bare", work, bare, env=env)
    return bare


@pytest.fixture
def inside(tmp_path, bare):
    world = World(tmp_path / "world", environ={"PATH": os.environ["PATH"]})
    world.serve_repository(["https://github.com/o/r.git"], bare)
    world.start()
    home = tmp_path / "home"
    home.mkdir()
    yield Inside(world, home)
    world.stop()


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_git_clones_every_spelling(inside, tmp_path, url):
    inside.git("clone", "-q", url, tmp_path / "copy")
    assert (tmp_path / "copy/a.txt").read_text() == "served\n"
    assert (tmp_path / "copy/large").stat().st_size == 3 << 20


@pytest.mark.parametrize("url", [URLS["https"], URLS["http"], URLS["scp-like"]])
@pytest.mark.parametrize("protocol", ["0", "2"])
def test_git_lists_refs_in_each_protocol_version(inside, url, protocol):
    listed = inside.git("-c", f"protocol.version={protocol}", "ls-remote", "--symref", url).stdout
    assert "ref: refs/heads/main\tHEAD" in listed
    assert "\trefs/tags/v1" in listed


@pytest.mark.parametrize("url", [URLS["https"], URLS["scp-like"]])
def test_git_fetches_more_after_the_first_time(inside, bare, tmp_path, url):
    copy = tmp_path / "copy"
    inside.git("clone", "-q", "--depth", "1", url, copy)
    (copy / "b.txt").write_text("new\n")
    inside.git("-C", copy, "add", "-A")
    inside.git("-C", copy, "commit", "-q", "-m", "y")
    # A push by path is not of the world, which allows no such thing.
    run("git", "-C", copy, "push", "-q", bare, "HEAD:main")
    inside.git("-C", copy, "reset", "-q", "--hard", "HEAD~1")
    inside.git("-C", copy, "fetch", "-q", "--unshallow", "origin")
    assert inside.git("-C", copy, "show", "origin/main:b.txt").stdout == "new\n"


@pytest.mark.parametrize(
    ("protocol", "begins"), [("version=2", b"000eversion 2\n"), ("", b"001e# service=git-upload-pack\n0000")]
)
def test_each_protocol_version_begins_as_it_should(inside, protocol, begins):
    context = ssl.create_default_context(cafile=inside.env["SSL_CERT_FILE"])
    with (
        _connect(inside.world, "github.com:443") as sock,
        context.wrap_socket(sock, server_hostname="github.com") as tls,
        tls.makefile("rb") as answer,
    ):
        path = "/o/r.git/info/refs?service=git-upload-pack"
        tls.sendall(f"GET {path} HTTP/1.1\r\nGit-Protocol: {protocol}\r\nConnection: close\r\n\r\n".encode())
        assert answer.read().partition(b"\r\n\r\n")[2].startswith(begins)


def test_a_long_negotiation_is_sent_compressed_and_understood(inside, tmp_path):
    copy = tmp_path / "copy"
    inside.git("init", "-q", "-b", "local", copy)
    stream = "".join(
        f"commit refs/heads/b{n}\ncommitter x <x@x> {n} +0000\ndata 1\n{n % 10}\n\n" for n in range(400)
    )
    run("git", "-C", copy, "fast-import", "--quiet", env=inside.env, stdin=stream)
    inside.git("-C", copy, "-c", "protocol.version=0", "fetch", "-q", URLS["https"], "main")
    assert inside.git("-C", copy, "show", "FETCH_HEAD:a.txt").stdout == "served\n"


@pytest.mark.parametrize("url", [URLS["https"], URLS["http"], URLS["scp-like"]])
def test_nothing_can_be_pushed(inside, bare, tmp_path, url):
    before = run("git", "-C", bare, "show-ref").stdout
    inside.git("clone", "-q", URLS["https"], tmp_path / "copy")
    pushed = inside.git("-C", tmp_path / "copy", "push", url, "HEAD:refs/heads/new", check=False)
    assert pushed.status != 0
    assert url == URLS["scp-like"] or "error: 403" in pushed.stderr
    assert run("git", "-C", bare, "show-ref").stdout == before


def test_other_repositories_of_a_host_and_other_hosts_are_refused_by_name(inside):
    for url in (
        "https://github.com/o/other.git",
        "https://charts.example.com/x",
        "http://plain.example.com/x",
    ):
        assert inside.git("ls-remote", url, check=False).status != 0
    seen = [(r.host, r.path, r.port, r.reason) for r in inside.world.refusals]
    assert seen == [
        ("charts.example.com", "", 443, "refused"),
        ("github.com", "o/other", 443, "refused"),
        ("plain.example.com", "", 80, "refused"),
    ]


@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh client on this machine")
def test_other_hosts_are_refused_over_ssh_and_the_message_names_them(inside):
    said = inside.git("ls-remote", "git@git.example.com:o/r.git", check=False)
    assert "git.example.com (port 22) is not allowed by pytest-gitops" in said.stderr
    assert [(r.host, r.port, r.reason) for r in inside.world.refusals] == [("git.example.com", 22, "refused")]


@pytest.fixture
def real_ssh(inside, tmp_path):
    """The real ssh client, led past the stand-in `ssh`, meets the server that Argo CD's own client meets."""
    if not (ssh := shutil.which("ssh")):
        pytest.skip("no ssh client on this machine")
    guard = tmp_path / "guard"
    guard.write_text((inside.world.bin / "ssh").read_text().replace('"$@"', '--connect "$@"'))
    guard.chmod(0o700)
    known = Path(inside.env["ARGOCD_SSH_DATA_PATH"]) / "ssh_known_hosts"
    options = [f"ProxyCommand={guard} %h %p", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}"]
    return [ssh, "-F", "none", *(word for option in options for word in ("-o", option))]


def test_the_ssh_server_lets_git_read_and_nothing_else(inside, real_ssh, tmp_path):
    command = {"GIT_SSH_COMMAND": shlex.join(real_ssh)}
    for url in (URLS["scp-like"], URLS["ssh"]):
        inside.git("clone", "-q", url, tmp_path / f"copy-{len(url)}", **command)
        assert (tmp_path / f"copy-{len(url)}/large").stat().st_size == 3 << 20
    refused = inside.git("ls-remote", "git@github.com:o/other.git", check=False, **command)
    assert "github.com/o/other (port 22) is not allowed by pytest-gitops" in refused.stderr
    upload = "git-upload-pack 'o/r.git'"
    for tried in ("id", "", "git-receive-pack 'o/r.git'", f"{upload}; id", "git-upload-pack o/r --x"):
        ended = inside.run(*real_ssh, "git@github.com", tried, check=False)
        assert (ended.status, ended.stdout) == (128, ""), tried


def test_the_end_of_the_world_ends_an_open_ssh_session(inside, real_ssh):
    with piped(*real_ssh, "git@github.com", "git-upload-pack 'o/r.git'", env=inside.env) as session:
        assert session.stdout
        assert b"HEAD" in session.stdout.read(60)
        inside.world.stop()
        session.stdout.read()
        assert session.wait(20) == 255
    assert not [t.name for t in threading.enumerate() if t.name.startswith("world-")]


def test_helm_builds_dependencies_from_served_charts(inside, helm, tmp_path):
    charts, chart = tmp_path / "charts", tmp_path / "chart"
    (charts / "redis/templates").mkdir(parents=True)
    (charts / "redis/Chart.yaml").write_text("apiVersion: v2\nname: redis\nversion: 1.2.3\n")
    (charts / "redis/templates/a.yaml").write_text("kind: ConfigMap\n")
    run(helm, "package", charts / "redis", "-d", charts, "--version", "1.0.0")
    before = sorted(p.name for p in charts.rglob("*"))
    inside.world.serve_charts("https://charts.example.com/stable/", charts, helm=helm)
    assert sorted(p.name for p in charts.rglob("*")) == before
    chart.mkdir()
    (chart / "Chart.yaml").write_text(
        "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n"
        "- {name: redis, version: ^1.1.0, repository: https://charts.example.com/stable}\n"
    )
    inside.run(helm, "repo", "add", "stable", "https://charts.example.com/stable")
    assert "1.0.0" in inside.run(helm, "search", "repo", "--versions", "stable/").stdout
    inside.run(helm, "dependency", "build", chart)
    assert [p.name for p in (chart / "charts").iterdir()] == ["redis-1.2.3.tgz"]
    assert inside.world.refusals == ()


@pytest.fixture
def registry(inside, helm, tmp_path):
    """An OCI registry with two versions of redis: a folder, and a package whose version has a plus sign."""
    charts = tmp_path / "charts"
    (charts / "redis/templates").mkdir(parents=True)
    (charts / "redis/Chart.yaml").write_text("apiVersion: v2\nname: redis\nversion: 1.2.3\n")
    (charts / "redis/templates/a.yaml").write_text("kind: ConfigMap\n")
    run(helm, "package", charts / "redis", "-d", charts, "--version", "1.1.0+build.7")
    (charts / "redis-1.1.0+build.7.tgz.prov").write_text("signed")
    inside.world.serve_charts("oci://registry.example.com/team/charts", charts, helm=helm)
    return "oci://registry.example.com/team/charts"


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (["--version", "1.2.3"], ["redis-1.2.3.tgz"]),
        (["--version", "^1.0.0"], ["redis-1.2.3.tgz"]),
        ([], ["redis-1.2.3.tgz"]),
        (
            ["--version", "1.1.0+build.7", "--prov"],
            ["redis-1.1.0+build.7.tgz", "redis-1.1.0+build.7.tgz.prov"],
        ),
    ],
)
def test_helm_pulls_from_a_served_registry(inside, helm, registry, tmp_path, asked, got):
    into = tmp_path / "into"
    into.mkdir()
    inside.run(helm, "pull", f"{registry}/redis", *asked, "-d", into)
    assert sorted(p.name for p in into.iterdir()) == got
    assert inside.run(helm, "template", into / got[0]).stdout.endswith("kind: ConfigMap\n")
    assert inside.world.refusals == ()


def test_helm_pulls_what_it_pulled_before_by_its_digest(inside, helm, registry, tmp_path):
    said = inside.run(helm, "pull", f"{registry}/redis", "--version", "1.2.3", "-d", tmp_path)
    first = (tmp_path / "redis-1.2.3.tgz").rename(tmp_path / "first")
    digest = (said.stdout + said.stderr).split("Digest: ")[1].split()[0]
    inside.run(helm, "pull", f"{registry}/redis@{digest}", "-d", tmp_path)
    assert [p.read_bytes() for p in tmp_path.glob("redis*.tgz")] == [first.read_bytes()]


@pytest.mark.parametrize("locked", [False, True])
def test_helm_builds_dependencies_from_a_served_registry(inside, helm, registry, tmp_path, locked):
    chart = tmp_path / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text(
        "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n"
        f"- {{name: redis, version: ~1.2.0, repository: {registry}}}\n"
    )
    if locked:
        inside.run(helm, "dependency", "update", chart)
        shutil.rmtree(chart / "charts")
        assert "version: 1.2.3" in (chart / "Chart.lock").read_text()
    inside.run(helm, "dependency", "build", chart)
    assert [p.name for p in (chart / "charts").iterdir()] == ["redis-1.2.3.tgz"]
    assert inside.world.refusals == ()


def test_helm_may_log_in_to_a_served_registry_and_may_not_push(inside, helm, registry, tmp_path):
    inside.run(helm, "registry", "login", "registry.example.com", "-u", "anybody", "-p", "anything")
    inside.run(helm, "pull", f"{registry}/redis", "--version", "1.2.3", "-d", tmp_path)
    said = inside.run(helm, "push", tmp_path / "redis-1.2.3.tgz", registry, check=False)
    assert "response status code 405: unsupported: charts can only be read" in said.stderr


def test_helm_hears_what_a_served_registry_does_not_have(inside, helm, registry, tmp_path):
    def pull(url: str, version: str) -> str:
        pulled = inside.run(helm, "pull", url, "--version", version, "-d", tmp_path, check=False)
        assert pulled.status != 0
        return pulled.stderr

    assert "registry.example.com/team/charts/redis:9.9.9: not found" in pull(f"{registry}/redis", "9.9.9")
    assert "no such chart; served from a folder are: redis" in pull(f"{registry}/postgres", "1.x")
    assert inside.world.refusals == ()
    path = "v2/other/redis/manifests/1.2.3"
    said = pull("oci://registry.example.com/other/redis", "1.2.3")
    assert f"https://registry.example.com/{path}" in said
    assert "403" in said
    assert [(r.host, r.path) for r in inside.world.refusals] == [("registry.example.com", path)]


def test_helm_hears_which_host_was_refused(inside, helm):
    said = inside.run(helm, "repo", "add", "x", "https://charts.example.org", check=False)
    assert "charts.example.org (port 443) is not allowed by pytest-gitops" in said.stderr


def test_a_cluster_is_tunnelled_to_untouched(inside, tmp_path):
    (tmp_path / "cluster").mkdir()
    cluster = Authority(tmp_path / "cluster")
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        sock, _ = server.accept()
        with sock, cluster.context("prod.example.internal").wrap_socket(sock, server_side=True) as tls:
            tls.sendall(b"hello " + tls.recv(100))

    threading.Thread(target=answer, daemon=True).start()
    inside.world.tunnel("prod.example.internal", 6443, to=server.getsockname())
    context = ssl.create_default_context(cadata=cluster.certificate.decode())
    with (
        server,
        _connect(inside.world, "prod.example.internal:6443") as sock,
        context.wrap_socket(sock, server_hostname="prod.example.internal") as tls,
    ):
        tls.sendall(b"cluster")
        assert tls.recv(100) == b"hello cluster"


def _connect(world: World, target: str) -> socket.socket:
    import base64
    from urllib.parse import urlsplit

    parts = urlsplit(world.url)
    sock = socket.create_connection((parts.hostname, parts.port), 10)
    pair = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    sock.sendall(f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {pair}\r\n\r\n".encode())
    assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    return sock
