"""Serves the APIs of APIServices, each of them empty, for no container runs that could.

The API server sees for itself whether the Service is there and has an endpoint that is ready, and then goes out by its
egress selector: HTTP CONNECT on a unix socket, of which this is the other end. For whoever else it would call, a CRD's
conversion webhook or a host outside, there is nobody here.
"""

from __future__ import annotations

import json
import os
import re
import socketserver
import ssl
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address, ip_network
from pathlib import Path

from pytest_gitops.clusters.embedded.apiserver import NOBODY, SERVICE_RANGE
from pytest_gitops.clusters.embedded.pki import Pair

IDLE_SECONDS = 120

HEAD_BYTES = 8192

_VERSION = re.compile(r"/apis/(?P<version>[^/?]+/[^/?]+)")
_TARGET = re.compile(rb"CONNECT (?P<host>[0-9.]+):[0-9]+ HTTP/1\.[01]\r\n")
"""A Service's own address: what an APIService leads to. Webhooks are called by name."""


class Served(socketserver.ThreadingUnixStreamServer):
    """Answers in threads of its own until `close`. `directory` is the API server's; `pair` is shown to it, which knows
    no authority for that: only an APIService with insecureSkipTLSVerify gets so far."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, directory: Path, pair: Pair) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair.certificate, pair.key)
        folder = os.open(directory, os.O_PATH)
        try:
            # The path of a socket may have a hundred characters, and a run's folder be anywhere.
            super().__init__(f"/proc/self/fd/{folder}/{NOBODY}", _Called)
        finally:
            os.close(folder)
        threading.Thread(target=self.serve_forever, name="served", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()


class _Called(socketserver.StreamRequestHandler):
    """One connection: whom it wants, and then TLS."""

    server: Served
    rbufsize = 0  # what comes after the head is not for us to read
    timeout = IDLE_SECONDS

    def handle(self) -> None:
        with suppress(OSError):
            if not self._is_wanted():
                self.wfile.write(b"HTTP/1.1 403 there is nobody to be called\r\n\r\n")
                return
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            with self.server.context.wrap_socket(self.request, server_side=True) as tls:
                _Empty(tls, self.client_address, self.server)

    def _is_wanted(self) -> bool:
        target = _TARGET.fullmatch(self.rfile.readline(HEAD_BYTES))
        left = HEAD_BYTES
        while left > 0 and (line := self.rfile.readline(left)).strip():
            left -= len(line)
        try:
            return target is not None and ip_address(target["host"].decode()) in ip_network(SERVICE_RANGE)
        except ValueError:
            return False


class _Empty(BaseHTTPRequestHandler):
    """An API in which there is nothing."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = _VERSION.fullmatch(self.path.partition("?")[0].rstrip("/"))
        if asked is None:
            self._say(
                HTTPStatus.NOT_FOUND, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
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
