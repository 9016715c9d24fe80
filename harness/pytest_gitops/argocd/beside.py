"""An Argo CD that runs in a cluster that exists already: of which version, where, and how it knows its own objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.shapes import mapping, title

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

CONTROLLER = "app.kubernetes.io/name=argocd-application-controller"
"""The label that Argo CD's manifests and its chart put on the application-controller."""

INSTANCE = "app.kubernetes.io/instance"
"""The label by which Argo CD knows its objects where it goes by labels and no other is set."""

BY_ANNOTATION = 3
"""The major version from which Argo CD goes by annotations unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """An Argo CD; `version` is empty where nothing tells it, `label` is the one by which it knows its objects, empty if
    it goes by annotations."""

    namespace: str
    version: str = ""
    label: str = ""

    @property
    def title(self) -> str:
        """ "Argo CD 3.6.1 (namespace argocd)"."""
        return f"Argo CD {self.version} (namespace {self.namespace})".replace("  ", " ")

    def might_take(self, objects: Iterable[Mapping[str, Any]]) -> str:
        """The first of `objects` that it might take for its own, or nothing."""
        for each in objects if self.label else ():
            if self.label in mapping(each, "metadata", "labels"):
                return title(each.get("kind"), mapping(each, "metadata").get("name"))
        return ""


def argo_cds_of(api: Api) -> tuple[Beside, ...]:
    """Every one there is, by namespace; none where we may not look for them. Raises ApiError if nobody answers."""
    found: dict[str, Beside] = {}
    for plural in ("statefulsets", "deployments"):
        try:
            items = api.get(f"/apis/apps/v1/{plural}", labelSelector=CONTROLLER).get("items") or ()
        except ApiError as error:
            if error.status not in {403, 404}:
                raise
            continue
        for each in items:
            namespace, version = str(each["metadata"]["namespace"]), version_of(each)
            found[namespace] = Beside(
                namespace=namespace, version=version, label=tracking(_settings(api, namespace), version)
            )
    return tuple(found[namespace] for namespace in sorted(found))


def version_of(workload: Mapping[str, Any]) -> str:
    """What the tag of its image says, else its label, else nothing: an image may have a digest only.

    >>> image = {"containers": [{"image": "registry.example:5000/argocd:v3.6.1@sha256:ab"}]}
    >>> version_of({"spec": {"template": {"spec": image}}})
    '3.6.1'
    """
    template = mapping(workload, "spec", "template")
    for container in mapping(template, "spec").get("containers") or ():
        name = str(container.get("image") or "").partition("@")[0].rpartition("/")[2]
        if re.match(r"v?\d", tag := name.partition(":")[2]):
            return tag.removeprefix("v")
    for each in (workload, template):
        if told := mapping(each, "metadata", "labels").get("app.kubernetes.io/version"):
            return str(told).removeprefix("v")
    return ""


def tracking(settings: Mapping[str, Any] | None, version: str) -> str:
    """The label by which one with these settings (argocd-cm; None if they are not to be had) knows its objects."""
    method = str((settings or {}).get("application.resourceTrackingMethod") or "")
    if not method:
        major = re.match(r"\d+", version)
        method = "label" if major and int(major[0]) < BY_ANNOTATION else "annotation"
    return str((settings or {}).get("application.instanceLabelKey") or INSTANCE) if method == "label" else ""


def _settings(api: Api, namespace: str) -> Mapping[str, Any] | None:
    try:
        return mapping(api.get(f"/api/v1/namespaces/{namespace}/configmaps/argocd-cm"), "data")
    except ApiError as error:
        if error.status not in {403, 404}:
            raise
        return None
