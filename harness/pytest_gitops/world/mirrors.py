"""Repositories of other hosts that are asked for over ssh: fetched by this machine's own git, and answered from that.

Keys stay where they are, with this machine's ssh or its agent, and whoever has a token for https needs no key.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import quote

from pytest_gitops.errors import EngineError
from pytest_gitops.processes.process import run
from pytest_gitops.settings.credentials import PORTS, Credential
from pytest_gitops.world.urls import AZURE, Address, locate

BITBUCKET_SERVER = "scm"
"""What its paths begin with over https alone (see `urls.locate`)."""

FETCH_LIMIT = 600.0
"""Seconds that one repository may take."""


class Mirrors:
    """`directory` is where they lie; `environ` is the user's environment. Each is fetched once, for all who ask."""

    def __init__(
        self, credentials: Sequence[Credential], directory: Path, *, environ: Mapping[str, str]
    ) -> None:
        self.directory = directory
        self._credentials, self._environ = tuple(credentials), environ
        self._fetched: dict[str, Future[Path]] = {}
        self._lock = threading.Lock()

    def addresses(self, spoken: Iterable[Address] = ()) -> tuple[Address, ...]:
        """The ssh addresses that are answered: of each credential, and those of `spoken` that one covers, which may
        have a port of their own."""
        own = [_address(c) for c in self._credentials]
        covered = [a for a in spoken if a.scheme == "ssh" and self.covers(a.host, a.path)]
        return tuple(dict.fromkeys([*own, *covered]))

    def has_some_of(self, host: str) -> bool:
        """Whether any repository of `host` is answered."""
        return any(locate(c.host, "") == locate(host, "") for c in self._credentials)

    def covers(self, host: str, path: str) -> bool:
        """Whether a credential is for that repository."""
        return self._credential(host, path) is not None

    def get(self, host: str, path: str) -> Path | None:
        """The bare repository that is asked for as `path` of `host`, None if no credential is for it. Raises
        EngineError if it cannot be fetched."""
        credential, name = self._credential(host, path), locate(host, path)
        if credential is None:
            return None
        with self._lock:
            is_first = name not in self._fetched
            waited = self._fetched.setdefault(name, Future())
            number = len(self._fetched)
        if is_first:
            try:
                waited.set_result(self._fetch(credential, path, self.directory / f"{number}.git"))
            except BaseException as error:
                waited.set_exception(error)
        return waited.result()

    def _credential(self, host: str, path: str) -> Credential | None:
        """The one whose prefix is longest; of equals the one over ssh, for that is what was asked for."""
        parts = locate(host, path).split("/")
        if {".", ".."} & set(parts):
            return None  # a server would understand another path
        found = (c for c in self._credentials if _begin(parts, locate(c.host, _address(c).path)))
        return max(found, key=lambda c: (len(_address(c).path), c.scheme == "ssh"), default=None)

    def _fetch(self, credential: Credential, path: str, into: Path) -> Path:
        env = {
            **self._environ,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": credential.scheme,
            "LC_ALL": "C",
        }
        if credential.scheme == "ssh":
            env.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
            url = _url(credential, path.strip("/"), user=credential.user)
        else:
            url = _url(credential, _over_https(credential, path))
            # Not among the arguments, which every user of the machine can read; and no helper is to know better.
            settings = {
                "credential.helper": "",
                f"http.{url}.extraHeader": f"Authorization: {credential.authorization}",
            }
            env["GIT_CONFIG_COUNT"] = str(len(settings))
            for number, (key, value) in enumerate(settings.items()):
                env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        words = ("git", "clone", "--quiet", "--bare", "--", url, into)
        done = run(*words, env=env, limit=FETCH_LIMIT, check=False)
        if done.status:
            raise EngineError(f"git clone {url}: {done.tail}")
        return into


def _address(credential: Credential) -> Address:
    """What it is over ssh."""
    if credential.scheme == "ssh":
        user, port, path = credential.user, credential.port, credential.path
    else:
        user, port, path = "", PORTS["ssh"], re.sub(f"^{BITBUCKET_SERVER}(/|$)", "", credential.path)
    return Address(scheme="ssh", user=user, host=credential.host, port=port, path=path)


def _begin(parts: Sequence[str], prefix: str) -> bool:
    wanted = [part for part in prefix.split("/") if part]
    return list(parts[: len(wanted)]) == wanted


def _url(credential: Credential, path: str, *, user: str = "") -> str:
    name = f"{quote(user, safe='')}@" if user else ""
    return f"{credential.scheme}://{name}{credential.netloc}/{quote(path)}"


def _over_https(credential: Credential, path: str) -> str:
    """The path over https of a repository that was asked for over ssh, where hosts have two."""
    parts = [part for part in path.split("/") if part]
    if credential.host == AZURE and parts[:1] == ["v3"] and len(parts) == 4:
        parts = [parts[1], parts[2], "_git", parts[3]]
    elif credential.path.split("/")[0] == BITBUCKET_SERVER and parts[:1] != [BITBUCKET_SERVER]:
        parts = [BITBUCKET_SERVER, *parts]
    return "/".join(parts)
