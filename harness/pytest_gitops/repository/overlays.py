"""What a kustomization changes of the objects that it reads: which of its fields do, and which objects they are for.

Labels, annotations, images and replicas are none of these: no Application becomes another one by them. Nor is the
namespace, which is mostly written to say where Argo CD lives.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.repository.kustomization import NAMES
from pytest_gitops.repository.manifest import Document, ManifestError, parse
from pytest_gitops.repository.readings import listed, within
from pytest_gitops.shapes import mapping

Read = Callable[[str], bytes | None]
"""The content of a file of the repository, None where there is none."""

NAMED = ("namePrefix", "nameSuffix")

_WORDS = re.compile(r"[\w.-]+(?:\|[\w.-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of a kustomization's `field`, at its line. `kind` and `name` are expressions for the objects that it
    is for, as kustomize has them (api/types/selector.go); an empty one is for all."""

    field: str
    line: int
    kind: str = ""
    name: str = ""

    def concerns(self, kind: str, name: str) -> bool:
        """Whether it may change an object of this kind and name."""
        return _fits(self.kind, kind) and _fits(self.name, name)


def changes(path: str, read: Read) -> Iterator[Change]:
    """What the kustomization `path` changes, in the order of its fields; what its components do is the line's that
    names them."""
    return _changes(path, read, frozenset())


def _changes(path: str, read: Read, seen: frozenset[str]) -> Iterator[Change]:
    folder = posixpath.dirname(path)
    for document in _documents(read(path)):
        value = mapping(document.value)
        for field in NAMED:
            if value.get(field):
                yield Change(field=field, line=document.line_of(field))
        for field, targets in _TARGETS.items():
            for index, entry in enumerate(listed(value.get(field))):
                for kind, name in targets(entry, folder, read):
                    yield Change(field=field, line=document.line_of(field, index), kind=kind, name=name)
        for index, entry in enumerate(listed(value.get("components"))):
            line = document.line_of("components", index)
            place = within(folder, str(entry))
            files = [] if place is None else [posixpath.join(place, name) for name in NAMES]
            if not any(read(each) is not None for each in files):
                yield Change(field="components", line=line)  # from elsewhere: it may change anything
            for each in (f for f in files if f not in seen):
                for inner in _changes(each, read, seen | {path, each}):
                    yield Change(field="components", line=line, kind=inner.kind, name=inner.name)


Target = tuple[str, str]
"""The expressions of a Change: kind and name."""

ANY: Target = ("", "")


def _anything(*_: object) -> Iterable[Target]:
    return (ANY,)


def _patched(entry: Any, folder: str, read: Read) -> Iterable[Target]:
    """What a patch is for: its target, else what it says of itself; a text is a file's path, or the patch."""
    given = mapping(entry)
    if target := mapping(given.get("target")):
        return (_target(target),)
    content = _file(given.get("path") or entry, folder, read)
    if content is None:
        content = str(given.get("patch") or entry).encode()
    patches = [mapping(i.value) for d in _documents(content) for i in d.items()]
    return [_target({**mapping(p, "metadata"), "kind": p.get("kind")}) for p in patches if p] or [ANY]


def _replaced(entry: Any, folder: str, read: Read) -> Iterable[Target]:
    """What a replacement is put into, written in place or in a file."""
    found = [entry]
    if path := mapping(entry).get("path"):
        values = [d.value for d in _documents(_file(path, folder, read))]
        found = [each for v in values for each in (v if isinstance(v, list) else [v])]
    targets = [mapping(t) for each in found for t in listed(mapping(each).get("targets"))]
    return [_target(mapping(t, "select")) for t in targets] or [ANY]


def _target(selector: Mapping[str, Any]) -> Target:
    return str(selector.get("kind") or ""), str(selector.get("name") or "")


def _fits(expression: str, text: str) -> bool:
    """Whether `text` is one of the words of an expression. What is more than words is not tried: it may fit, and it may
    be written so that it takes for ever."""
    return text in expression.split("|") or _WORDS.fullmatch(expression) is None


_TARGETS: Mapping[str, Callable[[Any, str, Read], Iterable[Target]]] = {
    "patches": _patched,
    "patchesStrategicMerge": _patched,
    "patchesJson6902": _patched,
    "replacements": _replaced,
    "transformers": _anything,
}
"""The fields that are lists of changes, each with what says for what an entry is."""


def _file(path: Any, folder: str, read: Read) -> bytes | None:
    place = within(folder, path) if isinstance(path, str) else None
    return None if place is None else read(place)


def _documents(content: bytes | None) -> tuple[Document, ...]:
    try:
        return parse(content or b"")
    except ManifestError:
        return ()  # whoever builds it will be told
