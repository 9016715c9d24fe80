"""What all tests share: the tools of the lock file, GitOps repositories made of files, and whole runs."""

from __future__ import annotations

import contextlib
import gc
import shutil
import signal
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest
from runs import ROOT, Outcome, commit, gitops, tools, write

from pytest_gitops.tools import ENGINE_PARTS

pytest_plugins = ["pytester"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts us in the background makes us deaf to Ctrl-C, and with us every child: what is tested
    # is what becomes of it.
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    # What is imported and parsed stays until the end: the garbage collector need not look through it, neither while it
    # grows, which takes longer than all the rest of it, nor later.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


LONG = (
    "test_rollouts", "test_upgrade", "test_converge_twins", "test_clusters_existing", "test_process_settings", "test_fixtures",
    "test_twins", "test_unconverted", "test_clusters_ends", "test_clusters_many", "test_plugin_live", "test_sharded_runs",
    "test_clusters", "test_scenarios", "test_plugin_ends", "test_neighbours", "test_ends", "test_hostile", "test_deaths",
    "test_bad_input", "test_bad_review", "test_admission", "test_patched_sets", "test_projects",
)  # fmt: skip
"""The modules that take half a minute and more, the longest first: then all workers end together. Those that wait stand among
those that compute, and what needs most memory (`test_upgrade`, `test_rollouts`, `test_clusters_many`) is not all at once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {module: place for place, module in enumerate(LONG)}

    def rank(item: pytest.Item) -> tuple[bool, int]:
        # Where there is no such tool yet, building it takes minutes, in which others go on.
        builds = item.get_closest_marker("builds") is not None
        return not builds, places.get(item.path.stem, len(LONG))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def toolbox() -> dict[str, Path]:
    """Every tool that the engine needs, by name."""
    return tools(*ENGINE_PARTS)


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Path]:
    """Make a committed repository of {path: text}."""

    def make(files: Mapping[str, str], *, name: str = "repository") -> Path:
        return commit(write(tmp_path / name, files))

    return make


@pytest.fixture(scope="session")
def run_fixture(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Outcome]:
    """Run one of `fixtures/` as a repository of its own, once for all tests that look at it; further arguments are
    pytest's."""
    del toolbox  # only to have the tools before a run starts
    done: dict[str, Outcome] = {}

    def once(name: str, *args: str) -> Outcome:
        if name not in done:
            folder = tmp_path_factory.mktemp(name) / name
            done[name] = gitops(commit(shutil.copytree(ROOT / "fixtures" / name, folder)), *args)
        return done[name]

    return once
