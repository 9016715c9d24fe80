"""Whole runs of `pytest --gitops`, each in a process of its own as users start it, and repositories to run on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import git
from forked import pytest_in

from pytest_gitops.settings.settings import default_cache, explicit_tools, tool_mirrors
from pytest_gitops.tools import ensure

ROOT = Path(__file__).resolve().parent.parent

RUN_LIMIT = 600.0
"""Seconds after which a run counts as hanging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that ended: its exit code, what it printed, its report (None if it wrote none), its repository."""

    status: int
    output: str
    report: dict[str, Any] | None
    folder: Path

    @property
    def applications(self) -> dict[str, dict[str, Any]]:
        """By "namespace/name"."""
        assert self.report is not None, self.output
        return {f"{a['namespace']}/{a['name']}": a for a in self.report["applications"]}

    @property
    def findings(self) -> set[tuple[str | None, str, str, str, int]]:
        """(application, rule, severity, file, line) of everything that was found."""
        assert self.report is not None, self.output
        found = {(None, f["rule"], f["severity"], f["file"], f["line"]) for f in self.report["findings"]}
        # Not by name: two Applications may have the same.
        for application in self.report["applications"]:
            key = f"{application['namespace']}/{application['name']}"
            for stage in application["stages"]:
                found |= {(key, f["rule"], f["severity"], f["file"], f["line"]) for f in stage["findings"]}
        return found

    @property
    def not_passed(self) -> set[tuple[str, str, str, str | None]]:
        """(application, stage, outcome, code) of every answer but `passed`."""
        return {
            (key, s["stage"], s["outcome"], s["code"])
            for key, application in self.applications.items()
            for s in application["stages"]
            if s["outcome"] != "passed"
        }

    def asked(self, application: str) -> tuple[str, ...]:
        """The stages that there is an answer of, in their order."""
        return tuple(s["stage"] for s in self.applications[application]["stages"])

    def stage(self, application: str, stage: str) -> dict[str, Any]:
        """What report.json has on one stage of an Application."""
        found: dict[str, Any] = next(
            s for s in self.applications[application]["stages"] if s["stage"] == stage
        )
        return found


def environment(**more: str | None) -> dict[str, str]:
    """A user's environment: ours without what pytest and CI systems put there, and `more`, where None takes away."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "CI_")) and k != "CI"}
    kept |= {k: v for k, v in os.environ.items() if k.startswith("PYTEST_GITOPS_")}
    made = {**kept, "PYTHONPATH": str(ROOT / "harness"), "COLUMNS": "160", **more}
    return {name: value for name, value in made.items() if value is not None}


def tools(*names: str) -> dict[str, Path]:
    """These tools of the lock file, by name; got if need be, from where a user's run would get them. What is missing fails,
    it never skips."""
    environ = dict(os.environ)
    found = ensure(
        names,
        cache=default_cache(environ),
        environ=environ,
        explicit=explicit_tools(environ),
        mirrors=tool_mirrors(environ),
    )
    return {name: tool.path for name, tool in found.items()}


ARGS = ("--gitops", "-p", "no:cacheprovider")


def command(*args: str) -> list[str]:
    """`pytest --gitops` with this interpreter."""
    return [sys.executable, "-m", "pytest", *ARGS, *args]


def gitops(
    folder: Path, *args: str, environ: Mapping[str, str | None] | None = None, limit: float = RUN_LIMIT
) -> Outcome:
    """Run `pytest --gitops` in `folder` to its end, for which it has `limit` seconds."""
    env = environment(**(environ or {}))
    status, output = pytest_in(folder, (*ARGS, *args), env=env, limit=limit)
    return Outcome(status=status, output=output, report=report(folder), folder=folder)


def report(folder: Path) -> dict[str, Any] | None:
    """The report.json that a run left, if it did."""
    written = folder / "gitops-report" / "report.json"
    loaded: dict[str, Any] | None = json.loads(written.read_text("utf-8")) if written.exists() else None
    return loaded


def commit(folder: Path, *, branch: str = "main") -> Path:
    """Make a git repository of a folder, everything committed."""
    with git.Repo.init(folder, initial_branch=branch) as repository:
        # Files that were copied with their times, of the same length and in the same second as others of that name,
        # pass for unchanged with git (docs: racy-git): what the index remembers of them is forgotten.
        Path(repository.index.path).unlink(missing_ok=True)
        repository.git.add(all=True)
        identity = {"GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.com"}
        identity |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in identity.items()}
        repository.git.commit(quiet=True, allow_empty=True, message="All of it", env=identity)
    return folder


def pull_request(folder: Path, files: Mapping[str, str | None]) -> Path:
    """Make a git repository of a folder, as it is on `main`, with a branch `change` on which `files`, {path: text}, are as
    given; None removes one."""
    commit(folder)
    with git.Repo(folder) as repository:
        repository.git.switch("--quiet", "--create", "change")
    for path in (p for p, text in files.items() if text is None):
        (folder / path).unlink()
    write(folder, {p: text for p, text in files.items() if text is not None})
    return commit(folder)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write {path: text} below `folder`."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
