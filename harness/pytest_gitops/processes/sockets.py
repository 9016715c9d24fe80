"""Unix sockets of ours. They are named from their directory: the path of one has at most 107 characters (unix(7)), and
that of a run's directory may have more."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def connect(directory: Path, name: str, *, timeout: float | None) -> socket.socket:
    """A connection to the socket `name` in a directory; `timeout` is in seconds. Raises OSError."""
    with _named(directory, name) as (connection, path):
        connection.settimeout(timeout)
        connection.connect(path)
    return connection


def listen(directory: Path, name: str) -> socket.socket:
    """The socket `name` in a directory, made here, which listens. Raises OSError if there is one."""
    with _named(directory, name) as (listening, path):
        listening.bind(path)
        listening.listen()
    return listening


@contextmanager
def _named(directory: Path, name: str) -> Iterator[tuple[socket.socket, str]]:
    """A new socket, and the path by which it can be reached in the block; closed if that fails."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    found = socket.socket(socket.AF_UNIX)
    try:
        yield found, f"/proc/self/fd/{handle}/{name}"
    except BaseException:
        found.close()
        raise
    finally:
        os.close(handle)
