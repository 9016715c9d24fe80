"""The proxy on loopback sockets: who must say the password, what is answered, passed on, or refused."""

from __future__ import annotations

import base64
import gc
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_gitops.serving.listener import Connections, Listener
from pytest_gitops.settings.credentials import VARIABLE, Credential, read
from pytest_gitops.waiting import wait_until
from pytest_gitops.world.certificates import Authority
from pytest_gitops.world.charts import ChartRepository
from pytest_gitops.world.egress import Egress
from pytest_gitops.world.private import Private
from pytest_gitops.world.proxy import MIRRORS, USER, Proxy
from pytest_gitops.world.registry import Registry
from pytest_gitops.world.routes import Routes

TOKEN = "token"
AUTH = b"Proxy-Authorization: Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()) + b"\r\n"


class Outside:
    """The machine's own proxy, and every host behind it: answers all requests alike and remembers them."""

    def __init__(self, folder: Path, answer: bytes) -> None:
        folder.mkdir()
        self.authority, self.heard, self._answer = Authority(folder), [], answer
        self.roots = folder / "roots.pem"
        self.roots.write_bytes(self.authority.certificate)
        self.connections = Connections()
        self.listener = Listener("outside", self._serve, self.connections)

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(5)
        host, port = sock.recv(4096).split(b" ")[1].decode().rsplit(":", 1)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        if port == "80":
            self._one(sock)
            return
        try:
            with self.authority.context(host).wrap_socket(sock, server_side=True) as tls:
                self._one(tls)
        except ssl.SSLError:
            self.heard.append(b"not trusted")

    def _one(self, sock: socket.socket) -> None:
        heard = sock.recv(65536)
        while b"Content-Length: 4" in heard and not heard.endswith(b"body"):
            heard += sock.recv(65536)
        self.heard.append(heard)
        sock.sendall(self._answer)


@pytest.fixture
def outside(tmp_path):
    there = Outside(
        tmp_path / "outside", b"HTTP/1.1 201 Made\r\nX-From: outside\r\nContent-Length: 4\r\n\r\nreal"
    )
    there.listener.start()
    yield there
    there.connections.shut()
    there.listener.stop()


class Near:
    """The proxy under test."""

    def __init__(
        self, folder: Path, environ: dict[str, str], roots: bytes, credentials: Sequence[Credential] = ()
    ) -> None:
        folder.mkdir()
        self.folder, self.authority = folder, Authority(folder)
        self.egress = Egress(environ, network="deny", roots=roots)
        self.routes = Routes(
            self.egress, environ, private=Private(credentials, folder / "private", environ={})
        )
        self.connections = Connections()
        self.proxy = Proxy(self.routes, self.authority, self.connections, token=TOKEN)
        self.listener = Listener("near", self.proxy, self.connections)

    def charts(self, url_path: str = "stable", **files: str) -> None:
        found = {}
        for name, content in files.items():
            found[f"{name}.yaml"] = self.folder / f"{name}.yaml"
            (self.folder / f"{name}.yaml").write_text(content)
        self.routes.add_charts(ChartRepository(host="charts.example.com", path=url_path, files=found))

    def registry(self, path: str) -> None:
        self.routes.add_charts(Registry(host="charts.example.com", path=path, charts={}))

    @contextmanager
    def socket(self):
        with socket.create_connection(("127.0.0.1", self.listener.port), 5) as sock:
            yield sock

    def ask(self, request: bytes) -> bytes:
        """Send one request to the proxy itself; what comes back until the end."""
        with self.socket() as sock:
            sock.sendall(request)
            return everything(sock)

    def ask_inside(self, host: str, request: bytes) -> bytes:
        """Send one request over https, through CONNECT, trusting the proxy's own authority alone."""
        with self.socket() as sock:
            sock.sendall(b"CONNECT %b:443 HTTP/1.1\r\n%b\r\n" % (host.encode(), AUTH))
            said = sock.recv(4096)
            if not said.startswith(b"HTTP/1.1 200"):
                return said
            context = ssl.create_default_context(cadata=self.authority.certificate.decode())
            with context.wrap_socket(sock, server_hostname=host) as tls:
                tls.sendall(request)
                return everything(tls)


def everything(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


@pytest.fixture
def near(tmp_path, outside):
    environ = {"HTTPS_PROXY": f"http://127.0.0.1:{outside.listener.port}"}
    it = Near(tmp_path / "near", environ, outside.roots.read_bytes())
    it.listener.start()
    yield it
    it.connections.shut()
    it.listener.stop()


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
