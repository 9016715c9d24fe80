"""The proxy under test, and the outside as it finds it, on loopback sockets."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from pytest_gitops.serving.listener import Connections, Listener
from pytest_gitops.settings.credentials import Credential
from pytest_gitops.world.certificates import Authority
from pytest_gitops.world.charts import ChartRepository
from pytest_gitops.world.egress import Egress
from pytest_gitops.world.private import Private
from pytest_gitops.world.proxy import USER, Proxy
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
