"""The left side of the page: the Applications as the tree they are, each a link to its part of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pytest_gitops.model import Severity
from pytest_gitops.report.markup import Html, el, mark
from pytest_gitops.report.reading import RANK, Application, State, findings_of, is_open, key_of, state_of
from pytest_gitops.report.reading_changes import is_changed
from pytest_gitops.report.text import counted, one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the tree: an Application, or a parent that is no Application of this run."""

    level: int
    application: Application | None
    title: str
    anchor: str


def anchors(applications: Sequence[Application]) -> dict[int, str]:
    """The fragment of each Application (by id()): "app=namespace/name", numbered where two share it."""
    seen: dict[str, int] = {}
    result = {}
    for application in applications:
        anchor = "app=" + quote(key_of(application), safe="/:@")
        seen[anchor] = seen.get(anchor, 0) + 1
        result[id(application)] = anchor if seen[anchor] == 1 else f"{anchor}~{seen[anchor]}"
    return result


def rows(applications: Sequence[Application]) -> list[Row]:
    """The tree, top down; siblings in order of urgency. Every Application is in it once, cycles or not."""
    fragment = anchors(applications)
    known = {key_of(a) for a in applications}
    children: dict[str, list[Application]] = {}
    for application in applications:
        parent = application["parent"] or ""
        children.setdefault("" if parent == key_of(application) else parent, []).append(application)
    worst = _worst_below(applications)

    def order(application: Application) -> tuple[int, str]:
        return worst[key_of(application)], key_of(application)

    result: list[Row] = []
    placed: set[int] = set()

    def place(starts: Sequence[Application], level: int) -> None:
        stack = [(a, level) for a in sorted(starts, key=order, reverse=True)]
        while stack:
            application, depth = stack.pop()
            if id(application) in placed:
                continue
            placed.add(id(application))
            title = application["name"]
            result.append(
                Row(level=depth, application=application, title=title, anchor=fragment[id(application)])
            )
            below = children.get(key_of(application), [])
            stack.extend((a, depth + 1) for a in sorted(below, key=order, reverse=True))

    place(children.get("", []), 1)
    for parent in sorted(p for p in children if p and p not in known):
        kind = "ApplicationSet " if all(a["origin"] == "generated" for a in children[parent]) else ""
        result.append(Row(level=1, application=None, title=f"{kind}{parent}", anchor=""))
        place(children[parent], 2)
    place([a for a in applications if id(a) not in placed], 1)  # what only a cycle leads to
    return result


def _worst_below(applications: Sequence[Application]) -> dict[str, int]:
    """The most urgent rank in each Application's own subtree, so that what failed comes first."""
    ranks = [(RANK[state_of(a)], key_of(a)) for a in applications]
    parents = {key_of(a): a["parent"] or "" for a in applications}
    worst: dict[str, int] = {}
    for rank, key in sorted(ranks):
        while key and key not in worst:  # who has a rank already, and all above, have one as urgent
            worst[key] = rank
            key = parents.get(key, "")
    return worst


def navigation(applications: Sequence[Application]) -> Html:
    """The list of links that the script turns into a tree."""
    return el("ul", [_item(row) for row in rows(applications)], id="tree")


def _item(row: Row) -> Html:
    level = min(row.level, 8)
    if row.application is None:
        return el(
            "li", el("span", one_line(row.title), class_="group"), class_=f"l{level}", data_level=row.level
        )
    application, state = row.application, state_of(row.application)
    warnings = _open(application, Severity.WARNING)
    return el(
        "li",
        el(
            "a",
            mark(state),
            el("span", one_line(row.title), class_="name"),
            _counts(application, state, warnings),
            href=f"#{row.anchor}",
            title=key_of(application),
        ),
        class_=f"l{level}",
        data_level=row.level,
        data_show=" ".join(shown_by(application, state, warnings)),
    )


def shown_by(application: Application, state: State, warnings: int) -> list[str]:
    """The filters that keep this Application in view."""
    unchecked = any(s["outcome"] in {"skipped", "error"} for s in application["stages"])
    told = {
        "failed": state in {State.FAILED, State.ERROR},
        "warnings": bool(warnings),
        "unchecked": unchecked or not application["stages"],
        "changed": is_changed(application),
    }
    return [name for name, holds in told.items() if holds]


def _open(application: Application, severity: Severity) -> int:
    return sum(is_open(f) and f["severity"] == severity for f in findings_of(application))


def _counts(application: Application, state: State, warnings: int) -> Html | None:
    skipped = sum(s["outcome"] == "skipped" for s in application["stages"])
    told: list[tuple[State, int, str]] = []
    if warnings and state is not State.WARNING:
        told.append((State.WARNING, warnings, counted(warnings, "warning")))
    if skipped and state is not State.SKIPPED:
        told.append((State.SKIPPED, skipped, f"{counted(skipped, 'stage')} not checked"))
    signs = [el("span", mark(sign, label=""), str(number), title=title) for sign, number, title in told]
    return el("span", signs, class_="count") if signs else None


def filters(applications: Sequence[Application]) -> list[tuple[str, str, int]]:
    """The filters worth offering: name in the address, title, number of Applications."""
    numbers: dict[str, int] = {}
    for application in applications:
        for name in shown_by(application, state_of(application), _open(application, Severity.WARNING)):
            numbers[name] = numbers.get(name, 0) + 1
    offered: list[tuple[str, str, int]] = [("all", "All", len(applications))]
    always: Mapping[str, Any] = {"failed": "Failed", "warnings": "Warnings", "unchecked": "Not checked"}
    offered += [(name, title, numbers.get(name, 0)) for name, title in always.items()]
    if numbers.get("changed"):
        offered.append(("changed", "Changed", numbers["changed"]))
    return offered
