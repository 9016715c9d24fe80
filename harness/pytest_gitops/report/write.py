"""The report folder: every report written whole or not at all, nothing of an earlier run left beside it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pytest_gitops.errors import EngineError
from pytest_gitops.report import html, review, sarif, verification
from pytest_gitops.report.document import Document, to_json

WRITERS: dict[str, Callable[[Document], str]] = {
    "index.html": html.render,  # first: the one to open
    "review.md": review.render,
    "verification.md": verification.render,
    "review.sarif": sarif.render,
    "report.json": to_json,
}


def write(document: Document, directory: Path) -> tuple[Path, ...]:
    """Write every report into `directory`, which is made if needed; returns their paths, `index.html` first.

    All are rendered before the first is written, and each replaces its file in one step. A reader never sees
    half a report; files that are not ours stay. Raises EngineError if the folder cannot be written.
    """
    texts = {name: render(document) for name, render in WRITERS.items()}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in texts:  # an interruption from here on must not leave old beside new
            (directory / name).unlink(missing_ok=True)
        return tuple(_replace(directory / name, text) for name, text in texts.items())
    except OSError as error:
        raise EngineError(
            f"the reports cannot be written to {directory}: {error.strerror or error}"
        ) from error


def _replace(path: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n", errors="replace") as file:
            file.write(text)
        os.chmod(name, 0o644)  # noqa: PTH101  mkstemp makes it private; a report is for everybody
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return path
