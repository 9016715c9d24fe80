"""Free TCP ports on loopback."""

from __future__ import annotations

import socket


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports on 127.0.0.1 that were free a moment ago. All are held until the last is found."""
    held = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return tuple(int(each.getsockname()[1]) for each in held)
    finally:
        for each in held:
            each.close()


def answers(port: int) -> bool:
    """Whether something accepts connections on 127.0.0.1:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
