"""What the user may read of other hosts, as git's own store of credentials writes it (git-credential-store(1)).

    https://USER:PASSWORD@HOST/PREFIX     git repositories, chart repositories, OCI registries below the prefix
    https://HOST/PREFIX                   the same; git's credential helpers of this machine know the password
    ssh://git@HOST/PREFIX                 git repositories that this machine's own ssh may read

They are in the environment alone: what the repository says, a pull request says, too, and it would say to whom a
password is sent.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pytest_gitops.errors import ConfigError

VARIABLE = "PYTEST_GITOPS_CREDENTIALS"
"""Lines as above, or the path of a file of them."""

EXAMPLE = "https://<user>:<password>@<host>/<prefix>"
"""In angle brackets, for what stands before an @ in a URL is hidden wherever it is said."""

PORTS = {"https": 443, "ssh": 22}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """By what everything below `path` of `host` is read. `host` is in lower case, `path` without slashes at its ends.
    Over https an empty `password` is git's to know; over ssh there is none. `where` is what errors call the line."""

    scheme: Literal["https", "ssh"]
    host: str
    port: int
    path: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    where: str = VARIABLE

    @property
    def authorization(self) -> str:
        """What a request says that is made with it (RFC 7617)."""
        pair = f"{self.user}:{self.password}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    @property
    def netloc(self) -> str:
        """Its host, with the port where that is not the scheme's own."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def place(self) -> str:
        """Its URL, without what is secret."""
        return f"{self.scheme}://{self.netloc}/{self.path}"


def read(environ: Mapping[str, str]) -> tuple[Credential, ...]:
    """The credentials of an environment, none where it has none. Raises ConfigError, which never quotes a line."""
    text = environ.get(VARIABLE, "")
    given = text.strip()
    if "\n" in given or not given.startswith(("/", "~", "./", "../")):
        return tuple(parse(text, where=VARIABLE))
    file = Path(given).expanduser()
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            f"expected lines such as {EXAMPLE}, or a file of them; {given}: {why}", where=VARIABLE
        ) from None
    return tuple(parse(text, where=given))


def parse(text: str, *, where: str) -> Iterator[Credential]:
    """The credentials in lines of text; empty ones and comments (#) are left out. Raises ConfigError."""
    for number, line in enumerate(text.splitlines(), 1):
        if (line := line.strip()) and not line.startswith("#"):
            yield _credential(line, f"{where}, line {number}")


def without(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for everybody else."""
    return {name: value for name, value in environ.items() if name != VARIABLE}


def _credential(line: str, where: str) -> Credential:
    try:
        parts = urlsplit(line)
        port = parts.port
    except ValueError:
        raise _wrong(where, "a URL that cannot be read") from None
    # OCI registries have URLs of their own, and no other protocol.
    scheme = "https" if parts.scheme == "oci" else parts.scheme
    if scheme == "http":
        raise _wrong(where, "http://: a password is not sent in the clear")
    if scheme not in {"https", "ssh"} or not parts.hostname:
        raise _wrong(where, "neither an https:// nor an ssh:// URL with a host")
    if parts.query or parts.fragment or "@" in parts.path:
        raise _wrong(where, "a URL that cannot be divided")
    user, password, path = unquote(parts.username or ""), unquote(parts.password or ""), unquote(parts.path)
    if any(map(_CONTROL.search, (user, password, path))) or ".." in path.split("/"):
        raise _wrong(where, "a character that does not belong there")
    if scheme == "ssh" and password:
        raise _wrong(
            where, "ssh:// with a password: it reads by the keys of this machine, https:// by a token"
        )
    return Credential(
        scheme="ssh" if scheme == "ssh" else "https",
        host=parts.hostname.rstrip("."),
        port=port or PORTS[scheme],
        path="/".join(part for part in path.split("/") if part),
        user=user,
        password=password,
        where=where,
    )


def _wrong(where: str, seen: str) -> ConfigError:
    return ConfigError(
        f"expected {EXAMPLE}, https://<host>/<prefix> or ssh://<user>@<host>/<prefix>, saw {seen}. In a name or "
        "password write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F",
        where=where,
    )
