"""Reads Argo CD's cache: redis on loopback, by as much of its protocol (RESP2) as reading needs."""

from __future__ import annotations

import gzip
import json
import socket
from io import BufferedRWPair
from typing import Any

from pytest_gitops.errors import EngineError

LIMIT = 10.0
"""Seconds for one answer."""

Answer = None | int | bytes | list["Answer"]


class Cache:
    """The redis at `address`, "host:port", which wants `password`."""

    def __init__(self, address: str, password: str) -> None:
        host, _, port = address.rpartition(":")
        self._address, self._password = (host, int(port)), password

    def find(self, pattern: str) -> Any:
        """The JSON under the key of this pattern, gzipped there or not; None if there is no such key. Raises
        EngineError."""
        try:
            with (
                socket.create_connection(self._address, timeout=LIMIT) as connection,
                connection.makefile("rwb") as stream,
            ):
                _ask(stream, "AUTH", self._password)
                # The last part of a key is Argo CD's own (common.CacheVersion): whichever there is, is the one.
                keys = _ask(stream, "KEYS", pattern)
                found = _ask(stream, "GET", keys[0]) if isinstance(keys, list) and keys else None
            return _plain(found) if isinstance(found, bytes) else None
        except (OSError, ValueError, EOFError) as error:
            raise EngineError(f"Argo CD's cache cannot be read: {error}") from error


def _plain(content: bytes) -> Any:
    return json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)


def _ask(stream: BufferedRWPair, *words: Any) -> Answer:
    """Send one command, and return its answer. Raises ValueError for a refusal, EOFError."""
    parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
    stream.flush()
    return _answer(stream)


def _answer(stream: BufferedRWPair) -> Answer:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError("redis ended the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise ValueError(rest.decode(errors="replace"))
    if kind == b"+":
        return rest
    if kind == b":":
        return int(rest)
    size = int(rest)
    if size < 0:
        return None
    if kind == b"*":
        return [_answer(stream) for _ in range(size)]
    data = stream.read(size + 2)
    if len(data) != size + 2:
        raise EOFError("redis ended the connection")
    return data[:-2]
