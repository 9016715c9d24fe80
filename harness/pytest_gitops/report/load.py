"""Reads a report.json back: whole and checked for who renders it again, or its durations alone."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.report import schema
from pytest_gitops.report.document import Document

FILE = "report.json"


def load(folder: Path) -> Document:
    """The document in the report folder, checked against the schema. Raises EngineError that names the file."""
    path = folder / FILE
    document = _read(path)
    try:
        schema.validate(document, where=str(path))
    except ConfigError as error:
        raise EngineError(str(error)) from error
    found: Document = document
    return found


def durations(path: Path) -> dict[str, float]:
    """The seconds that each Application's stages took together, by "namespace/name", as a report of whatever version
    has them. Raises EngineError for what is no report."""
    document = _read(path)
    found: defaultdict[str, float] = defaultdict(float)
    try:
        for application in document["applications"]:
            for stage in application["stages"]:
                key = f"{application['namespace']}/{application['name']}"
                found[key] += max(0.0, float(stage["durationSeconds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"{path}: expected a report.json, saw JSON without {error}") from error
    return dict(found)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise EngineError(f"{path}: expected a report of pytest --gitops, saw no such file") from error
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise EngineError(f"{path}: expected JSON, saw: {error} (was it written to its end?)") from error
