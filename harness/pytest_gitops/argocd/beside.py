"""An Argo CD that runs in a cluster that exists already: whether there is one, of which version, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_gitops.clusters.apierror import ApiError

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

CONTROLLER = "app.kubernetes.io/name=argocd-application-controller"
"""The label that Argo CD's manifests and its chart put on the application-controller."""


def argo_cd_of(api: Api) -> str:
    """ "Argo CD 3.6.1 (namespace argocd)", empty where there is none, or where we may not look."""
    found = []
    for plural in ("statefulsets", "deployments"):
        try:
            items = api.get(f"/apis/apps/v1/{plural}", labelSelector=CONTROLLER).get("items") or ()
        except ApiError:
            return ""
        for each in items:
            images = [c.get("image", "") for c in each["spec"]["template"]["spec"].get("containers") or ()]
            version = next((i.rpartition(":")[2].removeprefix("v") for i in images if ":" in i), "")
            found.append(f"Argo CD {version} (namespace {each['metadata']['namespace']})".replace("  ", " "))
    return ", ".join(found)
