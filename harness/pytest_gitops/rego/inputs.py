"""What rules are asked about: subjects and their input documents, as docs/writing-policies.md has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.rego.rules import SubjectKind

INPUT_VERSION = "1"
"""Grows when a field changes its meaning or goes; a new field does not change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to judge: its kind, its input (JSON), and the resource to name where a rule names none."""

    kind: SubjectKind
    input: Mapping[str, Any]
    resource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An Application for the rules on the repository: its manifest, where it stands, what it renders to."""

    key: str
    manifest: Mapping[str, Any]
    file: str = ""
    line: int = 0
    objects: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A Secret that is written in a file of the repository."""

    manifest: Mapping[str, Any]
    file: str
    line: int = 0


def application_subject(manifest: Mapping[str, Any], *, project: Mapping[str, Any] | None) -> Subject:
    """An Application, with its AppProject if the repository has it."""
    return Subject(
        kind=SubjectKind.APPLICATION,
        input={"version": INPUT_VERSION, "application": manifest, "project": project},
        resource=_title(manifest, ""),
    )


def object_subject(manifest: Mapping[str, Any], *, application: Mapping[str, Any]) -> Subject:
    """An object that an Application renders to."""
    destination = _mapping(_mapping(application.get("spec")).get("destination"))
    return Subject(
        kind=SubjectKind.OBJECT,
        input={"version": INPUT_VERSION, "object": manifest, "application": application},
        resource=_title(manifest, str(destination.get("namespace") or "")),
    )


def repository_subject(
    applications: Iterable[Declared],
    *,
    projects: Iterable[Mapping[str, Any]] = (),
    secrets: Iterable[SecretFile] = (),
) -> Subject:
    """Everything at once."""
    whole = {
        "applications": [
            {"key": a.key, "manifest": a.manifest, "file": a.file, "line": a.line, "objects": list(a.objects)}
            for a in applications
        ],
        "projects": list(projects),
        "secrets": [{"manifest": s.manifest, "file": s.file, "line": s.line} for s in secrets],
    }
    return Subject(kind=SubjectKind.REPOSITORY, input={"version": INPUT_VERSION, "all": whole})


CLUSTER_KINDS = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "ClusterExternalSecret",
        "ClusterIssuer",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterSecretStore",
        "CustomResourceDefinition",
        "FlowSchema",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    }
)
"""Kinds without a namespace, for titles; policies/lib/identity.rego has the same list for identity."""


def _title(manifest: Mapping[str, Any], namespace: str) -> str:
    metadata = _mapping(manifest.get("metadata"))
    kind, name = (
        str(manifest.get("kind") or "Object"),
        str(metadata.get("name") or metadata.get("generateName") or ""),
    )
    place = "" if kind in CLUSTER_KINDS else str(metadata.get("namespace") or namespace)
    return f"{kind} {place}/{name}" if place else f"{kind} {name}".rstrip()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
