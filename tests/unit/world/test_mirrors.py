"""Which repositories are answered over ssh from what is fetched, and by which URL they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gitops.errors import EngineError
from pytest_gitops.processes.process import Completed
from pytest_gitops.settings.credentials import VARIABLE, read
from pytest_gitops.world import mirrors as module
from pytest_gitops.world.mirrors import Mirrors
from pytest_gitops.world.urls import Address, parse

LINES = """
https://git:token@github.com/acme
ssh://git@git.example.com:7999/PRJ
https://me:pw@git.example.com/scm/PRJ
https://me:pw@dev.azure.com/org
ssh://deploy@github.com/acme/deep
"""


class Git:
    """Stands in for `git clone`: tells what it was run with."""

    def __init__(self, status: int = 0) -> None:
        self.status, self.calls = status, []

    def __call__(self, *argv, env, limit, check):
        self.calls.append((argv, env))
        return Completed(
            argv=tuple(map(str, argv)), status=self.status, stdout="", stderr="fatal: not found\n"
        )

    @property
    def urls(self) -> list[str]:
        return [str(argv[-2]) for argv, _ in self.calls]


@pytest.fixture
def git(monkeypatch: pytest.MonkeyPatch) -> Git:
    it = Git()
    monkeypatch.setattr(module, "run", it)
    return it


def mirrors(folder: Path, lines: str = LINES) -> Mirrors:
    return Mirrors(read({VARIABLE: lines}), folder / "private", environ={"PATH": "/bin"})


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        ("git@github.com:acme/app.git", "https://github.com/acme/app.git"),
        ("ssh://git@ssh.github.com:443/Acme/app", "https://github.com/Acme/app"),
        ("git@github.com:acme/deep/app.git", "ssh://deploy@github.com/acme/deep/app.git"),
        # ssh was asked for, so of two that fit equally well it is ssh.
        ("ssh://git@git.example.com:7999/PRJ/app.git", "ssh://git@git.example.com:7999/PRJ/app.git"),
        ("git@ssh.dev.azure.com:v3/org/project/app", "https://dev.azure.com/org/project/_git/app"),
    ],
)
def test_each_is_fetched_by_the_credential_that_is_for_it(
    tmp_path: Path, git: Git, url: str, fetched: str
) -> None:
    address = parse(url)
    assert address
    assert mirrors(tmp_path).get(address.host, address.path) == tmp_path / "private/1.git"
    assert git.urls == [fetched]


def test_a_server_of_bitbucket_has_another_path_over_https(tmp_path: Path, git: Git) -> None:
    it = mirrors(tmp_path, "https://me:pw@git.example.com/scm/PRJ")
    assert it.get("git.example.com", "/PRJ/app.git")
    assert git.urls == ["https://git.example.com/scm/PRJ/app.git"]


@pytest.mark.parametrize(
    "url",
    [
        "git@github.com:acme-too/app",
        "git@github.com:acme/../other/app",
        "git@github.com:other/app",
        "git@evil.example.com:acme/app",
    ],
)
def test_what_no_credential_is_for_is_not_fetched(tmp_path: Path, git: Git, url: str) -> None:
    address = parse(url)
    assert address
    assert mirrors(tmp_path).get(address.host, address.path) is None
    assert git.calls == []
    assert not (tmp_path / "private").exists()


def test_a_password_is_for_its_url_alone_and_no_argument(tmp_path: Path, git: Git) -> None:
    mirrors(tmp_path).get("github.com", "acme/app")
    ((argv, env),) = git.calls
    assert "token" not in " ".join(map(str, argv))
    assert env["GIT_CONFIG_KEY_1"] == "http.https://github.com/acme/app.extraHeader"
    assert env["GIT_CONFIG_VALUE_1"] == "Authorization: Basic Z2l0OnRva2Vu"
    assert (env["GIT_CONFIG_COUNT"], env["GIT_CONFIG_KEY_0"], env["GIT_CONFIG_VALUE_0"]) == (
        "2",
        "credential.helper",
        "",
    )
    assert env["GIT_ALLOW_PROTOCOL"] == "https"
    assert env["PATH"] == "/bin"


def test_over_ssh_nobody_is_asked_and_the_users_own_way_is_gone(tmp_path: Path, git: Git) -> None:
    mirrors(tmp_path).get("github.com", "acme/deep/app")
    own = Mirrors(read({VARIABLE: LINES}), tmp_path, environ={"GIT_SSH_COMMAND": "ssh -F mine"})
    own.get("github.com", "acme/deep/app")
    assert [env["GIT_SSH_COMMAND"] for _, env in git.calls] == ["ssh -o BatchMode=yes", "ssh -F mine"]
    assert all("GIT_CONFIG_COUNT" not in env for _, env in git.calls)


def test_each_is_fetched_once_however_it_is_spelled(tmp_path: Path, git: Git) -> None:
    it = mirrors(tmp_path)
    first, again, other = (
        it.get("github.com", "acme/app"),
        it.get("github.com", "/Acme/App.git"),
        it.get("github.com", "acme/b"),
    )
    assert first == again != other
    assert len(git.calls) == 2


def test_one_that_fails_says_so_to_everybody_who_asks(tmp_path: Path, git: Git) -> None:
    git.status = 128
    it = mirrors(tmp_path)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"^git clone https://github\.com/acme/app: fatal: not found$"):
            it.get("github.com", "acme/app")
    assert len(git.calls) == 1


def test_addresses_are_those_of_credentials_and_spoken_ones_that_one_covers(tmp_path: Path) -> None:
    spoken = [
        "ssh://git@github.com:2222/acme/app.git",
        "ssh://git@github.com:2222/other/app.git",
        "https://github.com/acme/x",
    ]
    found = mirrors(tmp_path).addresses([a for u in spoken if (a := parse(u))])
    assert [(a.user, a.host, a.port, a.path) for a in found] == [
        ("", "github.com", 22, "acme"),
        ("git", "git.example.com", 7999, "PRJ"),
        ("", "git.example.com", 22, "PRJ"),
        ("", "dev.azure.com", 22, "org"),
        ("deploy", "github.com", 22, "acme/deep"),
        ("git", "github.com", 2222, "acme/app.git"),
    ]
    assert {type(a) for a in found} == {Address}
