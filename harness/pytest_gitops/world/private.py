"""What is asked of other hosts with the user's credentials, none of which any process of Argo CD ever has.

A pull request says what Argo CD does: a password that it had could be led to another host, by a remote base of a
kustomization for instance. So requests are completed on their way out of the world, those to the places that a
credential is for and no others. `mirrors` does the same for ssh.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from pytest_gitops.errors import ConfigError
from pytest_gitops.processes.process import run
from pytest_gitops.settings.credentials import PORTS, Credential
from pytest_gitops.world.following import realm
from pytest_gitops.world.mirrors import Mirrors

FILL_LIMIT = 60.0
"""Seconds that git's credential helpers may take."""

REGISTRY_API = "v2"
"""Where the API of an OCI registry begins (distribution-spec, "Endpoints")."""

_SCOPE = re.compile(r"repository:(?P<name>[^:\s]+):\S*")

Realm = tuple[str, int, str]
"""Host, port and path of where a registry sends its clients for tokens."""


class Private:
    """`credentials` over https have their passwords (see `filled`); `directory` is for `mirrors`, `environ` the user's
    environment."""

    def __init__(
        self, credentials: Sequence[Credential], directory: Path, *, environ: Mapping[str, str]
    ) -> None:
        self.mirrors = Mirrors(credentials, directory, environ=environ)
        self._https = tuple(c for c in credentials if c.scheme == "https")
        self._realms: dict[Realm, list[Credential]] = {}
        self._lock = threading.Lock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be said nowhere."""
        return tuple(s for c in self._https for s in (c.password, c.authorization.removeprefix("Basic ")))

    def answers(self, host: str) -> bool:
        """Whether requests to `host` may be completed."""
        return any(c.host == host for c in self._https) or host in self.token_hosts

    def authorization(self, host: str, port: int, target: str) -> str:
        """The Authorization of a request that has none, for `target`, its path and query; else empty."""
        path, _, query = target.partition("?")
        credential = self._for_token((host, port, path), query) or self._unasked(host, port, path)
        return credential.authorization if credential else ""

    def challenged(self, host: str, port: int, target: str, challenges: Iterable[str]) -> str:
        """What to ask an OCI registry with that has answered 401, by its WWW-Authenticate; empty if its client has to
        ask for a token first. Where it sends them for that is trusted with the password, as its clients do
        (distribution, "Token Authentication Specification")."""
        segments = _segments(target.partition("?")[0]) or []
        credential = self._longest(host, port, segments[1:]) if segments[:1] == [REGISTRY_API] else None
        if credential is None:
            return ""
        for challenge in challenges:
            if challenge.partition(" ")[0].lower() == "basic":
                return credential.authorization
            self._learn(realm(challenge), credential)
        return ""

    @property
    def token_hosts(self) -> tuple[str, ...]:
        """The hosts that registries have sent their clients to."""
        with self._lock:
            return tuple(sorted({host for host, _, _ in self._realms}))

    def _learn(self, url: str, credential: Credential) -> None:
        try:
            parts = urlsplit(url)
            at = ((parts.hostname or "").rstrip("."), parts.port or PORTS["https"], parts.path)
        except ValueError:
            return
        if parts.scheme == "https" and parts.hostname:
            with self._lock:
                known = self._realms.setdefault(at, [])
                if credential not in known:
                    known.append(credential)

    def _unasked(self, host: str, port: int, path: str) -> Credential | None:
        """The credential for a request as it comes. The API of a registry is left to ask for it: some refuse a password
        where they expect a token."""
        segments = _segments(path)
        if segments is None or segments[:1] == [REGISTRY_API]:
            return None
        return self._longest(host, port, segments)

    def _for_token(self, asked: Realm, query: str) -> Credential | None:
        """The credential for a request for a token, if all that the token is to open is below it."""
        with self._lock:
            known = tuple(self._realms.get(asked, ()))
        scopes = " ".join(parse_qs(query).get("scope", [])).split()
        names = [found["name"] if (found := _SCOPE.fullmatch(s)) else None for s in scopes]
        fitting = (c for c in known if names and all(n and _below(_segments(n), c) for n in names))
        return max(fitting, key=lambda c: len(c.path), default=None)

    def _longest(self, host: str, port: int, segments: Sequence[str]) -> Credential | None:
        found = (c for c in self._https if (c.host, c.port) == (host, port) and _below(segments, c))
        return max(found, key=lambda c: len(c.path), default=None)


def filled(credentials: Iterable[Credential], *, environ: Mapping[str, str]) -> tuple[Credential, ...]:
    """The credentials, each https one with the password that git's helpers know where its line has none
    (git-credential(1)). Raises ConfigError if they do not know it."""
    return tuple(c if c.scheme == "ssh" or c.password else _fill(c, environ) for c in credentials)


def _fill(credential: Credential, environ: Mapping[str, str]) -> Credential:
    asked = {
        "protocol": "https",
        "host": credential.netloc,
        "path": credential.path,
        "username": credential.user,
    }
    text = "".join(f"{name}={value}\n" for name, value in asked.items() if value) + "\n"
    env = {**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}
    done = run("git", "credential", "fill", env=env, stdin=text, limit=FILL_LIMIT, check=False)
    said = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    if done.status or not said.get("password"):
        raise ConfigError(
            f"expected git to know a password for {credential.place}, saw none. Sign in with its credential helper, or "
            "write <user>:<password>@ before the host",
            where=credential.where,
        )
    return replace(credential, user=said.get("username", ""), password=said["password"])


def _segments(path: str) -> list[str] | None:
    """The parts of a request's path, percent encoding undone; None for one that a server might understand otherwise."""
    plain = unquote(path)
    parts = plain.split("/")
    if ".." in parts or "." in parts or "\\" in plain or "%" in plain:
        return None
    return [part for part in parts if part]


def _below(segments: Sequence[str] | None, credential: Credential) -> bool:
    """Whether a path is below the prefix, which ends where a part does: `acme` is no prefix of `acme-too`. Hosts of git
    take either case."""
    prefix = credential.path.lower().split("/") if credential.path else []
    return segments is not None and [part.lower() for part in segments[: len(prefix)]] == prefix
