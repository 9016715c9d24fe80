"""Both sides of a comparison as values: contexts whose plans are made, over trees in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from input_trees import URL, case, tree

from pytest_gitops.argocd.render import NotRendered, Rendered
from pytest_gitops.model import Case
from pytest_gitops.planning.plan import Plan
from pytest_gitops.repository.snapshot import Entry
from pytest_gitops.settings.settings import Settings
from pytest_gitops.stages.context import Context

BASE, HEAD = "b" * 40, "c" * 40

FILES = {"web/a.yaml": "a", "api/b.yaml": "b", "README.md": "words"}
WEB, API = case("web", {"path": "web"}), case("api", {"path": "api"})

Objects = Mapping[str, Sequence[Mapping[str, Any]] | None]


class Snapshot:
    def __init__(self, files: Mapping[str, str], commit: str) -> None:
        self.commit, self.refs, self._files, self._tree = commit, {"main": commit}, files, tree(files)

    def files(self) -> Sequence[Entry]:
        return self._tree.entries

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {p: self._files[p].encode() for p in paths if p in self._files}

    def resolve(self, revision: str, tag_prefix: str = "") -> str | None:
        return self.commit if tag_prefix + revision in {"HEAD", "main"} else None


def config_map(name: str = "c", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def side(
    commit: str,
    cases: Sequence[Case] = (WEB, API),
    files: Mapping[str, str] = FILES,
    *,
    renders: Objects | None = None,
    projects: Sequence[Mapping[str, Any]] = (),
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Context:
    """A side whose plan is made; what is not in `renders` renders to the same ConfigMap on both sides."""
    said = [SimpleNamespace(name=n, manifest={"data": d}) for n, d in (settings or {}).items()]
    checkout = SimpleNamespace(
        snapshot=Snapshot(files, commit),
        urls=(URL,),
        is_ours=lambda url: url == URL,
        manifests=lambda paths, *, where: [],
        files=lambda: (e for e in tree(files).entries if e.mode.startswith("100")),
        declarations=SimpleNamespace(
            applications=tuple(SimpleNamespace(file=c.file) for c in cases),
            settings=tuple(SimpleNamespace(**vars(s), file="argocd/settings.yaml") for s in said),
            application_sets=(),
            projects=(),
            problems=(),
            secrets=(),
        ),
    )
    context = Context(
        settings=Settings(root=Path(), report=Path(), cache=Path(), environ={}, changed=True, **options),
        checkout=cast(Any, checkout),
        schema=cast(Any, None),
        control="argocd",
        stopping=threading.Event(),
    )
    context.plan = Plan(
        cases=tuple(cases), duplicates={}, cycles=frozenset(), projects=tuple(projects), problems=()
    )
    for each in cases:
        objects = (renders or {}).get(each.name, [config_map(a="1")])
        context.renders[each.id] = (
            NotRendered(source=0, message="no") if objects is None else Rendered(objects=tuple(objects))
        )
    return context
