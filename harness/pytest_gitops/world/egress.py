"""Who may be talked to outside, how to get there, and the list of those that were not reached."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from urllib.parse import unquote, urlsplit

from pytest_gitops.world.urls import is_local

Network = Literal["deny", "allow"]

CONNECT_LIMIT = 10.0
"""Seconds to reach a host outside."""

HEAD_BYTES = 65_536


class Reason(StrEnum):
    """Why a host was not reached."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A host that was asked for and not reached, `count` times. `path` is the repository that was meant where
    only some of a host's are there, else empty; `detail` says why it is out of reach."""

    host: str
    port: int
    reason: Reason
    count: int = 1
    path: str = ""
    detail: str = ""

    @property
    def text(self) -> str:
        """One sentence for a person."""
        where = f"{self.host}/{self.path}" if self.path else self.host
        if self.reason is Reason.UNREACHABLE:
            return f"{where} (port {self.port}) is out of reach: {self.detail}"
        return f"{where} (port {self.port}) is not allowed by pytest-gitops"

    def to_dict(self) -> dict[str, object]:
        return {
            "host": self.host,
            "port": self.port,
            "reason": self.reason.value,
            "count": self.count,
            "path": self.path or None,
            "detail": self.detail or None,
        }


class Unreached(Exception):
    """A host was refused or could not be reached; already recorded."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.text)


def bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Whether NO_PROXY's list covers `host`: names and all below them, addresses, networks, with a port or
    without."""
    for entry in no_proxy.replace(",", " ").lower().split():
        name, _, its_port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if its_port and its_port != str(port):
            continue
        name = name.removeprefix("*").strip("[]")
        if entry == "*" or host == name.lstrip(".") or host.endswith("." + name.lstrip(".")):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False):
                return True
        except ValueError:
            continue
    return False


class Egress:
    """The guard. `environ` is the user's: its HTTPS_PROXY and NO_PROXY say how this machine gets outside."""

    def __init__(self, environ: Mapping[str, str], *, network: Network, roots: bytes) -> None:
        self._environ, self._network, self._roots = environ, network, roots
        self._allowed: set[str] = set()
        self._named: set[str] = set()
        self._certificates: dict[str, str] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}  # by what is trusted further
        self._seen: Counter[Refusal] = Counter()
        self._lock = threading.Lock()

    def allow(self, hosts: Iterable[str]) -> None:
        """Let `hosts` be reached: names, or "*.example.com" for all below one."""
        with self._lock:
            self._allowed.update(h.strip().lower().rstrip(".") for h in hosts if h.strip())

    def allow_named(self, hosts: Iterable[str]) -> None:
        """Let `hosts` be reached that only the repository names; never this machine or its link."""
        with self._lock:
            self._named.update(h.lower().rstrip(".") for h in hosts if not is_local(h))

    def allows(self, host: str) -> bool:
        with self._lock:
            return host in self._named or self._trusts(host)

    def follows(self, host: str) -> bool:
        """Whether it matters where `host` sends its clients: where not every host may be reached."""
        return self._network != "allow" and self.allows(host)

    def _trusts(self, host: str) -> bool:
        """Whether the configuration, not only the repository, lets `host` be reached."""
        if self._network == "allow" or host in self._allowed:
            return True
        labels = host.split(".")
        return any(f"*.{'.'.join(labels[i:])}" in self._allowed for i in range(1, len(labels)))

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Everything that was not reached, by host."""
        with self._lock:
            found = [
                Refusal(host=r.host, port=r.port, reason=r.reason, path=r.path, detail=r.detail, count=n)
                for r, n in self._seen.items()
            ]
        return tuple(sorted(found, key=lambda r: (r.host, r.path, r.port, r.reason)))

    def refuse(self, host: str, port: int, path: str = "") -> Unreached:
        """Record that a host, or one repository of it, was refused."""
        return self._record(Refusal(host=host, port=port, reason=Reason.REFUSED, path=path))

    def unreachable(self, host: str, port: int, detail: str, path: str = "") -> Unreached:
        """Record that an allowed host, or one repository of it, did not answer."""
        return self._record(
            Refusal(host=host, port=port, reason=Reason.UNREACHABLE, path=path, detail=detail)
        )

    def _record(self, refusal: Refusal) -> Unreached:
        with self._lock:
            self._seen[refusal] += 1
        return Unreached(refusal)

    def dial(self, host: str, port: int, path: str = "") -> socket.socket:
        """A connection to a host outside. Raises Unreached, and records it, if that is not allowed or fails;
        `path` as in Refusal."""
        if not self.allows(host):
            raise self.refuse(host, port, path)
        try:
            proxy = self._upstream(host, port)
            return self._through(proxy, host, port) if proxy else self._direct(host, port)
        except (OSError, ValueError) as error:
            detail = str(getattr(error, "strerror", None) or error)
            raise self.unreachable(host, port, detail, path) from error

    def _direct(self, host: str, port: int) -> socket.socket:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(entry[4][0]) for entry in known))
        # A name that the repository brings may be made to mean anything, also from one look-up to the next.
        if not self._trusts(host) and any(map(is_local, found)):
            raise self.refuse(host, port)
        for address in found[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, port), CONNECT_LIMIT)
        return socket.create_connection((found[-1], port), CONNECT_LIMIT)

    def trust(self, certificates: Mapping[str, str]) -> None:
        """Trust further authorities, PEM, each for the host that it is given for."""
        with self._lock:
            self._certificates.update({host.lower(): pem for host, pem in certificates.items()})

    def client_context(self, host: str) -> ssl.SSLContext:
        """The client side of TLS towards `host`: this machine's own trust, and what is trusted for that host. Made
        once: a machine trusts a hundred authorities and more."""
        with self._lock:
            more = self._certificates.get(host, "")
            if more not in self._contexts:
                self._contexts[more] = self._context(more)
            return self._contexts[more]

    def _context(self, more: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._roots:
            context.load_verify_locations(cadata=self._roots.decode(errors="replace"))
        if more:
            with contextlib.suppress(ssl.SSLError, ValueError):  # it is no certificate, and so trusts nobody
                context.load_verify_locations(cadata=more)
        return context

    def _upstream(self, host: str, port: int) -> str:
        """The proxy that this machine uses for `host`, or ""."""
        bypass = self._environ.get("no_proxy") or self._environ.get("NO_PROXY") or ""
        if bypasses(bypass, host, port):
            return ""
        for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            if value := self._environ.get(name):
                return value
        return ""

    def _through(self, proxy: str, host: str, port: int) -> socket.socket:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(
                f"this machine's proxy is of kind {parts.scheme!r}; only http:// ones can be used"
            )
        through = socket.create_connection((parts.hostname, parts.port or 80), CONNECT_LIMIT)
        try:
            head = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            if parts.username is not None:
                pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
                head += f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
            through.sendall(head.encode() + b"\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                # One byte at a time: what comes after the head belongs to the tunnel.
                byte = through.recv(1)
                if not byte or len(answer) > HEAD_BYTES:
                    raise OSError(f"this machine's proxy {parts.hostname} broke off")
                answer += byte
            status = answer.split(b"\r\n", 1)[0].decode(errors="replace")
            if status.split(" ")[1:2] != ["200"]:
                raise OSError(f"this machine's proxy {parts.hostname} said {status}")
        except BaseException:
            through.close()
            raise
        return through
