"""Where in the repository a rendered object is written down, for sources that are plain manifests."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_gitops.repository.manifest import ManifestError, parse

Place = tuple[str, int]
Identity = tuple[str, str, str, str]
"""API group, kind, namespace, name."""


class Locator:
    """Finds objects by kind, namespace and name in the manifests below a folder. Files are read once."""

    def __init__(self, paths: Sequence[str], read: Callable[[Sequence[str]], Mapping[str, bytes]]) -> None:
        self._paths, self._read = paths, read
        self._folders: dict[str, dict[Identity, list[Place]]] = {}

    def find(self, folder: str, manifest: Mapping[str, Any]) -> Place | None:
        """The (file, line) of `manifest` below `folder`, or in it where it is a file.

        None if it is not there, or in more than one place. The namespace may be left out in the file.
        """
        index = self._index(folder)
        group, kind, namespace, name = _identity(manifest)
        places = index.get((group, kind, namespace, name)) or index.get((group, kind, "", name)) or []
        return places[0] if len(places) == 1 else None

    def _index(self, folder: str) -> dict[Identity, list[Place]]:
        if folder not in self._folders:
            prefix = folder.rstrip("/") + "/" if folder and folder != "." else ""
            paths = [p for p in self._paths if (p.startswith(prefix) or p == folder) and _is_manifest(p)]
            index: dict[Identity, list[Place]] = {}
            for path, content in sorted(self._read(paths).items()):
                for identity, line in _identities(content):
                    index.setdefault(identity, []).append((path, line))
            self._folders[folder] = index
        return self._folders[folder]


def _is_manifest(path: str) -> bool:
    return path.endswith((".yaml", ".yml", ".json")) and posixpath.basename(path) not in {
        "kustomization.yaml",
        "kustomization.yml",
        "Chart.yaml",
    }


def _identities(content: bytes) -> list[tuple[Identity, int]]:
    try:
        documents = parse(content)
    except ManifestError:
        return []
    found = []
    for document in documents:
        for item in document.items():
            value = item.value
            if (
                isinstance(value, Mapping)
                and isinstance(value.get("metadata"), Mapping)
                and value.get("kind")
            ):
                found.append((_identity(value), item.line))
    return found


def _identity(manifest: Mapping[str, Any]) -> Identity:
    metadata = manifest.get("metadata") or {}
    group = str(manifest.get("apiVersion") or "").rpartition("/")[0]
    return group, str(manifest.get("kind")), str(metadata.get("namespace") or ""), str(metadata.get("name"))
