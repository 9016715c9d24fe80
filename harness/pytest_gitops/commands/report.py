"""What `pytest-gitops report` does: makes one report of many shards', or the other reports of a report.json again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pytest_gitops.errors import EngineError
from pytest_gitops.report.document import Document
from pytest_gitops.report.load import FILE, load
from pytest_gitops.report.merge import Part, fails, merged, problems
from pytest_gitops.report.terminal import summary
from pytest_gitops.report.text import for_log
from pytest_gitops.report.write import write


def report_merge(options: argparse.Namespace) -> int:
    """Merge the reports in the given folders; 1 if they are not all, or not of one run, or if the run failed."""
    parts, wrong = [], []
    for folder in dict.fromkeys(Path(f) for f in options.folders):
        try:
            parts.append(Part(name=str(folder / FILE), document=load(folder)))
        except EngineError as error:
            wrong.append(str(error))
    wrong += problems(parts)
    if wrong:
        for text in wrong:
            print(f"error: {for_log(text)}", file=sys.stderr)
        print("Nothing was merged: what a shard does not say, nobody knows.", file=sys.stderr)
        return 1
    document = merged(parts)
    _tell(document, options.output)
    return 1 if fails(document) else 0


def report_render(options: argparse.Namespace) -> int:
    """Write the reports beside a report.json, or into another folder, as this version writes them."""
    folder: Path = options.folder
    _tell(load(folder), options.output or folder)
    return 0


def _tell(document: Document, folder: Path) -> None:
    first, *others = write(document, folder)
    where = f"{first} (beside it: {', '.join(path.name for path in others)})"
    for line, _ in summary(document, reports=[where]):
        print(for_log(line))
