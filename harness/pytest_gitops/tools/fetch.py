"""HTTPS for release files: proxies and roots of the environment, mirrors, resuming, hosts out of reach."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.tools.context import Activity, Passed

SILENCE = 10.0
"""Seconds that a host may say nothing, in connecting or in the middle of a file."""

ATTEMPTS = 4
"""How often a transfer that broke off is taken up again, and a host that says 5xx is asked."""

PAUSE = 0.3
"""Seconds before the second attempt; the third waits twice as long."""

CHUNK = 256 * 1024
REFUSALS = (403, 407)  # what a company's proxy says of hosts that it does not allow


class Fetcher:
    """Gets URLs within one run. A host that proved out of reach is not asked again."""

    def __init__(
        self, environ: Mapping[str, str], mirrors: Mapping[str, str], *, cancelled: threading.Event
    ) -> None:
        for host, base in mirrors.items():
            if urllib.parse.urlsplit(base).scheme not in {"https", "http"}:
                raise ConfigError(f"expected an https:// URL, saw {base!r}", where=f"mirror of {host}")
        self._mirrors = {host: base.rstrip("/") for host, base in mirrors.items()}
        self._cancelled = cancelled
        self._unreachable: dict[str, str] = {}
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(
            _Proxies(environ), _Redirects(), urllib.request.HTTPSHandler(context=_roots(environ))
        )

    def address(self, url: str) -> str:
        """Where a URL of the lock file is really fetched."""
        parts = urllib.parse.urlsplit(url)
        base = self._mirrors.get(parts.netloc)
        return base + parts.path if base else url

    def text(self, url: str, *, limit: int = 2_000_000) -> str:
        """A small file. Raises Passed if it cannot be had."""
        for attempt in range(ATTEMPTS):
            self._cancelled.wait(PAUSE * attempt)
            try:
                with self._open(url, {}, attempt) as answer:
                    content: bytes = answer.read(limit)
                    return content.decode("utf-8", errors="replace")
            except _Again as reason:
                broken: Exception = reason
            except (OSError, http.client.HTTPException) as error:
                broken = error
        raise Passed(f"{self.address(url)} broke off {ATTEMPTS} times: {_say(broken)}")

    def file(self, url: str, target: Path, activity: Activity) -> bool:
        """Download to `target`, going on from what is already there; True if something was.

        Raises Passed if it cannot be had; what has come so far stays in `target`.
        """
        resumed = target.exists() and target.stat().st_size > 0
        for attempt in range(ATTEMPTS):
            self._cancelled.wait(PAUSE * attempt)
            try:
                self._transfer(url, target, activity, attempt)
            except _Again as reason:
                broken: Exception = reason
            except (OSError, http.client.HTTPException) as error:
                broken = error
            else:
                return resumed
            resumed = True
        raise Passed(f"{self.address(url)} broke off {ATTEMPTS} times: {_say(broken)}")

    def _transfer(self, url: str, target: Path, activity: Activity, attempt: int) -> None:
        have = target.stat().st_size if target.exists() else 0
        # A transparent encoding would make ranges and lengths those of something else.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        try:
            answer = self._open(url, headers, attempt)
        except _BadRange:
            target.unlink()  # as long as the file or longer: start over
            raise
        with answer:
            going_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            done = have if going_on else 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length else 0
            with target.open("ab" if going_on else "wb") as out:
                while chunk := answer.read(CHUNK):
                    out.write(chunk)
                    done += len(chunk)
                    activity.tick(_sizes(url, done, total))
            if total and done < total:
                raise _Again(f"{done} of {total} bytes came")

    def _open(self, url: str, headers: Mapping[str, str], attempt: int) -> Any:
        address = self.address(url)
        host = urllib.parse.urlsplit(address).netloc
        with self._lock:
            if reason := self._unreachable.get(host):
                raise Passed(reason)
        request = urllib.request.Request(address, headers={"User-Agent": "pytest-gitops", **headers})
        try:
            return self._opener.open(request, timeout=SILENCE)
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                if error.code in REFUSALS:
                    raise Passed(self._give_up(host, f"refused with HTTP {error.code}")) from error
                if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    raise _BadRange("its size was not the one expected") from error
                if error.code < 500 and error.code != http.HTTPStatus.TOO_MANY_REQUESTS:
                    raise Passed(f"{address} is not there: HTTP {error.code}") from error
                raise _Again(f"HTTP {error.code}") from error
        except urllib.error.URLError as error:
            # One that has answered before is only slow or shaky; the first silence means out of reach.
            if attempt and not isinstance(error.reason, ConnectionRefusedError):
                raise _Again(_say(error.reason)) from error
            raise Passed(self._give_up(host, f"is out of reach: {_say(error.reason)}")) from error
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            if attempt:
                raise
            raise Passed(self._give_up(host, f"is out of reach: {_say(error)}")) from error

    def _give_up(self, host: str, why: str) -> str:
        reason = f"{host} {why}"
        with self._lock:
            return self._unreachable.setdefault(host, reason)


class _Again(Exception):
    """Worth another attempt."""


class _BadRange(_Again):
    """The part we have does not fit what is there."""


class _Proxies(urllib.request.ProxyHandler):
    """The proxies of the environment we were given, which need not be our process's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        def named(word: str) -> str:
            return environ.get(word) or environ.get(word.upper()) or ""

        pairs = {scheme: named(f"{scheme}_proxy") or named("all_proxy") for scheme in ("http", "https")}
        self._direct = {"no": named("no_proxy")}
        super().__init__({scheme: url for scheme, url in pairs.items() if url})

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:
        host = req.host or ""
        if self._direct["no"] and urllib.request.proxy_bypass_environment(host, self._direct):  # type: ignore[attr-defined]
            return None
        return super().proxy_open(req, proxy, type)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows, but never from https to something less."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _roots(environ: Mapping[str, str]) -> ssl.SSLContext:
    file, folder = environ.get("SSL_CERT_FILE") or None, environ.get("SSL_CERT_DIR") or None
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except (OSError, ssl.SSLError) as error:
        message = f"no certificates can be read from {file or folder}: {error}"
        raise ConfigError(message, where="SSL_CERT_FILE") from error


def _say(error: object) -> str:
    text = str(error)
    return text or type(error).__name__


def _sizes(url: str, done: int, total: int) -> str:
    name = url.rsplit("/", 1)[-1]
    return f"{name}, {done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{name}, {done / 1e6:.1f} MB"
