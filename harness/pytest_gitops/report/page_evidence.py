"""The evidence of the stages, whatever it is: values as facts, lists of flat mappings as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.report.markup import Content, Html, el
from pytest_gitops.report.reading import Stage
from pytest_gitops.report.text import clip, clip_lines, counted

DRAWN = {"tree", "timeline", "steps"}
"""What the page draws elsewhere."""

_ROWS = 60
_CELL = 400  # characters
_LINES = 200
_DEPTH = 3


def evidence(stages: Sequence[Stage]) -> Html | None:
    """All of it, folded; None without any."""
    told = [s for s in stages if any(k not in DRAWN for k in s["evidence"])]
    if not told:
        return None
    return el(
        "details",
        el("summary", "Evidence"),
        [[el("h4", s["stage"]), _mapping(s["evidence"], 0)] for s in told],
        class_="part evidence",
    )


def _mapping(value: Mapping[str, Any], depth: int) -> list[Content]:
    known = {k: v for k, v in value.items() if k not in DRAWN and v not in (None, "", [], {})}
    facts = {k: v for k, v in known.items() if not isinstance(v, (Mapping, list))}
    parts: list[Content] = []
    if facts:
        parts.append(
            el("dl", [[el("dt", words(k)), el("dd", _text(v))] for k, v in facts.items()], class_="facts")
        )
    for key, inside in known.items():
        if isinstance(inside, Mapping) and depth < _DEPTH:
            parts += [el("h5", words(key)), _mapping(inside, depth + 1)]
        elif isinstance(inside, (Mapping, list)):
            parts += [el("h5", words(key)), _list(inside)]
    return parts


def _list(value: Any) -> Html:
    if isinstance(value, list) and all(is_flat(v) for v in value):
        return table(value)
    if isinstance(value, list) and not any(isinstance(v, (Mapping, list)) for v in value):
        left = len(value) - _ROWS
        more = el("li", f"… and {left} more in report.json") if left > 0 else None
        return el("ul", [el("li", _text(v)) for v in value[:_ROWS]], more)
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return el("pre", clip_lines(text, lines=_LINES, width=1_000), tabindex="0")


def is_flat(value: Any) -> bool:
    """Whether it is a row of a table: a mapping of single values."""
    return isinstance(value, Mapping) and not any(isinstance(v, (Mapping, list)) for v in value.values())


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns in which any of the rows has something, in the order in which they come."""
    return [
        k for k in dict.fromkeys(k for r in rows for k in r) if any(r.get(k) not in (None, "") for r in rows)
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Flat mappings as a table; a column that is empty everywhere is left out."""
    columns, left = columns_of(rows), len(rows) - _ROWS
    return el(
        "div",
        el(
            "table",
            el("thead", el("tr", [el("th", words(c), scope="col") for c in columns])),
            el("tbody", [el("tr", [el("td", _text(r.get(c))) for c in columns]) for r in rows[:_ROWS]]),
        ),
        el("p", f"… and {counted(left, 'more row')} in report.json.", class_="help") if left > 0 else None,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Evidence",
    )


def words(key: str) -> str:
    """A key as people read it: "healthyAtSeconds" is "healthy at seconds"."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in key).strip()


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clip(str(value), _CELL)
