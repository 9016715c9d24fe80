"""The resource tree of one Application: who owns whom, with health, wave and hook, as Argo CD itself has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.report.markup import Html, el
from pytest_gitops.report.reading import Application
from pytest_gitops.report.text import counted, joined

Row = Mapping[str, Any]

_OPEN = 40
"""A tree of more objects is folded."""


def owners(application: Application) -> Html | None:
    """The tree, as the last stage that looked at it saw it; None where none did."""
    found = [s["evidence"] for s in application["stages"] if s["evidence"].get("tree")]
    if not found:
        return None
    rows: Sequence[Row] = found[-1]["tree"]
    left = found[-1].get("treeLeftOut")
    titles = {r["object"] for r in rows}
    children: dict[str, list[Row]] = {}
    for row in rows:
        owner = str(row.get("owner") or "")
        children.setdefault(owner if owner in titles and owner != row["object"] else "", []).append(row)
    bad = sum((r.get("health") or "Healthy") != "Healthy" for r in rows)
    told = joined([counted(len(rows), "object"), f"{bad} not Healthy" if bad else ""])
    return el(
        "section",
        el("h3", "Resource tree ", el("span", told, class_="number")),
        el(
            "details",
            el("summary", application["name"]),
            _level(children.get("", []), children, frozenset()),
            el("p", f"… and {counted(left, 'more object')}.", class_="help") if left else None,
            open=bool(bad) or len(rows) <= _OPEN,
        ),
        class_="part owners",
    )


def _level(rows: Sequence[Row], children: Mapping[str, Sequence[Row]], above: frozenset[str]) -> Html:
    items = []
    for row in rows:
        title = row["object"]
        below = children.get(title, ()) if title not in above else ()
        items.append(el("li", _object(row), _level(below, children, above | {title}) if below else None))
    return el("ul", items)


def _object(row: Row) -> list[Html | str | None]:
    kind, _, name = str(row["object"]).partition(" ")
    health, wave = row.get("health"), row.get("wave")
    tone = "good" if health == "Healthy" else "bad" if health == "Degraded" else "doubt"
    return [
        el("span", kind, class_="kind"),
        " ",
        el("span", name, class_="object"),
        " ",
        el("span", health, class_=f"word {tone}") if health else None,
        " ",
        el("span", f"wave {wave}", class_="number") if wave else None,
        " ",
        el("span", f"{row['hook']} hook", class_="number") if row.get("hook") else None,
        el("p", row["message"], class_="help") if row.get("message") and tone != "good" else None,
    ]
