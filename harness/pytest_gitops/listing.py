"""What the files alone declare, for `--collect-only`: nothing is started, nothing is rendered."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pytest_gitops.model import Case
from pytest_gitops.repository.discovery import FileEntry, Problem, case_of, discover
from pytest_gitops.repository.git import open_repository
from pytest_gitops.repository.snapshot import take
from pytest_gitops.settings import Settings


def declared_cases(settings: Settings) -> tuple[tuple[Case, ...], tuple[Problem, ...], tuple[str, ...]]:
    """The cases in files, the files that cannot be understood, and the names of ApplicationSets.

    Raises ConfigError if there is no repository.
    """
    repository = open_repository(settings.root, environ=settings.environ)
    with tempfile.TemporaryDirectory(prefix="pytest-gitops-") as folder:
        snapshot = take(repository, into=Path(folder) / "bare", branches=(), environ=settings.environ)
        entries = (FileEntry(path=e.path, size=e.size) for e in snapshot.files() if e.mode.startswith("100"))
        found = discover(entries, snapshot.read_many, ignore=settings.ignore)
    cases = {
        case.id: case
        for case in (
            case_of(d.manifest, control=found.control, file=d.file, line=d.line) for d in found.applications
        )
    }
    return tuple(cases.values()), found.problems, tuple(f"{s.kind} {s.name}" for s in found.application_sets)
