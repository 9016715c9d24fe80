"""Listeners on this machine: a thread for each connection, and an end that leaves nothing open."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from pytest_gitops.processes.ports import LOOPBACK

BACKLOG = 256

JOIN_LIMIT = 2.0
"""Seconds that a connection gets to notice the end; its thread is a daemon."""


class Connections:
    """The sockets in use, so that somebody else can end them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    @contextlib.contextmanager
    def using(self, sock: socket.socket) -> Iterator[None]:
        """Know of `sock` for as long as the block runs."""
        with self._lock:
            self._open.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(sock)

    def shut(self) -> None:
        """End both directions of all of them; whoever reads or writes one sees its end."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


class Listener:
    """Accepts at `listening`, a unix socket, or else on a free loopback port, and calls `handle` with each connection
    on a thread of its own."""

    def __init__(
        self,
        name: str,
        handle: Callable[[socket.socket], None],
        connections: Connections,
        *,
        listening: socket.socket | None = None,
    ) -> None:
        self._name, self._handle, self._connections = name, handle, connections
        self._socket = listening or socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
        self.port: int = 0 if listening else self._socket.getsockname()[1]
        self._stopping = False
        self._threads: set[threading.Thread] = set()
        self._acceptor = threading.Thread(target=self._accept, daemon=True, name=name)

    def start(self) -> None:
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                if self._stopping:
                    return
                continue  # a client that was gone before we looked
            if self._stopping:
                sock.close()
                return
            if self.port:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(
                target=self._serve, args=(sock,), daemon=True, name=f"{self._name}-client"
            )
            self._threads = {t for t in self._threads if t.is_alive()} | {thread}
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, self._connections.using(sock):
            self._handle(sock)

    def stop(self) -> None:
        """Accept no more, and wait for those there are; their sockets have been shut by Connections."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the accept
        if self._acceptor.ident:
            self._acceptor.join(JOIN_LIMIT)
        self._socket.close()
        self._connections.shut()
        for thread in self._threads:
            thread.join(JOIN_LIMIT)
