"""The command `pytest-gitops clean`: what runs left on a cluster that exists, shown, and removed where asked."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pytest_gitops.clusters.kubeconfig import Existing
from pytest_gitops.errors import EngineError
from pytest_gitops.hosts.removal import leftovers, remove
from pytest_gitops.settings.settings import environment, kubeconfig


def clean(options: argparse.Namespace) -> int:
    """List the namespaces of runs on the cluster of a context, and delete them with `--yes`. Raises EngineError."""
    with tempfile.TemporaryDirectory(prefix="pytest-gitops-clean-") as private:
        cluster = Existing(kubeconfig(environment()), options.context, directory=Path(private))
        cluster.start()
        found = leftovers(cluster.api, run=options.run)
        if not found:
            print(f"{options.context}: nothing that a run left")
            return 0
        for each in found:
            print(f"{each.namespace}  of run {each.run}, since {each.created}")
        if not options.yes:
            word = "namespace" if len(found) == 1 else "namespaces"
            print(
                f"{len(found)} {word} on {options.context}, with all that is in them. A run that goes on has its own "
                "among them: `--run ID` chooses one. Nothing was removed; to remove them, add --yes"
            )
            return 0
        left = remove(cluster.api, found)
    if left:
        raise EngineError(
            f"still going: {', '.join(left)}. See what holds them: "
            f"kubectl --context {options.context} get namespace {left[0]} -o yaml"
        )
    print(f"removed {len(found)}")
    return 0
