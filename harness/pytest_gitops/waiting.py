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


def now() -> float:
    """Seconds on a clock that never goes back."""
    return time.monotonic()


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
