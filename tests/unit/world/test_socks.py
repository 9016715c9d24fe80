"""The SOCKS listener: the password, the guard, and what is no SOCKS at all."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pytest_gitops.serving.listener import Connections, Listener
from pytest_gitops.world.egress import Egress
from pytest_gitops.world.private import Private
from pytest_gitops.world.routes import Routes
from pytest_gitops.world.ssh import Server, Socks

PASSWORD = b"\x01\x04user\x05token"


class Near:
    def __init__(self, folder: Path) -> None:
        self.egress = Egress({}, network="deny", roots=b"")
        self.routes = Routes(self.egress, {}, private=Private((), folder, environ={}))
        self.connections = Connections()
        server = Server(self.routes, host_key="")
        socks = Socks(self.routes, server, self.connections, user="user", token="token")
        self.listener = Listener("socks", socks, self.connections)

    def say(self, *parts: bytes) -> bytes:
        """Say one thing after another, and return everything that was answered."""
        answers = b""
        with socket.create_connection(("127.0.0.1", self.listener.port), 5) as sock:
            for part in parts:
                sock.sendall(part)
                answers += sock.recv(100)
        return answers


@pytest.fixture
def near(tmp_path):
    it = Near(tmp_path)
    it.listener.start()
    yield it
    it.listener.stop()


def to(host: str | bytes, port: int, command: int = 1) -> bytes:
    kind = b"\x01" + host if isinstance(host, bytes) else bytes([3, len(host)]) + host.encode()
    return bytes([5, command, 0]) + kind + port.to_bytes(2, "big")


def test_a_client_without_password_is_turned_away(near):
    assert near.say(b"\x05\x01\x00") == b"\x05\xff"


def test_a_wrong_password_is_turned_away(near):
    assert near.say(b"\x05\x02\x00\x02", b"\x01\x04user\x05wrong") == b"\x05\x02\x01\x01"


def test_a_host_that_is_not_allowed_is_refused_and_recorded(near):
    answer = near.say(b"\x05\x01\x02", PASSWORD, to("Git.example.com", 22))
    assert answer[:6] == b"\x05\x02\x01\x00\x05\x02"
    assert [(r.host, r.port, r.reason) for r in near.egress.refusals] == [("git.example.com", 22, "refused")]


def test_an_allowed_host_is_reached(near):
    near.egress.allow(["127.0.0.1"])
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(("127.0.0.1", near.listener.port), 5) as sock,
    ):
        for part in (b"\x05\x01\x02", PASSWORD, to(b"\x7f\x00\x00\x01", server.getsockname()[1])):
            sock.sendall(part)
            assert sock.recv(100)[1] in {0, 2}
        far, _ = server.accept()
        with far:
            far.sendall(b"SSH-2.0-real\r\n")
            assert sock.recv(100) == b"SSH-2.0-real\r\n"


def test_an_allowed_host_that_is_down_is_unreachable(near):
    near.egress.allow(["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert near.say(b"\x05\x01\x02", PASSWORD, to(b"\x7f\x00\x00\x01", port))[4:6] == b"\x05\x04"


def test_only_connections_are_made(near):
    assert near.say(b"\x05\x01\x02", PASSWORD, to("example.com", 22, command=2))[4:6] == b"\x05\x07"


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", b"\x04\x01\x00\x16\x7f\x00\x00\x01\x00"])
def test_what_is_no_socks_is_turned_away(near, nonsense):
    assert near.say(nonsense) in {b"", b"\x05\xff"}
