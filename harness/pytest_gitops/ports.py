"""Free TCP ports on loopback."""

from __future__ import annotations

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"

RANGE = range(20_000, 32_000)
"""Below the range from which Linux takes ports for outgoing connections (ip_local_port_range), so none of those lands
on a port between our choosing it and the server's own bind."""


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports of RANGE that were free a moment ago. Raises OSError if there are not that many."""
    found: list[int] = []
    for port in random.sample(RANGE, len(RANGE)):
        if len(found) == count:
            break
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            found.append(port)
    if len(found) < count:
        raise OSError(f"{LOOPBACK} has no {count} free ports from {RANGE.start} to {RANGE.stop - 1}")
    return tuple(found)


def answers(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0
