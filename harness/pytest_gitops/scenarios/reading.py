"""Finds the files of scenarios in a repository and reads them: what cannot be understood is one problem a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding, Severity
from pytest_gitops.repository.discovery import Problem
from pytest_gitops.scenarios.parsing import parse
from pytest_gitops.scenarios.values import SUFFIXES, Scenario


def read(
    files: Iterable[str],
    contents: Callable[[Sequence[str]], Mapping[str, bytes]],
    *,
    applications: Sequence[str],
    complete: bool = True,
) -> tuple[tuple[Scenario, ...], tuple[Problem, ...]]:
    """The scenarios in those of `files` that hold some, and what is wrong; `contents` reads in bulk, `applications`
    are the "namespace/name" of all there are, or, if that is not `complete`, of some."""
    wanted = sorted(f for f in files if f.endswith(tuple(SUFFIXES)))
    found: list[Scenario] = []
    problems: list[Problem] = []
    texts = contents(wanted) if wanted else {}
    for file in wanted:
        try:
            found += parse(texts.get(file, b""), file=file, applications=applications, complete=complete)
        except ConfigError as error:
            problems.append(_problem(file, error))
    return tuple(found), tuple(problems)


def _problem(file: str, error: ConfigError) -> Problem:
    line = error.where.removeprefix(f"{file}:")
    finding = Finding(
        rule="scenario-invalid",
        severity=Severity.ERROR,
        message=str(error).removeprefix(f"{error.where}: "),
        file=file,
        line=int(line) if line.isdigit() else 1,
        help="correct the file; docs/scenarios.md describes it",
    )
    return Problem(file=file, finding=finding)
