"""How tools and their progress look in a terminal, and in a log that only grows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from pytest_gitops.tools.parts import Action, Part, Progress, Tool
from pytest_gitops.waiting import now

QUIET_SECONDS = 10.0
"""In a log, an action that goes on is mentioned again after so long."""

WORDS = {
    Action.LOOK: "looking",
    Action.PASS: "no",
    Action.DOWNLOAD: "downloading",
    Action.BUILD: "building",
    Action.WAIT: "waiting",
    Action.READY: "ready",
}


def table(parts: Sequence[Part], found: Mapping[str, Tool]) -> str:
    """Every part, one line each: name, version, how it was had, size, path."""
    rows = [("NAME", "VERSION", "STATE", "SIZE", "PATH")]
    for part in parts:
        tool = found.get(part.name)
        if tool:
            rows.append((tool.name, tool.version, tool.origin.value, size(tool.path), str(tool.path)))
        else:
            rows.append((part.name, part.wanted, "missing", "-", "-"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]])
        for row in rows
    )


def size(path: Path) -> str:
    """The size of a file, or of a folder's files, for people."""
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return f"{sum(f.stat().st_size for f in files) / 1e6:.1f} MB"


def clock(seconds: float) -> str:
    """ "7 s", "3 min 05 s"."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


@contextlib.contextmanager
def reporter(out: TextIO) -> Iterator[Callable[[Progress], None]]:
    """What to give to `ensure` as its `report`: live on a terminal, lines elsewhere."""
    if not out.isatty():
        yield Lines(out)
        return
    from pytest_gitops.tools.live import Live

    with Live(out) as live:
        yield live


class Lines:
    """One line when something changes, and every QUIET_SECONDS while it goes on. Threads may call it."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = now) -> None:
        self._out, self._clock = out, clock
        self._last: dict[str, tuple[Action, float]] = {}
        self._lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            before = self._last.get(progress.tool)
            goes_on = before is not None and before[0] is progress.action and progress.seconds > 0
            if goes_on and before is not None and self._clock() - before[1] < QUIET_SECONDS:
                return
            self._last[progress.tool] = (progress.action, self._clock())
            self._out.write(line(progress) + "\n")
            self._out.flush()


def line(progress: Progress) -> str:
    """One event as one line."""
    words = [f"{progress.tool}: {WORDS[progress.action]}"]
    if progress.seconds >= 1:
        words.append(f"for {clock(progress.seconds)}")
    if progress.detail:
        words.append(f"({progress.detail.splitlines()[0]})")
    return " ".join(words)
