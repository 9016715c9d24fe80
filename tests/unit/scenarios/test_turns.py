"""Who may act when: nobody beside a holder, nobody past those who came before, and nobody for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pytest_gitops.scenarios import turns as module
from pytest_gitops.scenarios.turns import EVERYTHING, Deadlock, Over, Turns

LIMIT = 10.0


class Taker:
    """A holder that asks in a thread of its own."""

    def __init__(self, turns: Turns, name: str, *keys: str) -> None:
        self.got, self.error = threading.Event(), None
        self._thread = threading.Thread(target=self._take, args=(turns, name, keys), daemon=True)
        self._thread.start()

    def _take(self, turns: Turns, name: str, keys: tuple[str, ...]) -> None:
        try:
            turns.take(name, keys)
        except (Deadlock, Over) as error:
            self.error = error
        self.got.set()


def waits(turns: Turns, number: int) -> None:
    done = threading.Event()
    for _ in range(1000):
        if len(turns._waiting) == number:
            return
        done.wait(0.01)
    raise AssertionError(f"{len(turns._waiting)} wait, expected {number}")


def test_what_others_do_not_touch_is_had_at_once() -> None:
    turns = Turns()
    turns.take("one", ["a"])
    turns.take("two", ["b"])
    turns.take("one", ["a", "c"])
    assert turns.held("one") == {"a", "c"}


def test_who_comes_later_waits_until_it_is_given_back() -> None:
    turns = Turns()
    turns.take("one", ["a", "b"])
    two = Taker(turns, "two", "b")
    waits(turns, 1)
    assert turns.held("two") == frozenset()
    turns.release("one")
    assert two.got.wait(LIMIT)
    assert turns.held("two") == {"b"}


def test_the_revision_is_everybodys() -> None:
    turns = Turns()
    turns.take("one", ["a"])
    all_of_it = Taker(turns, "mover", EVERYTHING)
    waits(turns, 1)
    behind = Taker(turns, "late", "z")  # nobody overtakes: else the mover would wait for ever
    waits(turns, 2)
    turns.release("one")
    assert all_of_it.got.wait(LIMIT)
    assert not behind.got.is_set()
    turns.release("mover")
    assert behind.got.wait(LIMIT)


def test_who_has_something_does_not_wait_for_those_who_wait_for_it() -> None:
    turns = Turns()
    turns.take("one", ["a"])
    Taker(turns, "mover", EVERYTHING)
    waits(turns, 1)
    turns.take("one", ["b"])
    assert turns.held("one") == {"a", "b"}


def test_two_that_would_wait_for_each_other_are_told() -> None:
    turns = Turns()
    turns.take("one", ["a"])
    turns.take("two", ["b"])
    one = Taker(turns, "one", "b")
    waits(turns, 1)
    with pytest.raises(Deadlock) as caught:
        turns.take("two", ["a"])
    assert (caught.value.key, caught.value.other) == ("a", "one")
    turns.release("two")
    assert one.got.wait(LIMIT)
    assert one.error is None


def test_the_end_of_the_run_ends_every_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK", 0.01)
    over = threading.Event()
    check: Callable[[], bool] = over.is_set
    turns = Turns(over=check)
    turns.take("one", ["a"])
    two = Taker(turns, "two", "a")
    waits(turns, 1)
    over.set()
    assert two.got.wait(LIMIT)
    assert isinstance(two.error, Over)
