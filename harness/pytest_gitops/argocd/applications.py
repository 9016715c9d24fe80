"""What we do to Applications: create the roots, sync those that nobody else syncs, read what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Case
from pytest_gitops.shapes import mapping
from pytest_gitops.waiting import utc

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

API = "/apis/argoproj.io/v1alpha1"
USER = "pytest-gitops"
PARALLEL = 8

ATTEMPTS = 10
"""How often it is tried to write about a sync of which others write meanwhile: as often as Argo CD tries
(server/application)."""

REFRESH = "argocd.argoproj.io/refresh"
"""The annotation that asks for a comparison; Argo CD removes it when it has written the result."""

REFRESH_TIME = "argocd.argoproj.io/refresh-timestamp"
"""Tells one request from another, so that one that comes in the middle of a comparison is not taken for answered."""

SKIP_RECONCILE = "argocd.argoproj.io/skip-reconcile"
"""The annotation that tells the application-controller to leave an Application alone: it never gets a status."""

HEALS = "autoHealAttemptsCount"
"""Where Argo CD counts in a sync how often it has healed since the sync to that revision."""

FORGOTTEN: Mapping[str, Any] = {"status": {"operationState": {"operation": {"sync": {HEALS: None}}}}}
"""The patch that takes that count back."""

Application = Mapping[str, Any]


class Applications:
    """The Applications of one control plane."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(self, cases: Sequence[Case], failed: Callable[[Case, Exception], None]) -> None:
        """Create each as its manifest says; `failed` is told of those that the API server refuses."""

        def one(case: Case) -> None:
            manifest = dict(case.manifest)
            manifest["metadata"] = {**manifest["metadata"], "namespace": case.namespace}
            # Status and operation are Argo CD's to write.
            manifest.pop("status", None)
            manifest.pop("operation", None)
            try:
                self._api.apply(manifest)
            except Exception as error:  # whatever it is, it is this Application's and no other's
                failed(case, error)

        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="create") as pool:
            list(pool.map(one, cases))

    def sync(
        self,
        application: Application,
        *,
        only: Sequence[Mapping[str, str]] = (),
        prune: bool = False,
        automated: bool = False,
    ) -> Application:
        """Start a sync as `argocd app sync` does, or as automation does, with the Application's own options and
        retries; returns the Application with the operation in it. `only` are objects (group, kind, namespace, name) to
        sync, as with `--resource`: then no hook runs. `prune` lets it delete what no manifest has any more."""
        policy = application["spec"].get("syncPolicy") or {}
        operation: dict[str, Any] = {
            "initiatedBy": {"automated": True} if automated else {"username": USER},
            "sync": {"syncOptions": policy.get("syncOptions") or [], "syncStrategy": {"hook": {}}},
        }
        if only:
            operation["sync"]["resources"] = [dict(o) for o in only]
        if prune:
            operation["sync"]["prune"] = True
        if policy.get("retry"):
            operation["retry"] = policy["retry"]
        return self._patch(application, {"operation": operation})

    def refresh(self, application: Application, *, hard: bool = False) -> Application:
        """Ask for a comparison now; a hard one forgets what was rendered before. Returns the Application with the
        request in it."""
        return self._patch(application, {"metadata": {"annotations": _refresh("hard" if hard else "normal")}})

    def forget_heals(self, application: Application) -> Application:
        """Let the next drift be healed at once, as one is that comes long after the last: from one heal to the next
        Argo CD waits ever longer (--self-heal-backoff-*). Returns the Application as it is then. Raises ApiError."""
        return self._forgetting(application, {}) if heals_of(application) else application

    def urge(self, application: Application) -> Application:
        """Ask for a comparison now, after which what differs is healed at once. Returns like `forget_heals`."""
        return self._forgetting(application, {"annotations": _refresh("normal")})

    def _forgetting(self, application: Application, metadata: Mapping[str, Any]) -> Application:
        """Patch its metadata, and take back the count of its heals as long as there is one."""
        for remaining in reversed(range(ATTEMPTS)):
            if not heals_of(application):
                break
            # As it was seen: the next sync has no count, and what it has instead would not be valid any more.
            seen = {**metadata, "resourceVersion": application["metadata"]["resourceVersion"]}
            try:
                return self._patch(application, {"metadata": seen, **FORGOTTEN})
            except ApiError as error:
                if error.status != 409 or not remaining:
                    raise
            application = self._api.get(path_of(application))
        return self._patch(application, {"metadata": metadata}) if metadata else application

    def terminate(self, application: Application) -> None:
        """End the sync that is running, its retries too, as `argocd app terminate-op` does; none is no error, neither
        is one that ended after it was seen. Raises ApiError."""
        for remaining in reversed(range(ATTEMPTS)):
            if operation_state(application).get("phase") != "Running":
                return
            # Nobody works any more on a sync that has ended: it would be Terminating for ever.
            seen = {"metadata": {"resourceVersion": application["metadata"]["resourceVersion"]}}
            try:
                self._patch(application, {**seen, "status": {"operationState": {"phase": "Terminating"}}})
                return
            except ApiError as error:
                if error.status != 409 or not remaining:
                    raise
            application = self._api.get(path_of(application))

    def windows(self, project: str, *, control: str) -> tuple[Mapping[str, Any], ...]:
        """The sync windows of an AppProject, as it is on the cluster. Raises ApiError."""
        found = self._api.get(f"{API}/namespaces/{control}/appprojects/{project}")
        return tuple((found.get("spec") or {}).get("syncWindows") or ())

    def _patch(self, application: Application, patch: Mapping[str, Any]) -> Application:
        return self._api.patch(path_of(application), dict(patch), content_type="application/merge-patch+json")

    def watch(self, act: Callable[[str, Application], None], *, stop: threading.Event) -> None:
        """Call `act` with "namespace/name" and each new state, until `stop`; deleted ones come as {}."""

        def event(kind: str, application: dict[str, Any]) -> None:
            meta = application["metadata"]
            act(f"{meta['namespace']}/{meta['name']}", {} if kind == "DELETED" else application)

        self._api.watch(f"{API}/applications", event, stop=stop)

    def warnings(self, namespace: str, names: Sequence[str], *, limit: int = 5) -> tuple[str, ...]:
        """Warning events in `namespace` about objects whose names begin like one of `names`, the newest last."""
        found = self._api.get(f"/api/v1/namespaces/{namespace}/events", fieldSelector="type=Warning").get(
            "items", []
        )
        told = []
        for event in sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or ""):
            about = event.get("involvedObject", {})
            if any(str(about.get("name", "")).startswith(n) for n in names):
                told.append(
                    f"{about.get('kind')} {about.get('name')}: {event.get('reason')}: {event.get('message')}"
                )
        return tuple(dict.fromkeys(told))[-limit:]


