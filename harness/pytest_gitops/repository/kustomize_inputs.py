"""What `kustomize build` reads of a repository: whatever a kustomization names that is there.

No list of fields is kept, for kustomize gains new ones: every text in a kustomization that is a path of the tree, also
behind `key=`, counts as read. A name that happens to be a path costs a render, a path that is missed a wrong answer.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_gitops.repository.helm_inputs import EXACT
from pytest_gitops.repository.kustomization import NAMES
from pytest_gitops.repository.readings import REVISION, Reading, Remote, listed, mappings, strings, within
from pytest_gitops.repository.tree import Tree

NO_PATHS = frozenset(
    {
        "apiVersion", "chartRepo", "commonAnnotations", "commonLabels", "images", "kind", "labels", "literals", "name",
        "namePrefix", "nameSuffix", "namespace", "options", "releaseName", "replicas", "repo", "target", "version",
    }
)  # fmt: skip
"""Keys behind which kustomize never takes a text for a path."""

CONFIGURED = ("generators", "transformers", "validators")
"""Fields whose files configure plugins, and so name files themselves; they may also be written in place."""

CHARTS = "charts"
"""Where charts lie if nothing else is said (kustomize: helmGlobals.chartHome)."""

_REMOTE = re.compile(r"://|::|[?&]ref=|^[\w.-]+@[\w.-]+:|^[\w-]+(\.[\w-]+)+(:\d+)?/")
_COMMIT = re.compile(r"[?&](?:ref|version)=[0-9a-f]{40}(?:&|$)")


class Kustomize:
    """Reads the kustomizations of one tree, each folder once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._folders: dict[str, tuple[Reading, tuple[str, ...]]] = {}

    def is_kustomized(self, folder: str) -> bool:
        return any(self._tree.has(posixpath.join(folder, name)) for name in NAMES)

    def build(self, folder: str) -> Reading:
        """What building `folder` reads, through all folders that it leads to."""
        return self._follow([folder], Reading())

    def named_by(self, value: Any, folder: str) -> Reading:
        """What an Application's own `kustomize:` options add to the build of `folder`."""
        found = Reading()
        return self._follow(self._places(value, folder, found, without=NO_PATHS), found)

    def _follow(self, pending: list[str], found: Reading) -> Reading:
        seen: set[str] = set()
        while pending:
            folder = pending.pop()
            if folder not in seen:
                seen.add(folder)
                if folder not in self._folders:
                    self._folders[folder] = self._read(folder)
                reading, leads = self._folders[folder]
                found.add(reading)
                pending += leads
        return found

    def _read(self, folder: str) -> tuple[Reading, tuple[str, ...]]:
        found, leads = Reading(), []
        if self._tree.in_module(self._real(folder)):
            found.paths.add(folder)
            found.cannot_know(f"{folder} lies in a submodule, which may lead to other files")
            return found, ()
        for name in NAMES:
            path = self._real(posixpath.join(folder, name))
            if not self._tree.has(path):
                continue
            found.paths.update((path, posixpath.join(folder, name)))
            documents = mappings(self._tree.read(path) or b"")
            if documents is None:
                found.cannot_know(f"{path} is no YAML")
            for value in documents or ():
                leads += self._places(value, folder, found, without=NO_PATHS)
                self._plugins(value, folder, found, leads)
                self._variables(value, folder, found)
        if self._tree.is_folder(charts := posixpath.join(folder, CHARTS)):
            found.paths.add(charts)
        return found, tuple(leads)

    def _places(self, value: Any, folder: str, found: Reading, *, without: frozenset[str]) -> list[str]:
        """Note what texts below `value` name; returns the folders among them that have a kustomization."""
        leads: list[str] = []
        for text in strings(value, without=without):
            here = False
            for word in _words(text):
                place = within(folder, word)
                real = self._real(place) if place is not None else ""
                if place is None or not self._tree.has(real):
                    continue
                here = True
                if self.is_kustomized(real):
                    # What it names may be meant from either end of a link.
                    leads += dict.fromkeys((place, real))
                else:
                    found.paths.add(place)
            if not here and _REMOTE.search(text) and "\n" not in text:
                found.remotes.add(Remote(url=text, fixed=bool(_COMMIT.search(text))))
        found.remotes |= set(_charts(value))
        return leads

    def _plugins(
        self, kustomization: Mapping[str, Any], folder: str, found: Reading, leads: list[str]
    ) -> None:
        """What plugins' configurations name, from the kustomization's folder as kustomize has it, or their own."""
        for key in CONFIGURED:
            for entry in listed(kustomization.get(key)):
                if not isinstance(entry, str):
                    continue
                if "\n" in entry:
                    leads += self._places(mappings(entry.encode()) or (), folder, found, without=NO_PATHS)
                    continue
                place = within(folder, entry)
                for each in self._tree.below(self._real(place)) if place is not None else ():
                    for base in (folder, posixpath.dirname(each.path)):
                        value = mappings(self._tree.read(each.path) or b"") or ()
                        leads += self._places(value, base, found, without=NO_PATHS)

    def _variables(self, kustomization: Mapping[str, Any], folder: str, found: Reading) -> None:
        """A line without a value in a generator's env file is taken from the environment, where Argo CD puts the
        commit."""
        for key in ("configMapGenerator", "secretGenerator"):
            for generator in listed(kustomization.get(key)):
                given = generator if isinstance(generator, Mapping) else {}
                for name in strings([given.get("env"), given.get("envs")]):
                    place = within(folder, name)
                    content = self._tree.read(self._real(place)) if place is not None else None
                    if REVISION.encode() in (content or b""):
                        found.cannot_know(f"{place} takes {REVISION} from the build environment")

    def _real(self, path: str) -> str:
        real, _ = self._tree.follow(path)
        return path if real is None else real


def _words(text: str) -> Iterator[str]:
    """What of a text may be a path: all of it, and what stands behind a key, as generators have it."""
    if text and "\n" not in text:
        yield text
        if "=" in text:
            yield text.partition("=")[2]


def _charts(value: Any) -> Iterator[Remote]:
    """The chart repositories that kustomizations, or configurations of the plugin for it, inflate charts of."""
    for each in value if isinstance(value, list | tuple) else (value,):
        given = each if isinstance(each, Mapping) else {}
        for chart in (
            *listed(given.get("helmCharts")),
            *listed(given.get("helmChartInflationGenerator")),
            given,
        ):
            url = (chart.get("repo") or chart.get("chartRepo")) if isinstance(chart, Mapping) else None
            if isinstance(url, str):
                version = str(chart.get("version") or chart.get("chartVersion") or "")
                yield Remote(url=url, fixed=bool(EXACT.fullmatch(version)))
