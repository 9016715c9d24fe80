"""Deadlines and waits: the only user of `time`, so that tests can turn the clock themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from pytest_gitops.errors import WaitTimeout

T = TypeVar("T")

POLL_SECONDS = 0.02
"""First pause between two probes; it doubles up to `POLL_MAX_SECONDS`."""

POLL_MAX_SECONDS = 0.25


LOOK = 0.25
"""Seconds between two looks at the clock while a run goes on."""

STOOD = 2.0
"""Seconds without a look after which this process must have stood still itself."""


class _Clock:
    """The machine's clock without the time in which this process stood still, while somebody looks at it often enough
    for that to be known."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keepers = 0
        self._last = self._lost = 0.0

    def now(self) -> float:
        with self._lock:
            at = time.monotonic()
            if self._keepers and at - self._last > STOOD:
                self._lost += at - self._last - LOOK
            self._last = at
            return at - self._lost

    def keep(self, more: int) -> None:
        self.now()
        with self._lock:
            self._keepers += more


_clock = _Clock()


def now() -> float:
    """Seconds on a clock that never goes back, and stands still with this process (`keep_time`)."""
    return _clock.now()


def keep_time() -> Callable[[], None]:
    """Let `now` leave out what nobody had: a machine that was held for a minute, or that had to fetch its programs from
    the disk again, is no Application that stood still for so long. Returns what ends it."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            now()

    def end() -> None:
        if not over.is_set():
            over.set()
            _clock.keep(-1)

    _clock.keep(1)
    threading.Thread(target=look, name="clock", daemon=True).start()
    return end


def utc() -> datetime:
    """The present moment, for reports and certificates."""
    return datetime.now(UTC)


def wait_until(
    probe: Callable[[], T | None],
    *,
    limit: float,
    what: str,
    seen: Callable[[], str] = lambda: "nothing yet",
    pause: float = POLL_MAX_SECONDS,
) -> T:
    """Call `probe` until it returns something truthy and return that.

    `limit` and `pause`, the longest time between two probes, are in seconds. A probe that must give up early
    raises. Raises WaitTimeout, naming `what` was awaited and what `seen` says last.
    """
    deadline, longest, pause = now() + limit, pause, min(POLL_SECONDS, pause)
    while True:
        if value := probe():
            return value
        if now() >= deadline:
            raise WaitTimeout(what, limit=limit, seen=seen())
        time.sleep(pause)
        pause = min(pause * 1.5, longest)


def after(seconds: float, act: Callable[[], None]) -> threading.Timer:
    """Call `act` in `seconds` on a daemon thread; the timer returned can be cancelled."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    return timer
