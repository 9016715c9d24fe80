"""Which objects are Argo Rollouts', and which of its definitions a cluster has to be given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_gitops.argocd.install import crds
from pytest_gitops.shapes import mapping

GROUP = "argoproj.io"
"""Shared with Argo CD: only the kind tells whose an object is."""

API = f"/apis/{GROUP}/v1alpha1"

KINDS = frozenset({"Rollout", "AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun", "Experiment"})

Manifest = Mapping[str, Any]


def is_ours(manifest: Manifest) -> bool:
    """Whether an object is one of Argo Rollouts'."""
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    return group == GROUP and manifest.get("kind") in KINDS


def is_rollout(manifest: Manifest) -> bool:
    return is_ours(manifest) and manifest.get("kind") == "Rollout"


def definitions(folder: Path, cache: Path) -> tuple[dict[str, Any], ...]:
    """The CustomResourceDefinitions from the tool part `argo-rollouts-crds`."""
    return crds(folder, cache)


def to_bring(known: Iterable[Manifest], brought: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Those of the definitions `known` that are not among `brought`, what the repository brings itself: its own must
    not be there before it, or a wave that is missing would not be seen."""
    own = {mapping(m, "metadata").get("name") for m in brought if m.get("kind") == "CustomResourceDefinition"}
    return tuple(m for m in known if m["metadata"]["name"] not in own)
