"""What Argo CD leaves in the cluster though no manifest has it any more, and when an Application has its present form.

Pure judgement of the Application object, as `convergence` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from pytest_gitops.argocd.convergence import bare, is_at, is_automated
from pytest_gitops.repository.sources import KEYS
from pytest_gitops.shapes import title

SKIPPED = "PruneSkipped"
"""What a sync says of an object that it would have had to delete and may not (ResultCodePruneSkipped)."""


def to_prune(application: Mapping[str, Any]) -> tuple[str, ...]:
    """The objects that are all that keeps the Application OutOfSync because no manifest has them any more:
    "Kind namespace/name". Empty if anything else differs."""
    return tuple(_title(r) for r in _differing(application))


def unpruned(application: Mapping[str, Any]) -> tuple[str, ...]:
    """Like `to_prune`, of what Argo CD will not delete by itself. Empty as well if it has yet to try."""
    status, differing = application.get("status") or {}, _differing(application)
    tried = (status.get("operationState") or {}).get("syncResult") or {}
    skipped = {_identity(r) for r in tried.get("resources") or () if r.get("status") == SKIPPED}
    current = _is_at_same(tried, status.get("sync") or {})
    if not (current and {_identity(r) for r in differing} <= skipped) and _prunes(application):
        return ()
    return tuple(_title(r) for r in differing)


def _differing(application: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects that are OutOfSync, if all of them are because no manifest has them."""
    found = [
        r
        for r in (application.get("status") or {}).get("resources") or ()
        if r.get("status") not in {"Synced", None} and not r.get("hook")
    ]
    return found if all(r.get("requiresPruning") for r in found) else []


def _prunes(application: Mapping[str, Any]) -> bool:
    """Whether a sync is still to come that would delete: the automated one with prune, or one that is asked for."""
    if not is_automated(application):
        return True
    return bool(application["spec"]["syncPolicy"]["automated"].get("prune"))


def of_now(application: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Application without a sync that says nothing of what it is now.

    One failed at another revision than the Application is compared to: where nothing differs any more, no other sync
    takes its place. Another began before the Application was made: it is that of one that is gone, for Argo CD writes
    down by name (appcontroller.go: setOperationState, 3.6.1).
    """
    status = application.get("status") or {}
    state = status.get("operationState") or {}
    tried = state.get("syncResult") or {}
    overtaken = any(_revisions(tried)) and not _is_at_same(tried, status.get("sync") or {})
    failed_before = state.get("phase") in {"Failed", "Error"} and overtaken
    made = (application.get("metadata") or {}).get("creationTimestamp") or ""
    of_another = str(state.get("startedAt") or made) < made
    if not failed_before and not of_another:
        return application
    return {**application, "status": {k: v for k, v in status.items() if k != "operationState"}}


def is_as_declared(application: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Whether the live Application deploys the sources and to the destination that `manifest` says."""
    live, wanted = application.get("spec") or {}, manifest.get("spec") or {}
    return all(bare(live.get(k)) == bare(wanted.get(k)) for k in (*KEYS, "destination", "project"))


def _is_at_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two results are of the same commits, either of which may be short."""
    pairs = zip_longest(_revisions(one), _revisions(other), fillvalue="")
    return all(is_at(a, b) or is_at(b, a) for a, b in pairs)


def _revisions(at: Mapping[str, Any]) -> list[str]:
    found = at.get("revisions") or [at.get("revision") or ""]
    return [str(r) for r in found]


def _identity(resource: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(resource.get(k) or "") for k in ("group", "kind", "namespace", "name"))


def _title(resource: Mapping[str, Any]) -> str:
    return title(resource.get("kind", "?"), resource.get("name", "?"), resource.get("namespace"))
