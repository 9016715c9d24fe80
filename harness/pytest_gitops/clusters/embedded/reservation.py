"""A port that stays ours between choosing it and the server's own bind."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

from pytest_gitops.errors import EngineError
from pytest_gitops.processes import ports
from pytest_gitops.processes.ports import LOOPBACK

TRIES = 200


def reserve(*, candidates: Sequence[int] = ()) -> socket.socket:
    """Bind a free loopback port, one of `candidates` if there are any, and hold it; `getsockname()[1]` of the socket
    returned is its number.

    The socket never listens, so connections are refused until a server that shares the port (SO_REUSEPORT,
    same user) listens there; nobody else can take the port meanwhile. Raises EngineError if all tries found a
    port in use.
    """
    tried = list(candidates) or ports.candidates()[:TRIES]
    for port in tried:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))  # alone, so another reservation's port does not look free
            probe.close()
            if not candidates and not ports.claim(port):
                continue
            held = socket.socket()
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                held.bind((LOOPBACK, port))
            except OSError:
                held.close()
                continue
            return held
    raise EngineError(f"no free port on {LOOPBACK}: tried {len(tried)}, all are in use")
