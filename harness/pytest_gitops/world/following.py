"""Where a host sends its clients: by a redirect, to where a registry gives tokens, by the index of a chart repository.

Whoever is named as a source may say where it lies: the charts of one host are packages of another, which redirects to a
third, and no manifest names those.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

REDIRECTS = {301, 302, 303, 307, 308}

INDEX = "index.yaml"
"""What a chart repository is asked for first (https://helm.sh/docs/topics/chart_repository)."""

INDEX_BYTES = 256 << 20
"""As much of an index is looked at; the largest public ones have 30 MB."""

_PACKAGE = re.compile(rb"https?://([A-Za-z0-9.-]{1,253})(?::\d{1,5})?/[^\s\"'\\]{0,2000}\.tgz")
_TAIL = 4_096
"""Bytes that are looked at again with the next piece: longer than what is looked for."""

_REALM = re.compile(r'^bearer\b.*?\brealm="([^"]*)"', re.IGNORECASE)


def led_to(status: int, location: str, challenges: Iterable[str]) -> set[str]:
    """The hosts that an answer leads to, by its Location and WWW-Authenticate."""
    urls = [location] if status in REDIRECTS else []
    if status == HTTPStatus.UNAUTHORIZED:
        urls += map(realm, challenges)
    return {host for url in urls if (host := _host(url))}


def realm(challenge: str) -> str:
    """The URL where a registry that answers so gives tokens, else empty."""
    found = _REALM.search(challenge)
    return found[1] if found else ""


def packages(pieces: Iterable[bytes], *, encoding: str) -> Iterator[tuple[bytes, set[str]]]:
    """Each piece of an index as it is sent, with the hosts of packages that are known by then."""
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding.lower() == "gzip" else None
    rest, read = b"", 0
    for piece in pieces:
        try:
            text = unzip.decompress(piece, INDEX_BYTES) if unzip else piece
        except zlib.error:
            text = b""
        read += len(text)
        data = rest + text if read <= INDEX_BYTES else b""
        rest = data[-_TAIL:]
        yield piece, {found[1].decode() for found in _PACKAGE.finditer(data)}


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip(".") if parts.scheme in {"http", "https"} else ""
    except ValueError:
        return ""
