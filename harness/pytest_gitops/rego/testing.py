"""Runs the users' own tests of their policies: `opa test` on a bundle as a run makes it, with helpers for input."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Finding
from pytest_gitops.processes.process import Completed
from pytest_gitops.rego.bundle import Bundle, Folder, load
from pytest_gitops.rego.compiling import capabilities, opa
from pytest_gitops.rego.files import Files

_PLACE = re.compile(r"(?:[\w./-]*/)?((?:user\d+|builtin)/[^\s:]+\.rego):(\d+)")


class TestOutcome(StrEnum):
    """What became of one test; skipped ones are called `todo_…`."""

    __test__ = False  # pytest's own discovery looks at names

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test, or one case of it: "package.name" and where it stands. `output` is what it printed."""

    __test__ = False

    name: str
    file: str
    line: int
    outcome: TestOutcome
    seconds: float = 0.0
    output: str = ""

    @property
    def good(self) -> bool:
        return self.outcome in (TestOutcome.PASSED, TestOutcome.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of one file its tests ran, in per cent of lines, and the lines that they did not."""

    file: str
    percent: float
    missed: tuple[int, ...]
    covered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """The tests in their files' order; `problems` is what does not compile, `explained` what OPA says of failures;
    `coverage` is there if it was asked for and all tests passed."""

    __test__ = False

    results: tuple[TestResult, ...]
    problems: tuple[Finding, ...] = ()
    explained: str = ""
    coverage: tuple[Coverage, ...] | None = None

    @property
    def good(self) -> bool:
        """Whether there were tests and all of them passed."""
        return bool(self.results) and all(r.good for r in self.results) and not self.problems

    @property
    def percent(self) -> float:
        """The coverage of all files together, in per cent of lines."""
        covered = sum(c.covered for c in self.coverage or ())
        lines = covered + sum(len(c.missed) for c in self.coverage or ())
        return 100.0 * covered / lines if lines else 0.0


def run_tests(
    binary: Path,
    directory: Path,
    *,
    folders: Sequence[Path | Folder],
    data: Mapping[str, Any] | None = None,
    data_files: Sequence[Path] = (),
    pattern: str = "",
    coverage: bool = False,
) -> TestReport:
    """Run the tests in `folders` whose "data.package.name" fits the regular expression `pattern`.

    Policies see what they see in a run: our library, `data` and `data_files`, and no forbidden function;
    `data.gitops.testing` helps with input. `directory` must not exist yet. Raises ConfigError as bundle.load does,
    EngineError if OPA gives no answer.
    """
    bundle = load(binary, directory, folders=folders, data=data, data_files=data_files, tests=True)
    allowed = capabilities(binary, directory)
    words = ["test", "--bundle", ".", "--capabilities", str(allowed)]
    words += ["--run", pattern] if pattern else []
    results = _results(opa(binary, directory, *words, "--format", "json", check=False), bundle.files)
    problems = tuple(p for p in bundle.problems if p.counts)
    if bad := [r for r in results if not r.good]:
        only = "|".join(re.escape(f"data.{r.name.partition('[')[0]}") for r in bad)
        told = opa(binary, directory, *words[:5], "--var-values", "--run", f"^({only})$", check=False).stdout
        return TestReport(results=results, problems=problems, explained=_explained(told, bundle.files))
    found = None
    if coverage and results:
        # A test that is skipped makes it end with 2.
        done = opa(binary, directory, *words, "--coverage", "--format", "json", check=False)
        found = _coverage(done, bundle)
    return TestReport(results=results, problems=problems, coverage=found)


def _results(done: Completed, files: Files) -> tuple[TestResult, ...]:
    try:
        given = json.loads(done.stdout or "null") or []
    except ValueError:
        raise EngineError(f"opa test: {done.tail}") from None
    if not given and done.status and done.stderr:
        raise EngineError(f"opa test: {done.tail}")
    found = [result for entry in given for result in _result(entry, files)]
    return tuple(sorted(found, key=lambda r: (r.file, r.line, r.name)))


def _result(entry: Mapping[str, Any], files: Files) -> Iterable[TestResult]:
    location = entry["location"]
    file, line = files.place(location["file"], int(location["row"]))
    name = f"{entry['package'].removeprefix('data.')}.{entry['name']}"
    output = base64.b64decode(entry.get("output") or "").decode(errors="replace").rstrip()
    seconds = entry.get("duration", 0) / 1e9
    cases = entry.get("sub_results") or {}
    for case, about in sorted(cases.items()) if cases else [("", entry)]:
        yield TestResult(
            name=f"{name}[{case}]" if case else name,
            file=file,
            line=line,
            outcome=_outcome(about),
            seconds=seconds,
            output=output,
        )


def _outcome(entry: Mapping[str, Any]) -> TestOutcome:
    if entry.get("error"):
        return TestOutcome.ERROR
    if entry.get("fail"):
        return TestOutcome.FAILED
    return TestOutcome.SKIPPED if entry.get("skip") else TestOutcome.PASSED


def _explained(text: str, files: Files) -> str:
    """The part of OPA's own words that says which expression failed, with the user's file names."""

    def named(found: re.Match[str]) -> str:
        file, line = files.place(found[1], int(found[2]))
        return f"{file}:{line}"

    lines = text.splitlines()
    begins = next((n for n, line in enumerate(lines) if line == "FAILURES"), None)
    if begins is None:
        return ""
    # Behind the title and the line below it, before the counts at the end.
    body = [line for line in lines[begins + 2 :] if not line.startswith(("---", "FAIL:", "PASS:", "ERROR:"))]
    return _PLACE.sub(named, "\n".join(body).strip())


def _coverage(done: Completed, bundle: Bundle) -> tuple[Coverage, ...]:
    found = []
    for file, about in json.loads(done.stdout)["files"].items():
        inside = bundle.files.inside(file)
        known = bundle.files.files.get(inside)
        if known is None or known.builtin or known.name.endswith("_test.rego"):
            continue
        missed = sorted(
            {
                row + known.offset
                for part in about.get("not_covered") or ()
                for row in range(part["start"]["row"], part["end"]["row"] + 1)
            }
        )
        percent, covered = float(about.get("coverage", 0)), int(about.get("covered_lines", 0))
        found.append(Coverage(file=known.name, percent=percent, missed=tuple(missed), covered=covered))
    return tuple(sorted(found, key=lambda c: c.file))
