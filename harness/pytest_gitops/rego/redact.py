"""Keeps the values of Secrets out of what users' own rules say."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from pytest_gitops.redaction import HIDDEN, decoded, fields_of_secrets

SHORTEST = 4
"""A shorter value is not looked for: it would be found in every other word."""


def secret_values(document: Any) -> frozenset[str]:
    """Every value of every Secret in a JSON document, as it is written and decoded."""
    written = (value for _, value in fields_of_secrets(document))
    return frozenset(v for value in written for v in _spellings(value) if len(v) >= SHORTEST)


def redact(text: str, values: frozenset[str]) -> str:
    """The text with each of the values replaced, the longest first."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield base64.b64encode(value.encode()).decode()
    yield from (text.strip() for text in decoded(value))
