"""One file of the web for the run itself, through the world's proxy: its stand-ins answer, its guard refuses."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ssl
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from pytest_gitops.waiting import now
from pytest_gitops.world.following import REDIRECTS

MAX_BYTES = 10_000_000
"""The largest file that is taken: ten times the largest known CustomResourceDefinition."""

SILENCE = 15.0
"""Seconds that a host may say nothing; longer than the guard takes to give up on one (egress.CONNECT_LIMIT)."""

SECONDS = 60.0
"""Seconds that a file may take, with all its redirects."""

MAX_REDIRECTS = 5
CHUNK = 65_536

REFUSED = "Tunnel connection failed: 403 "
"""How http.client begins to tell of what the guard refuses."""

BROKEN = "Tunnel connection failed: 502 "
"""How it begins to tell of a host that the guard could not reach."""

URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]"


class NotDownloaded(Exception):
    """A file cannot be had; the text says what was seen. `status` is the HTTP status or 0. `away` says that the host
    is out of reach or in trouble, so that another time may be better; `refused` that the guard did not let us."""

    def __init__(self, seen: str, *, status: int = 0, away: bool = False, refused: bool = False) -> None:
        self.status, self.away, self.refused = status, away, refused
        super().__init__(seen)


UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""What the guard says of a host that it does not trust (OpenSSL's word)."""


def shown(url: str) -> str:
    """`url` for people: without what may be secret in it, which is user, password, query and fragment."""
    parts = urlsplit(url)
    query = "?…" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}"


def download(url: str, *, proxy: str, bundle: Path) -> bytes:
    """The content of an https:// URL. `proxy` and `bundle` are World.url and World.bundle.

    Redirects are followed to where https and the guard allow it; nothing but the URL is sent, so no credentials.
    Raises NotDownloaded, also for more than MAX_BYTES and after SECONDS.
    """
    deadline, address = now() + SECONDS, url
    for _ in range(MAX_REDIRECTS + 1):
        try:
            content, onward = _ask(address, proxy, bundle, deadline)
        except NotDownloaded as error:
            if address == url:
                raise
            raise NotDownloaded(
                f"a redirect to {shown(address)}, and there {error}",
                status=error.status,
                away=error.away,
                refused=error.refused,
            ) from error
        if not onward:
            return content
        address = quote(urljoin(address, onward), safe=URL_CHARACTERS)
        if urlsplit(address).scheme != "https" or not urlsplit(address).hostname:
            raise NotDownloaded(f"a redirect to {shown(address)}, which is not https")
    raise NotDownloaded(f"more than {MAX_REDIRECTS} redirects")


def _ask(url: str, proxy: str, bundle: Path, deadline: float) -> tuple[bytes, str]:
    """The content, or where else to ask."""
    way, parts = urlsplit(proxy), urlsplit(url)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(cafile=bundle)
    pair = f"{unquote(way.username or '')}:{unquote(way.password or '')}"
    connection = http.client.HTTPSConnection(
        way.hostname or "", way.port or 80, timeout=SILENCE, context=trust
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "pytest-gitops"}
    with contextlib.closing(connection):
        try:
            connection.set_tunnel(
                parts.hostname or "",
                parts.port or 443,
                {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
            )
            connection.request("GET", path, headers=headers)
            with connection.getresponse() as answer:
                if answer.status in REDIRECTS and (onward := answer.getheader("Location")):
                    return b"", onward
                _expect_ok(answer)
                return _content(answer, deadline), ""
        except TimeoutError as error:
            raise NotDownloaded(f"no answer within {SILENCE:g} s", away=True) from error
        except ssl.SSLCertVerificationError as error:
            raise NotDownloaded(f"a certificate that cannot be trusted: {error.verify_message}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            text = str(error) or type(error).__name__
            refused = text.startswith(REFUSED)
            seen = text.removeprefix(REFUSED).removeprefix(BROKEN)
            raise NotDownloaded(seen, away=not refused, refused=refused) from error


def _expect_ok(answer: http.client.HTTPResponse) -> None:
    status = answer.status
    if status != HTTPStatus.OK:
        words = f"HTTP {status} {answer.reason}".strip()
        away = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
        # So the guard answers for a host of which something is stood in for.
        refused = status == HTTPStatus.FORBIDDEN and answer.reason.endswith("not allowed by pytest-gitops")
        where, unreached, why = answer.reason.partition(" is out of reach: ")
        if status == HTTPStatus.BAD_GATEWAY and unreached:
            if UNTRUSTED in why:
                raise NotDownloaded(
                    f"a certificate that cannot be trusted: {why.partition(UNTRUSTED)[2].strip(' ]')}"
                )
            raise NotDownloaded(f"{where}{unreached}{why}", away=True)
        raise NotDownloaded(words, status=status, away=away, refused=refused)
    coding = answer.getheader("Content-Encoding", "identity")
    if coding != "identity":
        raise NotDownloaded(f"content that is encoded as {coding!r}, which was not asked for")


def _content(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    length = answer.length
    too_large = NotDownloaded(f"more than {MAX_BYTES // 1_000_000} MB")
    if length is not None and length > MAX_BYTES:
        raise too_large
    found = bytearray()
    while (length is None or len(found) < length) and (piece := answer.read1(CHUNK)):
        found += piece
        if len(found) > MAX_BYTES:
            raise too_large
        if now() > deadline:
            raise NotDownloaded(f"{len(found)} bytes after {SECONDS:g} s and no end", away=True)
    if length is not None and len(found) < length:
        raise NotDownloaded(f"{len(found)} of {length} bytes, then the end", away=True)
    return bytes(found)
