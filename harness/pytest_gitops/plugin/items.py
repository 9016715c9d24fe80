"""Collectors and items: file → Application → stage, file → scenario. An item only waits for its verdict."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from pytest_gitops.model import Outcome, StageResult
from pytest_gitops.plugin.catalog import Catalog, Check, Entry, Fault, ScenarioEntry
from pytest_gitops.report.text import for_log, one_line
from pytest_gitops.scenarios.values import STAGE
from pytest_gitops.stages import FAMILIES

WHERE = re.compile(r"^[^:]+:[0-9]+: ")
"""The "file:line: " that a failure's text begins with."""

WHOLE = "repository"
"""What stands for a file in the node id of what is said of the repository as a whole."""


class Answers(Protocol):
    """Whom an item asks: the engine in this process, or the one in pytest's own."""

    def result(self, case_id: str, stage: str) -> StageResult: ...


def failure(text: str) -> BaseException:
    """The exception that shows `text` and nothing of ours: an error in setup, a failure in the call."""
    return pytest.fail.Exception(text, pytrace=False)


class GitOpsFile(pytest.File):
    """A file with Applications, expectations or scenarios; `file` is what the catalog calls it. Without a name it is
    the repository as a whole."""

    file: str
    catalog: Catalog
    answers: Answers

    @classmethod
    def of(
        cls,
        parent: pytest.Collector,
        file: str,
        catalog: Catalog,
        answers: Answers,
        *,
        path: Path | None = None,
    ) -> GitOpsFile:
        """`path` is where pytest has found it, None where it has not."""
        found, path = path is not None, path or catalog.root / file
        relative = os.path.relpath(path, parent.config.rootpath)
        named: dict[str, Any] = {}
        if not file:
            named = {"nodeid": WHOLE, "name": WHOLE}
        elif not found or not relative.isprintable():
            # A file's name may hold what moves a terminal's cursor; pytest writes node ids as they are.
            named = {"nodeid": one_line(relative)}
        node: GitOpsFile = cls.from_parent(parent, path=path, **named)
        node.file, node.catalog, node.answers = file, catalog, answers
        return node

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        file = self.file
        for fault in self.catalog.faults:
            if fault.file == file:
                yield FaultItem.of(self, fault, self.catalog)
        for check in self.catalog.checks:
            if check.file == file:
                yield CheckItem.of(self, check, self.catalog)
        for scenario in self.catalog.scenarios:
            if scenario.file == file:
                yield ScenarioItem.of(self, scenario, self.catalog, self.answers)
        for entry in self.catalog.entries:
            if entry.file == file:
                yield ApplicationNode.of(self, entry, self.catalog, self.answers)


class ApplicationNode(pytest.Collector):
    """One Application."""

    entry: Entry
    catalog: Catalog
    answers: Answers

    @classmethod
    def of(
        cls, parent: pytest.Collector, entry: Entry, catalog: Catalog, answers: Answers
    ) -> ApplicationNode:
        node: ApplicationNode = cls.from_parent(parent, name=entry.key)
        node.entry, node.catalog, node.answers = entry, catalog, answers
        return node

    def collect(self) -> Iterator[pytest.Item]:
        for stage in self.entry.stages:
            yield StageItem.of(self, self.entry, stage, self.catalog, self.answers)

    def __repr__(self) -> str:
        return f"<Application {self.name}>"


class _GitOpsItem(pytest.Item):
    catalog: Catalog
    line: int
    code = ""
    _told = ""

    def place(self, report: pytest.TestReport) -> None:
        """Say of a skip or a failure that it is at the manifest, not in the line of ours that raised it."""
        crash = getattr(report.longrepr, "reprcrash", None)
        if isinstance(report.longrepr, tuple):
            report.longrepr = (str(self.path), self.line, report.longrepr[2])
        elif crash is not None and self._told:
            # What pytest's short summary has room for: the code, and not the file, which the node id names.
            crash.path, crash.lineno = str(self.path), self.line
            said = WHERE.sub("", self._told.split("\n", 1)[0])
            crash.message = f"{self.code}: {said}" if self.code else said

    def again(self) -> str:
        """The command that runs this item alone once more, to be pasted where pytest was started."""
        # The node id is relative to pytest's root directory, what is given to pytest to where one stands; and
        # xdist's --dist loadgroup appends to it.
        chain = self.listchain()
        place = next(n for n in chain if isinstance(n, GitOpsFile))
        inside = [n.name for n in chain[chain.index(place) + 1 :]]
        if place.file in self.catalog.apart:  # pytest takes no path that it does not find, and -k no spaces
            return f"{self.catalog.again} -k {shlex.quote(' and '.join(n.split()[0] for n in inside))}"
        given = "::".join([os.path.relpath(self.path, self.catalog.start), *inside])
        return f"{self.catalog.again} {shlex.quote(given)}"

    def told(self, text: str) -> str:
        """A failure's whole text."""
        self._told = for_log(text.rstrip())
        return f"{self._told}\n  again    {for_log(self.again())}"


