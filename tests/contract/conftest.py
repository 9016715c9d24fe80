"""A clone to play with, and a snapshot of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_gitops.processes.process import run
from pytest_gitops.repository.git import open_repository
from pytest_gitops.repository.snapshot import Snapshot, take

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{
        f"GIT_{who}_{what}": "dev@example.com"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}


class Clone:
    """A work tree to play with."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def init(self) -> Clone:
        run("git", "init", "-q", "-b", "main", self.path, env=ENVIRON)
        return self

    def copy(self, path: Path, *options: str) -> Clone:
        run("git", "clone", "-q", *options, f"file://{self.path}", path, env=ENVIRON)
        return Clone(path)

    def git(self, *argv: str | Path, check: bool = True) -> str:
        return run("git", "-C", self.path, *argv, env=ENVIRON, check=check).stdout.strip()

    def write(self, name: str, content: str | bytes = "x\n") -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def commit(self, **files: str) -> str:
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def environ() -> dict[str, str]:
    return dict(ENVIRON)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone").init()


@pytest.fixture
def another(tmp_path: Path) -> Callable[[str], Clone]:
    """Makes one more repository beside `clone`."""
    return lambda name: Clone(tmp_path / name).init()


@pytest.fixture
def snap(tmp_path: Path, clone: Clone) -> Callable[..., Snapshot]:
    count = iter(range(100))

    def make(root: Path | None = None, *, branches: tuple[str, ...] = (), revision: str = "") -> Snapshot:
        repository = open_repository(root or clone.path, environ=ENVIRON)
        return take(
            repository,
            into=tmp_path / f"bare-{next(count)}",
            branches=branches,
            environ=ENVIRON,
            revision=revision,
        )

    return make
