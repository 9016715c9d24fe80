"""CustomResourceDefinitions that the configuration names by URL: which URLs may be named, and what is taken from them.

A URL that names a release (a path with a version such as v1.2.3) or a commit means the same for ever: once it was had,
nobody is asked again. Any other is asked in every run; only where its host is out of reach is it what it was last time,
and that is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_gitops.errors import ConfigError
from pytest_gitops.keeping import Kept
from pytest_gitops.model import Finding, Severity
from pytest_gitops.repository.manifest import ManifestError, parse
from pytest_gitops.settings.settings import RemoteFile
from pytest_gitops.world.download import NotDownloaded, shown

DEFINITION = "CustomResourceDefinition"

PARALLEL = 4
"""Files that are fetched at once."""

PINNED = re.compile(
    r"(?:.*[-_/@])?v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+.][0-9A-Za-z.+-]+)?|[0-9a-f]{40}|[0-9a-f]{64}"
)
"""A part of a path that names a release or a commit: `v1.2.3`, `chart-1.2.3`, `app%2Fv1.2.3-rc.1`, forty hex digits.
Two numbers are no release: `release-1.30` is how projects call branches."""

COPY = "or put a copy of the file into the repository and name its path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What URLs have: definitions, in the order of the URLs, and what is to be said of them."""

    definitions: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()


def is_url(entry: str) -> bool:
    """Whether an entry of the configuration is a URL; else it is a path of the repository."""
    return "://" in entry


def remote_file(url: str, *, where: str, file: str = "", line: int | None = None) -> RemoteFile:
    """The file behind a URL that `line` of `file` names, which errors call `where`.

    Raises ConfigError for a URL that is not https, has no host or brings credentials.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port  # asked for to see whether it is a number
    except ValueError:
        host = ""
    said = shown(text) if host else repr(text.rpartition("@")[2])
    if not host or parts.scheme != "https":
        raise ConfigError(
            f"crds: expected an https:// URL or a path of the repository, saw {said}", where=where
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"crds: expected a URL without user and password, saw {said} with them. Nothing but public files is "
            f"fetched: remove them, {COPY}",
            where=where,
        )
    if not text.isascii() or re.search(r"[\x00-\x20\x7f]", text):
        raise ConfigError(
            f"crds: expected a URL of ASCII characters without spaces, saw {said!r}. Write others percent-encoded",
            where=where,
        )
    return RemoteFile(
        url=text.partition("#")[0], host=host.lower().rstrip("."), where=where, file=file, line=line
    )


def is_pinned(url: str) -> bool:
    """Whether the path of `url` names a release or a commit, so that it always means the same."""
    return any(PINNED.fullmatch(unquote(part)) for part in urlsplit(url).path.split("/"))


def fetch(files: Iterable[RemoteFile], *, download: Callable[[str], bytes], kept: Kept) -> Fetched:
    """The definitions in `files`; `download` gets a URL and raises NotDownloaded. Raises ConfigError, with the URL and
    where it is named, for one that cannot be had or has no definitions."""
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="crds") as pool:
        each = list(pool.map(lambda f: _one(f, download, kept), dict.fromkeys(files)))
    return Fetched(
        definitions=tuple(d for one in each for d in one.definitions),
        findings=tuple(f for one in each for f in one.findings),
    )


def _one(file: RemoteFile, download: Callable[[str], bytes], kept: Kept) -> Fetched:
    old = kept.get(file.url)
    if old is not None and is_pinned(file.url):
        return Fetched(definitions=_definitions(file, old))
    try:
        content = download(file.url)
    except NotDownloaded as error:
        if old is None or not error.away:
            raise _error(file, f"saw {error}", _advice(error)) from error
        return Fetched(definitions=_definitions(file, old), findings=(_not_fresh(file, error),))
    definitions = _definitions(file, content)
    kept.put(file.url, content)
    return Fetched(definitions=definitions)


def _definitions(file: RemoteFile, content: bytes) -> tuple[dict[str, Any], ...]:
    """The CustomResourceDefinitions among what `content` has: of somebody's release nothing else is wanted."""
    if content.lstrip()[:1] == b"<":
        raise _error(
            file, "saw a page of HTML", f"Name the address of the file itself (in a forge: Raw), {COPY}"
        )
    try:
        values = [item.value for document in parse(content) for item in document.items()]
    except ManifestError as error:
        raise _error(
            file, f"saw, in its line {error.line}: {error.problem}", f"Correct the URL, {COPY}"
        ) from error
    found = tuple(v for v in values if isinstance(v, dict) and v.get("kind") == DEFINITION)
    if not found:
        kinds = sorted({str(v["kind"]) for v in values if isinstance(v, dict) and v.get("kind")})
        saw = (
            ", ".join(kinds[:5]) + (" and more" if len(kinds) > 5 else "") if kinds else "no manifest at all"
        )
        raise _error(file, f"saw {saw}", "Name the file of the release that has them")
    if bad := [d for d in found if not _named(d)]:
        raise _error(
            file, f"saw {len(bad)} of {len(found)} without metadata.name", f"Correct the URL, {COPY}"
        )
    return found


def _named(definition: dict[str, Any]) -> bool:
    metadata = definition.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str) and bool(metadata["name"])


def _advice(error: NotDownloaded) -> str:
    if error.refused:
        return f"Name that host under network.allow, {COPY}"
    if error.status in {401, 403, 407}:
        return f"Only public files are fetched, without credentials: name a public one, {COPY}"
    if error.away:
        return f"Check the network and try again (what was had once is kept for such times), {COPY}"
    return f"Correct the URL, {COPY}"


def _error(file: RemoteFile, seen: str, advice: str) -> ConfigError:
    return ConfigError(f"crds: {shown(file.url)}: expected {DEFINITION}s, {seen}. {advice}", where=file.where)


def _not_fresh(file: RemoteFile, error: NotDownloaded) -> Finding:
    return Finding(
        rule="crds-not-fresh",
        severity=Severity.WARNING,
        message=f"{shown(file.url)} was taken as an earlier run had it: expected an answer, saw {error}",
        file=file.file,
        line=file.line,
        help="check the network, or name a release or a commit in the URL, which is fetched only once",
    )
