"""The published schema of report.json, and the check against it. The one user of jsonschema here."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from pytest_gitops.errors import ConfigError

FILE = "report.schema.json"


@cache
def schema() -> dict[str, Any]:
    """The schema as shipped (JSON Schema, draft 2020-12)."""
    content: dict[str, Any] = json.loads(files(__package__).joinpath(FILE).read_text("utf-8"))
    return content


def validate(document: Any, *, where: str = "report.json") -> None:
    """Check a document, called `where`. Raises ConfigError that names the member which does not fit."""
    error = best_match(Draft202012Validator(schema()).iter_errors(document))
    if error is None:
        return
    member = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
    message = error.message if len(error.message) <= 300 else error.message[:299] + "…"
    raise ConfigError(f"{member or 'the document'}: {message}. It does not fit {FILE}.", where=where)
