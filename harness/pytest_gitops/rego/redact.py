"""Keeps the values of Secrets out of what users' own rules say."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

SHORTEST = 4
"""A shorter value is not looked for: it would be found in every other word."""

HIDDEN = "***"


def secret_values(document: Any) -> frozenset[str]:
    """Every value of every Secret in a JSON document, as it is written and decoded."""
    return frozenset(value for value in _values(document) if len(value) >= SHORTEST)


def redact(text: str, values: frozenset[str]) -> str:
    """The text with each of the values replaced, the longest first."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _values(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if node.get("kind") == "Secret" and node.get("apiVersion") == "v1":
            for field in ("data", "stringData"):
                fields = node.get(field)
                for value in fields.values() if isinstance(fields, Mapping) else ():
                    yield from _spellings(str(value))
        for child in node.values():
            yield from _values(child)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _values(child)


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield base64.b64encode(value.encode()).decode()
    try:
        decoded = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    yield decoded.strip()
