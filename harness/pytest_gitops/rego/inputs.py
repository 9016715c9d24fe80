"""What rules are asked about: subjects and their input documents, as docs/policy-input.md has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.rego.constraint import Review
from pytest_gitops.rego.rules import SubjectKind
from pytest_gitops.shapes import mapping, title

INPUT_VERSION = "1"
"""Grows when a field changes its meaning or goes; a new field does not change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to judge: its kind, its input (JSON), and the resource to name where a rule names none. `review` is
    what Gatekeeper's constraints are asked about, where there are any."""

    kind: SubjectKind
    input: Mapping[str, Any]
    resource: str = ""
    review: Review | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An AppProject, an ApplicationSet or one of Argo CD's ConfigMaps that is written in a file of the repository."""

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


def object_subject(
    manifest: Mapping[str, Any], *, application: Mapping[str, Any], review: Review | None = None
) -> Subject:
    """An object that an Application renders to."""
    destination = mapping(mapping(application.get("spec")).get("destination"))
    return Subject(
        kind=SubjectKind.OBJECT,
        input={"version": INPUT_VERSION, "object": manifest, "application": application},
        resource=_title(manifest, str(destination.get("namespace") or "")),
        review=review,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Something that differs between base and head: what became of it (`change`, a word of the report), both
    manifests, None where there is none, and what Argo CD does with what goes (a code, a sentence), and with its
    data."""

    change: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    effect: str = ""
    effect_text: str = ""
    data: str = ""


def change_subject(
    changed: Changed,
    *,
    application: Mapping[str, Any],
    old_application: Mapping[str, Any] | None,
    project: Mapping[str, Any] | None,
    review: Review | None = None,
) -> Subject:
    """An object, or an Application itself, that a pull request adds, changes or removes.

    `application` is the one at head, or at base where head has none any more; `old_application` is base's.
    """
    side = old_application if changed.new is None and old_application is not None else application
    destination = mapping(mapping(side.get("spec")).get("destination"))
    return Subject(
        kind=SubjectKind.CHANGE,
        input={
            "version": INPUT_VERSION,
            "kind": SubjectKind.CHANGE.value,
            "change": changed.change,
            "old": changed.old,
            "object": changed.new,
            "application": application,
            "oldApplication": old_application,
            "project": project,
            "effect": changed.effect,
            "effectText": changed.effect_text,
            "data": changed.data,
        },
        resource=_title(changed.new or changed.old or {}, str(destination.get("namespace") or "")),
        review=review,
    )


def repository_subject(
    applications: Iterable[Declared],
    *,
    projects: Iterable[Mapping[str, Any]] = (),
    secrets: Iterable[SecretFile] = (),
    declared: Iterable[Written] = (),
) -> Subject:
    """Everything at once."""
    whole = {
        "applications": [
            {"key": a.key, "manifest": a.manifest, "file": a.file, "line": a.line, "objects": list(a.objects)}
            for a in applications
        ],
        "projects": list(projects),
        "secrets": [{"manifest": s.manifest, "file": s.file, "line": s.line} for s in secrets],
        "declared": [{"manifest": d.manifest, "file": d.file, "line": d.line} for d in declared],
    }
    return Subject(kind=SubjectKind.REPOSITORY, input={"version": INPUT_VERSION, "all": whole})


CLUSTER_KINDS = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterExternalSecret",
        "ClusterIssuer",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterSecretStore",
        "ClusterTrustBundle",
        "ComponentStatus",
        "CustomResourceDefinition",
        "DeviceClass",
        "DeviceTaintRule",
        "FlowSchema",
        "GatewayClass",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourcePoolStatusRequest",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersion",
        "StorageVersionMigration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)
"""Kinds without a namespace, for titles; policies/lib/identity.rego has the same list for identity."""


def _title(manifest: Mapping[str, Any], namespace: str) -> str:
    metadata = mapping(manifest.get("metadata"))
    kind, name = (
        str(manifest.get("kind") or "Object"),
        str(metadata.get("name") or metadata.get("generateName") or ""),
    )
    place = "" if kind in CLUSTER_KINDS else str(metadata.get("namespace") or namespace)
    return title(kind, name, place).rstrip()
