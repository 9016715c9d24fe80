"""A run as stages see it, without anything that runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pytest_gitops.model import Case, Origin, StageResult
from pytest_gitops.planning.plan import Plan
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.repository.manifest import parse
from pytest_gitops.repository.snapshot import Entry
from pytest_gitops.settings.settings import Settings
from pytest_gitops.stages.context import Context

URL = "https://github.com/example/grid.git"
HEAD, OLD = "4" * 40, "0" * 40


class FakeSnapshot:
    """A tree of files at HEAD, and paths that other commits have."""

    commit = HEAD

    def __init__(
        self, files: Mapping[str, str], revisions: Mapping[str, str], others: Mapping[str, Iterable[str]]
    ) -> None:
        self._files, self._revisions, self._others = files, {"HEAD": HEAD, "main": HEAD, **revisions}, others
        self.asked: list[str] = []

    def files(self) -> tuple[Entry, ...]:
        modes = {"->": "120000", "submodule": "160000"}
        return tuple(
            Entry(path=p, mode=modes.get(t[:2], modes.get(t, "100644")), sha="0", size=len(t))
            for p, t in self._files.items()
        )

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {p: self._files[p].encode() for p in paths if p in self._files}

    def resolve(self, revision: str, tag_prefix: str = "") -> str | None:
        self.asked.append(revision)
        return self._revisions.get(tag_prefix + revision)

    def has_path(self, revision: str, path: str) -> bool:
        return path in self._others.get(revision, ())


@dataclass
class FakeSchema:
    """Finds what it is told to find."""

    found: Sequence[tuple[tuple[str | int, ...], str]] = ()

    def problems(self, manifest: Mapping[str, Any]) -> Sequence[tuple[tuple[str | int, ...], str]]:
        del manifest
        return self.found


@dataclass
class Answers:
    """What was published, in order."""

    given: list[tuple[str, StageResult]] = field(default_factory=list)

    def __call__(self, case: Case, result: StageResult) -> None:
        self.given.append((case.key, result))

    def of(self, key: str) -> StageResult:
        (found,) = [r for k, r in self.given if k == key]
        return found


def make_plan(cases: Sequence[Case], **more: Any) -> Plan:
    parts: dict[str, Any] = {
        "duplicates": {}, "cycles": frozenset(), "projects": (), "problems": (), **more,
    }  # fmt: skip
    return Plan(cases=tuple(cases), **parts)


def make_context(
    files: Mapping[str, str] | None = None,
    *,
    revisions: Mapping[str, str] | None = None,
    others: Mapping[str, Iterable[str]] | None = None,
    schema: FakeSchema | None = None,
    shallow: bool = False,
    timeout: float = 300,
    api: Any = None,
) -> Context:
    snapshot = FakeSnapshot(files or {}, revisions or {}, others or {})
    checkout = SimpleNamespace(
        snapshot=snapshot,
        branches=("main", "next"),
        repository=SimpleNamespace(shallow=shallow),
        is_ours=lambda url: url == URL,
        files=lambda: (e for e in snapshot.files() if e.mode.startswith("100")),
        declarations=SimpleNamespace(secrets=()),
        urls=(URL,),
        title="github.com/example/grid",
        spellings=(),
        has_folder=lambda path: any(p.startswith(f"{path}/") for p in snapshot._files),
    )
    return Context(
        settings=Settings(root=Path(), report=Path(), cache=Path(), environ={}, timeout=timeout),
        checkout=cast(Any, checkout),
        schema=cast(Any, schema or FakeSchema()),
        control="argocd",
        stopping=threading.Event(),
        api=api,
    )


def declare(context: Context, text: str, *, file: str = "apps/web.yaml") -> Case:
    """The case of a manifest, with its lines."""
    (document,) = parse(text)
    case = case_of(document.value, control="argocd", file=file, line=document.line, origin=Origin.FILE)
    context.documents[case.id] = document
    return case
