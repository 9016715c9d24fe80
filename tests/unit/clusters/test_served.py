"""What the API server finds at the other end of its egress: an empty API for a Service's address, and nobody else."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from pytest_gitops.clusters.embedded.apiserver import NOBODY
from pytest_gitops.clusters.embedded.pki import Authority
from pytest_gitops.clusters.embedded.served import Served


@pytest.fixture(params=["near", "far" * 40], ids=["near", "far"])
def directory(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The API server's working directory, as it is to us; its path may be longer than a socket's."""
    directory = tmp_path / request.param
    directory.mkdir()
    served = Served(directory, Authority(directory).server("kube-apiserver", "127.0.0.1"))
    monkeypatch.chdir(directory)
    yield directory
    served.close()
    served.close()  # with its cluster, and again with the run


def connect(target: str) -> tuple[int, socket.socket]:
    """What is said of the way to `target`, and that way."""
    way = socket.socket(socket.AF_UNIX)
    way.settimeout(10)
    way.connect(NOBODY)
    way.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return int(way.recv(200).split(b" ")[1]), way


def ask(path: str) -> tuple[int, dict[str, object]]:
    _, way = connect("10.96.1.2:443")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # insecureSkipTLSVerify: true
    connection = HTTPConnection("metrics-server.kube-system.svc")
    connection.sock = context.wrap_socket(way)
    connection.request("GET", path)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


@pytest.mark.usefixtures("directory")
def test_an_api_is_there_and_nothing_is_in_it() -> None:
    status, told = ask("/apis/metrics.k8s.io/v1beta1?timeout=5s")
    assert (status, told["groupVersion"], told["resources"]) == (200, "metrics.k8s.io/v1beta1", [])
    for path in ("/apis", "/openapi/v2", "/apis/metrics.k8s.io/v1beta1/nodes"):
        assert ask(path)[0] == 404


@pytest.mark.usefixtures("directory")
@pytest.mark.parametrize(
    "target",
    ["10.97.0.1:443", "10.96.0.999:443", "hooks.shop.svc:443", "example.com:443", "127.0.0.1:80", "[::1]:1"],
)
def test_whoever_else_is_called_is_not_there(target: str) -> None:
    status, way = connect(target)
    with way:
        assert status == 403
        assert way.recv(1) == b""


@pytest.mark.usefixtures("directory")
def test_what_is_no_request_is_refused_and_hurts_nobody() -> None:
    for words in (b"\x16\x03\x01\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 10_000 + b"\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as way:
            way.settimeout(10)
            way.connect(NOBODY)
            way.sendall(words)
            assert way.recv(200).startswith(b"HTTP/1.1 403")
    assert ask("/apis/a.example.org/v1")[0] == 200
