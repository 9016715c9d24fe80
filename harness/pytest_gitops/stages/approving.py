"""Confirms what Argo CD asks a person to confirm: the end of what has Prune=confirm or Delete=confirm."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pytest_gitops.argocd.applications import Applications, operation_state, path_of
from pytest_gitops.clusters.apierror import suppress_gone
from pytest_gitops.errors import EngineError
from pytest_gitops.shapes import mapping
from pytest_gitops.waiting import utc

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

APPROVED = "argocd.argoproj.io/deletion-approved"
"""The annotation by which a person confirms, from the second on that it names (types.go: IsDeletionConfirmed)."""

WAITS = "waiting for pruning confirmation of"
"""How a sync that asks begins to say so (gitops-engine/pkg/sync/sync_context.go, v3.6.1)."""


def asked(application: Mapping[str, Any]) -> str:
    """Since when Argo CD waits for somebody to confirm: the beginning of its deletion or of its sync; empty if it does
    not."""
    deleted = mapping(application, "metadata").get("deletionTimestamp")
    if deleted:
        resources = mapping(application, "status").get("resources") or ()
        return str(deleted) if any(r.get("requiresDeletionConfirmation") for r in resources) else ""
    sync = operation_state(application)
    waits = sync.get("phase") == "Running" and str(sync.get("message") or "").startswith(WAITS)
    return str(sync.get("startedAt")) if waits else ""


def approve(api: Api, application: Mapping[str, Any]) -> None:
    """Confirm it. Raises ApiError."""
    approved = {APPROVED: utc().isoformat(timespec="seconds")}
    with suppress_gone():
        api.patch(path_of(application), {"metadata": {"annotations": approved}})


class Approving:
    """Confirms for every Application of a control plane, as long as it is entered in a `with`; `confirmed` has the keys
    of those that asked. Raises EngineError at its end if they could not be seen."""

    def __init__(self, api: Api) -> None:
        self.confirmed: set[str] = set()
        self._api = api
        self._given: set[tuple[str, str]] = set()
        self._stop = threading.Event()
        self._blind: Exception | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True, name="approve").start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stop.set()
        if self._blind is not None and kind is None:
            raise EngineError(f"the Applications cannot be watched: {self._blind}") from self._blind

    def _watch(self) -> None:
        def look(key: str, application: Mapping[str, Any]) -> None:
            since = asked(application)
            if since and (key, since) not in self._given:
                self._given.add((key, since))
                self.confirmed.add(key)
                approve(self._api, application)

        try:
            Applications(self._api).watch(look, stop=self._stop)
        except Exception as error:  # whatever it is: without it nobody would ever confirm
            self._blind = error
