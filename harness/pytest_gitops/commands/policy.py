"""What `pytest-gitops policy` does: lists the rules that a run would ask, and runs the users' tests of theirs."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pytest_gitops.configuration.file import FILE_NAME, Configuration, load
from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding
from pytest_gitops.rego import bundle
from pytest_gitops.rego.files import Folder
from pytest_gitops.rego.rules import Rule
from pytest_gitops.rego.testing import TestReport, run_tests
from pytest_gitops.settings.settings import default_cache, environment, explicit_tools, tool_mirrors
from pytest_gitops.tools import ensure, installed
from pytest_gitops.tools.show import reporter

NO_TESTS = 5
"""pytest's own exit code for nothing to test."""


def policy_list(options: argparse.Namespace) -> int:
    """Print every rule that a run here would ask; 1 if some policy cannot be."""
    place = _Place(options)
    with tempfile.TemporaryDirectory(prefix="pytest-gitops-") as scratch:
        found = bundle.load(
            place.opa,
            Path(scratch) / "bundle",
            folders=place.folders,
            data={"settings": place.configuration.get("policy", "data", default={})},
            data_files=place.data_files,
            namespaces=place.configuration.get("policy", "namespaces", default=bundle.ALL_NAMESPACES),
        )
    if options.json:
        print(json.dumps([_described(rule) for rule in found.rules], indent=2))
    else:
        print(_table(found.rules))
    _tell(found.problems)
    return 1 if any(p.counts for p in found.problems) else 0


def policy_test(options: argparse.Namespace) -> int:
    """Run the tests and print what became of them; 1 if one fails, 5 if there are none."""
    if options.threshold is not None and not options.coverage:
        raise ConfigError("needs --coverage beside it", where="--threshold")
    place = _Place(options)
    if not place.folders:
        raise ConfigError(f"expected folders with policies as arguments or in {FILE_NAME}, saw none")
    with tempfile.TemporaryDirectory(prefix="pytest-gitops-") as scratch:
        report = run_tests(
            place.opa,
            Path(scratch) / "bundle",
            folders=place.folders,
            data={"settings": place.configuration.get("policy", "data", default={})},
            data_files=place.data_files,
            pattern=options.run,
            coverage=options.coverage,
        )
    _tell(report.problems)
    print(_told(report, verbose=options.verbose))
    if not report.results and not report.problems:
        return NO_TESTS
    low = options.threshold is not None and report.good and report.percent < options.threshold
    if low:
        told = f"coverage: expected {options.threshold:g} %, saw {report.percent:.1f} %"
        print(f"error: {told}. Add tests for the lines above.", file=sys.stderr)
    return 0 if report.good and not low else 1


class _Place:
    """Where the command is run: the configuration there, its folders, and OPA."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.root = _root(Path.cwd())
        self.configuration: Configuration = load(self.root / FILE_NAME)
        given: Sequence[Path] = options.folders
        named = self.configuration.get("policy", "folders", default=())
        self.folders = [Folder(path=f.absolute(), title=str(f)) for f in given]
        self.folders = self.folders or [Folder(path=self.root / f, title=f) for f in named]
        self.data_files = [
            self.root / path for path in self.configuration.get("policy", "data-files", default=())
        ]
        self.opa = _opa(options.cache)


def _opa(chosen: Path | None) -> Path:
    environ = environment()
    cache = chosen.expanduser().absolute() if chosen else default_cache(environ)
    explicit = explicit_tools(environ)
    if found := installed(["opa"], cache=cache, environ=environ, explicit=explicit):
        return found["opa"].path
    with reporter(sys.stderr) as report:
        mirrors = tool_mirrors(environ)
        made = ensure(
            ["opa"], cache=cache, environ=environ, explicit=explicit, mirrors=mirrors, report=report
        )
    return made["opa"].path


def _root(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file() or (folder / ".git").exists():
            return folder
    return start


def _style(rule: Rule) -> str:
    if rule.constraint is not None:
        return "gatekeeper"
    return "conftest" if rule.conftest else "metadata"


def _described(rule: Rule) -> dict[str, object]:
    return {
        "rule": rule.code,
        "severity": rule.severity.value,
        "subject": rule.subject.value,
        "title": rule.title,
        "description": rule.description,
        "help": rule.help,
        "file": rule.file,
        "line": rule.line,
        "builtin": rule.builtin,
        "style": _style(rule),
    }


def _table(rules: Sequence[Rule]) -> str:
    width = max((len(r.code) for r in rules), default=0)
    lines = []
    for rule in rules:
        lines.append(f"{rule.code:<{width}}  {rule.severity:<7}  {rule.subject:<11}  {rule.title}")
        lines += [f"{'':<{width}}  {text}" for text in (rule.help, rule.where) if text]
    own = sum(not r.builtin for r in rules)
    lines.append(f"\n{len(rules)} rules, {own} of them yours")
    return "\n".join(lines)


def _told(report: TestReport, *, verbose: bool) -> str:
    lines = []
    for result in report.results:
        if verbose or not result.good:
            word = result.outcome.upper()
            where = f"{result.file}:{result.line}"
            lines.append(f"{word:<7} {where}  {result.name} ({result.seconds * 1000:.1f} ms)")
            lines += [f"        {line}" for line in result.output.splitlines()]
    if report.explained:
        lines += ["", report.explained, ""]
    for each in report.coverage or ():
        missed = f"  not run: lines {_ranges(each.missed)}" if each.missed else ""
        lines.append(f"{each.percent:5.1f} %  {each.file}{missed}")
    if report.coverage:
        lines.append(f"{report.percent:5.1f} %  all")
    counted = [
        (o, sum(r.outcome is o for r in report.results)) for o in {r.outcome: 0 for r in report.results}
    ]
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counted)
    lines.append(summary or "no tests: expected rules called test_…, saw none")
    return "\n".join(lines)


def _ranges(numbers: Sequence[int]) -> str:
    """[3, 4, 5, 9] as "3-5, 9"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def _tell(problems: Sequence[Finding]) -> None:
    for problem in problems:
        word = "error" if problem.counts else problem.severity.value
        print(f"{word}: {problem.where}: {problem.message}. {problem.help}".rstrip(), file=sys.stderr)
