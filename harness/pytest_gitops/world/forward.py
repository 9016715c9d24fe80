"""Passes one request on to the real host: to one of which only some repositories are stood in for, or that wants a
password."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from http import HTTPStatus

from pytest_gitops.serving.wire import BODILESS, CHUNK, Exchange
from pytest_gitops.world.egress import Egress, Unreached
from pytest_gitops.world.following import INDEX, led_to, packages
from pytest_gitops.world.private import Private

HOP_BY_HOP = {
    "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
"""Headers about one connection only (RFC 9110, 7.6.1)."""

REPLY_LIMIT = 120.0
"""Seconds of silence after which a real host counts as gone."""


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over a socket that is there already."""

    def __init__(self, host: str, sock: socket.socket) -> None:
        super().__init__(host)
        self.sock = sock


def forward(
    exchange: Exchange,
    *,
    tls: bool,
    host: str,
    port: int,
    path: str,
    part: str,
    egress: Egress,
    private: Private,
) -> None:
    """Ask the real `host` for `path` and give its answer back. A request over TLS that brings no Authorization has that
    of `private`. Raises Unreached, for `part` of the host."""
    completes = tls and not exchange.header("Authorization")
    authorization = private.authorization(host, port, path) if completes else ""
    with contextlib.ExitStack() as stack:

        def unreachable(error: Exception) -> Unreached:
            return egress.unreachable(host, port, str(error) or type(error).__name__, part)

        def ask(authorization: str) -> http.client.HTTPResponse:
            sock = egress.dial(host, port, part)
            stack.callback(_close, sock)
            sock.settimeout(REPLY_LIMIT)
            if tls:
                sock = egress.client_context(host).wrap_socket(sock, server_hostname=host)
                stack.callback(_close, sock)
            answer = _ask(exchange, _Connection(host, sock), path, authorization)
            return stack.enter_context(answer)

        try:
            answer = ask(authorization)
            challenges = answer.headers.get_all("WWW-Authenticate") or []
            if completes and answer.status == HTTPStatus.UNAUTHORIZED:
                again = private.challenged(host, port, path, challenges)
                if again and exchange.method in {"GET", "HEAD"}:
                    answer = ask(again)
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(error) from error
        egress.allow_named(led_to(answer.status, answer.getheader("Location") or "", challenges))

        def pieces() -> Iterator[bytes]:
            try:
                yield from _watched(answer, path, egress)
            except (OSError, http.client.HTTPException) as error:
                raise unreachable(error) from error

        # A client that has left is no host that is out of reach.
        _give_back(exchange, answer, pieces())


def _ask(
    exchange: Exchange, connection: _Connection, path: str, authorization: str
) -> http.client.HTTPResponse:
    headers = [(n, v) for n, v in exchange.headers.items() if n.lower() not in HOP_BY_HOP]
    chunked = bool(exchange.header("Transfer-Encoding"))
    # Nothing is added but what the new connection needs: http.client would also ask for no compression.
    connection.putrequest(exchange.method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers if exchange.header("Host") else [("Host", connection.host), *headers]:
        connection.putheader(name, value)
    if authorization:
        connection.putheader("Authorization", authorization)
    if chunked:
        connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Connection", "close")
    connection.endheaders(exchange.body(), encode_chunked=chunked)
    return connection.getresponse()


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.close()


def _watched(answer: http.client.HTTPResponse, path: str, egress: Egress) -> Iterator[bytes]:
    """What an answer holds, in pieces. Hosts of packages may be reached before the client knows of them."""
    pieces = _pieces(answer)
    if path.partition("?")[0].rsplit("/", 1)[-1] != INDEX:
        yield from pieces
        return
    for piece, hosts in packages(pieces, encoding=answer.getheader("Content-Encoding") or ""):
        egress.allow_named(hosts)
        yield piece


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read(CHUNK):
        yield piece
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)  # read() with a size says nothing of it


def _give_back(exchange: Exchange, answer: http.client.HTTPResponse, pieces: Iterator[bytes]) -> None:
    # The length is a part of what was asked: a registry's clients take an image's size from it, and whoever gets less
    # than that knows.
    without = HOP_BY_HOP | ({"content-length"} if answer.chunked or answer.status in BODILESS else set())
    headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in without]
    if exchange.method == "HEAD":
        exchange.stream(answer.status, iter(()), headers=headers)
    elif answer.status in BODILESS:
        exchange.reply(answer.status, headers=headers)
    else:
        exchange.stream(answer.status, pieces, headers=headers)
