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
"""Ports that a process tries first. Two runs at once mostly have different blocks, and then cannot meet."""

_lock = threading.Lock()
_given: set[int] = set()


def candidates() -> list[int]:
    """Ports in the order in which to try them: this process's block, then all others, each in a random order."""
    start = RANGE.start + os.getpid() % (len(RANGE) // BLOCK) * BLOCK
    ours, others = list(range(start, start + BLOCK)), [p for p in RANGE if not start <= p < start + BLOCK]
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
