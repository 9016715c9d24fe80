"""The live line: what is awaited, and for how long, while there is nothing else to show.

On a terminal it stands behind whatever pytest wrote last, is redrawn in place, and is wiped before pytest
writes again. Elsewhere (a CI log) it is a plain line of its own, at most every ten seconds.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from pytest_gitops.waiting import now

TICK_SECONDS = 0.2
PLAIN_SECONDS = 10.0
"""How often a line is written where there is no terminal to rewrite one."""

ROOM = 24  # columns below which words would only be cut into pieces
SAVE, RESTORE = "\x1b7", "\x1b8"
WIPE = "\x1b[J"  # to the end of the screen: a screen made narrower has broken the line into two
DIM, NORMAL = "\x1b[2m", "\x1b[0m"


Progress = Callable[[], str | None]
"""How far it is, in a few words; None hides the line."""


class Surface(Protocol):
    """Where the line is drawn. `progress` may be empty; `draw` and `wipe` come under the line's lock."""

    def draw(self, progress: str, text: str, seconds: float) -> None: ...

    def wipe(self) -> None: ...

    def close(self) -> None: ...


class LiveLine:
    """One line, drawn by a thread of its own while it is shown. Silent with -qq and -p no:terminal."""

    def __init__(self, config: pytest.Config, *, dumb: bool) -> None:
        self._config, self._dumb = config, dumb
        self._text, self._began = "", now()
        self._lock = threading.RLock()
        self._surface: Surface | None = None
        self._opened = False
        self._end: Callable[[], None] = lambda: None

    def say(self, text: str) -> None:
        """Take note of what is being done; from any thread."""
        self._text = text

    def restart(self) -> None:
        """Count the seconds from now on."""
        self._began = now()

    def show(self, progress: Progress = lambda: "") -> None:
        """Show the line from now on. `progress` is asked at each drawing, from the line's own thread."""
        self.hide()
        surface = self._open()
        if surface is None:
            return
        over = threading.Event()

        def draw() -> None:
            while True:
                with self._lock:
                    if over.is_set():
                        return
                    if (far := progress()) is None:
                        surface.wipe()
                    else:
                        surface.draw(far, self._text, now() - self._began)
                over.wait(TICK_SECONDS)

        def end() -> None:
            over.set()
            with self._lock:
                surface.wipe()

        self._end = end
        threading.Thread(target=draw, name="gitops-live-line", daemon=True).start()

    def hide(self) -> None:
        """Take the line away. Nobody has to, before writing: the line gives way by itself."""
        self._end()
        self._end = lambda: None

    @contextlib.contextmanager
    def shown(self, progress: Progress = lambda: "") -> Iterator[None]:
        """Show the line while the block runs."""
        self.show(progress)
        try:
            yield
        finally:
            self.hide()

    def close(self) -> None:
        """Give pytest its terminal back as it was."""
        self.hide()
        if self._surface is not None:
            self._surface.close()
            self._surface = None

    def _open(self) -> Surface | None:
        """Found once, at a moment when pytest captures nothing, and kept."""
        if not self._opened:
            self._opened = True
            reporter = self._config.pluginmanager.getplugin("terminalreporter")
            if reporter is not None and self._config.option.verbose > -2:
                writer = self._config.get_terminal_writer()
                raw = _Raw(sys.stdout)
                on_terminal = reporter.isatty and not self._dumb
                self._surface = _Terminal(writer, raw, self._lock) if on_terminal else _Log(writer, raw)
        return self._surface


class _Raw:
    """A way to what pytest writes to that its capturing, which redirects descriptor 1, does not reach."""

    def __init__(self, file: Any) -> None:
        self.file = file
        try:
            self._descriptor: int | None = os.dup(file.fileno())
        except (OSError, ValueError, AttributeError):
            self._descriptor = None  # a file in memory

    def write(self, text: str) -> None:
        if self._descriptor is None:
            self.file.write(text)
            return
        data = text.encode(getattr(self.file, "encoding", None) or "utf-8", errors="replace")
        with contextlib.suppress(OSError):  # the reader of our output went
            while data:
                data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def columns(self, otherwise: int) -> int:
        """Where the screen really breaks a row; `otherwise` where the system does not tell.

        pytest's own width is another number: it believes COLUMNS, which GNU readline exports to every child
        of a process that imported it and which no resizing corrects, and takes fewer than 40 columns for 80.
        """
        if self._descriptor is None:
            return otherwise
        try:
            return os.get_terminal_size(self._descriptor).columns or otherwise
        except OSError:
            return otherwise


class _Terminal:
    """Draws behind pytest's last character and leaves the cursor there."""

    def __init__(self, writer: Any, raw: _Raw, lock: Any) -> None:
        self._writer, self._raw, self._lock, self._drawn = writer, raw, lock, False
        writer.flush()
        self._pass_on = writer.write
        writer.write = self._give_way

    def draw(self, progress: str, text: str, seconds: float) -> None:
        width = self._raw.columns(self._writer.fullwidth)
        begun = self._writer.width_of_current_line
        # A terminal wraps when its last column is filled, so that one stays free. Behind a row that pytest
        # has just filled there is no place: terminals disagree on where the cursor then is.
        room = 0 if begun and begun % width == 0 else width - begun % width - 1
        line = fitted(progress, text, f"{seconds:.0f} s", room)
        if not line:
            self.wipe()
            return
        if self._writer.hasmarkup:
            line = f"{DIM}{line}{NORMAL}"
        self._drawn = True
        self._raw.write(f"{SAVE}{line}{WIPE}{RESTORE}")

    def wipe(self) -> None:
        if self._drawn:
            self._drawn = False
            self._raw.write(WIPE)

    def close(self) -> None:
        self._writer.write = self._pass_on
        self._raw.close()

    def _give_way(self, msg: str, *, flush: bool = False, **markup: bool) -> None:
        """What pytest writes: on a clean row, and at once, so that the cursor is where we believe it is."""
        with self._lock:
            self.wipe()
            self._pass_on(msg, flush=True, **markup)


class _Log:
    """Writes a line now and then, never into a row of dots."""

    def __init__(self, writer: Any, raw: _Raw) -> None:
        self._writer, self._raw = writer, raw
        self._last = now()

    def draw(self, progress: str, text: str, seconds: float) -> None:
        if now() - self._last < PLAIN_SECONDS:
            return
        self._last = now()
        # pytest's row goes on below: its file's name once more, and the dots that are still to come. Only
        # this attribute tells pytest so; without it the percentage would stand a few columns to the left.
        begun = getattr(self._writer, "_current_line", "")
        name = "".join(begun.rpartition(" ")[:2])
        self._writer._current_line = name
        words = " · ".join(w for w in (progress, text, f"{seconds:.0f} s") if w)
        self._raw.write(("\n" if begun else "") + f"gitops: {words}\n{name}")

    def wipe(self) -> None:
        """A line that is written stays."""

    def close(self) -> None:
        self._raw.close()


def fitted(progress: str, text: str, seconds: str, room: int) -> str:
    """As much of the line as `room` columns hold; how far and how long go before what is being done."""
    said = " · ".join(w for w in (progress, text) if w)
    tail = f"… · {seconds}"
    if not progress and room >= ROOM and len(said) + len(tail) > room - 10:
        said = said[: room - 10 - len(tail)].rstrip() + "…"
    choices = (
        f"  gitops: {said} · {seconds}",
        f"  {said} · {seconds}",
        f"  {progress} · {seconds}" if progress else "",
        f"  {seconds}",
    )
    return next((c for c in choices if c and len(c) <= room), "")
