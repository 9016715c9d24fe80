"""What is of this machine or its link is reached only if the configuration says so, whatever name it has."""

from __future__ import annotations

import socket

import pytest

from pytest_gitops.world.egress import Egress, Reason, Unreached
from pytest_gitops.world.urls import is_local

LOCAL = (
    "localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
    "169.254.169.254", "0.0.0.0", "::1", "[::1]", "::", "fe80::1%eth0", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "metadata.google.internal",
)  # fmt: skip


@pytest.mark.parametrize("host", LOCAL)
def test_local_hosts_are_known_however_they_are_written(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1", "192.168.1.1", "8.8.8.8", "localhost.example.com", "", "::2"]
)
def test_others_are_not(host: str) -> None:
    assert not is_local(host)


def test_the_repository_cannot_let_them_be_reached() -> None:
    egress = Egress({}, network="deny", roots=b"")
    egress.allow_named(["169.254.169.254", "localhost", "charts.example.com"])
    assert [egress.allows(h) for h in ("169.254.169.254", "localhost", "charts.example.com")] == [
        False,
        False,
        True,
    ]


def test_a_name_that_means_this_machine_is_refused_when_it_is_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def resolve(host: str, port: int, **_: object) -> list[object]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        egress = Egress({}, network="deny", roots=b"")
        egress.allow_named(["rebound.example.com"])
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", resolve)
            with pytest.raises(Unreached, match="not allowed"):
                egress.dial("rebound.example.com", port)
            assert [r.reason for r in egress.refusals] == [Reason.REFUSED]
        egress.allow(["127.0.0.1"])
        egress.dial("127.0.0.1", port).close()
