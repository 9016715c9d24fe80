"""What a targetRevision names, as Argo CD reads it (util/versions/tags.go: MaxVersion, 3.6.1): one ref, or the newest
of several tags."""

from __future__ import annotations

import re
from collections.abc import Iterable

COMMIT = re.compile(r"[0-9A-Fa-f]{40}([0-9A-Fa-f]{24})?")

_ENDING = r"(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION = re.compile(rf"v?[0-9]+(?:\.[0-9]+){{0,2}}{_ENDING}")
# Masterminds/semver, which Argo CD asks: an operator may be missing, a number may be "x", "X" or "*".
_NUMBER = r"(?:[0-9]+|[xX*])"
_ONE = rf"(?:!=|>=|=>|<=|=<|~>|[=<>~^])?\s*v?{_NUMBER}(?:\.{_NUMBER}){{0,2}}{_ENDING}"
_ALL = rf"\s*{_ONE}(?:(?:\s*,\s*|\s+-\s+|\s+){_ONE})*\s*"
_RANGE = re.compile(rf"{_ALL}(?:\|\|{_ALL})*")


def is_range(revision: str) -> bool:
    """Whether `revision` asks for the newest tag of a range of versions; one version by itself is a tag's name."""
    return not _VERSION.fullmatch(revision) and bool(_RANGE.fullmatch(revision))


def name_of(revision: str, tags: Iterable[str], *, prefix: str = "") -> str | None:
    """The name of the ref or commit that `revision` stands for; `prefix`, the source's tagPrefix, goes before versions.

    None for a range: which of `tags` it means is Argo CD's to say. Without a version among them it is a branch's name.
    """
    if COMMIT.fullmatch(revision):
        return revision
    if _VERSION.fullmatch(revision):
        return prefix + revision
    versions = (t for t in tags if t.startswith(prefix) and _VERSION.fullmatch(t.removeprefix(prefix)))
    return None if is_range(revision) and any(versions) else revision
