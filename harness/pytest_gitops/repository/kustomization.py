"""What kustomizations name: the files that they patch with, and the files and folders that they read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_gitops.repository.manifest import ManifestError, parse

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902", "transformers", "replacements")
RESOURCES = ("resources", "bases", "components")
"""What leads to other kustomizations, of other repositories as well."""


def patch_files(contents: Mapping[str, bytes]) -> frozenset[str]:
    """The files that kustomizations among `contents` patch with: they look like manifests, but are parts of some."""
    return frozenset(p for path, content in contents.items() for p in _named(path, content, _PATCHES))


class Reading:
    """Which other places the kustomizations of one repository lead to; `contents` are their files, by path."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._leads: dict[str, tuple[str, ...]] = {}
        for path, content in contents.items():
            if posixpath.basename(path) in NAMES:
                self._leads[posixpath.dirname(path)] = tuple(_named(path, content, RESOURCES))

    def of(self, folder: str) -> tuple[str, ...]:
        """`folder` and every file and folder that building it reads, each once; other repositories are not
        followed."""
        found: dict[str, None] = {}
        pending = [folder]
        while pending:
            place = pending.pop()
            if place not in found:
                found[place] = None
                pending += self._leads.get("" if place == "." else place, ())
        return tuple(found)


def _named(path: str, content: bytes, keys: Sequence[str]) -> Iterator[str]:
    folder, name = posixpath.split(path)
    if name not in NAMES:
        return
    try:
        documents = parse(content)
    except ManifestError:
        return  # the Application that renders it will say so
    for document in documents:
        if isinstance(document.value, Mapping):
            for each in _entries(document.value, keys):
                place = posixpath.normpath(posixpath.join(folder, each))
                if not place.startswith("../"):
                    yield "" if place == "." else place


def _entries(kustomization: Mapping[str, Any], keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        entries = kustomization.get(key)
        for entry in entries if isinstance(entries, list) else ():
            path = entry.get("path") if isinstance(entry, Mapping) else entry
            if isinstance(path, str) and path and "\n" not in path and "://" not in path:
                yield path
