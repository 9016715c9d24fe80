"""What is read with the user's credentials, by the real git, helm and ssh, and that those are nowhere else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from outside import (
    CHARTS,
    CREDENTIALS,
    ELSEWHERE,
    GIT,
    PAGES,
    PASSWORDS,
    REGISTRY,
    RELEASES,
    STORE,
    TOKENS,
    Outside,
    basic,
    by_key,
    outside,
)
from runs import commit, tools, write
from world_support import Inside

from pytest_gitops.errors import ConfigError
from pytest_gitops.processes.process import run
from pytest_gitops.settings.credentials import VARIABLE, read
from pytest_gitops.world.loopback import World
from pytest_gitops.world.private import Private, filled

pytestmark = pytest.mark.engine

HOSTS = (GIT, CHARTS, REGISTRY, ELSEWHERE)

SECRET = "Gr8Secret"  # what each of their passwords begins with


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def bare(folder: Path) -> Path:
    work = commit(write(folder / "work", {"a.txt": "private\n"}))
    run("git", "-C", work, "tag", "v1")
    run("git", "clone", "-q", "--bare", work, folder / "bare")
    return folder / "bare"


@pytest.fixture(scope="module")
def helm() -> Path:
    return tools("helm")["helm"]


@pytest.fixture(scope="module")
def hosts(folder: Path, bare: Path, helm: Path) -> Iterator[Outside]:
    charts = write(
        folder / "charts",
        {
            "redis/Chart.yaml": "apiVersion: v2\nname: redis\nversion: 1.2.3\n",
            "redis/templates/a.yaml": "kind: ConfigMap\n",
        },
    )
    repositories = {"acme/app": bare, "other/app": bare, "acme-too/app": bare}
    with outside(folder / "there", repositories=repositories, charts=charts, helm=helm) as there:
        yield there


@pytest.fixture
def out(hosts: Outside) -> Outside:
    """The hosts, which have heard nothing yet."""
    hosts.heard.clear()
    return hosts


Enter = Callable[..., Inside]


@pytest.fixture
def enter(tmp_path: Path, out: Outside) -> Iterator[Enter]:
    """A world of who has these credentials; where the private parts of it lie is `tmp_path / "private"`."""
    with ExitStack() as stack:

        def begin(credentials: str = CREDENTIALS, **environ: str) -> Inside:
            env = {"PATH": os.environ["PATH"], **out.environ, **environ}
            private = Private(read({VARIABLE: credentials}), tmp_path / "private", environ=env)
            world = World(tmp_path / "world", environ=env, private=private)
            world.allow(HOSTS)
            world.start()
            stack.callback(world.stop)
            (tmp_path / "home").mkdir()
            return Inside(world, tmp_path / "home")

        yield begin


def sent(out: Outside, secret: str = SECRET) -> set[str]:
    """The hosts that a password was sent to."""
    known = {basic(pair) for pair in PASSWORDS.values()}
    return {h.host for h in out.heard if h.authorization in known or secret in h.authorization}


@pytest.mark.parametrize(
    "url", [f"https://{GIT}/acme/app.git", f"https://{GIT}/Acme/app", f"git@{GIT}:acme/app.git"]
)
def test_git_reads_a_private_repository(enter: Enter, out: Outside, tmp_path: Path, url: str) -> None:
    inside = enter()
    assert "refs/tags/v1" in inside.git("ls-remote", url).stdout
    inside.git("clone", "-q", url, tmp_path / "copy")
    assert (tmp_path / "copy/a.txt").read_text() == "private\n"
    assert sent(out) == {GIT}
    assert inside.world.refusals == ()


@pytest.mark.parametrize("path", ["other/app.git", "acme-too/app.git"])
def test_git_reads_nothing_that_no_credential_is_for(enter: Enter, out: Outside, path: str) -> None:
    inside = enter()
    assert inside.git("ls-remote", f"https://{GIT}/{path}", check=False).status != 0
    said = inside.git("ls-remote", f"git@{GIT}:{path}", check=False)
    assert said.status != 0
    assert sent(out) == set()


def test_without_credentials_nothing_private_is_read(enter: Enter, out: Outside) -> None:
    said = enter(credentials="").git("ls-remote", f"https://{GIT}/acme/app.git", check=False)
    assert "could not read Username" in said.stderr
    assert sent(out) == set()


def test_a_wrong_password_is_the_hosts_to_refuse(enter: Enter) -> None:
    inside = enter(credentials=f"https://git:{SECRET}-wrong@{GIT}/acme")
    over_https = inside.git("ls-remote", f"https://{GIT}/acme/app.git", check=False)
    assert "could not read Username" in over_https.stderr
    over_ssh = inside.git("ls-remote", f"git@{GIT}:acme/app.git", check=False)
    assert f"{GIT}/acme/app (port 22) is out of reach: git clone https://{GIT}/acme/app" in over_ssh.stderr
    assert SECRET not in over_https.stderr + over_ssh.stderr
    assert [(r.host, r.path, r.reason) for r in inside.world.refusals] == [(GIT, "acme/app", "unreachable")]


def test_helm_reads_private_charts(enter: Enter, out: Outside, helm: Path, tmp_path: Path) -> None:
    inside = enter()
    inside.run(helm, "repo", "add", "acme", f"https://{CHARTS}/stable")
    inside.run(helm, "pull", "acme/redis", "-d", tmp_path)
    assert (tmp_path / "redis-1.2.3.tgz").exists()
    assert sent(out) == {CHARTS}


def test_helm_reads_a_private_registry_by_a_token(
    enter: Enter, out: Outside, helm: Path, tmp_path: Path
) -> None:
    inside = enter()
    inside.run(helm, "pull", f"oci://{REGISTRY}/team/charts/redis", "--version", "1.2.3", "-d", tmp_path)
    assert (tmp_path / "redis-1.2.3.tgz").exists()
    # The registry itself wants a token, and only whom it names gets the password.
    assert sent(out) == {TOKENS}


def test_helm_gets_a_package_from_where_the_index_and_a_redirect_lead(
    enter: Enter, out: Outside, helm: Path, tmp_path: Path
) -> None:
    inside = enter()
    assert (
        inside.run(helm, "pull", f"https://{STORE}/redis-1.2.3.tgz", "-d", tmp_path, check=False).status != 0
    )
    inside.world.allow_named([PAGES])
    inside.run(helm, "pull", "redis", "--repo", f"https://{PAGES}", "--version", "1.2.3", "-d", tmp_path)
    assert (tmp_path / "redis-1.2.3.tgz").exists()
    assert [h.host for h in out.heard] == [PAGES, RELEASES, STORE]
    assert [(r.host, r.count) for r in inside.world.refusals] == [(STORE, 1)]


def test_a_password_does_not_follow_to_another_host(enter: Enter, out: Outside, helm: Path) -> None:
    inside = enter(credentials=f"https://{PASSWORDS[CHARTS]}@{CHARTS}")
    assert inside.run(helm, "repo", "add", "moved", f"https://{CHARTS}/moved", check=False).status != 0
    assert ELSEWHERE in {h.host for h in out.heard}
    assert sent(out) == {CHARTS}


@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh client on this machine")
def test_git_reads_by_a_key_of_this_machine(enter: Enter, bare: Path, tmp_path: Path) -> None:
    with by_key(tmp_path / "ssh", bare) as mine:
        inside = enter(credentials=f"ssh://git@{GIT}/acme", **mine)
        inside.git("clone", "-q", f"ssh://git@{GIT}/acme/app.git", tmp_path / "copy")
        assert (tmp_path / "copy/a.txt").read_text() == "private\n"
        assert inside.git("ls-remote", f"git@{GIT}:other/app", check=False).status != 0


def test_nothing_of_the_world_has_a_password(enter: Enter, tmp_path: Path) -> None:
    inside = enter()
    for url in (f"https://{GIT}/acme/app.git", f"git@{GIT}:acme/app.git"):
        inside.git("clone", "-q", url, tmp_path / "home" / url.partition(":")[0])
    secrets = [SECRET.encode(), *(basic(pair).removeprefix("Basic ").encode() for pair in PASSWORDS.values())]
    files = [f for name in ("world", "private", "home") for f in (tmp_path / name).rglob("*") if f.is_file()]
    assert len(files) > 20
    assert not [f for f in files if any(s in f.read_bytes() for s in secrets)]
    assert not [v for v in inside.env.values() if SECRET in v]
    assert inside.world.credentials(f"git@{GIT}:acme/app.git").keys() == {"sshPrivateKey"}
    assert inside.world.credentials(f"git@{GIT}:other/app.git") == {}


def test_git_is_asked_for_the_password_of_a_line_that_has_none(tmp_path: Path) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[credential "https://{GIT}"]\n\thelper = "!echo username=git; echo password={SECRET}; true"\n'
    )
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
    (found,) = filled(read({VARIABLE: f"https://{GIT}/acme"}), environ=environ)
    assert (found.user, found.password) == ("git", SECRET)
    expected = f"^{VARIABLE}, line 1: expected git to know a password for https://{CHARTS}/, saw none"
    with pytest.raises(ConfigError, match=expected):
        filled(read({VARIABLE: f"https://{CHARTS}"}), environ=environ)
