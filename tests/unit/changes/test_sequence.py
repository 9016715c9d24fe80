"""Alignment of sequences: every block is true, and no input takes more than a small multiple of its length."""

from __future__ import annotations

import random

import pytest

from pytest_gitops.changes import sequence
from pytest_gitops.changes.sequence import blocks


def check(old: list[str], new: list[str]) -> int:
    """Assert that the blocks cover both sides in order and are the same where they say so; how many items stay."""
    at, to, stay, last = 0, 0, 0, None
    for same, i, j, k, m in blocks(old, new):
        assert (i, k) == (at, to)
        assert same != last, "two blocks of one sort are one"
        if same:
            assert old[i:j] == new[k:m] != []
            stay += j - i
        at, to, last = j, m, same
    assert (at, to) == (len(old), len(new))
    return stay


@pytest.mark.parametrize("seed", range(6))
def test_blocks_cover_both_sides(seed: int) -> None:
    rng = random.Random(seed)
    for kinds in range(2, 60, 3):
        old = [str(rng.randrange(kinds)) for _ in range(rng.randrange(80))]
        new = [s for s in old if rng.random() < 0.8]
        for _ in range(rng.randrange(9)):
            new.insert(rng.randrange(len(new) + 1), str(rng.randrange(kinds)))
        check(old, new)


def test_what_stays_is_found() -> None:
    old = [f"line {i}" for i in range(1000)]
    new = [*old[:300], "new", *old[310:600], *old[610:], "end"]
    assert check(old, new) == 980


def test_what_is_there_once_holds_on_to_its_place() -> None:
    old = ["{", "a", "}", "{", "b", "}"]
    new = ["{", "a", "}", "{", "c", "}", "{", "b", "}"]
    assert check(old, new) == 6


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([str(i) for i in range(3000)], [str(i) for i in reversed(range(3000))]),
        (["a", "b"] * 2000, ["b", "a", "b"] * 1500),
        (
            [w for n in range(200) for w in [*["x", "y"] * 20, f"u{n}"]],
            [w for n in range(200) for w in [*["y", "x", "y", "y"] * 10, f"u{n}"]],
        ),
    ],
    ids=["reversed", "two-valued", "many-small-pieces"],
)
def test_hostile_input_takes_no_more_looks_than_allowed(
    old: list[str], new: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    class Counting(sequence.SequenceMatcher[str]):
        def __init__(self, junk: None, a: list[str], b: list[str], autojunk: bool) -> None:
            nonlocal looked
            looked += 8 * len(a) * len(b)
            super().__init__(junk, a, b, autojunk)

    monkeypatch.setattr(sequence, "SequenceMatcher", Counting)
    check(old, new)
    assert looked <= sequence.ROUNDS * (len(old) + len(new) + 1) + 8 * sequence.MAX_PRODUCT
