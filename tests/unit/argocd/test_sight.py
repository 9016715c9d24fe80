"""What the application-controller leaves in redis."""

from __future__ import annotations

import gzip
import json
import socket
import threading

import pytest

from pytest_gitops.argocd.sight import Sight, versions_in
from pytest_gitops.errors import EngineError

ENTRIES = [
    {"group": "apps", "kind": "Deployment", "namespace": "n", "name": "web", "resourceVersion": "41"},
    {"kind": "ConfigMap", "namespace": "n", "name": "gone"},
    {"kind": "Namespace", "name": "n", "resourceVersion": "7"},
]
SEEN = {("apps", "Deployment", "n", "web"): 41, ("", "Namespace", "", "n"): 7}


def test_each_object_has_the_version_that_was_compared() -> None:
    text = json.dumps(ENTRIES).encode()
    assert versions_in(gzip.compress(text)) == versions_in(text) == SEEN
    assert versions_in(b"null") == {}


def redis(*replies: bytes) -> int:
    """A server that answers one connection; returns its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, server, connection.makefile("rb") as asked:
            for reply in replies:
                for _ in range(2 * int(asked.readline()[1:])):
                    asked.readline()
                connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def bulk(content: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(content), content)


def test_redis_is_asked_for_the_application() -> None:
    key = b"app|managed-resources|shop|1.8.3.gz"
    content = gzip.compress(json.dumps(ENTRIES).encode())
    assert Sight(redis(b"+OK\r\n", b"*1\r\n" + bulk(key), bulk(content)), "p").versions("shop") == SEEN
    assert Sight(redis(b"+OK\r\n", b"*0\r\n"), "p").versions("shop") is None
    assert Sight(redis(b"+OK\r\n", b"*1\r\n" + bulk(key), b"$-1\r\n"), "p").versions("shop") is None


def test_a_redis_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(EngineError, match="WRONGPASS"):
        Sight(redis(b"-WRONGPASS invalid\r\n"), "p").versions("shop")
    with pytest.raises(EngineError, match="it said nothing"):
        Sight(redis(b""), "p").versions("shop")
