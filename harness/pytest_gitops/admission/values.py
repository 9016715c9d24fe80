"""The words of this package: what is asked about an Application's objects, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.model import Severity
from pytest_gitops.shapes import title

Manifest = Mapping[str, Any]

UNCONVERTED = "conversion-not-asked"
"""The rule that says that something could not be asked about."""

CODES = frozenset({
    "unknown-field", "invalid-object", "invalid-object-name", "cel-rule", "invalid-crd", "pod-security",
    "pod-security-warned", "admission-policy", "admission-policy-warned", "quota-exceeded", "limit-range",
    "immutable-field", "change-not-asked", "removed-api-version", "deprecated-api", "api-warning",
    "unknown-kind", "unknown-kind-stubbed", "object-too-large", "namespace-missing",
    "priority-class-missing", "runtime-class-missing", "no-namespace",
    "not-admitted", UNCONVERTED,
})  # fmt: skip
"""The rules of all hits, as docs/causes.md lists them."""

LEVELS = "pod-security.kubernetes.io/"
"""What the labels begin with that set a namespace's Pod Security levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One Application's objects as rendered, `id` being the case's.

    `cluster` names its destination, `namespace` is what objects without one get. `creates` says that Argo CD
    makes the namespace (CreateNamespace=true), with `labels` and `annotations` (managedNamespaceMetadata).
    `server_side` and `replace` are the Application's sync options of those names, `force` that objects are made
    anew where they cannot be changed. One that is not `asked` about only furnishes what others are judged by.
    """

    id: str
    cluster: str
    namespace: str
    objects: Sequence[Any]
    creates: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    server_side: bool = False
    replace: bool = False
    force: bool = False
    asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that the API server says, or that keeps it from being asked. `resource` is "Kind namespace/name"
    or empty; `manifest` is the rendered object it is about, None for the Application as a whole."""

    rule: str
    severity: Severity
    message: str
    resource: str = ""
    help: str = ""
    manifest: Manifest | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Equal for hits that say the same of the same."""
        return (self.rule, self.severity.value, self.resource, self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object to be judged, of the request `case`. `namespace` is where it goes, empty if it is of no
    namespace; `path` is the API's path of its kind's collection there. It is applied `server_side`, or put in the
    place of what is there (`replace`), or applied as kubectl does by default."""

    case: str
    cluster: str
    manifest: Manifest
    namespace: str = ""
    path: str = ""
    server_side: bool = False
    replace: bool = False
    force: bool = False
    asked: bool = True

    @property
    def name(self) -> str:
        return str(metadata_of(self.manifest).get("name") or "")

    @property
    def kind(self) -> tuple[str, str]:
        """API group and kind."""
        return kind_of(self.manifest)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """API group, kind, namespace, name."""
        return (*self.kind, self.namespace, self.name)

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name" for what is of no namespace."""
        return title_of(self.manifest, self.namespace)

    @property
    def body(self) -> dict[str, Any]:
        """The manifest as Argo CD sends it: with its namespace, or without the one that it cannot have."""
        metadata = {k: v for k, v in metadata_of(self.manifest).items() if k != "namespace"}
        if self.namespace:
            metadata["namespace"] = self.namespace
        return {**self.manifest, "metadata": metadata}

    def hit(self, rule: str, severity: Severity, message: str, *, help_: str = "") -> Hit:
        """What is said of this object; `rule` is one of CODES."""
        assert rule in CODES, f"{rule} is in no list that people look it up in"
        return Hit(
            rule=rule,
            severity=severity,
            message=message,
            resource=self.title,
            help=help_,
            manifest=self.manifest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of one request: its hits in the order of its objects, how many objects and Pods were asked about,
    and by which versions of Kubernetes."""

    hits: tuple[Hit, ...] = ()
    objects: int = 0
    pods: int = 0
    versions: tuple[str, ...] = ()


def metadata_of(manifest: Manifest) -> Mapping[str, Any]:
    """Its metadata, nothing where that is no mapping."""
    metadata = manifest.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def kind_of(manifest: Manifest) -> tuple[str, str]:
    """API group and kind."""
    return str(manifest.get("apiVersion") or "").rpartition("/")[0], str(manifest.get("kind") or "")


def title_of(manifest: Manifest, namespace: str = "") -> str:
    metadata = metadata_of(manifest)
    name = metadata.get("name") or metadata.get("generateName") or ""
    kind = manifest.get("kind") or "object"
    return title(kind, name, namespace).rstrip()
