"""HTTP/1.1 as a server speaks it: one exchange at a time over a socket, bodies streamed both ways."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
import zlib
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO

LINE_BYTES = 65_536
CHUNK = 65_536

BODILESS = {204, 304}

Headers = Sequence[tuple[str, str]]
TEXT: Headers = (("content-type", "text/plain; charset=utf-8"),)


class BadRequest(Exception):
    """The client does not speak HTTP, or exceeds a limit; the connection cannot go on."""


class Exchange:
    """One request that was read, and its answer. Every exchange is answered exactly once."""

    def __init__(self, sock: socket.socket, reader: io.BufferedReader) -> None:
        self._sock, self._reader = sock, reader
        line = reader.readline(LINE_BYTES + 1)
        if not line:
            raise EOFError
        words = line.decode("latin-1").split()
        if len(line) > LINE_BYTES or len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest("not an HTTP/1.1 request")
        self.method, self.target, self.version = words
        try:
            self.headers = http.client.parse_headers(reader)
        except http.client.HTTPException as error:
            raise BadRequest(str(error)) from error
        lengths = self.headers.get_all("Content-Length") or []
        self._chunked = self.header("Transfer-Encoding").lower() == "chunked"
        if len(set(lengths)) > 1 or not all(n.isdigit() for n in lengths) or (lengths and self._chunked):
            raise BadRequest("the length of the request's body is not clear")
        if self.header("Transfer-Encoding") and not self._chunked:
            raise BadRequest("unknown transfer encoding")
        self._left = int(lengths[0]) if lengths else 0
        self._expects = self.header("Expect").lower() == "100-continue"
        self._read = not self._chunked and not self._left
        self.answered = False
        self.keep = words[2] == "HTTP/1.1" and "close" not in self.header("Connection").lower()

    def header(self, name: str) -> str:
        return str(self.headers.get(name) or "").strip()

    def body(self) -> Iterator[bytes]:
        """The body as it was sent, in pieces. Once."""
        if self._read:
            return
        self._read = True
        if self._expects:
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._chunked:
            while self._left:
                piece = self._reader.read(min(CHUNK, self._left))
                if not piece:
                    raise BadRequest("the request's body broke off")
                self._left -= len(piece)
                yield piece
            return
        while size := self._chunk_size():
            while size:
                piece = self._reader.read(min(CHUNK, size))
                if not piece:
                    raise BadRequest("the request's body broke off")
                size -= len(piece)
                yield piece
            self._reader.readline(LINE_BYTES)
        while self._reader.readline(LINE_BYTES).strip():
            pass

    def _chunk_size(self) -> int:
        try:
            return int(self._reader.readline(LINE_BYTES).split(b";")[0].strip(), 16)
        except ValueError as error:
            raise BadRequest("a chunk of the request's body has no length") from error

    def spool(self, *, limit: int) -> IO[bytes]:
        """The body as a file at its beginning, gzip undone. Raises BadRequest above `limit` bytes."""
        encoding = self.header("Content-Encoding").lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise BadRequest(f"content encoding {encoding!r}")
        unzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
        file = TemporaryFile()  # noqa: SIM115  # the caller closes it
        try:
            size = 0
            for piece in self.body():
                data = unzip.decompress(piece, limit - size + 1) if unzip else piece
                size += len(data)
                if size > limit or (unzip and unzip.unconsumed_tail):
                    raise BadRequest(f"the request's body has more than {limit} bytes")
                file.write(data)
        except zlib.error as error:
            file.close()
            raise BadRequest("the request's body is not gzip") from error
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def reply(self, status: int, body: bytes = b"", *, reason: str = "", headers: Headers = TEXT) -> None:
        """Answer with a body that is known. `reason` is the phrase on the status line: of a refused CONNECT
        Go's clients show nothing else."""
        length = [("content-length", str(len(body)))] if status not in BODILESS else []
        self._head(status, reason, [*headers, *length])
        if self.method != "HEAD":
            self._sock.sendall(body)

    def stream(self, status: int, pieces: Iterator[bytes], *, headers: Headers = ()) -> None:
        """Answer with pieces as they come, which have the length that `headers` say if they say one; a HEAD with
        `headers` alone."""
        bodiless = self.method == "HEAD"
        sized = any(name.lower() == "content-length" for name, _ in headers)
        chunked = self.version == "HTTP/1.1" and not bodiless and not sized
        if not chunked and not bodiless and not sized:
            self.keep = False
        coding = [("transfer-encoding", "chunked")] if chunked else []
        self._head(status, "", [*headers, *coding])
        for piece in pieces:
            if piece and not bodiless:
                self._sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self._sock.sendall(b"0\r\n\r\n")

    def established(self) -> None:
        """Answer a CONNECT: what follows is the tunnel."""
        self.answered = True
        self._sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def _head(self, status: int, reason: str, headers: Headers) -> None:
        self.answered = True
        if not self._read:
            # A body nobody asked for would be taken for the next request.
            self.keep = False
        phrase = _one_line(reason) or HTTPStatus(status).phrase
        lines = [f"HTTP/1.1 {status} {phrase}"]
        lines += [f"{n}: {_one_line(v)}" for n, v in headers]
        lines.append("connection: " + ("keep-alive" if self.keep else "close"))
        self._sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended. Does not close the sockets."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
        for each, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
            with contextlib.suppress(OSError):
                each.shutdown(how)

    back = threading.Thread(target=carry, args=(other, one), daemon=True, name="world-tunnel")
    back.start()
    carry(one, other)
    back.join()
