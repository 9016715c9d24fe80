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
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from pytest_gitops.clusters.embedded.apiserver import NOBODY, SERVICE_RANGE
from pytest_gitops.clusters.embedded.pki import Pair
from pytest_gitops.processes.listener import Connections, Listener
from pytest_gitops.processes.sockets import listen

IDLE_SECONDS = 120

HEAD_BYTES = 8192

_VERSION = re.compile(r"/apis/(?P<version>[^/?]+/[^/?]+)")
_TARGET = re.compile(rb"CONNECT (?P<host>[0-9.]+):[0-9]+ HTTP/1\.[01]\r\n")
"""A Service's own address: what an APIService leads to. Webhooks are called by name."""


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
        with suppress(OSError):
            if not _is_wanted(called):
                called.sendall(b"HTTP/1.1 403 there is nobody to be called\r\n\r\n")
                return
            called.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with self._context.wrap_socket(called, server_side=True) as tls, self._connections.using(tls):
                _Empty(tls)


def _is_wanted(called: socket.socket) -> bool:
    """Read the head of a request, and not what comes after it: whether it is for the address of a Service."""
    with called.makefile("rb", buffering=0) as reader:
        target = _TARGET.fullmatch(reader.readline(HEAD_BYTES))
        left = HEAD_BYTES
        while left > 0 and (line := reader.readline(left)).strip():
            left -= len(line)
    try:
        return target is not None and ip_address(target["host"].decode()) in ip_network(SERVICE_RANGE)
    except ValueError:
        return False


class _Empty(BaseHTTPRequestHandler):
    """An API in which there is nothing."""

    protocol_version = "HTTP/1.1"

    def __init__(self, tls: ssl.SSLSocket) -> None:
        nobody: Any = None
        super().__init__(tls, ("", 0), nobody)  # no server of that library: nothing here asks for one

    def do_GET(self) -> None:
        asked = _VERSION.fullmatch(self.path.partition("?")[0].rstrip("/"))
        if asked is None:
            self._say(
                HTTPStatus.NOT_FOUND,
                {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404},
            )
        else:
            listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": asked["version"]}
            self._say(HTTPStatus.OK, {**listed, "resources": []})

    def _say(self, status: HTTPStatus, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""
