"""Whether pytest has read the ini file that its paths lead to, and not one that an option's value led it to."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_gitops.plugin import OPTIONS
from pytest_gitops.report.text import for_log
from pytest_gitops.settings.settings import environment

FILES = {
    "pytest.toml": b"",
    ".pytest.toml": b"",
    "pytest.ini": b"",
    ".pytest.ini": b"",
    "pyproject.toml": b"[tool.pytest",
    "tox.ini": b"[pytest]",
    "setup.cfg": b"[tool:pytest]",
}
"""The ini files that pytest looks for, in its order, and what one has to have in it to be one (findpaths.py, 9.2)."""

OURS = re.compile(rb"\bgitops_[a-z]|--gitops\b")
"""A setting of ours, or our option in `addopts`."""


def check(config: pytest.Config) -> None:
    """Raise UsageError where settings of ours would be lost.

    pytest looks for its ini file before it knows the options of plugins: of `--gitops-report ../out` it takes a folder
    that exists for a path of tests, and looks from there. The run of tomorrow would be another one than today's.
    """
    taken = list(_taken(config))
    if config.option.inifilename or not taken:
        return
    expected = _nearest(_starts(config))
    read = config.inipath
    if expected is None or (read is not None and read.resolve() == expected.resolve()):
        return
    if OURS.search(expected.read_bytes()):
        given = shlex.join(word for pair in taken for word in pair)
        better = shlex.join("=".join(pair) for pair in taken)
        raise pytest.UsageError(
            for_log(
                f"gitops: {given}: expected pytest to read {expected}, saw it read {read or 'no ini file'}. It looks "
                "for it before it knows this option, and takes a path that exists for one of tests. "
                f"Write it in one word: {better}"
            )
        )


def _taken(config: pytest.Config) -> Iterator[tuple[str, str]]:
    """The options of ours whose value is a word of its own and a path that exists."""
    options = {f"--gitops-{name}" for name, kind, _, _ in OPTIONS if kind != "flag"}
    invoked = config.invocation_params
    words = [*shlex.split(environment().get("PYTEST_ADDOPTS", "")), *map(str, invoked.args)]
    yield from ((o, v) for o, v in pairwise(words) if o in options and os.path.lexists(invoked.dir / v))


def _starts(config: pytest.Config) -> Iterator[Path]:
    """Where pytest begins to look: above everything that it is given, then at each of it."""
    start = config.invocation_params.dir
    given = config.args if config.args_source is config.ArgsSource.ARGS else ()
    paths = [p for a in given if (p := (start / a.split("::", 1)[0]).resolve()).exists()]
    folders = [p if p.is_dir() else p.parent for p in paths] or [start]
    yield Path(os.path.commonpath(folders))
    yield from folders


def _nearest(starts: Iterable[Path]) -> Path | None:
    """The first ini file upwards from the first of `starts` that has one above it."""
    for start in starts:
        for folder in (start, *start.parents):
            for name, mark in FILES.items():
                if (file := folder / name).is_file() and mark in file.read_bytes():
                    return file
    return None