class JudgedItem(_GitOpsItem):
    """What the engine gives a result for: (`entry.id`, `stage`)."""

    entry: Entry | ScenarioEntry
    stage: str
    answers: Answers
    _result: StageResult | None = None

    def setup(self) -> None:
        result = self._result = self.answers.result(self.entry.id, self.stage)
        self.code = result.code
        self.user_properties += [
            ("gitops_outcome", result.outcome.value),
            *([("gitops_code", result.code)] if result.code else []),
            ("gitops_file", self.entry.file),
            ("gitops_line", self.entry.line),
        ]
        if result.outcome is Outcome.ERROR:
            # Raised here and not in the call: pytest then counts an error, not a failure.
            raise failure(self.told(result.message or result.code))

    def runtest(self) -> None:
        result = self._result
        assert result is not None, "setup comes before the call"
        if result.outcome is Outcome.FAILED:
            raise failure(self.told(result.message or result.code))
        if result.outcome is Outcome.SKIPPED:
            reason = f"{result.code}: {result.message}" if result.message else result.code
            if self.catalog.strict:
                place = f"{self.entry.file}:{self.entry.line}"
                rule = "  strict   what could not be checked fails (--gitops-strict)"
                raise failure(self.told(f"{place}: {reason}\n{rule}"))
            pytest.skip(for_log(reason))
        for finding in result.findings:
            mark = "waived" if finding.waiver else finding.severity.value
            place = f"{finding.where}: " if finding.where else ""
            told = for_log(f"{mark}: {place}{finding.message} ({finding.rule})")
            self.add_report_section("call", "gitops", told)


class StageItem(JudgedItem):
    """One stage of one Application."""

    entry: Entry

    @classmethod
    def of(
        cls, parent: pytest.Collector, entry: Entry, stage: str, catalog: Catalog, answers: Answers
    ) -> StageItem:
        item: StageItem = cls.from_parent(parent, name=stage)
        item.entry, item.stage, item.catalog, item.answers = entry, stage, catalog, answers
        item.line = entry.line
        # A marker is a word of `-m`, which knows no hyphens.
        for marker in ("gitops", f"gitops_{FAMILIES[stage].value}", f"gitops_{stage.replace('-', '_')}"):
            item.add_marker(marker)
        return item

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, self.entry.line - 1, f"{self.entry.key} · {self.stage}"

    def __repr__(self) -> str:
        return f"<Stage {self.name}>"


class ScenarioItem(JudgedItem):
    """One scenario."""

    entry: ScenarioEntry

    @classmethod
    def of(
        cls, parent: pytest.Collector, entry: ScenarioEntry, catalog: Catalog, answers: Answers
    ) -> ScenarioItem:
        item: ScenarioItem = cls.from_parent(parent, name=entry.name)
        item.entry, item.stage, item.catalog, item.answers = entry, STAGE, catalog, answers
        item.line = entry.line
        family = "gitops_verify" if entry.acts else "gitops_review"
        for marker in ("gitops", family, "gitops_scenario", *entry.tags):
            item.add_marker(marker)
        return item

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, self.entry.line - 1, self.entry.name

    def __repr__(self) -> str:
        return f"<Scenario {self.name}>"


class FaultItem(_GitOpsItem):
    """What is wrong with the repository and no Application's alone, such as a manifest that cannot be understood: it
    fails, and nothing else does."""

    fault: Fault

    @classmethod
    def of(cls, parent: pytest.Collector, fault: Fault, catalog: Catalog) -> FaultItem:
        item: FaultItem = cls.from_parent(parent, name=fault.name)
        item.fault, item.catalog = fault, catalog
        item.line, item.code = fault.line, fault.name.split(":")[0]
        for marker in ("gitops", "gitops_review", "gitops_source"):
            item.add_marker(marker)
        return item

    def runtest(self) -> None:
        self.user_properties += [
            ("gitops_outcome", Outcome.FAILED.value),
            ("gitops_code", self.code),
            ("gitops_file", self.fault.file),
            ("gitops_line", self.fault.line),
        ]
        raise failure(self.told(self.fault.text))

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, self.fault.line - 1, f"{one_line(self.fault.file) or WHOLE} · {self.code}"

    def __repr__(self) -> str:
        return f"<Fault {self.name}>"


class CheckItem(_GitOpsItem):
    """One expectation of `rbac:`, which Argo CD has answered."""

    check: Check

    @classmethod
    def of(cls, parent: pytest.Collector, check: Check, catalog: Catalog) -> CheckItem:
        item: CheckItem = cls.from_parent(parent, name=check.name)
        item.check, item.catalog = check, catalog
        item.line, item.code = check.line, check.code
        for marker in ("gitops", "gitops_review", "gitops_policy"):
            item.add_marker(marker)
        return item

    def runtest(self) -> None:
        check = self.check
        self.user_properties += [
            ("gitops_outcome", (Outcome.FAILED if check.text else Outcome.PASSED).value),
            *([("gitops_code", check.code)] if check.code else []),
            ("gitops_file", check.file),
            ("gitops_line", check.line),
        ]
        if check.text:
            raise failure(self.told(check.text))
        if check.note:
            self.add_report_section("call", "gitops", for_log(check.note))

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, self.check.line - 1, self.check.name

    def __repr__(self) -> str:
        return f"<Expectation {self.name}>"
