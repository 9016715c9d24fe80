"""Takes away what runs made on a cluster that exists: their namespaces, known by their label, and all in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_gitops.clusters.apierror import ApiError, suppress_gone
from pytest_gitops.errors import WaitTimeout
from pytest_gitops.hosts.isolation import LABEL, SHARED, Outside, mark
from pytest_gitops.waiting import wait_until

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"
"""What Argo CD puts on a hook, and nobody takes away once Argo CD has ended."""

LIMIT = 60.0
"""Seconds that namespaces may take to go; the cluster goes on with it after that."""

PARALLEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A namespace that a run made: `created` is the API server's time of it, `shared` is what the run may have made
    outside of its namespaces."""

    namespace: str
    run: str
    created: str
    shared: tuple[Outside, ...] = ()


def leftovers(api: Api, *, run: str = "") -> tuple[Leftover, ...]:
    """The namespaces of runs, or of one, the oldest first. Raises ApiError."""
    items = api.get("/api/v1/namespaces", labelSelector=f"{LABEL}={run}" if run else LABEL).get("items") or ()
    found = [
        Leftover(
            namespace=m["name"],
            run=m["labels"][LABEL],
            created=str(m.get("creationTimestamp") or ""),
            shared=tuple(
                Outside(*map(str, o)) for o in json.loads((m.get("annotations") or {}).get(SHARED) or "[]")
            ),
        )
        for m in (i["metadata"] for i in items)
    ]
    return tuple(sorted(found, key=lambda each: (each.created, each.namespace)))


def remove(api: Api, found: Sequence[Leftover], *, limit: float = LIMIT) -> tuple[str, ...]:
    """Delete these namespaces; returns those that are still going after `limit` seconds. Raises ApiError."""
    for run, outside in sorted({(each.run, o) for each in found for o in each.shared}):
        _remove_shared(api, run, outside)
    left = [each.namespace for each in found]
    for namespace in left:
        try:
            api.delete(f"/api/v1/namespaces/{namespace}")
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
    for namespace in left:
        with suppress(ApiError):  # what is left is seen below
            _release(api, namespace)

    def gone() -> bool:
        left[:] = [n for n in left if _exists(api, n)]
        return not left

    with suppress(WaitTimeout):  # which ones is what is returned
        wait_until(gone, limit=limit, pause=0.5, what="the end of the run's namespaces")
    return tuple(left)


def _remove_shared(api: Api, run: str, outside: Outside) -> None:
    """Delete an object outside of the run's namespaces if Argo CD made it for this run: it bears its mark."""
    with suppress_gone():
        path = api.path_of(outside.api_version, outside.kind, outside.namespace, outside.name)
        if mark(run) in (api.get(path)["metadata"].get("labels") or {}):
            api.delete(path)


def _exists(api: Api, namespace: str) -> bool:
    with suppress_gone():
        api.get(f"/api/v1/namespaces/{namespace}")
        return True
    return False


def _release(api: Api, namespace: str) -> None:
    """Take Argo CD's finalizer off the hooks in a namespace: it has ended, or is about to."""

    def one(base: str, plural: str) -> None:
        with suppress(ApiError):  # a kind that cannot be listed or changed holds the namespace, which is told
            for each in api.get(f"{base}/namespaces/{namespace}/{plural}").get("items") or ():
                meta = each["metadata"]
                held = meta.get("finalizers") or []
                if HOOK_FINALIZER in held:
                    rest: Any = [f for f in held if f != HOOK_FINALIZER] or None
                    path = f"{base}/namespaces/{namespace}/{plural}/{meta['name']}"
                    api.patch(path, {"metadata": {"finalizers": rest}})

    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="release") as pool:
        list(pool.map(lambda kind: one(*kind), _kinds(api)))


def _kinds(api: Api) -> Iterator[tuple[str, str]]:
    """Path and plural of every kind that lives in namespaces and can be listed and changed."""
    groups = [g["preferredVersion"]["groupVersion"] for g in api.get("/apis").get("groups") or ()]
    for version in ("v1", *groups):
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            resources = api.get(base).get("resources") or ()
        except ApiError:
            continue  # an API that is announced and not there
        for each in resources:
            if each["namespaced"] and "/" not in each["name"] and {"list", "patch"} <= set(each["verbs"]):
                yield base, each["name"]
