"""The live view of getting tools on a terminal: one line per tool at work, drawn by rich."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.spinner import Spinner
from rich.text import Text

from pytest_gitops.tools.parts import Action, Progress
from pytest_gitops.tools.show import WORDS, clock, line
from pytest_gitops.waiting import now


class Live:
    """Lines of what is over scroll away; what is at work stays at the bottom with its own clock."""

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out)
        self._busy: dict[str, tuple[Progress, float]] = {}
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")
        self._screen = Screen(
            get_renderable=self._draw, console=self._console, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> Live:
        self._screen.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.__exit__(kind, error, trace)

    def __call__(self, progress: Progress) -> None:
        over = progress.action in {Action.READY, Action.PASS}
        with self._lock:
            if over:
                self._busy.pop(progress.tool, None)
            else:
                self._busy[progress.tool] = (progress, now() - progress.seconds)
        if over:
            style = "green" if progress.action is Action.READY else "dim"
            self._console.print(Text(line(progress), style=style), soft_wrap=True)

    def _draw(self) -> Group:
        with self._lock:
            busy = list(self._busy.values())
        frame = self._spinner.render(self._console.get_time())
        rows = [
            Text.assemble(
                (str(frame), "cyan"),
                f" {progress.tool}: {WORDS[progress.action]} {clock(now() - began)}  ",
                (progress.detail, "dim"),
                no_wrap=True,
                overflow="ellipsis",
            )
            for progress, began in busy
        ]
        return Group(*rows)
