"""Passes one request on to the real host: for a host of which only some repositories are stood in for."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import cast

from pytest_gitops.serving.wire import BODILESS, CHUNK, Exchange
from pytest_gitops.world.egress import Egress

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
    exchange: Exchange, *, tls: bool, host: str, port: int, path: str, part: str, egress: Egress
) -> None:
    """Ask the real `host` for `path` and give its answer back. Raises Unreached, for `part` of the host."""
    sock = egress.dial(host, port, part)
    try:
        sock.settimeout(REPLY_LIMIT)
        if tls:
            sock = egress.client_context().wrap_socket(sock, server_hostname=host)
        connection = _Connection(host, sock)
        headers = [(n, v) for n, v in exchange.headers.items() if n.lower() not in HOP_BY_HOP]
        chunked = bool(exchange.header("Transfer-Encoding"))
        # Nothing is added but what the new connection needs: http.client would also ask for no compression.
        connection.putrequest(exchange.method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers if exchange.header("Host") else [("Host", host), *headers]:
            connection.putheader(name, value)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Connection", "close")
        connection.endheaders(exchange.body(), encode_chunked=chunked)
        with connection.getresponse() as answer:
            _give_back(exchange, answer)
    except (OSError, http.client.HTTPException) as error:
        raise egress.unreachable(host, port, str(error) or type(error).__name__, part) from error
    finally:
        with contextlib.suppress(OSError):
            sock.close()


def _give_back(exchange: Exchange, answer: http.client.HTTPResponse) -> None:
    headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in HOP_BY_HOP]
    if exchange.method == "HEAD":
        # The length is a part of what was asked: a registry's clients take an image's size from it.
        exchange.stream(answer.status, iter(()), headers=headers)
        return
    headers = [(n, v) for n, v in headers if n.lower() != "content-length"]
    if answer.status in BODILESS:
        exchange.reply(answer.status, headers=headers)
    else:
        pieces = cast(Iterator[bytes], iter(lambda: answer.read(CHUNK), b""))
        exchange.stream(answer.status, pieces, headers=headers)
