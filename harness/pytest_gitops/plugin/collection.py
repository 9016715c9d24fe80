"""The collection hooks that pytest's own process and xdist workers share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.plugin.catalog import Catalog
from pytest_gitops.plugin.items import Answers, FaultItem, GitOpsFile, StageItem


class Collecting:
    """Turns files of the catalog into collectors. While `catalog` is None, nothing is ours."""

    catalog: Catalog | None = None
    answers: Answers

    def __init__(self) -> None:
        self._reopened: set[Path] = set()
        self.collected = 0
        """How many items of ours there are before any is deselected."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        config = session.config
        if self.catalog is not None and config.args_source is config.ArgsSource.TESTPATHS:
            # `testpaths` says where the user's own tests are; manifests lie elsewhere.
            config.args += self.catalog.arguments()

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if self.catalog is None or self.catalog.relative(file_path) not in self.catalog.files:
            return None
        return GitOpsFile.of(parent, file_path, self.catalog, self.answers)

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(
        self, collection_path: Path, config: pytest.Config
    ) -> Generator[None, bool | None, bool | None]:
        """Search folders that pytest passes over by their name (norecursedirs: build, .hidden, …) for
        Applications, and for nothing else. What the user ignores on purpose stays ignored."""
        ignored = yield
        catalog = self.catalog
        if catalog is None or isinstance(config, _AnyName):
            return ignored
        relative = catalog.relative(collection_path)
        if ignored:
            if relative not in catalog.folders or _for_another_reason(collection_path, config):
                return ignored
            self._reopened.add(collection_path)
            return False
        if any(p in self._reopened for p in collection_path.parents):
            return relative not in catalog.folders and relative not in catalog.files
        return ignored

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.collected = sum(isinstance(i, StageItem | FaultItem) for i in items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, StageItem | FaultItem):
            item.place(report)
        return report


class _AnyName:
    """pytest's configuration as if norecursedirs were empty."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def getini(self, name: str) -> Any:
        return [] if name == "norecursedirs" else self._config.getini(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)


def _for_another_reason(folder: Path, config: pytest.Config) -> bool:
    """Whether `folder` is ignored for more than its name: --ignore, collect_ignore, a virtual environment."""
    return bool(config.hook.pytest_ignore_collect(collection_path=folder, config=_AnyName(config)))
