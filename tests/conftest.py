"""What all tests share: the tools of the lock file, and GitOps repositories made of files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_gitops.process import run
from pytest_gitops.settings import default_cache, explicit_tools, tool_mirrors

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def toolbox() -> dict[str, Path]:
    """Every tool that the engine needs, by name; got if need be. What is missing fails, it never skips."""
    from pytest_gitops.tools import ENGINE_PARTS, ensure

    environ = dict(os.environ)
    tools = ensure(
        ENGINE_PARTS,
        cache=default_cache(environ),
        environ=environ,
        explicit=explicit_tools(environ),
        mirrors=tool_mirrors(environ),
    )
    return {name: tool.path for name, tool in tools.items()}


def commit(folder: Path, *, branch: str = "main") -> Path:
    """Make a git repository of a folder, everything committed."""
    run("git", "init", "--quiet", f"--initial-branch={branch}", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    run(
        "git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "--allow-empty",
        "--message=All of it", cwd=folder,
    )  # fmt: skip
    return folder


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Make a committed repository of {path: text}."""

    def make(files: Mapping[str, str], *, name: str = "repository") -> Path:
        folder = tmp_path / name
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        folder.mkdir(exist_ok=True)
        return commit(folder)

    return make


@pytest.fixture
def copy_fixture(tmp_path: Path) -> Callable[[str], Path]:
    """Copy one of `fixtures/` to a repository of its own."""

    def copy(name: str) -> Path:
        return commit(shutil.copytree(ROOT / "fixtures" / name, tmp_path / name))

    return copy
