"""Destination clusters: which ones Applications name, and the Secret by which Argo CD knows each stand-in."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_gitops.model import IN_CLUSTER, Case
from pytest_gitops.repository.manifest import parse

OWN = {"", IN_CLUSTER, f"{IN_CLUSTER}:443", "in-cluster"}
"""What names the cluster that Argo CD runs in (util/db/cluster.go: localCluster)."""

LABEL_LENGTH = 63
"""The longest DNS label."""

SERVER_NAME = "kubernetes"
"""A name on every API server's certificate: the real one's is unknown, and its address is a stand-in's."""


def stand_ins(cases: Sequence[Case]) -> tuple[tuple[str, str], ...]:
    """(name, server URL) of every other cluster that `cases` deploy to, in order; a name alone gets a URL."""
    found: dict[str, tuple[str, str]] = {}
    for case in cases:
        to = case.destination
        server = to.server.rstrip("/")  # as Argo CD compares them
        if server not in OWN:
            if _is_address(server):
                found.setdefault(server, (server, server))
        elif to.name not in OWN:
            found.setdefault(to.name, (to.name, f"https://{_host(to.name)}.destination.invalid:6443"))
    return tuple(found[key] for key in sorted(found))


def _is_address(server: str) -> bool:
    """Whether a stand-in can be put there; of what is no URL, Argo CD says so to the Application that names it."""
    try:
        parts = urlsplit(server)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _host(name: str) -> str:
    """A DNS label for a name; names that differ get labels that differ."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c == "-") else "-" for c in name.lower()).strip("-")
    if kept == name and len(kept) <= LABEL_LENGTH:
        return kept
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{kept[: LABEL_LENGTH - 9].rstrip('-') or 'cluster'}-{digest}"


def cluster_secret(name: str, server: str, kubeconfig: Path, *, control: str, proxy: str) -> dict[str, Any]:
    """The declarative cluster Secret of Argo CD that leads `server` through `proxy` to the cluster of `kubeconfig`."""
    config = parse(kubeconfig.read_bytes())[0].value
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    access = {
        "proxyUrl": proxy,
        "tlsClientConfig": {
            "serverName": SERVER_NAME,
            "caData": _data(cluster, "certificate-authority", kubeconfig),
            "certData": _data(user, "client-certificate", kubeconfig),
            "keyData": _data(user, "client-key", kubeconfig),
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": f"cluster-{_host(name)}",
            "namespace": control,
            "labels": {"argocd.argoproj.io/secret-type": "cluster"},
        },
        "stringData": {"name": name, "server": server, "config": json.dumps(access)},
    }


def _data(entry: Mapping[str, Any], name: str, kubeconfig: Path) -> str:
    """A certificate or key of a kubeconfig in base64: it holds them itself, or names a file beside it."""
    if f"{name}-data" in entry:
        return str(entry[f"{name}-data"])
    return base64.b64encode((kubeconfig.parent / entry[name]).read_bytes()).decode()
