"""From a Run to the files of the report folder. Imported when a run is over, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Run
from pytest_gitops.report import document
from pytest_gitops.report.write import write


def write_reports(run: Run, folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Write all reports; returns the document and the files, `index.html` first. Raises EngineError."""
    built = document.build(run)
    _keep_out_of_git(folder)
    return built, write(built, folder)


def _keep_out_of_git(folder: Path) -> None:
    """A folder that is ours alone is not part of the repository: else it would be in the next run's snapshot.

    One that has other files in it stays as it is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / ".gitignore").write_text("# Made by pytest-gitops.\n*\n", "utf-8")
    except OSError as error:
        raise EngineError(
            f"the reports cannot be written to {folder}: {error.strerror or error}. "
            "Name another folder with --gitops-report"
        ) from error
