"""The certificate authority of one run: certificates for the hosts we stand in for, and the trust bundle.

The authority's key lives in memory only. The only importer of cryptography in this package.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pytest_gitops.waiting import utc

LIFETIME = timedelta(days=7)
"""Longer than any run; a certificate that outlives its run is of no use to anyone, its key is gone."""

ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def system_roots(environ: Mapping[str, str]) -> bytes:
    """The certificates that this machine trusts, as PEM: those that `environ` names, else the platform's. May
    be empty."""
    named = [environ[v] for v in ("SSL_CERT_FILE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE") if environ.get(v)]
    found = [content for path in dict.fromkeys(named) if (content := _pem(Path(path)))]
    if not environ.get("SSL_CERT_FILE"):
        builtin = ssl.get_default_verify_paths().openssl_cafile
        found += [c for path in (builtin, *ROOTS) if (c := _pem(Path(path)))][:1]
    return b"\n".join(found)


def _pem(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    return content if b"BEGIN" in content else b""


def write_private(path: Path, content: bytes | str) -> Path:
    """Write a file that nobody else may read, from its first byte on."""
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path


class Authority:
    """Issues server certificates. `directory` gets the leaves' shared key and the bundle, all 0600."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pytest-gitops loopback world")])
        self.certificate = self._authority().public_bytes(serialization.Encoding.PEM)

    def _builder(self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        moment = utc()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(hours=1))
            .not_valid_after(moment + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )

    def _authority(self) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        return (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def bundle(self, roots: bytes) -> Path:
        """Write `roots` and our own certificate as one PEM file."""
        return write_private(self._directory / "bundle.pem", roots.rstrip() + b"\n" + self.certificate)

    def context(self, host: str) -> ssl.SSLContext:
        """The server side of TLS for `host`, a name or an IP address."""
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._issue(host)
            return self._contexts[host]

    def _issue(self, host: str) -> ssl.SSLContext:
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        certificate = (
            self._builder(x509.Name([]), self._leaf_key.public_key())
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        secret = self._leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # The ssl module loads certificates from files alone.
        file = write_private(
            self._directory / "leaf.pem", certificate.public_bytes(serialization.Encoding.PEM) + secret
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(file)
        file.unlink()
        return context


def ssh_key() -> tuple[str, str]:
    """A new ed25519 key in OpenSSH's formats: (private, public)."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()
