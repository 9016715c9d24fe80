"""The proxy with credentials: which requests it completes on their way out, and which it leaves as they are."""

from __future__ import annotations

import pytest
from proxy_support import AUTH, Near

from pytest_gitops.settings.credentials import VARIABLE, read
from pytest_gitops.world.proxy import MIRRORS

PASSWORDS = """
https://me:pw@private.example.com/acme
oci://robot:pull@registry.example.com/team
"""
OURS = b"Authorization: Basic bWU6cHc="


@pytest.fixture
def trusted(tmp_path, outside):
    """A proxy with credentials, its hosts allowed."""
    environ = {"HTTPS_PROXY": f"http://127.0.0.1:{outside.listener.port}"}
    known = read({VARIABLE: PASSWORDS})
    it = Near(tmp_path / "near", environ, outside.roots.read_bytes(), known)
    it.egress.allow(c.host for c in known)
    it.listener.start()
    yield it
    it.connections.shut()
    it.listener.stop()


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: private.example.com", *headers, "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_request_below_a_prefix_is_completed_on_its_way_out(trusted, outside):
    assert b"real" in trusted.ask_inside("private.example.com", get("/acme/index.yaml"))
    post = get("/acme/r.git/git-upload-pack", "Content-Length: 4", method="POST") + b"body"
    assert b"real" in trusted.ask_inside("private.example.com", post)
    assert [OURS in heard for heard in outside.heard] == [True, True]
    assert outside.heard[1].endswith(b"body")


def test_no_other_request_is_completed(trusted, outside):
    asked = [
        trusted.ask_inside("private.example.com", get("/other/index.yaml")),
        trusted.ask_inside("private.example.com", get("/acme/%2e%2e/other/index.yaml")),
        trusted.ask_inside("private.example.com", get("/acme/index.yaml", "Authorization: Bearer theirs")),
        trusted.ask_inside("registry.example.com", get("/acme/index.yaml")),
        trusted.ask(
            b"GET http://private.example.com/acme/index.yaml HTTP/1.1\r\nHost: private.example.com\r\n"
            b"Connection: close\r\n" + AUTH + b"\r\n"
        ),
    ]
    assert [b"real" in answer for answer in asked] == [True] * 5
    assert not any(b"Basic" in heard for heard in outside.heard)
    assert b"Authorization: Bearer theirs" in outside.heard[2]


def test_a_host_that_is_only_like_it_is_refused(trusted, outside):
    for host in ("evil.example.com", "private.example.com.evil.org"):
        assert trusted.ask_inside(host, get("/acme/index.yaml")).startswith(b"HTTP/1.1 403 ")
    assert outside.heard == []


CHALLENGE = b"HTTP/1.1 401 No\r\nWWW-Authenticate: %b\r\nContent-Length: 2\r\n\r\nno"
MANIFEST = "/v2/team/app/manifests/1.0.0"


def test_a_registry_that_wants_a_password_is_asked_again(trusted, outside):
    outside._answer = CHALLENGE % b'Basic realm="it"'
    # It says no again; that is what the client is told.
    assert trusted.ask_inside("registry.example.com", get(MANIFEST)).startswith(b"HTTP/1.1 401 ")
    assert [b"Authorization: Basic cm9ib3Q6cHVsbA==" in heard for heard in outside.heard] == [False, True]


def test_a_token_is_fetched_with_the_password_where_the_registry_says(trusted, outside):
    token = "/token?service=it&scope=repository:team/app:pull"
    assert trusted.ask_inside("auth.example.com", get(token)).startswith(b"HTTP/1.1 403 ")
    outside._answer = CHALLENGE % b'Bearer realm="https://auth.example.com/token",service="it"'
    assert b'Bearer realm="https://auth' in trusted.ask_inside("registry.example.com", get(MANIFEST))
    outside._answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    assert b"{}" in trusted.ask_inside("auth.example.com", get(token))
    assert [b"Authorization: Basic cm9ib3Q6cHVsbA==" in heard for heard in outside.heard] == [False, True]


def test_a_registry_does_not_lead_to_this_machine(trusted, outside):
    outside._answer = CHALLENGE % b'Bearer realm="https://127.0.0.1/token",service="it"'
    trusted.ask_inside("registry.example.com", get(MANIFEST))
    token = "/token?scope=repository:team/app:pull"
    assert trusted.ask_inside("127.0.0.1", get(token)).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("path", "status"), [("private.example.com/other/r", 404), ("evil.example.com/acme/r", 404)]
)
def test_our_ssh_is_told_where_a_repository_lies_and_others_are_told_nothing(trusted, path, status):
    request = f"GET http://{MIRRORS}/{path} HTTP/1.1\r\nConnection: close\r\n".encode()
    assert trusted.ask(request + b"\r\n").startswith(b"HTTP/1.1 407 ")
    assert trusted.ask(request + AUTH + b"\r\n").startswith(f"HTTP/1.1 {status} ".encode())
