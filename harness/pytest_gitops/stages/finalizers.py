"""Finalizers of objects: whose they are, and so whether anybody takes them away."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_gitops.changes.effect import FINALIZERS

IN_USE = "kubernetes.io/pvc-protection"  # Kubernetes takes it away when no Pod uses the claim any more

REMOVED_BY_KUBERNETES = {
    "foregroundDeletion",
    "orphan",
    IN_USE,
    "kubernetes.io/pv-protection",
    "batch.kubernetes.io/job-tracking",
}
"""Finalizers that Kubernetes' own controllers take away."""


def foreign(finalizers: Sequence[str]) -> tuple[str, ...]:
    """Those that neither Kubernetes nor Argo CD takes away."""
    return tuple(f for f in finalizers if f not in REMOVED_BY_KUBERNETES and f not in FINALIZERS)
