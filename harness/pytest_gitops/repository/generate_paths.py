"""The annotation by which an Application says what its manifests are made of, read as Argo CD reads it (util/app/path:
GetSourceRefreshPaths, AppFilesHaveChanged)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gitops.repository.tree import inside

ANNOTATION = "argocd.argoproj.io/manifest-generate-paths"

_TOKENS = re.compile(r"\\.|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|[^\\]", re.DOTALL)


def refresh_paths(manifest: Mapping[str, Any], source_path: str) -> tuple[str, ...]:
    """The paths, from the top of the repository, that changes must be in for a source at `source_path` to be looked at
    again; empty where nothing is said, so that every change counts."""
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    text = annotations.get(ANNOTATION) if isinstance(annotations, Mapping) else None
    words = (word.strip() for word in text.split(";")) if isinstance(text, str) else ()
    return tuple(
        word[1:] if word.startswith("/") else posixpath.normpath(posixpath.join(source_path, word))
        for word in words
        if word
    )


def covers(paths: Sequence[str], files: Iterable[str]) -> bool:
    """Whether one of `files` is among what `paths` name: as a file, as something in a folder, by a pattern."""
    if not paths:
        return True
    places = [_clean(p) for p in paths]
    patterns = [pattern for p in paths if (pattern := _pattern(p)) is not None]
    return any(any(inside(f, p) for p in places) or any(p.fullmatch(f) for p in patterns) for f in files)


def _clean(path: str) -> str:
    clean = posixpath.normpath(path.strip("/") or ".")
    return "" if clean == "." else clean


def _pattern(path: str) -> re.Pattern[str] | None:
    """Go's filepath.Match; None for a pattern that is none."""
    text = path.lstrip("/")
    tokens = _TOKENS.findall(text)
    if not any(c in text for c in "*?[\\") or "".join(tokens) != text or "[" in tokens:
        return None
    try:
        return re.compile("".join(map(_expression, tokens)), re.DOTALL)
    except re.error:
        return None


def _expression(token: str) -> str:
    if token in {"*", "?"}:
        return "[^/]*" if token == "*" else "[^/]"
    if token[0] == "[" and len(token) > 1:
        return token
    return re.escape(token[-1])
