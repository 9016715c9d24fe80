"""What the pull request does to one Application, as a part of its article: fields, objects, their diffs.

Every diff is in the page's document already. Here only its beginning is drawn, for those who read without the
script; the script draws a diff when it is opened, so that the largest one costs nothing until then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pytest_gitops.report.markup import Content, Html, code, el
from pytest_gitops.report.reading import Application, resource_title
from pytest_gitops.report.reading_changes import (
    SIGNS,
    Change,
    change_word,
    noise,
    object_facts,
    object_title,
    signs,
)
from pytest_gitops.report.text import clip, counted, joined, one_line

_LINES = 40  # of one diff without the script
_WIDTH = 240
_MOST_FIELDS = 100
_VALUE = 400


class Budget:
    """How much the page may still draw: objects with a line of their own, and characters of diffs beside it."""

    def __init__(self, *, objects: int = 5_000, characters: int = 250_000) -> None:
        self.objects, self.characters = objects, characters


def changes(application: Application, *, index: int, budget: Budget) -> Html | None:
    """The section, None where nothing is compared or nothing differs; `index` is the Application's in the document."""
    unknown, word = application["changeUnknown"], change_word(application)
    objects = application["changes"]
    if not (unknown or objects or application["applicationFields"] or application["movedAway"]):
        return None
    counts = application["changeCounts"]
    told = joined([word, signs(counts), noise(counts)], by=" · ")
    return el(
        "section",
        el("h3", "Changes ", el("span", told, class_="number")),
        el("p", f"It could not be compared: {unknown}", class_="help") if unknown else None,
        el("p", application["changeEffect"]["effectText"], class_="fate")
        if application["changeEffect"]["effectText"]
        else None,
        _tools() if objects else None,
        _fields(application["applicationFields"]),
        _objects(objects, budget),
        _moved(application["movedAway"]),
        class_="part changes",
        data_changes=index,
    )


def _tools() -> Html:
    return el(
        "div",
        el(
            "div",
            el("button", "Inline", type="button", data_view="inline", aria_pressed="true"),
            el("button", "Side by side", type="button", data_view="split", aria_pressed="false"),
            class_="choice",
            role="group",
            aria_label="How diffs are shown",
        ),
        el("button", "Open all", type="button", class_="open-all"),
        el(
            "input",
            type="search",
            class_="find",
            placeholder="Find in these changes",
            aria_label="Find in these changes",
            autocomplete="off",
            spellcheck="false",
        ),
        el("span", class_="hits", aria_live="polite"),
        class_="diff-tools",
        hidden=True,
    )


def _fields(fields: Sequence[Change]) -> Html | None:
    if not fields:
        return None
    left = len(fields) - _MOST_FIELDS
    return el(
        "div",
        el("h4", "The Application itself"),
        el(
            "div",
            el(
                "table",
                el("thead", el("tr", [el("th", h, scope="col") for h in ("Field", "Base", "Head")])),
                el("tbody", [_field(f) for f in fields[:_MOST_FIELDS]]),
            ),
            class_="scroll fields",
            tabindex="0",
            role="region",
            aria_label="Fields of the Application",
        ),
        el("p", f"… and {counted(left, 'more field')} in report.json.", class_="quiet") if left > 0 else None,
    )


def _field(change: Change) -> Html:
    def value(side: str, absent: str) -> Content:
        if change["op"] == absent:
            return el("span", "–", class_="quiet")
        found = change[side]
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        return code(clip(text, _VALUE)) or code('""')

    return el(
        "tr",
        el("th", code(change["path"] or "(all)"), scope="row"),
        el("td", value("old", "add"), class_="old"),
        el("td", value("new", "remove"), class_="new"),
    )


def _objects(objects: Sequence[Change], budget: Budget) -> list[Html]:
    shown = objects[: max(budget.objects, 0)]
    budget.objects -= len(shown)
    told = [_object(c, index, budget) for index, c in enumerate(shown)]
    if left := len(objects) - len(shown):
        told.append(el("p", f"… and {counted(left, 'more object')} in report.json.", class_="quiet"))
    return told


def _object(change: Change, index: int, budget: Budget) -> Html:
    kind = change["change"]
    facts = joined(object_facts(change), by=" · ")
    return el(
        "details",
        el(
            "summary",
            el("span", SIGNS.get(kind, "≈"), class_="sign", title=kind),
            el("span", one_line(object_title(change)), class_="title"),
            el("span", facts, class_="facts-line") if facts else None,
        ),
        el("p", change["effectText"], class_="fate") if change["effectText"] else None,
        _noise(change["noise"]),
        _diff(change["diff"], budget),
        class_=f"object-change {kind}",
        data_change=index,
    )


def _noise(reasons: dict[str, int]) -> Html | None:
    told = joined([f"{reason} {number}" for reason, number in reasons.items()])
    return el("p", f"Hidden as noise: {told}", class_="quiet") if told else None


def _diff(lines: Sequence[str], budget: Budget) -> Html:
    if not lines:
        return el("p", "No line differs.", class_="quiet")
    kept: list[str] = []
    for line in lines[:_LINES]:
        budget.characters -= len(line)
        if budget.characters < 0:
            break
        kept.append(clip(line, _WIDTH))
    if left := len(lines) - len(kept):
        kept.append(f"… {counted(left, 'line')} more")
    return el("pre", "\n".join(kept), class_="diff-text", tabindex="0")


def _moved(objects: Sequence[dict[str, Any]]) -> Html | None:
    if not objects:
        return None
    told = [
        el("li", code(resource_title(o["resource"])), f" goes to {one_line(o['application'] or '')}")
        for o in objects[:_MOST_FIELDS]
    ]
    left = len(objects) - _MOST_FIELDS
    return el(
        "div",
        el("h4", "Now another Application's"),
        el("ul", told, el("li", f"… and {left:,} more") if left > 0 else None),
    )
