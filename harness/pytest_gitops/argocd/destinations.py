"""Destination clusters: which ones Applications name, and the Secret by which Argo CD knows each stand-in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_gitops.model import IN_CLUSTER, Case
from pytest_gitops.repository.manifest import parse

OWN = {"", IN_CLUSTER, f"{IN_CLUSTER}:443", "in-cluster"}
"""What names the cluster that Argo CD runs in (util/db/cluster.go: localCluster)."""

SERVER_NAME = "kubernetes"
"""A name on every API server's certificate: the real one's is unknown, and its address is a stand-in's."""


def stand_ins(cases: Sequence[Case]) -> tuple[tuple[str, str], ...]:
    """(name, server URL) of every other cluster that `cases` deploy to, in order; a name alone gets a URL."""
    found: dict[str, tuple[str, str]] = {}
    for case in cases:
        to = case.destination
        if to.server and to.server.rstrip("/") not in OWN:
            found.setdefault(to.server, (to.server, to.server))
        elif to.name not in OWN:
            found.setdefault(to.name, (to.name, f"https://{_host(to.name)}.destination.invalid:6443"))
    return tuple(found[key] for key in sorted(found))


def _host(name: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c == "-") else "-" for c in name.lower()).strip("-")
    return kept or "cluster"


def cluster_secret(name: str, server: str, kubeconfig: Path, *, control: str, proxy: str) -> dict[str, Any]:
    """The declarative cluster Secret of Argo CD that leads `server` through `proxy` to the cluster of `kubeconfig`."""
    config = parse(kubeconfig.read_bytes())[0].value
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    access = {
        "proxyUrl": proxy,
        "tlsClientConfig": {
            "serverName": SERVER_NAME,
            "caData": cluster["certificate-authority-data"],
            "certData": user["client-certificate-data"],
            "keyData": user["client-key-data"],
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": f"cluster-{_host(name)}"[:200],
            "namespace": control,
            "labels": {"argocd.argoproj.io/secret-type": "cluster"},
        },
        "stringData": {"name": name, "server": server, "config": json.dumps(access)},
    }
