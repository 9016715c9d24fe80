"""Gives Applications another destination where they are stored, whoever creates them: a policy of our own API server.

A parent and an ApplicationSet create their children as the repository has them. The API server of Argo CD's own cluster
puts the destination in its place as each is written, so Argo CD never sees the other one; sources are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gitops.model import Case, Destination
from pytest_gitops.repository.manifest import dump, parse
from pytest_gitops.shapes import mapping

GROUP = "argoproj.io"
VERSION = "admissionregistration.k8s.io/v1"

DESTINATIONS = "pytest-gitops-destinations"
PROJECTS = "pytest-gitops-projects"

IGNORED = {
    f"resource.customizations.ignoreDifferences.{GROUP}_Application": "jsonPointers: [/spec/destination]\n",
    f"resource.customizations.ignoreDifferences.{GROUP}_AppProject": "jsonPointers: [/spec/destinations]\n",
    # What we may not list is left alone, where Argo CD would give the whole cluster up.
    "resource.respectRBAC": "normal",
}
"""Settings of argocd-cm by which a parent does not find what is put in place here."""


SYNC_OPTIONS = "argocd.argoproj.io/sync-options"

MARKING = ("application.resourceTrackingMethod", "application.instanceLabelKey", "installationID")
"""Settings of argocd-cm that say how Argo CD marks what it makes."""

KEY = "(object.metadata.namespace + '/' + object.metadata.name)"


def settings(data: Mapping[str, Any], *, mark: str) -> dict[str, Any]:
    """What argocd-cm, which has `data`, is given so that nobody finds what is put in place here, and that Argo CD marks
    what it makes by the label `mark` alone. By its tracking id another Argo CD would take it for its own
    Application's of that name, whatever the installationID, and prune it (util/argo/resource_tracking.go:
    GetAppName)."""
    found: dict[str, Any] = dict(zip(MARKING, ("label", mark, ""), strict=True))
    for key, ours in IGNORED.items():
        theirs = data.get(key)
        if not theirs or not key.startswith("resource.customizations"):
            found[key] = ours
            continue
        merged = dict(parse(theirs.encode())[0].value)
        merged["jsonPointers"] = [
            *(merged.get("jsonPointers") or []),
            *parse(ours.encode())[0].value["jsonPointers"],
        ]
        found[key] = dump(merged)
    return found


def undone(rendered: Iterable[tuple[Case, Iterable[Mapping[str, Any]]]], *, control: str) -> str:
    """Why what Argo CD makes could not be kept apart, or nothing: an Application brings an argocd-cm that would undo
    `settings` while the run goes on."""
    for case, objects in rendered:
        for each in objects:
            metadata = mapping(each, "metadata")
            place = metadata.get("namespace") or case.destination.namespace
            if (each.get("kind"), metadata.get("name"), place) != ("ConfigMap", "argocd-cm", control):
                continue
            keys = [k for k in MARKING if k in mapping(each, "data")]
            if keys or "Replace=true" in str(mapping(metadata, "annotations").get(SYNC_OPTIONS)):
                return (
                    f"Application {case.key} brings {control}/argocd-cm with "
                    f"{', '.join(keys) or 'the sync option Replace=true'}: Argo CD would then mark what it makes as an "
                    "Argo CD of yours does, which might take it for its own. Prove these on the embedded cluster"
                )
    return ""


def policies(destinations: Mapping[str, Destination], *, prefix: str) -> list[dict[str, Any]]:
    """What the API server has to be given: `destinations` by the Application's "namespace/name"; every project permits
    namespaces that begin with `prefix`."""
    to = {key: {"server": d.server, "namespace": d.namespace} for key, d in sorted(destinations.items())}
    permitted = {"server": "*", "namespace": f"{prefix}*"}
    return [
        *_policy(
            DESTINATIONS,
            "applications",
            f"{KEY} in {_cel(to)}",
            f"[JSONPatch{{op: 'add', path: '/spec/destination', value: {_cel(to)}[{KEY}]}}]",
        ),
        *_policy(
            PROJECTS,
            "appprojects",
            "!has(object.spec.destinations) || !object.spec.destinations.exists(d, has(d.namespace) && "
            f"d.namespace == {_cel(permitted['namespace'])})",
            "has(object.spec.destinations)"
            f" ? [JSONPatch{{op: 'add', path: '/spec/destinations/-', value: {_cel(permitted)}}}]"
            f" : [JSONPatch{{op: 'add', path: '/spec/destinations', value: [{_cel(permitted)}]}}]",
        ),
    ]


def _policy(name: str, resource: str, condition: str, patch: str) -> Sequence[dict[str, Any]]:
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": ["v1alpha1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [resource],
    }
    return (
        {
            "apiVersion": VERSION,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "matchConditions": [{"name": "meant", "expression": condition}],
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
            },
        },
        {
            "apiVersion": VERSION,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        },
    )


def _cel(value: Any) -> str:
    """A value as CEL writes it: JSON is CEL, names of Kubernetes and URLs need no other escape."""
    return json.dumps(value)