def _refresh(kind: str) -> dict[str, str]:
    """The annotations of one request for a comparison."""
    return {REFRESH: kind, REFRESH_TIME: utc().isoformat()}


def application_path(case: Case) -> str:
    """Where an Application is on the API server."""
    return _path(case.namespace, case.name)


def path_of(application: Application) -> str:
    """Where it is on the API server."""
    return _path(application["metadata"]["namespace"], application["metadata"]["name"])


def _path(namespace: str, name: str) -> str:
    return f"{API}/namespaces/{namespace}/applications/{name}"


def version(application: Application) -> int:
    """The resourceVersion, which tells earlier from later (Kubernetes 1.35: comparable resource versions)."""
    return int(application["metadata"]["resourceVersion"])


def is_asked(application: Application) -> bool:
    """Whether it is asked to compare, and has not done so."""
    return REFRESH in mapping(application, "metadata", "annotations")


def is_answered(application: Application, since: float) -> bool:
    """Whether it has compared since it was asked to, which was at the resourceVersion `since`."""
    return version(application) > since and not is_asked(application)


def is_left_alone(application: Application) -> bool:
    """Whether Argo CD is told not to reconcile it, in a word that Go takes for true (strconv.ParseBool)."""
    said = mapping(application, "metadata", "annotations").get(SKIP_RECONCILE)
    return said in {"1", "t", "T", "TRUE", "true", "True"}


def operation_state(application: Application) -> Mapping[str, Any]:
    """What its last sync came to, or how far the running one is; empty where there was none."""
    return mapping(application, "status", "operationState")


def heals_of(application: Application) -> int:
    """How often Argo CD has healed it since it synced it to its revision, as of its last sync."""
    return int(mapping(operation_state(application), "operation", "sync").get(HEALS) or 0)
