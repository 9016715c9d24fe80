"""What `argocd-cm` and our loopback world make the repo-server be asked with.

Keys and defaults are those of Argo CD's settings manager (`util/settings/settings.go`, v3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_SOURCE_TYPE_KEYS = {"Helm": "helm.enable", "Kustomize": "kustomize.enable", "Directory": "jsonnet.enable"}


def _no_credentials(url: str) -> dict[str, Any]:
    del url
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Rendering options. `credentials` gives the fields of a repository that its URL needs (ssh: a key)."""

    label_key: str = "app.kubernetes.io/instance"
    tracking_method: str = "annotation"
    values_file_schemes: tuple[str, ...] = ("https", "http")
    kustomize_build_options: str = ""
    installation_id: str = ""
    enabled_source_types: Mapping[str, bool] = field(
        default_factory=lambda: {"Helm": True, "Kustomize": True, "Directory": True, "Plugin": True}
    )
    credentials: Callable[[str], dict[str, Any]] = _no_credentials

    def repository(self, url: str) -> dict[str, Any]:
        """The repository message for a URL: what Argo CD makes of one that has no Secret, and our credentials."""
        return {"repo": url, **self.credentials(url)}


def from_config_map(
    data: Mapping[str, Any], *, credentials: Callable[[str], dict[str, Any]] = _no_credentials
) -> Options:
    """The options that the data of an `argocd-cm` asks for."""
    schemes = data.get("helm.valuesFileSchemes")
    return Options(
        label_key=str(data.get("application.instanceLabelKey") or "app.kubernetes.io/instance"),
        tracking_method=str(data.get("application.resourceTrackingMethod") or "annotation"),
        values_file_schemes=("https", "http")
        if schemes is None
        else tuple(s.strip() for s in str(schemes).split(",") if s.strip()),
        kustomize_build_options=str(data.get("kustomize.buildOptions") or ""),
        installation_id=str(data.get("installationID") or ""),
        enabled_source_types={
            **{kind: str(data.get(key) or "true") == "true" for kind, key in _SOURCE_TYPE_KEYS.items()},
            "Plugin": True,
        },
        credentials=credentials,
    )
