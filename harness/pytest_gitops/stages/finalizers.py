"""What keeps an object that was deleted: whose its finalizers are, and what Kubernetes says of a namespace."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_gitops.argocd.causes import cause_of
from pytest_gitops.argocd.known_causes import Cause
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


def kept_open(said: str) -> tuple[str, Cause | None]:
    """The lines that tell what Kubernetes `said` of a namespace that does not end, and the known cause behind it."""
    known = cause_of("", said)
    return f"\n  Kubernetes  {said}" + (f"\n  cause    {known.name}" if known else ""), known
