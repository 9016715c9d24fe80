"""Which objects a drift is kept away from, and why: what holds data, what others need, what its controller owns.

Pure judgement of one object. Whoever is let through here may be changed on a cluster that other Applications share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gitops.changes.identity import SYNC_OPTIONS, group_kind

Manifest = Mapping[str, Any]

ARGOCD = "argoproj.io"
APPLICATIONS = {(ARGOCD, "Application"), (ARGOCD, "ApplicationSet")}
"""What Argo CD's controllers make of each other, and write to all the time."""

ONCE = "it runs once, and would run again"
HOLDS_FOR_ALL = "it holds for everything in its namespace"
DECIDES = "it decides what the API server accepts, from everybody"
DATA = "it holds data"

WHOLLY: Mapping[tuple[str, str], str] = {
    ("batch", "Job"): ONCE,
    ("", "Pod"): ONCE,
    ("argoproj.io", "Workflow"): ONCE,
    ("tekton.dev", "PipelineRun"): ONCE,
    ("tekton.dev", "TaskRun"): ONCE,
    ("", "ResourceQuota"): HOLDS_FOR_ALL,
    ("", "LimitRange"): HOLDS_FOR_ALL,
    ("apiregistration.k8s.io", "APIService"): "it says who serves an API",
}
"""Kinds, by API group, of which nothing is changed."""

ADMISSION = "admissionregistration.k8s.io"

MEANING: Mapping[tuple[str, str], str] = {
    ("", "Namespace"): "everything in it depends on it",
    ("", "PersistentVolumeClaim"): DATA,
    ("", "PersistentVolume"): DATA,
    ("", "ServiceAccount"): "Pods are made with it",
    ("apps", "StatefulSet"): DATA,
    (ARGOCD, "Application"): "it is a test case of its own",
    (ARGOCD, "ApplicationSet"): "its Applications depend on it",
    (ARGOCD, "AppProject"): "its Applications depend on it",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "all objects of its kind depend on it",
}
"""Kinds of which nothing but metadata may change, and that are never deleted."""

DELETABLE = {
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "Service"),
    ("apps", "Deployment"),
    ("apps", "DaemonSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
}
"""Kinds of which an object takes nothing along that its manifest does not bring again."""

FILLED = {"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}
"""Types of Secrets that Kubernetes fills or reads itself."""


def from_everything(live: Manifest, *, control: str) -> str:
    """Why nothing at all of a live object is changed, or nothing. `control` is Argo CD's namespace."""
    key, metadata = group_kind(live), live.get("metadata") or {}
    if owners := metadata.get("ownerReferences"):
        return f"{owners[0].get('kind')} {owners[0].get('name')} owns it"
    if metadata.get("deletionTimestamp"):
        return "it is being deleted"
    if key in WHOLLY:
        return WHOLLY[key]
    if key[0] == ADMISSION:
        return DECIDES
    if key == ("", "Secret") and live.get("type") in FILLED:
        return "Kubernetes keeps it itself"
    if metadata.get("namespace") == control and key[0] != ARGOCD:
        return "it is in Argo CD's own namespace, and may be its configuration"
    return ""


def from_edits(live: Manifest) -> str:
    """Why no field beside metadata is changed, or nothing."""
    key = group_kind(live)
    if key in MEANING:
        return MEANING[key]
    if not (live.get("metadata") or {}).get("namespace"):
        return "it is cluster-scoped, and others may need it as it is"
    if key == ("", "Secret") and live.get("type") not in {None, "Opaque"}:
        return f"what it may hold is laid down by its type, {live.get('type')}"
    return ""


def from_deletion(live: Manifest) -> str:
    """Why a live object is not deleted, or nothing."""
    key, metadata = group_kind(live), live.get("metadata") or {}
    if key in MEANING:
        return MEANING[key]
    if not metadata.get("namespace"):
        return "it is cluster-scoped, and others may need it"
    if key == ("batch", "CronJob"):
        return "its Jobs would go with it"
    if key not in DELETABLE:
        return "what goes with it only its controller knows"
    if finalizers := metadata.get("finalizers"):
        return f"it waits for whoever takes {', '.join(map(str, finalizers))} off"
    options = {o.strip() for o in str((metadata.get("annotations") or {}).get(SYNC_OPTIONS) or "").split(",")}
    if kept := sorted(o for o in options if o.startswith(("Prune=", "Delete=")) and not o.endswith("=true")):
        return f"it is declared to stay ({', '.join(kept)})"
    if key == ("", "Service") and (live.get("spec") or {}).get("type") == "LoadBalancer":
        return "its address would be given back"
    return ""


def from_scaling(live: Manifest, *, scalers: Mapping[tuple[str, str, str], str]) -> str:
    """Why its replicas are not changed, or nothing. `scalers` says who scales what: (kind, namespace, name) → title."""
    metadata, spec = live.get("metadata") or {}, live.get("spec") or {}
    who = scalers.get(
        (str(live.get("kind")), str(metadata.get("namespace") or ""), str(metadata.get("name")))
    )
    if who:
        return f"{who} scales it"
    if spec.get("volumeClaimTemplates"):
        return "a replica more leaves a claim behind, and one less may take its claim along"
    return ""
