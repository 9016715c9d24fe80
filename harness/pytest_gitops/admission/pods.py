"""The Pods and claims that a workload's controller would make: what Pod Security, limits and quotas act upon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_gitops.admission.values import Manifest, kind_of, metadata_of
from pytest_gitops.shapes import mapping

ROLLOUT = ("argoproj.io", "Rollout")

TEMPLATES = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("", "ReplicationController"): ("spec", "template"),
    ROLLOUT: ("spec", "template"),
}
"""Where each kind of workload has its Pod template. A Rollout with a workloadRef has none: that workload has it."""

NAME_LIMIT = 240
"""A Pod's name may have 253 characters, and a number follows."""


def replicas(workload: Manifest) -> int:
    """How many Pods it runs at once as written: a DaemonSet, which runs one for each node, is counted as one."""
    kind, spec = kind_of(workload), mapping(workload, "spec")
    if kind == ("batch", "CronJob"):
        spec = mapping(spec, "jobTemplate", "spec")
    if kind[0] == "batch":
        parallel, whole = _number(spec.get("parallelism"), 1), spec.get("completions")
        return min(parallel, _number(whole, parallel))
    return 1 if kind == ("apps", "DaemonSet") else _number(spec.get("replicas"), 1)


def pod(workload: Manifest, number: int = 0) -> dict[str, Any] | None:
    """The Pod of `workload` with this number, None if it is none, or has no template."""
    path = TEMPLATES.get(kind_of(workload))
    template = mapping(workload, *path) if path else {}
    spec = template.get("spec")
    if not isinstance(spec, Mapping):
        return None
    metadata = {k: v for k, v in metadata_of(template).items() if k in {"labels", "annotations"}}
    metadata["name"] = f"{_base(workload)}-{number}"
    claimed = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{metadata['name']}"}}
        for name, _ in _claim_templates(workload)
    ]
    if claimed:
        names = {volume["name"] for volume in claimed}
        kept = [
            v for v in spec.get("volumes") or () if not (isinstance(v, Mapping) and v.get("name") in names)
        ]
        spec = {**spec, "volumes": [*kept, *claimed]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def claims(workload: Manifest, number: int = 0) -> Iterator[dict[str, Any]]:
    """The claims that a StatefulSet makes for its Pod with this number."""
    for name, template in _claim_templates(workload):
        metadata = {k: v for k, v in metadata_of(template).items() if k in {"labels", "annotations"}}
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {**metadata, "name": f"{name}-{_base(workload)}-{number}"},
            "spec": template.get("spec") or {},
        }


def _claim_templates(workload: Manifest) -> Iterator[tuple[str, Manifest]]:
    if kind_of(workload) == ("apps", "StatefulSet"):
        templates = mapping(workload, "spec").get("volumeClaimTemplates")
        for template in templates if isinstance(templates, list) else ():
            if isinstance(template, Mapping) and (name := metadata_of(template).get("name")):
                yield str(name), template


def _base(workload: Manifest) -> str:
    metadata = metadata_of(workload)
    name = str(metadata.get("name") or metadata.get("generateName") or "pod").rstrip("-")
    return name[:NAME_LIMIT].rstrip("-.")


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default
