"""What ApplicationSets generate: asked of the real applicationset-controller, before anything is synced."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import API
from pytest_gitops.argocd.destinations import unknown_cluster
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import GitOpsError, WaitTimeout
from pytest_gitops.model import Destination
from pytest_gitops.planning.plan import Generated
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.waiting import wait_until

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

LIMIT = 60.0
"""Seconds that the controller may take for an ApplicationSet."""

REFRESH = "argocd.argoproj.io/application-set-refresh"
"""The annotation that asks for it; the controller removes it at the end of its work (applicationset_controller.go)."""

PATIENCE = 3
"""How often an error must be seen before it is believed: the first look at a new object may come too early."""

INTRODUCED = 5
"""How often a set is generated anew for one cluster: the controller may see the set before the cluster."""

Introduce = Callable[[Destination], bool]
"""Makes a destination that is no cluster of Argo CD's one; False where that cannot be."""


def expand(
    api: Api, sets: Sequence[Declared], *, control: str, introduce: Introduce = lambda _: False
) -> dict[str, Generated]:
    """Create each set and wait for what the controller makes of it, by "namespace/name". It generates nothing for a
    cluster that it does not know: such a one is introduced, as any destination of an Application is a cluster here."""
    found: dict[str, Generated] = {}
    created: list[tuple[str, str, str]] = []
    for each in sets:
        namespace = each.namespace or control
        key = f"{namespace}/{each.name}"
        manifest = {**each.manifest, "metadata": {**each.manifest["metadata"], "namespace": namespace}}
        manifest.pop("status", None)
        try:
            uid = api.apply(manifest)["metadata"]["uid"]
        except GitOpsError as error:
            found[key] = Generated(error=str(error))
        else:
            created.append((key, f"{API}/namespaces/{namespace}/applicationsets/{each.name}", uid))
    for key, path, uid in created:
        found[key] = _made(api, path, uid, introduce)
    return found


def bring(api: Api, sets: Sequence[Declared], *, control: str) -> None:
    """Create or change each set as its manifest says; what is refused is told by those who plan it."""
    for each in sets:
        manifest = {
            **each.manifest,
            "metadata": {**each.manifest["metadata"], "namespace": each.namespace or control},
        }
        manifest.pop("status", None)
        with contextlib.suppress(ApiError):
            api.apply(manifest)


def refresh(api: Api, *, generates: Callable[[str], bool] = lambda _: True) -> None:
    """Let every set be generated anew in whose namespace the controller `generates`, and wait until it has been. Raises
    WaitTimeout."""

    def sets() -> list[Any]:
        return [
            i for i in api.get(f"{API}/applicationsets")["items"] if generates(i["metadata"]["namespace"])
        ]

    for each in sets():
        api.patch(_path(each), {"metadata": {"annotations": {REFRESH: "true"}}})

    def pending() -> list[str]:
        return [_path(i) for i in sets() if REFRESH in (i["metadata"].get("annotations") or {})]

    wait_until(lambda: not pending(), limit=LIMIT, what="the applicationset-controller's refresh")


def _path(application_set: Mapping[str, Any]) -> str:
    meta = application_set["metadata"]
    return f"{API}/namespaces/{meta['namespace']}/applicationsets/{meta['name']}"


def remove(api: Api, keys: Collection[str] | None = None) -> None:
    """Remove sets and what they made, as if they had never been: those of `keys` ("namespace/name"), or all, and all
    Applications with them. The application-controller may not be running.

    Finalizers are taken away, not honoured, for nothing was ever synced.
    """
    for kind in ("applicationsets", "applications"):
        for each in api.get(f"{API}/{kind}")["items"]:
            meta = each["metadata"]
            if keys is not None and not _belongs(meta, keys, is_set=kind == "applicationsets"):
                continue
            path = f"{API}/namespaces/{meta['namespace']}/{kind}/{meta['name']}"
            # The garbage collector may be faster with what belonged to a set.
            with contextlib.suppress(ApiError):
                if meta.get("finalizers"):
                    api.patch(path, {"metadata": {"finalizers": None}})
                api.delete(path)


def _belongs(meta: Mapping[str, Any], keys: Collection[str], *, is_set: bool) -> bool:
    """Whether an object is one of the sets, or was made by one."""
    owners = [o for o in meta.get("ownerReferences") or () if o.get("kind") == "ApplicationSet"]
    names = [meta["name"]] if is_set else [o.get("name") for o in owners]
    return any(f"{meta['namespace']}/{name}" in keys for name in names)


def _made(api: Api, path: str, uid: str, introduce: Introduce) -> Generated:
    errors: list[str] = []
    introduced = Counter[Destination]()

    def settled() -> bool:
        found = api.get(path)
        if REFRESH in (found["metadata"].get("annotations") or {}):
            return False
        conditions = {c["type"]: c for c in (found.get("status") or {}).get("conditions") or ()}
        error = conditions.get("ErrorOccurred", {})
        if error.get("status") == "True":
            message = str(error.get("message", ""))
            unknown = unknown_cluster(message)
            if unknown is not None and introduced[unknown] < INTRODUCED and introduce(unknown):
                introduced[unknown] += 1
                api.patch(path, {"metadata": {"annotations": {REFRESH: "true"}}})
                return False
            errors.append(message)
            return len(errors) >= PATIENCE
        errors.clear()
        return bool(conditions.get("ResourcesUpToDate", {}).get("status") == "True")

    try:
        wait_until(settled, limit=LIMIT, what="the applicationset-controller's answer")
    except WaitTimeout as error:
        return Generated(error=errors[-1] if errors else str(error))
    if errors:
        return Generated(error=errors[-1])
    namespace = path.split("/")[5]
    owned = [a for a in api.get(f"{API}/namespaces/{namespace}/applications")["items"] if _owned(a, uid)]
    return Generated(manifests=tuple(_declared(a) for a in owned))


def _owned(application: Mapping[str, Any], uid: str) -> bool:
    return any(o.get("uid") == uid for o in application["metadata"].get("ownerReferences") or ())


def _declared(application: Mapping[str, Any]) -> dict[str, Any]:
    """The Application as the set's template makes it, without what the API server adds."""
    meta = application["metadata"]
    kept = {k: meta[k] for k in ("name", "namespace", "labels", "annotations", "finalizers") if k in meta}
    return {
        "apiVersion": application.get("apiVersion", "argoproj.io/v1alpha1"),
        "kind": "Application",
        "metadata": kept,
        "spec": application["spec"],
    }
