"""Admission reviews for Gatekeeper's constraints, as its webhook would get them when Argo CD applies an object.

What a constraint asks about beside the object, its namespace's labels and `data.inventory`, is what the repository
renders to for the same cluster; what else lives in that cluster is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.rego.constraint import Review, is_namespace, namespace_of
from pytest_gitops.rego.inputs import CLUSTER_KINDS
from pytest_gitops.shapes import mapping

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An Application with the cluster and namespace it deploys to and what it renders to."""

    application: Manifest
    cluster: str
    namespace: str
    objects: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What there is in each cluster, as far as the repository says: Namespaces by (cluster, name), and the inventory
    in Gatekeeper's layout (pkg/target/target.go): namespace or cluster, apiVersion, kind, name."""

    namespaces: Mapping[tuple[str, str], Manifest]
    inventories: Mapping[str, Manifest]

    def review(
        self,
        manifest: Manifest,
        *,
        cluster: str,
        namespace: str,
        operation: str = "CREATE",
        old: Manifest | None = None,
    ) -> Review:
        """The review of an object; `namespace` is the destination's. For a DELETE `manifest` is what goes."""
        object_ = settled(manifest, namespace)
        before = settled(old, namespace) if old is not None else None
        if operation == "DELETE":
            before = object_  # and Gatekeeper makes it the object, too
        metadata = object_["metadata"]
        group, _, version = str(object_.get("apiVersion") or "").rpartition("/")
        known = self.namespaces.get((cluster, namespace_of(object_)))
        request = {
            "uid": "",
            "kind": {"group": group, "version": version, "kind": object_.get("kind")},
            "name": metadata.get("name") or "",
            "namespace": namespace_of(object_),
            "operation": operation,
            "userInfo": {},
            "object": object_,
            "oldObject": before,
            "dryRun": False,
            "options": None,
            "namespaceObject": known,
        }
        return Review(request=request, namespace=known, cluster=cluster)


def surroundings(deployed: Iterable[Deployed]) -> Surroundings:
    """What all Applications together bring to their clusters."""
    namespaces: dict[tuple[str, str], Manifest] = {}
    inventories: dict[str, dict[str, Any]] = {}
    for each in deployed:
        if each.namespace and (created := _created(each.application, each.namespace)):
            namespaces.setdefault((each.cluster, each.namespace), created)
        for manifest in each.objects:
            object_ = settled(manifest, each.namespace)
            name = str(object_["metadata"].get("name") or "")
            if is_namespace(object_):
                namespaces[each.cluster, name] = object_
            place = inventories.setdefault(each.cluster, {"cluster": {}, "namespace": {}})
            own = namespace_of(object_)
            held = place["namespace"].setdefault(own, {}) if own else place["cluster"]
            kinds = held.setdefault(str(object_.get("apiVersion")), {})
            kinds.setdefault(str(object_.get("kind")), {})[name] = object_
    return Surroundings(namespaces=namespaces, inventories=inventories)


def settled(manifest: Manifest, namespace: str) -> dict[str, Any]:
    """An object as it reaches the API server: Argo CD gives it the destination's namespace if it has none."""
    metadata = manifest.get("metadata")
    found = dict(metadata) if isinstance(metadata, Mapping) else {}
    if not found.get("namespace") and namespace and manifest.get("kind") not in CLUSTER_KINDS:
        found["namespace"] = namespace
    return {**manifest, "metadata": found}


def _created(application: Manifest, namespace: str) -> Manifest | None:
    """The namespace that Argo CD itself makes, if it is told to."""
    policy = mapping(mapping(application.get("spec")).get("syncPolicy"))
    options = policy.get("syncOptions")
    if "CreateNamespace=true" not in (options if isinstance(options, list) else ()):
        return None
    managed = mapping(policy.get("managedNamespaceMetadata"))
    given = {k: managed[k] for k in ("labels", "annotations") if isinstance(managed.get(k), Mapping)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, **given}}
