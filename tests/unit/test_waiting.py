"""Waits, with the clock in the test's hands."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from pytest_gitops import waiting
from pytest_gitops.errors import WaitTimeout


@dataclass
class Clock:
    """Stands in for `time`: sleeping moves it on."""

    at: float = 100.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


@pytest.fixture
def kept(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> waiting._Clock:
    """The clock of a run that goes on, at which only the test looks."""
    found = waiting._Clock()
    monkeypatch.setattr(waiting, "_clock", found)
    found.keep(1)
    return found


def test_time_in_which_the_process_stood_still_does_not_count(clock: Clock, kept: waiting._Clock) -> None:
    began = waiting.now()
    for _ in range(8):
        clock.at += waiting.LOOK
        waiting.now()
    clock.at += 60
    assert waiting.now() - began == pytest.approx(9 * waiting.LOOK)
    clock.at += waiting.STOOD
    assert waiting.now() - began == pytest.approx(9 * waiting.LOOK + waiting.STOOD)


def test_time_counts_where_nobody_looks_at_the_clock(clock: Clock, kept: waiting._Clock) -> None:
    kept.keep(-1)
    began = waiting.now()
    clock.at += 60
    assert waiting.now() - began == 60


def test_a_run_looks_at_the_clock_until_it_ends() -> None:
    def looking() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "clock"]

    end = waiting.keep_time()
    assert len(looking()) == 1
    end()
    end()
    waiting.wait_until(lambda: not looking(), limit=10, what="no more looks")
    assert waiting._clock._keepers == 0


def test_a_wait_returns_what_the_probe_found(clock: Clock) -> None:
    answers = iter([None, None, "found"])
    assert waiting.wait_until(lambda: next(answers), limit=10, what="x") == "found"
    assert len(clock.slept) == 2


def test_a_wait_that_is_over_names_what_was_awaited_and_last_seen(clock: Clock) -> None:
    with pytest.raises(WaitTimeout) as caught:
        waiting.wait_until(lambda: None, limit=3, what="api ready", seen=lambda: "booting")
    assert str(caught.value) == "api ready: not within 3 s; last seen: booting"
    assert clock.at >= 103


def test_pauses_grow_up_to_the_longest_allowed(clock: Clock) -> None:
    with pytest.raises(WaitTimeout):
        waiting.wait_until(lambda: None, limit=3, what="x", pause=0.05)
    assert clock.slept[0] == waiting.POLL_SECONDS
    assert max(clock.slept) == 0.05


def test_a_probe_may_give_up_early_by_raising(clock: Clock) -> None:
    def probe() -> None:
        raise ValueError("dead")

    with pytest.raises(ValueError, match="dead"):
        waiting.wait_until(probe, limit=10, what="x")
    assert clock.slept == []


def test_a_condition_that_holds_at_the_deadline_is_not_a_timeout(clock: Clock) -> None:
    assert waiting.wait_until(lambda: clock.at >= 101, limit=1, what="x") is True
