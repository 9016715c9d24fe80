"""The proxy on loopback sockets: who must say the password, what is answered, passed on, or refused."""

from __future__ import annotations

import gc
import socket
import ssl
import struct
import threading
from pathlib import Path

import pytest
from proxy_support import AUTH, Near, everything

from pytest_gitops.waiting import wait_until
from pytest_gitops.world.certificates import Authority
from pytest_gitops.world.egress import Egress
from pytest_gitops.world.private import Private
from pytest_gitops.world.routes import Routes


@pytest.mark.parametrize(
    "auth", [b"", b"Proxy-Authorization: Basic bm9wZTpub3Bl\r\n", b"Authorization: Basic x\r\n"]
)
def test_without_the_password_nothing_is_answered(near, auth):
    near.charts(index="secret")
    for line in (b"CONNECT charts.example.com:443", b"GET http://charts.example.com/stable/index.yaml"):
        answer = near.ask(line + b" HTTP/1.1\r\nConnection: close\r\n" + auth + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 407 ")
        assert b"secret" not in answer


@pytest.mark.parametrize("target", [b"/etc/passwd", b"file:///etc/passwd", b"ftp://x/y", b"*"])
def test_what_is_no_proxy_request_is_refused(near, target):
    assert near.ask(b"GET " + target + b" HTTP/1.1\r\n" + AUTH + b"\r\n").startswith(b"HTTP/1.1 400 ")


def test_nonsense_is_answered_with_400(near):
    assert near.ask(b"\x16\x03\x01 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_charts_are_answered_over_https_and_http_on_a_kept_connection(near):
    near.charts(index="the index")
    inside = near.ask_inside(
        "charts.example.com",
        b"GET /stable/index.yaml HTTP/1.1\r\n\r\n"
        b"GET /stable/index.yaml HTTP/1.1\r\nConnection: close\r\n\r\n",
    )
    assert inside.count(b"the index") == 2
    plain = b"GET http://Charts.example.com/stable/index.yaml HTTP/1.1\r\nConnection: close\r\n%b\r\n" % AUTH
    assert near.ask(plain).endswith(b"the index")


@pytest.mark.parametrize(
    "path",
    ["../leaf.pem", "..%2fsecret.yaml", "%2e%2e/secret.yaml", "//etc/passwd", "index.yaml/../secret.yaml",
     "/etc/passwd", "..\\secret.yaml", "index.yaml%00", "", "secret.yaml", "INDEX.yaml"],
)  # fmt: skip
def test_no_path_leads_out_of_the_charts(near, path):
    near.charts(index="the index")
    (near.folder.parent / "secret.yaml").write_text("do not read me")
    request = f"GET /stable/{path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
    assert near.ask_inside("charts.example.com", request).startswith(b"HTTP/1.1 404 ")


def test_what_is_served_at_the_same_place_later_takes_it(near):
    near.charts(before="the old index")
    near.charts(after="the new index")
    request = b"GET /stable/%b.yaml HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert near.ask_inside("charts.example.com", request % b"after").endswith(b"the new index")
    assert near.ask_inside("charts.example.com", request % b"before").startswith(b"HTTP/1.1 404 ")


def test_a_neighbour_of_a_chart_repositorys_path_is_not_covered(near):
    near.charts(index="the index")
    request = b"GET /stable-too/index.yaml HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert near.ask_inside("charts.example.com", request).startswith(b"HTTP/1.1 403 ")
    assert [(r.host, r.path) for r in near.egress.refusals] == [
        ("charts.example.com", "stable-too/index.yaml")
    ]


def test_a_registry_answers_for_its_charts_and_the_rest_of_its_host_is_as_it_was(near):
    near.charts(url_path="", index="the index")
    near.registry("v2/charts")
    for path, expected in (
        ("/index.yaml", b"the index"),
        ("/v2/", b"{}"),
        ("/v2/charts/redis/tags/list", b"NAME_UNKNOWN"),
        ("/v2/other/redis/tags/list", b"no such chart in this repository"),
    ):
        request = f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
        assert expected in near.ask_inside("charts.example.com", request), path


def test_other_charts_of_a_registrys_host_are_refused_by_their_path(near):
    near.registry("v2/charts")
    path = "v2/other/redis/manifests/1.0.0"
    request = f"GET /{path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
    assert near.ask_inside("charts.example.com", request).startswith(b"HTTP/1.1 403 ")
    assert [(r.host, r.path) for r in near.egress.refusals] == [("charts.example.com", path)]


def test_a_refused_host_is_named_in_the_status_line(near, outside):
    answer = near.ask(b"CONNECT evil.example.com:443 HTTP/1.1\r\nConnection: close\r\n" + AUTH + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 403 evil.example.com (port 443) is not allowed by pytest-gitops\r\n")
    assert b"name it under network.allow" in answer
    assert outside.heard == []


def test_the_rest_of_an_allowed_host_is_passed_on_without_our_password(near, outside):
    near.charts(index="the index")
    near.egress.allow(["charts.example.com"])
    request = (
        b"POST /other?x=1 HTTP/1.1\r\nHost: charts.example.com\r\nAuthorization: Bearer theirs\r\n"
        b"Proxy-Authorization: Basic never\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    )
    answer = near.ask_inside("charts.example.com", request)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"X-From: outside" in answer
    assert b"real" in answer
    sent = outside.heard[0]
    assert sent.startswith(b"POST /other?x=1 HTTP/1.1\r\n")
    assert sent.endswith(b"body")
    assert b"Authorization: Bearer theirs" in sent
    assert b"Proxy-Authorization" not in sent


def test_the_length_that_a_real_host_tells_of_is_passed_on(near):
    near.registry("v2/charts")
    near.egress.allow(["charts.example.com"])
    request = b"HEAD /v2/other/redis/manifests/1.0.0 HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = near.ask_inside("charts.example.com", request)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"Content-Length: 4\r\n" in answer
    assert b"chunked" not in answer


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
            b"Content-Length: 10\r\nconnection: keep-alive\r\n\r\nshort",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort", b"\r\n\r\n"),
    ],
)
def test_what_breaks_off_is_not_made_whole(near, outside, answer, end):
    near.egress.allow(["charts.example.com"])
    outside._answer = answer
    said = near.ask_inside("charts.example.com", b"GET /values.yaml HTTP/1.1\r\n\r\n")
    assert said.endswith(end), said
    assert [(r.host, r.reason) for r in near.egress.refusals] == [("charts.example.com", "unreachable")]


def test_a_client_that_leaves_is_no_host_that_is_away(near, outside):
    near.egress.allow(["charts.example.com"])
    outside._answer = b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n" + b"x" * 30_000_000
    with near.socket() as sock:
        sock.sendall(b"CONNECT charts.example.com:443 HTTP/1.1\r\n%b\r\n" % AUTH)
        sock.recv(4096)
        context = ssl.create_default_context(cadata=near.authority.certificate.decode())
        with context.wrap_socket(sock, server_hostname="charts.example.com") as tls:
            tls.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            assert tls.recv(100).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: not near.connections._open, limit=30, what="the end of its connection")
    assert near.egress.refusals == ()


def test_what_has_a_length_keeps_it_and_its_connection(near):
    near.egress.allow(["charts.example.com"])
    both = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n"
    said = near.ask_inside("charts.example.com", both)
    assert said.count(b"Content-Length: 4\r\n") == said.count(b"real") == 2


def test_a_plain_request_to_an_allowed_host_is_passed_on(near, outside):
    near.egress.allow(["plain.example.com"])
    request = b"GET http://plain.example.com/x HTTP/1.1\r\nHost: plain.example.com\r\nConnection: close\r\n"
    assert b"real" in near.ask(request + AUTH + b"\r\n")
    assert outside.heard[0].startswith(b"GET /x HTTP/1.1\r\nHost: plain.example.com\r\n")
    assert b"Proxy-Authorization" not in outside.heard[0]


def test_a_real_host_that_cannot_be_trusted_is_not_used(tmp_path, outside):
    other = tmp_path / "other"
    other.mkdir()
    near = Near(
        tmp_path / "near",
        {"HTTPS_PROXY": f"http://127.0.0.1:{outside.listener.port}"},
        Authority(other).certificate,
    )
    near.charts(index="the index")
    near.egress.allow(["charts.example.com"])
    near.listener.start()
    answer = near.ask_inside("charts.example.com", b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n")
    near.connections.shut()
    near.listener.stop()
    assert answer.startswith(b"HTTP/1.1 502 charts.example.com/x (port 443) is out of reach: ")
    assert b"CERTIFICATE_VERIFY_FAILED" in answer
    assert [(r.reason, r.path) for r in near.egress.refusals] == [("unreachable", "x")]
    assert outside.heard in ([], [b"not trusted"])


def test_a_tunnel_carries_both_ways_and_is_only_for_its_port(near):
    server = socket.create_server(("127.0.0.1", 0))

    def echo():
        sock, _ = server.accept()
        with sock:
            sock.sendall(b"echo " + sock.recv(100))

    threading.Thread(target=echo, daemon=True).start()
    near.routes.add_tunnel("Prod.example.internal", 6443, server.getsockname())
    with server, near.socket() as sock:
        sock.sendall(b"CONNECT prod.example.internal:6443 HTTP/1.1\r\n" + AUTH + b"\r\n")
        assert sock.recv(100) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        sock.sendall(b"hello")
        assert everything(sock) == b"echo hello"
    answer = near.ask(b"CONNECT prod.example.internal:443 HTTP/1.1\r\nConnection: close\r\n" + AUTH + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_a_cluster_that_is_down_is_unreachable(near):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    near.routes.add_tunnel("prod.example.internal", 6443, address)
    answer = near.ask(
        b"CONNECT prod.example.internal:6443 HTTP/1.1\r\nConnection: close\r\n" + AUTH + b"\r\n"
    )
    assert answer.startswith(
        b"HTTP/1.1 502 prod.example.internal (port 6443) is out of reach: Connection refused"
    )
    assert [(r.reason, r.detail) for r in near.egress.refusals] == [("unreachable", "Connection refused")]


def test_the_end_of_the_world_ends_open_connections_and_threads(near):
    before = threading.active_count()
    with near.socket() as idle, socket.create_server(("127.0.0.1", 0)) as silent, near.socket() as tunnel:
        near.routes.add_tunnel("prod.example.internal", 6443, silent.getsockname())
        tunnel.sendall(b"CONNECT prod.example.internal:6443 HTTP/1.1\r\n" + AUTH + b"\r\n")
        assert tunnel.recv(100).startswith(b"HTTP/1.1 200")
        near.listener.stop()
        assert (everything(idle), everything(tunnel)) == (b"", b"")
    assert threading.active_count() < before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", near.listener.port), 1)


@pytest.mark.parametrize(
    ("served", "asked", "path"),
    [
        ("https://dev.azure.com/org/project/_git/repo", "org.visualstudio.com", "/project/_git/repo"),
        ("https://org.visualstudio.com/project/_git/repo", "dev.azure.com", "/org/project/_git/repo"),
        (
            "git@ssh.dev.azure.com:v3/org/project/repo",
            "org.visualstudio.com",
            "/DefaultCollection/project/_git/repo",
        ),
        ("ssh://git@bb.example.com:7999/PRJ/repo.git", "bb.example.com", "/scm/PRJ/repo.git"),
    ],
)
def test_a_repository_is_stood_in_for_at_each_of_its_hosts(
    tmp_path: Path, served: str, asked: str, path: str
) -> None:
    routes = Routes(Egress({}, network="deny", roots=b""), {}, private=Private((), tmp_path, environ={}))
    routes.add_repository([served], tmp_path)
    assert routes.stands_in_for(asked)
    assert routes.repository_for(asked, path) == tmp_path
    assert not routes.stands_in_for("other.visualstudio.com")


def test_who_is_gone_before_the_tls_begins_leaves_no_socket_open(near):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        sock, _ = listening.accept()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # by a reset, as a process that is killed
    with sock, pytest.raises(OSError):
        near.proxy._inner(sock, "charts.example.com", 443)
    gc.collect()  # what is left open is an error of this test
