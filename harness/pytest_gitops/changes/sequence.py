"""Aligning two sequences: what stays, goes and comes. Bounded: n log n, never quadratic in the size of the input.

Patience diff: what occurs once on each side anchors the rest. Between anchors, short pieces are compared by difflib,
long ones are taken as replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

MAX_PRODUCT = 2_500
"""Two pieces whose lengths' product is at most this are compared item by item (50 lines against 50)."""

ROUNDS = 50
"""How often, on average, an item may be looked at before what is left is taken as replaced."""


def blocks(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, int, int, int, int]]:
    """(same, i, j, k, l) in order, covering both sequences: old[i:j] is, or is replaced by, new[k:l]."""
    last: tuple[bool, int, int, int, int] | None = None
    for same, i, j, k, m in _blocks(old, new, 0, len(old), 0, len(new)):
        if i == j and k == m:
            continue
        if last is not None and last[0] == same:
            last = (same, last[1], j, last[3], m)
        else:
            if last is not None:
                yield last
            last = (same, i, j, k, m)
    if last is not None:
        yield last


def _blocks(
    old: Sequence[str], new: Sequence[str], i: int, j: int, k: int, m: int
) -> Iterator[tuple[bool, int, int, int, int]]:
    """`blocks` of old[i:j] and new[k:m], pieces not joined. Iterative: each round of anchors splits what is left."""
    todo = [(False, i, j, k, m)]
    looks = ROUNDS * (j - i + m - k + 1)
    while todo:
        same, i, j, k, m = todo.pop()
        looks -= j - i + m - k
        if same or looks < 0:
            yield same, i, j, k, m
            continue
        head = 0
        while i + head < j and k + head < m and old[i + head] == new[k + head]:
            head += 1
        yield True, i, i + head, k, k + head
        i, k = i + head, k + head
        tail = 0
        while i < j - tail and k < m - tail and old[j - tail - 1] == new[m - tail - 1]:
            tail += 1
        if tail:
            todo.append((True, j - tail, j, m - tail, m))
            j, m = j - tail, m - tail
        if i == j or k == m:
            yield False, i, j, k, m
        elif anchors := _anchors(old, new, i, j, k, m):
            bounds = [(i, k), *anchors, (j, m)]
            # Each anchor begins the piece after it, which the common head then takes in.
            todo.extend((False, a, c, b, d) for (a, b), (c, d) in reversed(list(pairwise(bounds))))
        elif (j - i) * (m - k) <= MAX_PRODUCT:
            looks -= 8 * (j - i) * (m - k)  # what it costs at its worst
            matcher = SequenceMatcher(None, old[i:j], new[k:m], autojunk=False)
            for tag, a, b, c, d in matcher.get_opcodes():
                yield tag == "equal", i + a, i + b, k + c, k + d
        else:
            yield False, i, j, k, m


def _anchors(old: Sequence[str], new: Sequence[str], i: int, j: int, k: int, m: int) -> list[tuple[int, int]]:
    """Positions of the items that are once in each piece, as many as keep their order (longest increasing run)."""
    ours, theirs = Counter(old[i:j]), Counter(new[k:m])
    place = {new[at]: at for at in range(k, m) if theirs[new[at]] == 1}
    pairs = [(at, place[old[at]]) for at in range(i, j) if ours[old[at]] == 1 and old[at] in place]
    ends: list[int] = []  # the smallest new position that a run of each length ends with
    last: list[int] = []  # index into pairs
    before: list[int] = []
    for index, (_, position) in enumerate(pairs):
        length = bisect_left(ends, position)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(position)
            last.append(index)
        else:
            ends[length], last[length] = position, index
    found: list[tuple[int, int]] = []
    index = last[-1] if last else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]
