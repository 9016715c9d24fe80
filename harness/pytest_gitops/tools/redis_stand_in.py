"""A Redis server in Python, for machines without one: fakeredis behind the password check that it lacks.

A program of its own with redis-server's words: [FILE|-] [--port N] [--bind HOST] [--requirepass WORD];
other options are accepted and mean nothing here. Standard library and fakeredis only, for `python -I`.
"""

from __future__ import annotations

import hmac
import shlex
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from fakeredis import TcpFakeServer, __version__

GATE_SECONDS = 30.0
"""How long a client may take to say its password."""

LONGEST_WORD = 4096


def options(words: list[str]) -> dict[str, str]:
    """What redis-server's command line says: a configuration file's lines, then words after it, which win."""
    found: dict[str, str] = {}
    if words and not words[0].startswith("--"):
        text = sys.stdin.read() if words[0] == "-" else Path(words[0]).read_text("utf-8")
        for line in text.splitlines():
            name, _, value = line.strip().partition(" ")
            if name and not name.startswith("#"):
                found[name.lower()] = " ".join(shlex.split(value))
        words = words[1:]
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word.removeprefix("--").lower()
            found[name] = ""
        else:
            found[name] = f"{found[name]} {word}".strip()
    return found


def admit(client: socket.socket, password: str) -> None:
    """Answer a client until it has said the password. Raises OSError if it goes or dawdles."""
    client.settimeout(GATE_SECONDS)
    while True:
        words = _command(client)
        name = words[0].upper() if words else b""
        if name == b"AUTH" and len(words) in {2, 3}:
            if words[1:-1] in ([], [b"default"]) and hmac.compare_digest(words[-1], password.encode()):
                client.sendall(b"+OK\r\n")
                client.settimeout(None)
                return
            client.sendall(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
        elif name == b"HELLO":
            # As a server older than 6 would: clients then fall back to AUTH, which is all we know of.
            client.sendall(b"-ERR unknown command 'HELLO'\r\n")
        else:
            client.sendall(b"-NOAUTH Authentication required.\r\n")


def _command(client: socket.socket) -> list[bytes]:
    head = _line(client)
    if not head.startswith(b"*"):
        return []
    words = []
    for _ in range(min(_count(head), 64)):
        size = _count(_line(client))
        if size > LONGEST_WORD:
            raise ConnectionError("a word before the password is too long")
        words.append(_exactly(client, size + 2)[:-2])
    return words


def _count(line: bytes) -> int:
    try:
        return max(0, int(line[1:]))
    except ValueError:
        raise ConnectionError("not the protocol of Redis") from None


def _line(client: socket.socket) -> bytes:
    # Byte by byte: what follows the password belongs to fakeredis, and must not be read here.
    line = b""
    while not line.endswith(b"\r\n"):
        if len(line) > LONGEST_WORD:
            raise ConnectionError("a line before the password is too long")
        line += _exactly(client, 1)
    return line[:-2]


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise ConnectionError("the client went")
        data += piece
    return data


class Server(TcpFakeServer):  # type: ignore[misc, unused-ignore]
    """fakeredis's server with a gate in front of every connection."""

    def __init__(self, address: tuple[str, int], password: str) -> None:
        super().__init__(address)
        self.daemon_threads, self.block_on_close = True, False
        unguarded: Any = self.RequestHandlerClass

        class Guarded(unguarded):  # type: ignore[misc, unused-ignore]
            def setup(self) -> None:
                if password:
                    admit(self.request, password)
                super().setup()

        self.RequestHandlerClass = Guarded

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that goes away is no news."""


def main(words: list[str]) -> int:
    if words[:1] in (["--version"], ["-v"]):
        # In redis-server's own form, and with the version of the server that fakeredis behaves like.
        print(f"Redis server v=8.0 sha=fakeredis-{__version__} malloc=python bits=64 build=0")
        return 0
    said = options(words)
    host = (said.get("bind") or "127.0.0.1").split()[0]
    with Server((host, int(said.get("port") or 6379)), said.get("requirepass", "")) as server:

        def stop(signum: int, frame: FrameType | None) -> None:
            raise SystemExit(0)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        print(f"Ready to accept connections on {host}:{server.server_address[1]}", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
