"""What we may do on a cluster, asked of its API server before anything is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

PARALLEL = 8

SYNC = ("get", "list", "watch", "create", "patch", "update", "delete")
"""What Argo CD does to what it manages."""

NAMESPACES = ("get", "list", "create", "patch", "delete")
"""What we do to namespaces of our own."""


SCALED = {("apps", "deployments"), ("apps", "replicasets"), ("apps", "statefulsets")}
"""What `self-heal` scales."""

APPS, CORE, BATCH = "apps", "", "batch"

PARTS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    (APPS, "deployments"): ((APPS, "replicasets"), (CORE, "pods")),
    (APPS, "replicasets"): ((CORE, "pods"),),
    (APPS, "daemonsets"): ((APPS, "controllerrevisions"), (CORE, "pods")),
    (APPS, "statefulsets"): (
        (APPS, "controllerrevisions"),
        (CORE, "pods"),
        (CORE, "persistentvolumeclaims"),
    ),
    (BATCH, "cronjobs"): ((BATCH, "jobs"), (CORE, "pods")),
    (BATCH, "jobs"): ((CORE, "pods"),),
    (CORE, "persistentvolumeclaims"): ((CORE, "pods"),),
}
"""What Kubernetes makes of what, and who uses what, by group and plural: `prune` looks whether it goes."""


class Permission(NamedTuple):
    """One verb on one resource (plural, or "plural/subresource"); `namespace` is empty for the cluster as a whole."""

    verb: str
    group: str
    resource: str
    namespace: str

    @property
    def title(self) -> str:
        """ "create deployments.apps", as `kubectl auth can-i` takes it."""
        plural, slash, sub = self.resource.partition("/")
        return f"{self.verb} {plural}{f'.{self.group}' if self.group else ''}{slash}{sub}"


def needed(group: str, plural: str, namespace: str, stages: Collection[str]) -> list[Permission]:
    """What `stages` need to do with one resource that an Application renders."""
    found = [Permission(verb, group, plural, namespace) for verb in SYNC]
    if "self-heal" in stages and (group, plural) in SCALED:
        found.append(Permission("patch", group, f"{plural}/scale", namespace))
    if "prune" in stages:
        found += [Permission("list", *part, namespace) for part in PARTS.get((group, plural), ())]
    return found


def missing(api: Api, wanted: Iterable[Permission]) -> tuple[Permission, ...]:
    """Those of `wanted` that we do not have, in their order. Raises ApiError if that cannot be asked."""

    def allowed(one: Permission) -> bool:
        resource, _, subresource = one.resource.partition("/")
        attributes = {
            "verb": one.verb,
            "group": one.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": one.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        return bool(api.post(PATH, review)["status"]["allowed"])

    asked = tuple(dict.fromkeys(wanted))
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="permissions") as pool:
        return tuple(one for one, may in zip(asked, pool.map(allowed, asked), strict=True) if not may)
