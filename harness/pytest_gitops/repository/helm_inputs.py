"""What helm reads of a repository: a chart's folder, the charts it depends on, and the files that hold values."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_gitops.repository.charts import DEPENDENCIES
from pytest_gitops.repository.readings import Reading, Remote, listed, mappings, within
from pytest_gitops.repository.tree import Tree

PACKED = (".tgz", ".gz")
"""Charts as files."""

LOCKS = ("Chart.lock", "requirements.lock")
"""With one of them helm takes exactly the versions that it names."""

OWN = frozenset({*DEPENDENCIES, "values.yaml", "values.schema.json"})
"""What helm reads of a chart's folder unasked, beside folders."""

VALUES = (".yaml", ".yml", ".json")

EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][\w.+-]+)?")
"""A version that stands for one release. Argo CD keeps charts and renders of such a version for good (util/helm: the
client's cache of charts), so we may as well."""


class Helm:
    """Reads the charts of one tree, each once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._charts: dict[str, tuple[Reading, tuple[str, ...]]] = {}
        self._values: dict[str, tuple[str, ...]] = {}

    def chart(self, folder: str) -> Reading:
        """What rendering the chart in `folder` reads: all of it, and the charts that it depends on by path."""
        found, pending, seen = Reading(), [folder], set[str]()
        while pending:
            each = pending.pop()
            if each not in seen:
                seen.add(each)
                if each not in self._charts:
                    self._charts[each] = self._read(each)
                reading, leads = self._charts[each]
                found.add(reading)
                pending += leads
                real, _ = self._tree.follow(each)
                pending += [real] if real is not None else []
        if folder not in self._values:
            self._values[folder] = () if found.remotes or found.unknown else tuple(self._beside(folder, seen))
        found.aside |= dict.fromkeys(self._values[folder], folder)
        return found

    def _beside(self, folder: str, charts: set[str]) -> Iterator[str]:
        """The files right in the folder of a chart, which depends on `charts`, that helm reads only if it is told to:
        values for one place or another. Templates could do so too (`.Files`), also those of packed charts."""
        found = [
            e.path
            for e in self._tree.children(folder)
            if e.path.endswith(VALUES)
            and posixpath.basename(e.path) not in OWN
            and self._tree.is_file(e.path)
        ]
        if not found:
            return
        everything = [e for each in charts for e in self._tree.below(each)]
        if any(not e.mode.startswith("100") or e.path.endswith(PACKED) for e in everything):
            return
        templates = (e.path for e in everything if "/templates/" in f"/{e.path}")
        if not any(b".Files" in content for content in self._tree.contents(templates).values()):
            yield from found

    def _read(self, folder: str) -> tuple[Reading, tuple[str, ...]]:
        found, leads = Reading(), []
        found.paths.add(folder)
        locked = any(self._tree.has(posixpath.join(folder, name)) for name in LOCKS)
        for name in DEPENDENCIES:
            path, _ = self._tree.follow(posixpath.join(folder, name))
            content = self._tree.read(path) if path is not None else None
            documents = mappings(content or b"")
            if documents is None:
                found.cannot_know(f"{path} is no YAML")
            for each in _dependencies(documents or ()):
                where, version = str(each.get("repository") or ""), str(each.get("version") or "")
                if where.startswith("file://"):
                    lead = within(folder, where.removeprefix("file://"))
                    leads += [lead] if lead is not None else []
                elif where:
                    found.remotes.add(Remote(url=where, fixed=locked or bool(EXACT.fullmatch(version))))
        inner = posixpath.join(folder, "charts")
        leads += [
            posixpath.dirname(e.path)
            for e in self._tree.below(inner)
            if posixpath.basename(e.path) == DEPENDENCIES[0]
        ]
        return found, tuple(leads)


def value_files(helm: Mapping[str, Any]) -> Iterator[str]:
    """The files that an Application's `helm:` options name."""
    for file in listed(helm.get("valueFiles")):
        if isinstance(file, str):
            yield file
    for each in listed(helm.get("fileParameters")):
        if isinstance(each, Mapping) and isinstance(each.get("path"), str):
            yield each["path"]


def _dependencies(documents: list[Mapping[str, Any]] | tuple[()]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        yield from (d for d in listed(document.get("dependencies")) if isinstance(d, Mapping))
