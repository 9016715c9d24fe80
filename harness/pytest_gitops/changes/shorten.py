"""How much of a value is shown: bounds for what goes into a report, each cut with a count."""

from __future__ import annotations

import json
from typing import Any

MAX_VALUE = 1_000
"""Characters of one value in report.json: a field's whole text is in the repository."""

MAX_LINE = 400
"""Characters of one line of a diff."""


def short(value: Any) -> Any:
    """The value if it is short enough, else its beginning and how much is left out, as text."""
    if isinstance(value, str):
        return cut(value, MAX_VALUE)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return "(nested too deep to be shown)"
    return value if len(text) <= MAX_VALUE else cut(text, MAX_VALUE)


def cut(text: str, limit: int) -> str:
    """The first `limit` characters of `text`, and a word about the rest if there is one."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} characters more)"
