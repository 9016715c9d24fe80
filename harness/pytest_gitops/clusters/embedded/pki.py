"""The certificates of one embedded cluster: a CA that lives for the run, and what it signs.

Keys are ECDSA on P-256, which takes a millisecond to make. The CA's own key is never written to a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pytest_gitops.waiting import utc

MASTERS = "system:masters"
"""The group that may do everything, before any RBAC is looked at."""

VALID = timedelta(days=365)
"""How long a certificate holds: longer than any cluster that somebody keeps."""

CLOCK_SKEW = timedelta(hours=1)

SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority that writes what it signs into `directory` (0600); `ca` is its certificate."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = directory / "ca.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pytest-gitops")])
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        private(self.ca, certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, *addresses: str) -> Pair:
        """A certificate for a server on these IP addresses and under the names a cluster's API server has."""
        names = [x509.DNSName(n) for n in SERVER_NAMES]
        numbers = [x509.IPAddress(ip_address(a)) for a in addresses]
        return self._issue(
            name, common_name=name, usage=ExtendedKeyUsageOID.SERVER_AUTH, alternatives=[*names, *numbers]
        )

    def client(self, name: str, *, user: str, group: str = "") -> Pair:
        """A certificate that says to Kubernetes: I am `user`, of `group`."""
        return self._issue(name, common_name=user, group=group, usage=ExtendedKeyUsageOID.CLIENT_AUTH)

    def signing_key(self, name: str) -> Pair:
        """A bare key pair, for signing service account tokens; `certificate` is its public key."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = Pair(certificate=self.directory / f"{name}.pub", key=self.directory / f"{name}.key")
        private(
            pair.certificate,
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )
        private(pair.key, _pem(key))
        return pair

    def _issue(
        self,
        name: str,
        *,
        common_name: str,
        usage: x509.ObjectIdentifier,
        group: str = "",
        alternatives: list[x509.GeneralName] | None = None,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        words = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if group:
            words.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        builder = (
            self._builder(x509.Name(words), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pair = Pair(certificate=self.directory / f"{name}.crt", key=self.directory / f"{name}.key")
        private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        private(pair.key, _pem(key))
        return pair

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        moment = utc()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - CLOCK_SKEW)
            .not_valid_after(moment + VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def private(path: Path, content: bytes | str) -> Path:
    """Write a new file that only we can read, from its first byte on."""
    data = content.encode() if isinstance(content, str) else content
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _usage(*, sign_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
