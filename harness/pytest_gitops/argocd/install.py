"""What Argo CD must find in the cluster before it starts: its CRDs, its namespace, its settings, its trust."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_gitops.keeping import DEFINITIONS, Kept
from pytest_gitops.repository.manifest import parse

APPLICATION_SET = "ApplicationSet"

APPLICATIONSETS = "applicationsets.argoproj.io"

KINDS = ("Application", APPLICATION_SET, "AppProject")

PART_OF = {"app.kubernetes.io/part-of": "argocd"}
"""Argo CD's settings manager sees only ConfigMaps and Secrets with this label."""

CONFIG_MAPS = (
    "argocd-cm",
    "argocd-rbac-cm",
    "argocd-cmd-params-cm",
    "argocd-tls-certs-cm",
    "argocd-ssh-known-hosts-cm",
    "argocd-gpg-keys-cm",
)


def crds(folder: Path, cache: Path) -> tuple[dict[str, Any], ...]:
    """The CustomResourceDefinitions from a tool part, `argocd-crds` or Argo Rollouts'. Argo CD's are 2 MB of YAML, half
    a second of reading: what that comes to is kept in `cache`."""
    kept = Kept(cache / DEFINITIONS)
    contents = [file.read_bytes() for file in sorted(folder.glob("*.yaml"))]
    name = hashlib.sha256(b"".join(hashlib.sha256(c).digest() for c in contents)).hexdigest()
    if (known := kept.get(name)) is not None:
        return tuple(json.loads(known))
    documents = (d.value for content in contents for d in parse(content))
    found = tuple(d for d in documents if d.get("kind") == "CustomResourceDefinition")
    kept.put(name, json.dumps(found).encode())
    return found


def installed(folder: Path) -> dict[str, dict[str, str]]:
    """The data of the ConfigMaps that an installation of Argo CD begins with, by name, from the tool part
    `argocd-config`: kinds that are excluded, and changes that are no reason to compare again."""
    documents = (d.value for file in sorted(folder.glob("*.yaml")) for d in parse(file.read_bytes()))
    return {str(d["metadata"]["name"]): d.get("data") or {} for d in documents}


def is_own(manifest: Mapping[str, Any]) -> bool:
    """Whether it is an object of a kind of Argo CD's own."""
    group = str(manifest.get("apiVersion")).partition("/")[0]
    return group == "argoproj.io" and manifest.get("kind") in KINDS


def settings(
    control: str, brought: Iterable[Mapping[str, Any]], *, installed: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, Any], ...]:
    """The namespace, ConfigMaps and Secret of Argo CD in namespace `control`. `brought` are the repository's own
    ConfigMaps; what they say nothing of is as `installed` has it, by name: as a rule they patch an installation."""
    own = {str(m["metadata"]["name"]): m for m in brought}
    objects: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": control}}]
    for name in CONFIG_MAPS:
        theirs = own.get(name, {})
        metadata = {**theirs.get("metadata", {}), "name": name, "namespace": control}
        # The label is what the installation manifests put there; a repository's patch of them may leave it out.
        metadata["labels"] = {**(metadata.get("labels") or {}), **PART_OF}
        data = {**installed.get(name, {}), **(theirs.get("data") or {})}
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    objects.append(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "argocd-secret", "namespace": control, "labels": PART_OF},
            "stringData": {"server.secretkey": secrets.token_urlsafe(32)},
        }
    )
    return tuple(objects)


def default_project(control: str) -> dict[str, Any]:
    """The project that Argo CD makes at its first start: everything allowed."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "default", "namespace": control},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"namespace": "*", "server": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def data_of(config_maps: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """The data of the ConfigMap `name` among `config_maps`, or nothing."""
    for each in config_maps:
        if each["metadata"]["name"] == name:
            data = each.get("data")
            return data if isinstance(data, Mapping) else {}
    return {}
