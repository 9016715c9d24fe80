"""Markdown that cannot be injected into, and that ends before GitHub's limit: escapes, code, tables, folds.

What comes from a repository is text, never markup: no HTML, no link, no mention, no reference to an issue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pytest_gitops.report.text import clip, clip_lines, counted, one_line

LIMIT = 65_536
"""GitHub's limit for a comment; a report stays below it, counted in UTF-16 units."""

_SLACK = 20  # what is far beyond a limit is not even looked at
_GAP = "\u200b"  # zero-width space: breaks mentions and autolinks, and is not seen
# Not `-`, `+`, `=`, `1.`: those are markup only where they start a line, and our texts never do.
_MARKUP = re.compile(r"([\\`*_{}\[\]()#!|~$])")
_LIVE = re.compile(
    r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\bGH)(?=\\?-\d)", re.IGNORECASE
)
_TICKS = re.compile(r"`+")


def size(text: str) -> int:
    """The length of the text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def prose(text: str, limit: int = 300) -> str:
    """Text of the repository's as running text, on one line."""
    return _MARKUP.sub(r"\\\1", html_text(text, limit))


def html_text(text: str, limit: int = 300) -> str:
    """The same inside an HTML block such as <summary>, where Markdown does not apply."""
    cut = clip(one_line(text[: limit * _SLACK]), limit)
    for raw, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        cut = cut.replace(raw, entity)
    return _LIVE.sub(_GAP, cut)


def code(text: str, limit: int = 160, *, cell: bool = False) -> str:
    """A code span; `cell` is for one that stands in a table."""
    inner = clip(one_line(text[: limit * _SLACK]), limit)
    if not inner:
        return ""
    ticks = "`" * (_longest_run(inner) + 1)
    if inner.startswith("`") or inner.endswith("`"):
        inner = f" {inner} "
    return f"{ticks}{inner.replace('|', chr(92) + '|') if cell else inner}{ticks}"


def block(text: str, *, lines: int = 40, width: int = 240, language: str = "text") -> str:
    """A fenced block of several lines, whose fence the text cannot close."""
    return fence(clip_lines(text, lines=lines, width=width), language=language)


def fence(inner: str, *, language: str) -> str:
    """The text as it is in a fence that it cannot close."""
    ticks = "`" * max(3, _longest_run(inner) + 1)
    return f"{ticks}{language}\n{inner}\n{ticks}"


def json_text(value: Any) -> str:
    """A JSON value on one line."""
    return json.dumps(value, ensure_ascii=False)


def fold(summary: str, body: str) -> str:
    """A folded section; `summary` is HTML that is safe already."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are safe already."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


class Each:
    """Things as text, each written only when it is its turn: of thousands, those that fit."""

    def __init__(self, write: Callable[[Any], str], things: Sequence[Any]) -> None:
        self._write, self._things = write, things

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[str]:
        return map(self._write, self._things)


Items = Sequence[str] | Each


def fitting(items: Items, *, room: int, apart: int = 1) -> tuple[list[str], int]:
    """As many items from the start as fit into `room` with `apart` characters between; the number left."""
    kept: list[str] = []
    for item in items:
        room -= size(item) + apart
        if room < 0:
            break
        kept.append(item)
    return kept, len(items) - len(kept)


class Page:
    """A Markdown page that is filled from the top and never exceeds its limit.

    Each section gets a share of the limit, and what earlier ones did not use. A section that does not fit
    shows what it can and says how much is missing.
    """

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._parts: list[str] = []
        self._room, self._limit = 0, limit

    def grant(self, share: int) -> int:
        """Add a share, in characters, to the room there is; returns the room."""
        self._room += share
        return self._room

    def add(self, text: str) -> None:
        """Append a paragraph. Its author has kept to the room."""
        if text:
            self._parts.append(text)
            self._room -= size(text) + 2

    def items(
        self, items: Items, *, share: int, shown: int, title: str, noun: str, reserve: int = 400
    ) -> None:
        """A list with its title: `shown` items in view, the others folded, those beyond the room counted."""
        room = self.grant(share) - size(title) - reserve
        if not items:
            return
        kept, left = fitting(items, room=room)
        self.add(title)
        self.add("\n".join(kept[:shown]))
        if folded := kept[shown:]:
            self.add(fold(counted(len(folded), f"more {noun}" if shown else noun), "\n".join(folded)))
        self.left_out(left, noun)

    def blocks(self, items: Items, *, share: int, title: str, noun: str, reserve: int = 400) -> None:
        """Paragraphs with their title, those beyond the room counted."""
        room = self.grant(share) - size(title) - reserve
        if not items:
            return
        kept, left = fitting(items, room=room, apart=2)
        self.add(title)
        for item in kept:
            self.add(item)
        self.left_out(left, noun)

    def rows(
        self,
        head: Sequence[str],
        rows: Items,
        *,
        share: int,
        shown: int,
        noun: str,
        reserve: int = 600,
    ) -> None:
        """A table of rows ("a | b | c"), like `items`."""
        room = self.grant(share) - 2 * size(" | ".join(head)) - reserve
        if not rows:
            return
        kept, left = fitting(rows, room=room, apart=5)
        top = table(head, [])
        lines = [f"| {row} |" for row in kept]
        self.add("\n".join([top, *lines[:shown]]))
        if folded := lines[shown:]:
            self.add(fold(counted(len(folded), "more " + noun), "\n".join([top, *folded])))
        self.left_out(left, noun)

    def left_out(self, number: int, noun: str) -> None:
        """Say how many did not fit, and where they are."""
        if number:
            self.add(f"… {counted(number, noun)} left out here: see the full report, `index.html`.")

    def text(self) -> str:
        """The page, ending in a newline."""
        return "\n\n".join(self._parts) + "\n"


def cells(render: Callable[[str], str], values: Sequence[str]) -> str:
    """Values in one cell, separated by commas."""
    return ", ".join(render(v) for v in values)


def _longest_run(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
