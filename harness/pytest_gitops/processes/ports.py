"""Free TCP ports on loopback, none of them given out twice."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading

LOOPBACK = "127.0.0.1"

RANGE = range(20_000, 32_000)
"""Below the range from which Linux takes ports for outgoing connections (ip_local_port_range), so none of those lands
on a port between our choosing it and the server's own bind."""

BLOCK = 150
"""Ports that one process tries first."""

_lock = threading.Lock()
_given: set[int] = set()
_blocks: dict[int, tuple[range, int | None]] = {}
"""By process: its ports, and the descriptor that holds the first one, open as long as it lives."""


def _own_block() -> range:
    """The ports of this process alone: it holds the first one of them while it lives, and no other run takes a block
    whose first one is held. So no other run takes a port between our choosing it and a server's own bind."""
    with _lock:
        if os.getpid() not in _blocks:  # a forked process has another one than its parent
            _blocks[os.getpid()] = _free_block()
        return _blocks[os.getpid()][0]


def _free_block() -> tuple[range, int | None]:
    starts = list(RANGE[::BLOCK])
    for start in random.sample(starts, len(starts)):
        with socket.socket() as held, contextlib.suppress(OSError):
            held.bind((LOOPBACK, start))
            return range(start + 1, start + BLOCK), held.detach()
    return RANGE[:0], None  # dozens of runs at once: then each has to take what is free just now


def candidates() -> list[int]:
    """Ports in the order in which to try them: this process's block, then all others, each in a random order."""
    ours = _own_block()
    others = [p for p in RANGE if p not in ours and (p - RANGE.start) % BLOCK]
    return random.sample(ours, len(ours)) + random.sample(others, len(others))


def claim(port: int) -> bool:
    """Whether `port` is the caller's now; False if this process has given it to somebody already, who may not have
    bound it yet."""
    with _lock:
        new = port not in _given
        _given.add(port)
        return new


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports of RANGE that were free a moment ago. Raises OSError if there are not that many."""
    found: list[int] = []
    for port in candidates():
        if len(found) == count:
            break
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            if claim(port):
                found.append(port)
    if len(found) < count:
        raise OSError(f"{LOOPBACK} has no {count} free ports from {RANGE.start} to {RANGE.stop - 1}")
    return tuple(found)


def answers(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0
