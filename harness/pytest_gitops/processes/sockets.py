"""The way to a process of ours that listens on a unix socket."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def connect(directory: Path, name: str, *, timeout: float | None) -> socket.socket:
    """A connection to the socket `name` in a directory; `timeout` is in seconds. It is named from the directory: the
    path of a unix socket has at most 107 characters, a run's directory may have more. Raises OSError."""
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(f"/proc/self/fd/{handle}/{name}")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(handle)
    return connection
