"""HTTP/1.1 over a socket pair: what is read, what is refused, what is written."""

from __future__ import annotations

import gzip
import socket

import pytest

from pytest_gitops.serving.wire import BadRequest, Exchange


@pytest.fixture
def ends():
    client, server = socket.socketpair()
    client.settimeout(5)
    server.settimeout(5)
    with client, server:
        yield client, server


def exchange(ends, request: bytes) -> Exchange:
    client, server = ends
    client.sendall(request)
    client.shutdown(socket.SHUT_WR)
    return Exchange(server, server.makefile("rb"))


def answer(ends) -> bytes:
    client, server = ends
    server.shutdown(socket.SHUT_WR)
    data = b""
    while piece := client.recv(65536):
        data += piece
    return data


def test_a_request_is_read(ends):
    seen = exchange(ends, b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    assert (seen.method, seen.target, seen.header("host"), seen.keep) == ("POST", "/a?b", "x", True)
    assert b"".join(seen.body()) == b"abc"


def test_a_chunked_gzip_body_becomes_a_file(ends):
    packed = gzip.compress(b"want " * 1000)
    chunks = (
        b"".join(b"%x;ext=1\r\n%b\r\n" % (len(c), c) for c in (packed[:10], packed[10:]))
        + b"0\r\nTrailer: 1\r\n\r\n"
    )
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    with exchange(ends, head + chunks).spool(limit=10_000) as file:
        assert file.read() == b"want " * 1000


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_above_the_limit_is_refused(ends, encoding):
    body = b"0" * 100_000 if encoding == "identity" else gzip.compress(b"0" * 100_000)
    head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\nContent-Encoding: {encoding}\r\n\r\n".encode()
    with pytest.raises(BadRequest, match="more than 50000 bytes"):
        exchange(ends, head + body).spool(limit=50_000)


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1 extra\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
    ids=range(8),
)
def test_what_is_not_clear_is_refused(ends, request_):
    with pytest.raises(BadRequest):
        exchange(ends, request_)


@pytest.mark.parametrize("body", [b"zz\r\nabc", b"5\r\nab"])
def test_a_broken_body_is_refused(ends, body):
    seen = exchange(ends, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    with pytest.raises(BadRequest):
        list(seen.body())


def test_the_end_of_a_connection_is_no_request(ends):
    with pytest.raises(EOFError):
        exchange(ends, b"")


def test_a_client_that_waits_is_told_to_go_on(ends):
    seen = exchange(ends, b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
    list(seen.body())
    assert answer(ends).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")


def test_an_answer_cannot_be_split_by_what_it_quotes(ends):
    seen = exchange(ends, b"GET / HTTP/1.1\r\n\r\n")
    seen.reply(403, b"no", reason="not\r\nX-Evil: 1", headers=(("x", "a\nb"),))
    assert answer(ends).splitlines()[:2] == [b"HTTP/1.1 403 not X-Evil: 1", b"x: a b"]


def test_pieces_are_chunked_for_1_1_and_plain_for_1_0(ends):
    exchange(ends, b"GET / HTTP/1.1\r\n\r\n").stream(200, iter([b"ab", b"", b"c"]))
    assert answer(ends).endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


def test_http_1_0_gets_the_body_until_the_end_of_the_connection(ends):
    seen = exchange(ends, b"GET / HTTP/1.0\r\n\r\n")
    seen.stream(200, iter([b"ab", b"c"]))
    assert not seen.keep
    assert answer(ends).endswith(b"connection: close\r\n\r\nabc")


def test_a_body_nobody_read_ends_the_connection(ends):
    seen = exchange(ends, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
    seen.reply(404)
    assert not seen.keep


def test_a_head_that_is_passed_on_has_the_headers_alone(ends):
    seen = exchange(ends, b"HEAD / HTTP/1.1\r\n\r\n")
    seen.stream(200, iter([b"abc"]), headers=[("content-length", "3")])
    assert seen.keep
    assert answer(ends) == b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: keep-alive\r\n\r\n"


def test_head_gets_the_length_and_no_body(ends):
    exchange(ends, b"HEAD / HTTP/1.1\r\n\r\n").reply(200, b"abc")
    assert answer(ends).endswith(b"content-length: 3\r\nconnection: keep-alive\r\n\r\n")
