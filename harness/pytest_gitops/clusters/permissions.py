"""What we may do on a cluster, asked of its API server before anything is done."""

from __future__ import annotations

from collections.abc import Iterable
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


class Permission(NamedTuple):
    """One verb on one resource (plural); `namespace` is empty for the cluster as a whole."""

    verb: str
    group: str
    resource: str
    namespace: str

    @property
    def title(self) -> str:
        """ "create deployments.apps", as `kubectl auth can-i` takes it."""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


def missing(api: Api, wanted: Iterable[Permission]) -> tuple[Permission, ...]:
    """Those of `wanted` that we do not have, in their order. Raises ApiError if that cannot be asked."""

    def allowed(one: Permission) -> bool:
        attributes = {
            "verb": one.verb,
            "group": one.group,
            "resource": one.resource,
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
