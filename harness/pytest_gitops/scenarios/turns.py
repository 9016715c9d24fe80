"""Who may act on which Applications: one holder at a time each, those that come first first. Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

EVERYTHING = "*"
"""The key that conflicts with every other: the revision that all Applications are at."""

TICK = 0.5
"""Seconds between two looks at whether the run is over; a turn comes by notice."""


class Deadlock(Exception):
    """Two holders would wait for each other for ever; `other` is the one that has the key `key`."""

    def __init__(self, key: str, other: str) -> None:
        self.key, self.other = key, other
        super().__init__(f"{other} has {key}, and waits")


class Over(Exception):
    """The run is over before the turn came."""


@dataclass(slots=True, eq=False)
class _Request:
    holder: str
    keys: frozenset[str]


@dataclass(slots=True)
class Turns:
    """Keys and their holders. `over` says that nobody is to wait any more."""

    over: Callable[[], bool] = lambda: False
    _held: dict[str, set[str]] = field(default_factory=dict)
    _waiting: list[_Request] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, holder: str, keys: Iterable[str]) -> None:
        """Wait until `holder` can have all of `keys`, beside those that it has.

        Whoever has nothing yet waits behind those that came before; whoever has something cannot wait for them, since
        they may wait for that. Raises Deadlock if the wait would never end, Over when the run ends.
        """
        request = _Request(holder, frozenset(keys) - self._held.get(holder, set()))
        if not request.keys:
            return
        with self._changed:
            self._waiting.append(request)
            try:
                while others := self._before(request):
                    self._check(request, others)
                    if self.over():
                        raise Over
                    self._changed.wait(TICK)
                self._held.setdefault(holder, set()).update(request.keys)
            finally:
                self._waiting.remove(request)
                self._changed.notify_all()

    def held(self, holder: str) -> frozenset[str]:
        """What a holder has."""
        with self._changed:
            return frozenset(self._held.get(holder, ()))

    def release(self, holder: str) -> None:
        """Give back everything."""
        with self._changed:
            self._held.pop(holder, None)
            self._changed.notify_all()

    def _before(self, request: _Request) -> list[tuple[str, str]]:
        """(holder, key) of whom the request has to wait for."""
        found = [
            (holder, key)
            for holder, keys in self._held.items()
            if holder != request.holder
            for key in keys
            if _conflict(request.keys, key)
        ]
        if not found and not self._held.get(request.holder):
            ahead = self._waiting[: self._waiting.index(request)]
            found = [
                (w.holder, next(iter(w.keys)))
                for w in ahead
                if w.holder != request.holder
                and not self._held.get(w.holder)
                and any(_conflict(request.keys, k) for k in w.keys)
            ]
        return found

    def _check(self, request: _Request, others: list[tuple[str, str]]) -> None:
        """Raise Deadlock if one of `others` waits, directly or not, for what this holder has."""
        for other, key in others:
            seen, open_ = {other}, [other]
            while open_:
                each = open_.pop()
                if each == request.holder:
                    raise Deadlock(key, other)
                for waiting in (w for w in self._waiting if w.holder == each):
                    for holder, keys in self._held.items():
                        if (
                            holder not in seen
                            and holder != each
                            and any(_conflict(waiting.keys, k) for k in keys)
                        ):
                            seen.add(holder)
                            open_.append(holder)


def _conflict(keys: frozenset[str], key: str) -> bool:
    return key in keys or key == EVERYTHING or EVERYTHING in keys
