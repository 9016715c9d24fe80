"""Stand-ins for the tools tests: an HTTPS server with the official hosts' layouts, programs that say versions."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def program(says: str) -> bytes:
    """A program that says `says`, whatever it is asked."""
    return f"#!/bin/sh\nprintf '%s\\n' '{says}'\n".encode()


@dataclass
class Hosts:
    """What the stand-in for all hosts serves, by "host/path", and what was asked of it."""

    url: str = ""
    ca: Path = Path()
    files: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)  # how often a file's transfer breaks off in the middle
    stall: dict[str, threading.Event] = field(default_factory=dict)  # a transfer waits in the middle for it
    redirect: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, Range

    def mirrors(self) -> dict[str, str]:
        names = {path.partition("/")[0] for path in (*self.files, *self.status)}
        return {name: f"{self.url}/{name}" for name in names}

    def environ(self, folder: Path) -> dict[str, str]:
        return {"PATH": str(folder), "SSL_CERT_FILE": str(self.ca), "HOME": str(folder)}


@contextlib.contextmanager
def hosts(folder: Path) -> Iterator[Hosts]:
    """Serve over TLS with a CA of its own, on loopback."""
    served = Hosts()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            served.asked.append((path, self.headers.get("Range", "")))
            content = served.files.get(path)
            status = served.status.get(path) or (200 if content is not None else 404)
            if status != 200 or content is None:
                self.send_response(302 if path in served.redirect else status)
                self.send_header("Location", served.redirect.get(path, ""))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            begin = 0
            if served.ranges and (asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
                begin = int(asked[1])
                if begin >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
            else:
                self.send_response(200)
            body = content[begin:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2
            if path in served.stall:
                self.wfile.write(body[:half])
                self.wfile.flush()
                served.stall[path].wait(30)
                body = body[half:]
            if served.cut.get(path, 0) > 0:
                served.cut[path] -= 1
                self.wfile.write(body[:half])
                self.close_connection = True
                return
            self.wfile.write(body)

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    served.ca, chain = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    served.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        for event in served.stall.values():
            event.set()
        server.shutdown()
        thread.join(10)
        server.server_close()


def certificates(folder: Path) -> tuple[Path, Path]:
    """A CA's file, and one with the chain and key of a server on 127.0.0.1."""
    now = datetime.datetime.now(datetime.UTC)

    def certificate(
        name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        authority = name == issuer
        extension: x509.ExtensionType = (
            x509.BasicConstraints(ca=True, path_length=0)
            if authority
            else x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        )
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(extension, critical=authority)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
            .sign(signer, hashes.SHA256())
        )

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca, chain = folder / "ca.pem", folder / "server.pem"
    pem = serialization.Encoding.PEM
    ca.write_bytes(certificate("a test's CA", root, "a test's CA", root).public_bytes(pem))
    chain.write_bytes(
        certificate("a test's server", leaf, "a test's CA", root).public_bytes(pem)
        + leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ca, chain
