"""The guard: who is let through, by which way, and what is remembered of the others."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from pytest_gitops.world.egress import Egress, Reason, Unreached, bypasses


def guard(network="deny", **environ):
    return Egress(environ, network=network, roots=b"")


@contextmanager
def server(answer):
    """A loopback server that gives its one client to `answer`; yields its port and what it heard."""
    listening, heard = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        sock, _ = listening.accept()
        with sock:
            heard.append(sock.recv(4096))
            sock.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listening:
        yield listening.getsockname()[1], heard
        thread.join(5)


def test_nothing_is_allowed_by_default_and_everything_with_network_allow():
    assert not guard().allows("example.com")
    assert guard("allow").allows("example.com")


def test_allowed_hosts_are_names_or_everything_below_one():
    egress = guard()
    egress.allow(["Charts.example.com", "*.corp.example", " "])
    allowed = ["charts.example.com", "git.corp.example", "a.b.corp.example"]
    assert all(egress.allows(h) for h in allowed)
    assert not any(
        egress.allows(h) for h in ["example.com", "x.charts.example.com", "corp.example", "evilcorp.example"]
    )


def test_a_refused_host_is_not_dialled_and_counted():
    egress = guard()
    for _ in range(2):
        with pytest.raises(Unreached, match=r"127\.0\.0\.1 \(port 9\) is not allowed by pytest-gitops"):
            egress.dial("127.0.0.1", 9)
    assert [(r.host, r.port, r.reason, r.count) for r in egress.refusals] == [
        ("127.0.0.1", 9, Reason.REFUSED, 2)
    ]


def test_an_allowed_host_that_does_not_answer_is_unreachable_with_the_reason():
    egress = guard("allow")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreached, match="is out of reach: Connection refused"):
        egress.dial("127.0.0.1", port)
    assert egress.refusals[0].to_dict() == {
        "host": "127.0.0.1", "port": port, "reason": "unreachable", "count": 1, "path": None,
        "detail": "Connection refused",
    }  # fmt: skip


def test_the_machines_own_proxy_is_used_with_its_credentials():
    with server(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nthrough") as (port, heard):
        egress = guard("allow", HTTPS_PROXY=f"http://me:s%20ecret@127.0.0.1:{port}", NO_PROXY=".internal")
        with egress.dial("charts.example.com", 443) as sock:
            assert sock.recv(100) == b"through"
    assert heard[0].startswith(b"CONNECT charts.example.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cyBlY3JldA==\r\n" in heard[0]


def test_a_proxy_that_says_no_is_the_reason():
    with server(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (port, _):
        egress = guard("allow", https_proxy=f"http://me:secret@127.0.0.1:{port}")
        with pytest.raises(Unreached, match="127.0.0.1 said HTTP/1.1 407") as caught:  # noqa: RUF043
            egress.dial("charts.example.com", 443)
    assert "secret" not in str(caught.value)


def test_a_kind_of_proxy_we_cannot_use_is_said():
    with pytest.raises(Unreached, match="is of kind 'socks5'"):
        guard("allow", ALL_PROXY="socks5://127.0.0.1:1").dial("example.com", 443)


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [("*", "a.example"), ("example.com", "example.com"), ("example.com", "a.example.com"),
     (".example.com", "a.example.com"), ("x, example.com:443", "example.com"), ("10.0.0.0/8", "10.1.2.3"),
     ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("*.example.com", "a.example.com"),
     ("EXAMPLE.com", "example.com")],
)  # fmt: skip
def test_no_proxy_covers(no_proxy, host):
    assert bypasses(no_proxy, host, 443)


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [("", "a.example"), ("example.com", "badexample.com"), ("example.com:80", "example.com"),
     ("10.0.0.0/8", "11.0.0.1"), ("10.0.0.0/8", "example.com"), ("a.example.com", "example.com")],
)  # fmt: skip
def test_no_proxy_does_not_cover(no_proxy, host):
    assert not bypasses(no_proxy, host, 443)
