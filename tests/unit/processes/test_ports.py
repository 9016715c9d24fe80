"""Ports of a run: no other run takes one between its being chosen and its being bound."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from pytest_gitops.processes import ports
from pytest_gitops.processes.ports import BLOCK, LOOPBACK, RANGE, candidates, free_ports

BLOCKS = len(RANGE) // BLOCK


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The id that this process says it has; what it takes as another one is given back."""
    pid = [1]
    monkeypatch.setattr(ports.os, "getpid", lambda: pid[0])
    monkeypatch.setattr(ports, "_blocks", {})
    yield pid
    for _, held in ports._blocks.values():
        if held is not None:
            os.close(held)


def block(found: list[int]) -> set[int]:
    return set(found[: BLOCK - 1])


def test_each_process_has_ports_of_its_own(process: list[int]) -> None:
    first = block(candidates())
    process[0] = 2
    second = block(candidates())
    assert len(first) == len(second) == BLOCK - 1
    assert not first & second
    process[0] = 1
    assert block(candidates()) == first


def test_a_block_that_somebody_holds_is_left_to_them(process: list[int]) -> None:
    held = []
    try:
        # All but one are taken, by whatever program.
        for start in RANGE[BLOCK::BLOCK]:
            taken = socket.socket()
            try:
                taken.bind((LOOPBACK, start))
            except OSError:  # another run's
                taken.close()
            else:
                held.append(taken)
        found = block(candidates())
        if found != set(range(RANGE.start + 1, RANGE.start + BLOCK)):
            pytest.skip("the one that is left is another run's")
        process[0] = 2
        assert len(candidates()) == len(RANGE) - BLOCKS, "with none left, all are tried"
    finally:
        for taken in held:
            taken.close()


def test_who_needs_more_takes_what_is_free_of_others_but_never_what_marks_a_block(process: list[int]) -> None:
    del process
    found = candidates()
    assert len(found) == len(set(found)) == len(RANGE) - BLOCKS
    assert not {p for p in found if (p - RANGE.start) % BLOCK == 0}


def test_no_port_is_given_out_twice(process: list[int]) -> None:
    del process
    assert len({*free_ports(40), *free_ports(40)}) == 80
