"""The collection hooks that pytest's own process and xdist workers share."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.plugin.catalog import Catalog
from pytest_gitops.plugin.items import Answers, CheckItem, FaultItem, GitOpsFile, JudgedItem
from pytest_gitops.plugin.sharing import share_of
from pytest_gitops.settings.shards import Share


class Collecting:
    """Turns files of the catalog into collectors. While `catalog` is None, nothing is ours."""

    catalog: Catalog | None = None
    answers: Answers

    def __init__(self) -> None:
        self._reopened: set[Path] = set()
        self.collected = 0
        """How many items of ours there are before any is deselected."""
        self.share: Share | None = None
        """What of it is this shard's, where the run is one."""
        self.failed: set[tuple[str, str, int]] = set()
        """Code, file and line of what failed, whoever ran it."""
        self.plain_junit = False
        """Whether pytest writes a JUnit file in the format (xunit2) whose schema has no properties of a test case."""

    def know_tags(self, config: pytest.Config) -> None:
        """Let the tags of scenarios be markers."""
        for tag in self.catalog.tags if self.catalog is not None else ():
            config.addinivalue_line("markers", f"{tag}: a tag of scenarios")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        config = session.config
        if self.catalog is not None and config.args_source is config.ArgsSource.TESTPATHS:
            # `testpaths` says where the user's own tests are; manifests lie elsewhere.
            config.args += self.catalog.arguments()

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if self.catalog is None:
            return None
        file = self.catalog.relative(file_path)
        if file is None or file not in self.catalog.files:
            return None
        return GitOpsFile.of(parent, file, self.catalog, self.answers, path=file_path)

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
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        items += self._apart(session)
        self.collected = sum(isinstance(i, JudgedItem | FaultItem | CheckItem) for i in items)
        _leave_out(session, items, [i for i in items if isinstance(i, JudgedItem) and i.entry.left_alone])
        if self.catalog is not None and self.catalog.shard is not None:
            self.share, others = share_of(self.catalog.shard, items)
            _leave_out(session, items, others)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What else the user selects is known now."""
        if self.share is not None:
            left = sum(isinstance(i, JudgedItem | FaultItem | CheckItem) for i in session.items)
            self.share = replace(self.share, selected=left)

    def _apart(self, session: pytest.Session) -> list[pytest.Item]:
        """The items of what pytest does not find, where it was given the folder that they belong to."""
        catalog, config = self.catalog, session.config
        if catalog is None:
            return []
        start = config.invocation_params.dir
        given = [(start / a.split("::", 1)[0]).resolve() for a in config.args]
        if config.args_source is config.ArgsSource.TESTPATHS:
            given.append(catalog.root)  # all of it is asked for, as above
        nodes = (
            GitOpsFile.of(session, file, catalog, self.answers)
            for file in catalog.apart
            if any(catalog.place(file).is_relative_to(folder) for folder in given)
        )
        return [item for node in nodes for item in session.genitems(node)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if isinstance(item, JudgedItem | FaultItem | CheckItem):
            item.place(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        told = report.user_properties
        about = dict(told)
        if report.failed and "gitops_line" in about:
            self.failed.add(
                (str(about.get("gitops_code", "")), str(about["gitops_file"]), int(str(about["gitops_line"])))
            )
        if self.plain_junit:
            report.user_properties = [(name, value) for name, value in told if not name.startswith("gitops_")]
        try:
            return (yield)
        finally:
            report.user_properties = told


def _leave_out(session: pytest.Session, items: list[pytest.Item], others: Sequence[pytest.Item]) -> None:
    if others:
        session.config.hook.pytest_deselected(items=list(others))
        gone = set(others)
        items[:] = [i for i in items if i not in gone]


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
