"""The evidence of one stage as Markdown: what failed by its cause, and lists of flat mappings as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_gitops.model import VERIFY_STAGES, Outcome
from pytest_gitops.report import markdown as md
from pytest_gitops.report.page_evidence import columns_of, is_flat, words
from pytest_gitops.report.reading import (
    Document,
    Family,
    Stage,
    by_urgency,
    cause_of,
    is_open,
    key_of,
    stages_of,
    where,
)
from pytest_gitops.report.text import counted, since

LISTS = ("differences", "changes", "operationObjects", "tree")
"""Lists that are shown first, in this order; then whatever else a stage has."""

_ROWS, _COLUMNS, _CELL = 12, 7, 160


def by_cause(page: md.Page, document: Document, *, share: int) -> None:
    """A row for each failure of the verification, its cause first."""
    rows = []
    for application in by_urgency(document["applications"], Family.VERIFICATION):
        for stage in stages_of(application, Family.VERIFICATION):
            if stage["outcome"] != Outcome.FAILED:
                continue
            known = cause_of(stage)
            finding = next((f for f in stage["findings"] if is_open(f)), None)
            place = (where(finding) if finding else "") or where(application)
            rows.append(
                " | ".join(
                    [
                        f"**{md.prose(known['cause'] if known else stage['code'] or 'unknown', 120)}**",
                        md.code(key_of(application), 120, cell=True),
                        md.prose(stage["stage"], 30),
                        md.code((finding or {}).get("resource") or "", 120, cell=True) or "–",
                        md.code(place, 160, cell=True),
                    ]
                )
            )
    head = ["cause", "Application", "stage", "object", "where"]
    page.rows(head, rows, share=share, shown=15, noun="failure")


def tables(stage: Stage) -> list[str]:
    """The lists of one stage's evidence, each with its title; nothing for what acts on no cluster."""
    if stage["stage"] not in VERIFY_STAGES:
        return []
    found = dict(_lists(stage["evidence"], ""))
    order = [*(k for k in found if _rank(k) < len(LISTS)), *(k for k in found if _rank(k) >= len(LISTS))]
    return [f"{md.prose(words(k), 60)} ({len(found[k])}):\n\n{_table(found[k])}" for k in order]


def steps(stage: Stage) -> list[str]:
    """What the sync came to, on one line."""
    told = [f"{since(s['at'])} {md.prose(s['step'], 80)}" for s in stage["evidence"].get("steps") or ()]
    if len(told) > 10:
        told = [*told[:5], f"({len(told) - 10} more)", *told[-5:]]
    return ["steps: " + " → ".join(told)] if told else []


def _rank(key: str) -> int:
    last = key.rpartition(" ")[2]
    return LISTS.index(last) if last in LISTS else len(LISTS)


def _lists(value: Mapping[str, Any], within: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    for key, inside in value.items():
        name = f"{within} {key}".strip()
        if isinstance(inside, list) and inside and all(is_flat(v) for v in inside):
            if key not in {"steps", "timeline"}:
                yield name, inside
        elif isinstance(inside, Mapping) and not within:
            yield from _lists(inside, name)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = columns_of(rows)[:_COLUMNS]
    cells = [[_cell(r.get(c)) for c in columns] for r in rows[:_ROWS]]
    left = f"\n\n… {counted(len(rows) - _ROWS, 'more row')} in report.json." if len(rows) > _ROWS else ""
    return md.table([md.prose(words(c), 40) for c in columns], cells) + left


def _cell(value: Any) -> str:
    return "–" if value is None or value == "" else md.prose(str(value), _CELL)
