"""The kubeconfig files of an embedded cluster. They name files, so that no client copies a key to /tmp."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_gitops.clusters.embedded.pki import Pair, private


def write(
    path: Path, *, cluster: str, user: str, server: str, ca: Path, pair: Pair, namespace: str = "default"
) -> Path:
    """Write a kubeconfig (0600) with one context, called as the cluster is, and return its path.

    The file is JSON, which is YAML too.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [
            {
                "name": user,
                "user": {"client-certificate": str(pair.certificate), "client-key": str(pair.key)},
            }
        ],
        "contexts": [
            {"name": cluster, "context": {"cluster": cluster, "user": user, "namespace": namespace}}
        ],
    }
    return private(path, json.dumps(document, indent=2))
