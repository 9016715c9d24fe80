"""What building one folder reads, as the readers of each tool gather it: paths, other places, and what is not known."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.repository.manifest import ManifestError, parse

REVISION = "ARGOCD_APP_REVISION"
"""Argo CD's build variables of this name, and those that begin with it, hold the commit: with one of them every commit
renders differently (Argo CD: reposerver/repository, newEnv)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Something that is read from elsewhere: a chart repository, another git repository, a file of the web. `fixed`
    says that what is asked for can have one content only: a commit, or an exact version of a chart."""

    url: str
    fixed: bool = False


@dataclass(slots=True)
class Reading:
    """Grows while a folder is read. `unknown` are reasons why more may be read than what is in `paths`. `aside` are
    files that may be read, so that whoever is careful counts them, and are not as far as can be told: each with the
    folder that stands for it in `paths`, "" where none does."""

    paths: set[str] = field(default_factory=set)
    aside: dict[str, str] = field(default_factory=dict)
    remotes: set[Remote] = field(default_factory=set)
    unknown: dict[str, None] = field(default_factory=dict)

    def add(self, other: Reading) -> None:
        self.paths |= other.paths
        self.aside |= other.aside
        self.remotes |= other.remotes
        self.unknown |= other.unknown

    def cannot_know(self, why: str) -> None:
        self.unknown[why] = None


def mappings(content: bytes) -> list[Mapping[str, Any]] | None:
    """The mappings among the documents of a YAML file; None if it is none."""
    try:
        documents = parse(content)
    except ManifestError:
        return None
    return [d.value for d in documents if isinstance(d.value, Mapping)]


def strings(value: Any, *, without: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every text below `value` that does not stand behind a key of `without`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in without:
                yield from strings(inner, without=without)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner, without=without)


def within(folder: str, path: str) -> str | None:
    """`path`, as written in `folder`, from the top of the repository; None for what leads out of it."""
    if path.startswith("/") or "\0" in path:
        return None
    place = posixpath.normpath(posixpath.join(folder, path))
    if place == ".":
        return ""
    return None if place == ".." or place.startswith("../") else place


def named(paths: Iterable[str]) -> list[str]:
    """Paths of a configuration, from the top of the repository; those that lead out of it are left out."""
    return [place for path in paths if (place := within("", path.strip("/"))) is not None]


def listed(value: Any) -> Iterable[Any]:
    """The entries of what should be a list."""
    return value if isinstance(value, list) else ()
