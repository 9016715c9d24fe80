"""The HTTP proxy: answers for the hosts we stand in for, tunnels to clusters, guards everything else."""

from __future__ import annotations

import base64
import contextlib
import hmac
import io
import os
import socket
import ssl
from urllib.parse import unquote, urlsplit

from pytest_gitops.errors import EngineError
from pytest_gitops.serving.listener import Connections
from pytest_gitops.serving.wire import BadRequest, Exchange, pump
from pytest_gitops.world import gitservice
from pytest_gitops.world.certificates import Authority
from pytest_gitops.world.egress import Unreached
from pytest_gitops.world.forward import forward
from pytest_gitops.world.routes import Routes
from pytest_gitops.world.urls import SCHEMES

USER = "pytest-gitops"

MIRRORS = "mirrors.pytest-gitops.internal"
"""The host that our `ssh` asks for a repository of another host."""

IDLE_LIMIT = 120.0
"""Seconds that a client may keep a connection open without asking anything."""


class Proxy:
    """Handles one connection at a time; the listener gives each its thread. `token` is the password clients
    must know: other users of this machine can reach a loopback port too."""

    def __init__(self, routes: Routes, authority: Authority, connections: Connections, *, token: str) -> None:
        self._routes, self._authority, self._connections = routes, authority, connections
        self._expected = b"Basic " + base64.b64encode(f"{USER}:{token}".encode())

    def __call__(self, sock: socket.socket) -> None:
        """Serve a connection until its end. The caller closes it."""
        sock.settimeout(IDLE_LIMIT)
        with sock.makefile("rb") as reader, contextlib.suppress(OSError, EOFError):
            keep = True
            while keep:
                exchange = self._read(sock, reader)
                keep = exchange is not None and self._outer(sock, exchange)

    def _read(self, sock: socket.socket, reader: io.BufferedReader) -> Exchange | None:
        try:
            return Exchange(sock, reader)
        except BadRequest as error:
            body = f"{error}\n".encode()
            sock.sendall(
                b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            return None

    def _outer(self, sock: socket.socket, exchange: Exchange) -> bool:
        given = exchange.header("Proxy-Authorization").encode("latin-1", errors="replace")
        if not hmac.compare_digest(given, self._expected):
            exchange.reply(
                407,
                b"This proxy belongs to a pytest-gitops run.\n",
                headers=(("proxy-authenticate", 'Basic realm="run"'),),
            )
            return exchange.keep
        if exchange.method == "CONNECT":
            self._connect(sock, exchange)
            return False
        parts = urlsplit(exchange.target)
        if parts.scheme != "http" or not parts.hostname:
            exchange.reply(400, b"Expected a proxy request: CONNECT host:port, or http://host/path.\n")
            return False
        if parts.hostname == MIRRORS:
            self._mirror(exchange, _path(exchange.target))
            return exchange.keep
        self._answer(
            exchange, tls=False, host=parts.hostname, port=parts.port or 80, path=_path(exchange.target)
        )
        return exchange.keep

    def _mirror(self, exchange: Exchange, path: str) -> None:
        """Tell our `ssh` where the bare repository lies that it is asked for."""
        host, _, repository = unquote(path).strip("/").partition("/")
        try:
            bare = self._routes.mirror_for(host, SCHEMES["ssh"], repository)
        except Unreached as error:
            exchange.reply(502, f"{error}\n".encode())
            return
        if bare is None:
            exchange.reply(404)
        else:
            exchange.reply(200, os.fsencode(bare))

    def _connect(self, sock: socket.socket, exchange: Exchange) -> None:
        try:
            parts = urlsplit(f"//{exchange.target}")
            host, port = (parts.hostname or "").rstrip("."), parts.port or 443
        except ValueError:
            host, port = "", 0
        if not host:
            exchange.reply(400, b"CONNECT to what? Expected host:port.\n")
            return
        target = self._routes.tunnel_for(host, port)
        if target is None and (self._routes.stands_in_for(host) or self._routes.egress.follows(host)):
            exchange.established()
            self._inner(sock, host, port)
            return
        try:
            far = (
                self._routes.egress.dial(host, port)
                if target is None
                else socket.create_connection(target, timeout=10)
            )
        except Unreached as error:
            _refuse(exchange, error)
        except OSError as error:
            _refuse(exchange, self._routes.egress.unreachable(host, port, error.strerror or str(error)))
        else:
            with far, self._connections.using(far):
                exchange.established()
                # A watch may be silent for hours.
                sock.settimeout(None)
                far.settimeout(None)
                pump(sock, far)

    def _inner(self, sock: socket.socket, host: str, port: int) -> None:
        """Be `host`: end the TLS and answer what is asked inside."""
        try:
            sock.getpeername()  # whoever has gone leaves a socket open in there (ssl.SSLSocket._create, 3.11)
            tls = self._authority.context(host).wrap_socket(sock, server_side=True)
        except (ssl.SSLError, ValueError):
            return  # the client does not trust us, or does not speak TLS; it knows best what to say
        with tls, self._connections.using(tls), tls.makefile("rb") as reader:
            keep = True
            while keep:
                exchange = self._read(tls, reader)
                if exchange is None:
                    return
                self._answer(exchange, tls=True, host=host, port=port, path=_path(exchange.target))
                keep = exchange.keep

    def _answer(self, exchange: Exchange, *, tls: bool, host: str, port: int, path: str) -> None:
        bare_path, _, query = path.partition("?")
        repository, egress = gitservice.repository_path(bare_path), self._routes.egress
        # Of a host that is there in part, what is not is told apart by its path.
        part = repository.strip("/").removesuffix(".git") if self._routes.stands_in_for(host) else ""
        try:
            if chart := self._routes.chart_for(host, bare_path):
                chart.answer(exchange, bare_path)
            elif bare := self._routes.repository_for(host, repository):
                gitservice.answer(exchange, bare_path, query, bare, self._routes.environ)
            elif egress.allows(host):
                forward(
                    exchange,
                    tls=tls,
                    host=host,
                    port=port,
                    path=path,
                    part=part,
                    egress=egress,
                    private=self._routes.private,
                )
            else:
                raise egress.refuse(host, port, part)
        except Unreached as error:
            _refuse(exchange, error)
        except BadRequest as error:
            exchange.keep = False
            if not exchange.answered:
                exchange.reply(400, f"{error}\n".encode())
        except EngineError as error:
            exchange.keep = False
            if not exchange.answered:
                exchange.reply(500, f"{error}\n".encode())


def _refuse(exchange: Exchange, error: Unreached) -> None:
    text = str(error)
    if exchange.answered:
        raise OSError(text)  # half an answer is out: only breaking off says that it is no whole one
    exchange.reply(
        403 if error.refusal.reason == "refused" else 502,
        f"{text}\nTo let it be reached, name it under network.allow in pytest-gitops.yaml.\n".encode(),
        reason=text,
    )


def _path(target: str) -> str:
    """The path and query of a request's target, as they were sent."""
    if "://" in target:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    return target.partition("#")[0] or "/"
