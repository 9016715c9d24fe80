"""Which differences say nothing: what tools write by themselves, and other spellings of the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.changes.identity import BUILTIN_GROUPS, TRACKING
from pytest_gitops.changes.lists import MISSING
from pytest_gitops.changes.quantity import amount, is_quantity

Path = tuple[str, ...]

INSTALLATION = "argocd.argoproj.io/installation-id"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SERVER_FIELDS = {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
GENERATORS = {"controller-gen.kubebuilder.io/version"}

_CHECKSUM = re.compile(r"(?:^|[./-])checksum(?:$|[./-])", re.IGNORECASE)
_CHART = re.compile(r"[a-z0-9.-]+-v?\d+\.\d+[\w.+-]*", re.IGNORECASE)

# Mappings that mean the same empty as left out. Others do not: `podSelector: {}` selects every Pod, `emptyDir: {}`
# is a volume, `automated: {}` switches automation on.
EMPTY_MAPS = {
    "affinity",
    "annotations",
    "binaryData",
    "data",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "parameters",
    "requests",
    "resources",
    "securityContext",
    "stringData",
}

RESTARTING = {
    "checksum", "chart-label", "version-label", "hash-suffix", "order", "tracking", "last-applied", "generator",
}  # fmt: skip
"""Reasons under which a pod template still differs for Kubernetes, so that pods are replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What has to be known to tell noise in one object: its kind, its Application's names at base and head, the
    label that Argo CD may track by, generated names (old → new), and whether both go to one namespace."""

    group: str
    kind: str
    hook: bool = False
    old_names: frozenset[str] = frozenset()
    new_names: frozenset[str] = frozenset()
    label_key: str = "app.kubernetes.io/instance"
    generated: Mapping[str, str] = field(default_factory=dict)
    same_namespace: bool = False

    @property
    def builtin(self) -> bool:
        return self.group in BUILTIN_GROUPS

    def reason(self, path: Path, old: Any, new: Any) -> str:
        """Why the difference between `old` and `new` (MISSING: not there) at `path` is noise; empty if it is none."""
        if path == ("status",):
            return "status"
        if path[-2:-1] == ("metadata",) and path[-1] in SERVER_FIELDS:
            return "server-field"
        if path == ("metadata", "namespace") and self.same_namespace and MISSING in (old, new):
            return "namespace"  # it is only said, or no longer said, that it is the destination's
        if len(path) > 2 and path[-3] == "metadata" and (found := self._of_metadata(path, old, new)):
            return found
        if self._empty(path, old) and self._empty(path, new):
            return "empty"
        if isinstance(old, str) and old in self.generated and self.generated[old] == new:
            return "hash-suffix"
        if self._is_quantity(path):
            ours, theirs = amount(old), amount(new)
            if ours is not None and ours == theirs:
                return "quantity"
        return self._of_definition(path, old, new)

    def _of_metadata(self, path: Path, old: Any, new: Any) -> str:
        """Annotations and labels; not where they cannot be changed, for there the API server refuses them."""
        field_, key = path[-2], path[-1]
        if len(path) > 3 and self._is_immutable(path):
            return ""
        if field_ == "annotations":
            if key in {TRACKING, INSTALLATION}:
                return "tracking"
            if key == LAST_APPLIED:
                return "last-applied"
            if key in GENERATORS:
                return "generator"
            return "checksum" if _CHECKSUM.search(key) else ""
        if field_ == "labels":
            if key == "helm.sh/chart" or (key == "chart" and all(map(_is_chart, (old, new)))):
                return "chart-label"
            if key == "app.kubernetes.io/version":
                return "version-label"
            if key == self.label_key and len(path) == 3 and self._is_tracking(old, new):
                return "tracking"
        return ""

    def _is_immutable(self, path: Path) -> bool:
        """Labels of claim templates, and a Job's pod template (a hook's Job is made anew each time)."""
        return "volumeClaimTemplates" in path or (
            self.kind == "Job" and self.group == "batch" and not self.hook
        )

    def _is_tracking(self, old: Any, new: Any) -> bool:
        return (old is MISSING or old in self.old_names) and (new is MISSING or new in self.new_names)

    def _empty(self, path: Path, value: Any) -> bool:
        if value is MISSING or value is None:
            return True
        if value == [] and isinstance(value, list):
            return self.builtin and not path[-1].startswith("[")
        known = self.builtin or path[0] == "metadata"
        return value == {} and isinstance(value, dict) and known and path[-1] in EMPTY_MAPS

    def _is_quantity(self, path: Path) -> bool:
        return is_quantity(path) and (self.builtin or "resources" in path[-3:-1])

    def _of_definition(self, path: Path, old: Any, new: Any) -> str:
        """Prose in a CRD's schema."""
        if self.kind != "CustomResourceDefinition" or path[-1] != "description" or "schema" not in path:
            return ""
        # A property may be called so; then there is a schema and no text.
        return "description" if all(v is MISSING or isinstance(v, str) for v in (old, new)) else ""


def _is_chart(value: Any) -> bool:
    return value is MISSING or (isinstance(value, str) and bool(_CHART.fullmatch(value)))
