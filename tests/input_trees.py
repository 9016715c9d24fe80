"""Trees of files in memory, and the cases of Applications over them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_gitops.model import Case
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.repository.inputs import Reader, early
from pytest_gitops.repository.ours import Ours
from pytest_gitops.repository.snapshot import Entry
from pytest_gitops.repository.tree import Tree
from pytest_gitops.settings.settings import ChartRepository

URL = "https://git.example.com/us/grid.git"
HEAD, OLD = "4" * 40, "0" * 40

MODES = {"-> ": "120000", "module ": "160000"}


def tree(files: Mapping[str, str]) -> Tree:
    """Texts by path: "-> x" is a link to x, "module x" a submodule at x."""
    contents = {p: t.removeprefix("-> ").encode() for p, t in files.items()}
    entries = [
        Entry(
            path=path,
            mode=next((mode for prefix, mode in MODES.items() if text.startswith(prefix)), "100644"),
            sha=hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
            size=len(text),
        )
        for path, text in files.items()
    ]

    def read_many(paths: Iterable[str]) -> dict[str, bytes]:
        return {p: contents[p] for p in paths if p in contents}

    return Tree(entries, read_many, early=early)


def reader(
    files: Mapping[str, str],
    *,
    old: Mapping[str, str] | None = None,
    charts: Mapping[str, str] | None = None,
    commit: str = HEAD,
    tags: Mapping[str, str] | None = None,
) -> Reader:
    """A reader of `files`; `old` is what the tag v1 has, `charts` the folders that stand in for chart repositories."""
    trees = {commit: tree(files), OLD: tree(old or {})}
    named = {"HEAD": commit, "main": commit, "v1": OLD, commit: commit, OLD: OLD, **(tags or {})}
    ours = Ours(
        commit=commit,
        urls=(URL, "git@git.example.com:us/grid.git"),
        refs=named,
        resolve=lambda revision, prefix: named.get(prefix + revision),
        tree_at=lambda c: trees[c],
    )
    stand_ins = [ChartRepository(url=u, path=p) for u, p in (charts or {}).items()]
    return Reader(ours, charts=stand_ins, control="argocd")


def case(name: str, *sources: Mapping[str, Any], namespace: str = "argocd", **annotations: str) -> Case:
    """An Application of `sources`, each of our own repository where it does not say another."""
    full = [{"repoURL": URL, **s} for s in sources]
    spec = {"source": full[0]} if len(full) == 1 else {"sources": full}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {"project": "default", "destination": {"namespace": "web"}, **spec},
    }
    return case_of(manifest, control="argocd", file=f"apps/{name}.yaml", line=1)
