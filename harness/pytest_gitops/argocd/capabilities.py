"""What the cluster can do, as the application-controller tells the repo-server: Helm's `.Capabilities`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

PARALLEL = 8

OWN = "argoproj.io/v1alpha1/ApplicationSet"
"""What every Argo CD has beside itself, also where the cluster is spared of it because nobody asks for one."""


def api_versions(api: Api) -> tuple[str, ...]:
    """Every group/version and group/version/Kind that can be listed and watched, and Argo CD's own; sorted, without
    subresources."""
    groups = api.get("/apis")["groups"]
    paths = ["/api/v1", *(f"/apis/{v['groupVersion']}" for g in groups for v in g["versions"])]
    found = {OWN}
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="discovery") as pool:
        for answer in pool.map(api.get, paths):
            version = answer["groupVersion"]
            for resource in answer["resources"]:
                # gitops-engine lists what it can watch (utils/kube: GetAPIResources).
                if "/" not in resource["name"] and {"list", "watch"} <= set(resource.get("verbs", ())):
                    found |= {version, f"{version}/{resource['kind']}"}
    return tuple(sorted(found))
