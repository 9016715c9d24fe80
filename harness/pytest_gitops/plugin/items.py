"""Collectors and items: file → Application → stage. An item only waits for its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Protocol

import pytest

from pytest_gitops.model import Outcome, StageResult
from pytest_gitops.plugin.catalog import Catalog, Entry, Fault
from pytest_gitops.stages import FAMILIES


class Answers(Protocol):
    """Whom an item asks: the engine in this process, or the one in pytest's own."""

    def result(self, config: pytest.Config, case_id: str, stage: str) -> StageResult: ...


def told(text: str) -> pytest.fail.Exception:
    """The exception that shows `text` and nothing of ours: in setup pytest counts it an error, in the call a failure."""
    return pytest.fail.Exception(text, pytrace=False)


class GitOpsFile(pytest.File):
    """A file with Applications."""

    catalog: Catalog
    answers: Answers

    @classmethod
    def of(cls, parent: pytest.Collector, path: Path, catalog: Catalog, answers: Answers) -> GitOpsFile:
        node: GitOpsFile = cls.from_parent(parent, path=path)
        node.catalog, node.answers = catalog, answers
        return node

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        file = self.catalog.relative(self.path)
        for fault in self.catalog.faults:
            if fault.file == file:
                yield FaultItem.of(self, fault)
        for entry in self.catalog.entries:
            if entry.file == file:
                yield ApplicationNode.of(self, entry, self.catalog, self.answers)


class ApplicationNode(pytest.Collector):
    """One Application."""

    entry: Entry
    catalog: Catalog
    answers: Answers

    @classmethod
    def of(cls, parent: pytest.Collector, entry: Entry, catalog: Catalog, answers: Answers) -> ApplicationNode:
        node: ApplicationNode = cls.from_parent(parent, name=entry.key)
        node.entry, node.catalog, node.answers = entry, catalog, answers
        return node

    def collect(self) -> Iterator[pytest.Item]:
        for stage in self.catalog.stages:
            yield StageItem.of(self, self.entry, stage, self.answers, strict=self.catalog.strict)


class StageItem(pytest.Item):
    """One stage of one Application."""

    entry: Entry
    stage: str
    answers: Answers
    strict: bool
    _result: StageResult | None = None

    @classmethod
    def of(cls, parent: pytest.Collector, entry: Entry, stage: str, answers: Answers, *, strict: bool) -> StageItem:
        item: StageItem = cls.from_parent(parent, name=stage)
        item.entry, item.stage, item.answers, item.strict = entry, stage, answers, strict
        for marker in ("gitops", f"gitops_{FAMILIES[stage].value}", f"gitops_{stage}"):
            item.add_marker(marker)
        return item

    def setup(self) -> None:
        result = self._result = self.answers.result(self.config, self.entry.id, self.stage)
        self.user_properties.append(("gitops_outcome", result.outcome.value))
        if result.code:
            self.user_properties.append(("gitops_code", result.code))
        if result.outcome is Outcome.ERROR:
            # Raised here and not in the call: pytest then counts an error, not a failure.
            raise told(self._text(result))

    def runtest(self) -> None:
        result = self._result
        assert result is not None
        if result.outcome is Outcome.SKIPPED:
            if self.strict:
                raise told(self._text(result) + "\n  strict   what could not be checked fails (--gitops-strict)")
            pytest.skip(f"{result.code}: {result.message}")
        if result.outcome is Outcome.FAILED:
            raise told(self._text(result))
        for finding in result.findings:
            mark = "waived" if finding.waiver else finding.severity.value
            self.add_report_section("call", "gitops", f"{mark}: {finding.where}: {finding.message} ({finding.rule})")

    def _text(self, result: StageResult) -> str:
        return f"{result.message}\n  again:   pytest --gitops '{self.nodeid}'"

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        return self.path, self.entry.line - 1, f"{self.entry.key} · {self.stage}"


class FaultItem(pytest.Item):
    """A manifest that cannot be understood: it fails, and nothing else does."""

    fault: Fault

    @classmethod
    def of(cls, parent: pytest.Collector, fault: Fault) -> FaultItem:
        item: FaultItem = cls.from_parent(parent, name=fault.name)
        item.fault = fault
        for marker in ("gitops", "gitops_review", "gitops_source"):
            item.add_marker(marker)
        return item

    def runtest(self) -> None:
        raise told(self.fault.text)

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        return self.path, self.fault.line - 1, f"{self.fault.file} · {self.fault.name.split(':')[0]}"
