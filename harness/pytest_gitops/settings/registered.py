"""The clusters that `clusters:` registers with Argo CD: what it calls each, and which one a destination means."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import IN_CLUSTER, Case, Destination

OWN_NAME = "in-cluster"

OWN = frozenset({"", IN_CLUSTER, f"{IN_CLUSTER}:443", OWN_NAME})
"""What names the cluster that Argo CD runs in (util/db/cluster.go: localCluster)."""

LABEL_LENGTH = 63
"""The longest DNS label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCluster:
    """A cluster as Argo CD knows it: by the `name` and the `server` of its Secret, whose labels and annotations cluster
    generators choose by. `context` is that of a kubeconfig where the cluster exists; `line` is in pytest-gitops.yaml,
    None for one that nobody registers but an Application's destination."""

    name: str
    server: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    context: str = ""
    line: int | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is the cluster that Argo CD runs in."""
        return self.server in OWN


def parse(
    entries: Sequence[Mapping[str, Any]], *, file: str, lines: Sequence[int]
) -> tuple[RegisteredCluster, ...]:
    """The clusters of a configuration that fits its schema; `lines` has each one's line in `file`.

    Raises ConfigError for an address that is none, and for one name or server of two clusters: Argo CD would take
    either of them.
    """
    found: list[RegisteredCluster] = []
    for number, (entry, line) in enumerate(zip(entries, lines, strict=True)):
        where = f"{file}:{line}"
        name = entry["name"]
        server = str(entry.get("server") or (IN_CLUSTER if name == OWN_NAME else made_up(name))).rstrip("/")
        if not is_address(server):
            raise ConfigError(
                f"clusters.{number}.server: expected the https:// URL of an API server, saw {server!r}",
                where=where,
            )
        if name == OWN_NAME and server not in OWN:
            raise ConfigError(
                f"clusters.{number}.name: {OWN_NAME!r} is the cluster that Argo CD runs in, saw it for {server}",
                where=where,
            )
        context = entry.get("context", "")
        for other in found:
            for what, mine, theirs in (
                ("name", name, other.name),
                ("server", server, other.server),
                ("context", context, other.context),
            ):
                if mine and mine == theirs:
                    raise ConfigError(
                        f"clusters.{number}.{what}: expected each cluster to have its own, saw {mine!r} also in line "
                        f"{other.line}",
                        where=where,
                    )
        found.append(
            RegisteredCluster(
                name=name,
                server=server,
                labels=entry.get("labels") or {},
                annotations=entry.get("annotations") or {},
                context=context,
                line=line,
            )
        )
    return tuple(found)


def chosen(
    contexts: Sequence[str], known: Sequence[RegisteredCluster], *, where: str
) -> tuple[RegisteredCluster, ...]:
    """The clusters of `contexts`; without any, the only one that has a context. Raises ConfigError for a context that
    the configuration does not list: nobody tests on a cluster by accident."""
    listed = {c.context: c for c in known if c.context}
    names = ", ".join(listed) or "none"
    if not contexts and len(listed) != 1:
        raise ConfigError(
            "expected --gitops-context with a context that `clusters:` in pytest-gitops.yaml lists "
            f"({names}), saw none",
            where=where,
        )
    for context in contexts:
        if context not in listed:
            raise ConfigError(
                f"expected a context that `clusters:` in pytest-gitops.yaml lists ({names}), saw {context!r}: what is "
                "not listed there, in the base where there is one, is not touched. Add "
                f"`{{name: …, context: {context}}}`, if it is meant to be tested on",
                where=where,
            )
    return tuple(listed[c] for c in contexts) or tuple(listed.values())


def standing(context: str, known: Sequence[RegisteredCluster]) -> tuple[RegisteredCluster, ...]:
    """`known` with the one that stands in the cluster of `context`: the one that names it, else Argo CD's own."""
    if not context or any(c.context == context for c in known):
        return tuple(known)
    own = next((c for c in known if c.is_own), RegisteredCluster(name=OWN_NAME, server=IN_CLUSTER))
    return (replace(own, context=context), *(c for c in known if not c.is_own))


def meant(destination: Destination, known: Sequence[RegisteredCluster]) -> RegisteredCluster | None:
    """The cluster that a destination means: one of `known`, or one that gets its name or address from it; None for
    the one that Argo CD runs in, and for what is no address, of which Argo CD says so itself."""
    server = destination.server.rstrip("/")  # as Argo CD compares them
    if server in OWN and (server or destination.name in OWN):
        return None
    if server:
        found = next((c for c in known if c.server == server), None)
        new = RegisteredCluster(name=server, server=server) if is_address(server) else None
    else:
        found = next((c for c in known if c.name == destination.name), None)
        new = RegisteredCluster(name=destination.name, server=made_up(destination.name))
    found = found or new
    return None if found is None or found.is_own else found


def recognized(cases: Sequence[Case], known: Sequence[RegisteredCluster]) -> Iterator[Case]:
    """The cases, each with the one name of its cluster, however its destination spells it."""
    for case in cases:
        to = case.destination
        cluster = meant(to, known)
        own = cluster is None and to.server.rstrip("/") in OWN
        said = IN_CLUSTER if own else cluster.name if cluster else ""
        yield replace(case, destination=replace(to, known=said)) if said != to.known else case


def is_registered(destination: Destination, known: Sequence[RegisteredCluster]) -> bool:
    """Whether Argo CD would find it: its own cluster, or one of `known`."""
    cluster = meant(destination, known)
    return cluster is None or any(c.name == cluster.name for c in known)


def close_to(said: str, names: Sequence[str]) -> str:
    """A hint at a name that is spelled alike, or nothing."""
    close = difflib.get_close_matches(said, names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def is_address(server: str) -> bool:
    """Whether `server` is a URL behind which an API server can be."""
    try:
        parts = urlsplit(server)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def made_up(name: str) -> str:
    """An address for a cluster of which only the name is known."""
    return f"https://{label(name)}.destination.invalid:6443"


def label(name: str) -> str:
    """A DNS label for a name; names that differ get labels that differ."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c == "-") else "-" for c in name.lower()).strip("-")
    if kept == name and len(kept) <= LABEL_LENGTH:
        return kept
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{kept[: LABEL_LENGTH - 9].rstrip('-') or 'cluster'}-{digest}"
