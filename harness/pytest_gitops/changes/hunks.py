"""A unified diff put together line by line: context, hunk headers, and a bound on what is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from pytest_gitops.changes.fields import spelled
from pytest_gitops.changes.shorten import MAX_LINE, cut
from pytest_gitops.changes.text import scalar, visible

CONTEXT = 3

MAX_LINES = 2_000
"""Lines of one object's diff that are kept; changed lines beyond are counted."""

NOTHING: Any = type("Nothing", (), {"__repr__": lambda self: "NOTHING"})()
"""Stands for a key or value that a line does not have; None is a value."""


class Line(NamedTuple):
    """One line, not written yet: most are never shown. `dashes` list markers stand before what is at `level`; `text`
    is a line as it is, and then there is neither key nor value."""

    sign: str
    level: int
    dashes: int
    key: Any = NOTHING
    value: Any = NOTHING
    text: str = ""

    def written(self) -> str:
        if self.key is not NOTHING:
            words = f"{scalar(self.key)}:{self.text and f' {self.text}'}"
            if self.value is not NOTHING:
                words += f" {scalar(self.value)}"
        else:
            words = visible(self.text) if self.value is NOTHING else scalar(self.value)
        margin = "  " * (self.level - self.dashes) + "- " * self.dashes
        return self.sign + cut(margin + words if words else margin.rstrip(), MAX_LINE)


class Hunks:
    """Takes every line of both sides in turn; `finish` gives the diff."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._before: deque[Line] = deque(maxlen=CONTEXT)
        self._hunk: list[Line] | None = None
        self._where = ""
        self._trailing = 0
        self._old = self._new = 0  # lines so far
        self._from = (0, 0)
        self._lost = 0

    def put(self, line: Line, path: Sequence[str]) -> None:
        """The next line; `path` is where it is in the object."""
        sign = line.sign
        if sign == " ":
            self._old += 1
            self._new += 1
            if self._hunk is None:
                self._before.append(line)
                return
            self._keep(line)
            self._trailing += 1
            if self._trailing > 2 * CONTEXT:
                self._close()
            return
        if self._hunk is None:
            self._hunk = list(self._before)
            self._from = (self._old - len(self._hunk), self._new - len(self._hunk))
            self._where = spelled(tuple(path))
        self._keep(line)
        self._trailing = 0
        if sign == "+":
            self._new += 1
        else:
            self._old += 1

    def _keep(self, line: Line) -> None:
        assert self._hunk is not None
        if len(self._out) + len(self._hunk) < MAX_LINES:
            self._hunk.append(line)
        elif line.sign != " ":
            self._lost += 1

    def _close(self) -> None:
        assert self._hunk is not None
        surplus = max(self._trailing - CONTEXT, 0)
        old, new = self._old - surplus - self._from[0], self._new - surplus - self._from[1]
        kept = len(self._hunk)
        while surplus and kept and self._hunk[kept - 1].sign == " ":
            kept, surplus = kept - 1, surplus - 1
        self._before.extend(self._hunk[kept:])
        lines = self._hunk[:kept]
        if any(line.sign != " " for line in lines):
            where = f" {self._where}" if self._where else ""
            starts = (self._from[0] + (old > 0), self._from[1] + (new > 0))
            self._out.append(f"@@ -{starts[0]},{old} +{starts[1]},{new} @@{where}")
            self._out.extend(line.written() for line in lines)
        self._hunk, self._trailing = None, 0

    def finish(self) -> tuple[str, ...]:
        """The diff; nothing may be put after it."""
        if self._hunk is not None:
            self._close()
        if self._lost:
            self._out.append(f"… {self._lost} changed lines more")
        return tuple(self._out)
