"""A YAML document against one of our JSON Schemas, with file and line of the first thing that is wrong."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.repository.manifest import Document, ManifestError, parse


def load(name: str) -> dict[str, Any]:
    """The schema in a file of this package, by its path there."""
    loaded: dict[str, Any] = json.loads(files("pytest_gitops").joinpath(name).read_text("utf-8"))
    return loaded


def one_document(text: bytes, *, name: str) -> Document | None:
    """The only document of a file, None where it is empty; `name` is what errors call the file.

    Raises ConfigError for what is not YAML, for a second document and for a key that is written twice.
    """
    try:
        documents = parse(text)
    except ManifestError as error:
        raise ConfigError(error.problem, where=f"{name}:{error.line}") from error
    if not documents:
        return None
    if len(documents) > 1:
        raise ConfigError("expected one YAML document, saw a second", where=f"{name}:{documents[1].line}")
    document = documents[0]
    if document.repeated:
        key, line = document.repeated[0]
        raise ConfigError(f"expected each key once, saw {key!r} again", where=f"{name}:{line}")
    return document


def check(document: Document, schema: dict[str, Any], *, name: str) -> None:
    """Raise ConfigError unless the document fits; `name` is what errors call the file."""
    import jsonschema  # late: only needed where there is a file

    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(document.value), key=lambda e: list(map(str, e.absolute_path)))
    if not errors:
        return
    error = errors[0]
    path = tuple(error.absolute_path)
    message = error.message
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(map(str, error.instance)) - set(known))
        message = f"unknown key {', '.join(map(repr, unknown))}; known here: {', '.join(known)}"
        path = (*path, unknown[0])
    elif path:
        message = f"{'.'.join(map(str, path))}: {message}"
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    raise ConfigError(f"{message}{more}", where=f"{name}:{document.line_of(*path)}")
