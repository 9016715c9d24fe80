"""Serves the APIs of APIServices, each of them empty, for no container runs that could.

The API server sees for itself whether the Service is there and has an endpoint that is ready, and then goes out by its
egress selector: HTTP CONNECT on a unix socket, of which this is the other end. For whoever else it would call, a CRD's
conversion webhook or a host outside, there is nobody here.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

from pytest_gitops.clusters.embedded.apiserver import NOBODY, SERVICE_RANGE
from pytest_gitops.clusters.embedded.pki import Pair
from pytest_gitops.processes.sockets import listen
from pytest_gitops.serving.listener import Connections, Listener
from pytest_gitops.serving.wire import BadRequest, Exchange

IDLE_SECONDS = 120

REFUSED = "there is nobody to be called"

JSON = (("content-type", "application/json"),)

_VERSION = re.compile(r"/apis/(?P<version>[^/?]+/[^/?]+)/?(?:\?.*)?")


class Served:
    """Answers until `close`. `directory` is the API server's; `pair` is shown to it, which knows no authority for that:
    only an APIService with insecureSkipTLSVerify gets so far."""

    def __init__(self, directory: Path, pair: Pair) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._connections = Connections()
        self._listener = Listener(
            "served", self._answer, self._connections, listening=listen(directory, NOBODY)
        )
        self._listener.start()

    def close(self) -> None:
        """Answer no more."""
        self._listener.stop()

    def _answer(self, called: socket.socket) -> None:
        called.settimeout(IDLE_SECONDS)
        with suppress(OSError, EOFError, BadRequest), called.makefile("rb") as reader:
            try:
                exchange = Exchange(called, reader)
            except BadRequest:
                called.sendall(f"HTTP/1.1 403 {REFUSED}\r\n\r\n".encode())
                return
            if not _is_wanted(exchange):
                exchange.reply(403, reason=REFUSED)
                return
            exchange.established()
            self._be_called(called)

    def _be_called(self, called: socket.socket) -> None:
        called.getpeername()  # see world/proxy.py
        with (
            self._context.wrap_socket(called, server_side=True) as tls,
            self._connections.using(tls),
            tls.makefile("rb") as reader,
        ):
            keep = True
            while keep:
                exchange = Exchange(tls, reader)
                _say(exchange)
                keep = exchange.keep


def _is_wanted(exchange: Exchange) -> bool:
    """Whether it is the address of a Service: what an APIService leads to. A webhook's may be one too, but it has to
    trust what it is shown."""
    try:
        host = ip_address(exchange.target.rpartition(":")[0])
    except ValueError:
        return False
    return exchange.method == "CONNECT" and host in ip_network(SERVICE_RANGE)


def _say(exchange: Exchange) -> None:
    """What an API says in which there is nothing."""
    asked = _VERSION.fullmatch(exchange.target) if exchange.method == "GET" else None
    if asked is None:
        status, body = 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
    else:
        listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": asked["version"]}
        status, body = 200, {**listed, "resources": []}
    exchange.reply(status, json.dumps(body).encode(), headers=JSON)
