"""What the files alone declare, for `--collect-only`: nothing is started, nothing is rendered."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pytest_gitops.model import Case
from pytest_gitops.repository.discovery import FileEntry, Problem, case_of, discover
from pytest_gitops.repository.git import open_repository
from pytest_gitops.repository.snapshot import take
from pytest_gitops.scenarios.reading import read
from pytest_gitops.scenarios.values import SUFFIXES, Scenario
from pytest_gitops.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What files declare: the cases, what cannot be understood, the names of ApplicationSets, and the scenarios."""

    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    sets: tuple[str, ...]
    scenarios: tuple[Scenario, ...]


def declared(settings: Settings) -> Listing:
    """Everything that files declare. Raises ConfigError if there is no repository."""
    repository = open_repository(settings.root, environ=settings.environ)
    with tempfile.TemporaryDirectory(prefix="pytest-gitops-") as folder:
        snapshot = take(repository, into=Path(folder) / "bare", branches=(), environ=settings.environ)
        entries = (FileEntry(path=e.path, size=e.size) for e in snapshot.files() if e.mode.startswith("100"))
        found = discover(entries, snapshot.read_many, ignore=settings.ignore)
        texts = {
            e.path for e in snapshot.files() if e.mode.startswith("100") and e.path.endswith(tuple(SUFFIXES))
        }
        contents = snapshot.read_many(texts)
    cases = {
        case.id: case
        for case in (
            case_of(d.manifest, control=found.control, file=d.file, line=d.line) for d in found.applications
        )
    }
    scenarios, problems = read(
        texts,
        lambda paths: {p: contents[p] for p in paths},
        applications=[c.key for c in cases.values()],
        complete=False,
    )
    return Listing(
        cases=tuple(cases.values()),
        problems=(*found.problems, *problems),
        sets=tuple(f"{s.kind} {s.name}" for s in found.application_sets),
        scenarios=scenarios,
    )
