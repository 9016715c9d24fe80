"""What a repository's URL means, however it is spelled. A leaf: standard library only, no imports of ours."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

# user@host:path, where the colon comes before any slash (git-clone(1), "GIT URLS").
SCP_LIKE = re.compile(r"^(?:(?P<user>[^@/]+)@)?(?P<host>\[[^\]]+\]|[^:/@\[\]]+):(?P<path>(?!//).*)$")

SCHEMES = {"https": 443, "http": 80, "ssh": 22, "git": 9418, "git+ssh": 22, "ssh+git": 22, "oci": 443}

SSH_HOSTS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
}
"""Names under which a host's repositories are reached by ssh alone, as the hosts' own manuals give them."""

AZURE, OLD_AZURE = "dev.azure.com", ".visualstudio.com"
"""Azure's host, and what an organization's own host ended with before, which still answers."""

LOCAL_NAMES = ("localhost", "metadata.google.internal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The parts of a URL. `host` is lower case, `path` has no leading or trailing slash, `port` is never
    0."""

    scheme: str
    user: str
    host: str
    port: int
    path: str


def parse(url: str) -> Address | None:
    """The parts of a git or chart URL, scp-like ones included; None for a local path or anything without a
    host."""
    text = url.strip()
    if "://" not in text:
        match = SCP_LIKE.match(text)
        if not match or not match["path"]:
            return None
        return _address("ssh", match["user"] or "", match["host"].strip("[]"), None, match["path"])
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in SCHEMES or not parts.hostname:
        return None
    return _address(parts.scheme.lower(), parts.username or "", parts.hostname, port, parts.path)


def parse_registry(url: str) -> Address | None:
    """The parts of an OCI registry's name as Argo CD has it beside `chart`, without a scheme
    (util/helm/client.go, IsHelmOciRepo); None for whatever is none."""
    address = None if "://" in url else parse(f"oci://{url.strip()}")
    return address if address is not None and address.host else None


def _address(scheme: str, user: str, host: str, port: int | None, path: str) -> Address:
    scheme = "ssh" if scheme in {"git+ssh", "ssh+git"} else scheme
    return Address(
        scheme=scheme,
        user=unquote(user),
        host=host.lower().rstrip("."),
        port=port or SCHEMES[scheme],
        path="/".join(part for part in unquote(path).split("/") if part),
    )


def canonical(url: str) -> str:
    """One spelling for all spellings of a repository: "github.com/owner/repo", or "" for what has no host.

    Scheme, credentials, port, `.git`, slashes at the end and case do not matter; Argo CD, too, compares in
    lower case.
    """
    address = parse(url)
    return locate(address.host, address.path) if address else ""


def locate(host: str, path: str) -> str:
    """The same, for a host and a path that were seen in a request."""
    parts = [part for part in path.split("/") if part]
    if parts:
        parts[-1] = re.sub(r"(?i)\.git$", "", parts[-1]) or parts[-1]
    host = host.lower().rstrip(".")
    host = SSH_HOSTS.get(host, host)
    if host.endswith(OLD_AZURE):
        if [p.lower() for p in parts[:1]] == ["defaultcollection"]:
            del parts[0]
        host, parts = AZURE, [host.removesuffix(OLD_AZURE), *parts]
    if host == AZURE:
        # https has ORG/PROJECT/_git/REPO where ssh has v3/ORG/PROJECT/REPO; a project's first repository has its name.
        parts = parts[1:] if parts[:1] == ["v3"] else parts
        parts = [parts[-1] if p == "_git" else p for i, p in enumerate(parts) if p != "_git" or i == 1]
    elif len(parts) == 3 and parts[0] == "scm":
        del parts[0]  # Bitbucket Server's https, where its ssh has PROJECT/REPO
    return "/".join([host, *parts]).lower()


def is_local(host: str) -> bool:
    """Whether `host` is this machine or its own link, where clouds answer with credentials: by name or as an
    address, however it is written."""
    name = host.strip("[]").partition("%")[0].lower().rstrip(".")
    if any(name == local or name.endswith(f".{local}") for local in LOCAL_NAMES):
        return True
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
    with contextlib.suppress(OSError, ValueError):
        # 127.1, 0x7f000001 and 2130706433 are addresses, too.
        address = ipaddress.ip_address(name) if ":" in name else ipaddress.ip_address(socket.inet_aton(name))
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address is not None and (address.is_loopback or address.is_link_local or address.is_unspecified)
