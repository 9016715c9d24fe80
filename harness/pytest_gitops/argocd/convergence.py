"""Does an Application converge: pure judgement of the Application object as Argo CD writes it at one moment.

`stages/patience.py` turns moments into "never".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pytest_gitops.argocd.applications import is_asked
from pytest_gitops.model import Resource
from pytest_gitops.shapes import title


class State(StrEnum):
    """Where an Application stands."""

    CONVERGED = "converged"  # Synced and Healthy, at the revision expected
    MOVING = "moving"  # Argo CD or Kubernetes is at work
    STUCK = "stuck"  # something is wrong, and only a change elsewhere or a retry can mend it


STALE = frozenset({"stale-revision", "stale-comparison"})
"""Codes of what is not of now: another revision or specification, or before the last sync ended."""

AWAITED = frozenset({"never-created", "not-compared", "not-synced", *STALE})
"""Codes of what Argo CD has not begun with."""

ASKED = "a refresh is asked for and not yet done"

# Conditions of an Application that keep it from being judged green (Argo CD: ApplicationConditionType).
BLOCKING = {
    "InvalidSpecError": "invalid-spec",
    "ComparisonError": "comparison-error",
    "SyncError": "sync-failed",
    "UnknownError": "comparison-error",
    "DeletionError": "deletion-error",
    "SharedResourceWarning": "shared-resource",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One moment of one Application. `code` and `message` say what keeps it from converging, `causes` which
    objects do, in Argo CD's words; `retries` counts the sync attempts after the first, and `retrying` says that one
    has failed and Argo CD will make another."""

    state: State
    code: str = ""
    message: str = ""
    causes: tuple[str, ...] = ()
    sync: str = ""
    health: str = ""
    phase: str = ""
    retries: int = 0
    retrying: bool = False

    @property
    def problem(self) -> tuple[str, str]:
        """What is wrong, for telling whether it is still the same; how often it was tried is left out."""
        return self.code, self.message

    @property
    def is_begun(self) -> bool:
        """Whether Argo CD has begun with it: with a sync, or it was compared and needs none, or can have none."""
        return bool(self.phase) if self.code == "syncing" else self.code not in AWAITED

    @property
    def summary(self) -> str:
        """ "OutOfSync, Missing" and the like."""
        return f"{self.sync or 'not compared'}, {self.health or 'health not assessed'}"


def _at(value: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _list(value: Any, *path: str) -> list[Any]:
    found = _at(value, *path)
    return found if isinstance(found, list) else []


def is_automated(application: Mapping[str, Any]) -> bool:
    """Whether Argo CD syncs it by itself (spec.syncPolicy.automated, unless `enabled: false`)."""
    automated = _at(application, "spec", "syncPolicy", "automated")
    return isinstance(automated, Mapping) and automated.get("enabled") is not False


def was_compared(application: Mapping[str, Any]) -> bool:
    """Whether Argo CD has looked at it at all."""
    return bool(_at(application, "status", "sync", "status"))


def observe(application: Mapping[str, Any], *, revisions: Sequence[str] = ()) -> Observation:
    """What `application`, an Application object, says of itself.

    `revisions` are the commits that its sources must be at, in their order; an empty one is not checked. What Argo
    CD said before its last sync ended, or of another specification, or with a refresh to come, does not count.
    """
    status = _at(application, "status") or {}
    sync, health = _at(status, "sync", "status") or "", _at(status, "health", "status") or ""
    phase = _at(status, "operationState", "phase") or ""
    said = str(_at(status, "operationState", "message") or "").split(" Retrying attempt", 1)[0]
    retries = int(_at(status, "operationState", "retryCount") or 0)
    # Between two attempts the phase stays Running, and only then has it an end (appcontroller.go: "perform a retry").
    waiting = phase == "Running" and bool(_at(status, "operationState", "finishedAt"))
    running = phase in {"Running", "Terminating"} or bool(application.get("operation"))
    if said.startswith("Retrying operation"):
        said = "trying again"  # the same words for every attempt: a number that counts up is no movement

    def seen(state: State, code: str = "", message: str = "", causes: Sequence[str] = ()) -> Observation:
        return Observation(
            state=state, code=code, message=message, causes=tuple(causes),
            sync=sync, health=health, phase=phase, retries=retries, retrying=waiting,
        )  # fmt: skip

    if _at(application, "metadata", "deletionTimestamp"):
        return seen(State.MOVING, "deleting", "it is being deleted")
    if not sync:
        condition = _blocking(status)
        if condition:
            return seen(State.STUCK, *condition)
        return seen(State.MOVING, "not-compared", "Argo CD has not compared it yet")
    if waiting:
        return seen(State.STUCK, "sync-failed", said or "the sync failed", _failed(status))
    if running:
        return seen(State.MOVING, "syncing", said or "a sync is running", _failed(status))
    if condition := _blocking(status):
        return seen(State.STUCK, *condition, causes=_failed(status))
    if phase in {"Failed", "Error"}:
        return seen(State.STUCK, "sync-failed", said or f"the sync ended {phase}", _failed(status))
    if sync == "Unknown":
        return seen(State.MOVING, "unknown", "Argo CD could not compare it")
    if stale := _stale(application, status, revisions):
        return seen(State.MOVING, *stale)
    if sync != "Synced":
        if not phase:
            return seen(State.MOVING, "not-synced", "no sync has been started yet", _out_of_sync(status))
        causes = _out_of_sync(status, applied=True)
        return seen(
            State.STUCK, "out-of-sync", _many(causes, "is OutOfSync after a sync that succeeded"), causes
        )
    if health == "Healthy":
        return seen(State.CONVERGED)
    worst, others = _unhealthy(status, health)
    causes = [*worst, *others]
    if health in {"Degraded", "Missing", "Suspended"}:
        return seen(State.STUCK, health.lower(), _many(worst or others, f"keeps it {health}"), causes)
    return seen(State.MOVING, "progressing", _many(causes, "is not Healthy yet"), causes)


def _many(causes: Sequence[str], what: str) -> str:
    if not causes:
        return f"an object {what}"
    first = causes[0].split(": ", 1)[0]
    return f"{first} {what}" if len(causes) == 1 else f"{first} and {len(causes) - 1} more: each {what}"


def _blocking(status: Mapping[str, Any]) -> tuple[str, str] | None:
    for condition in _list(status, "conditions"):
        code = BLOCKING.get(str(_at(condition, "type")))
        if code:
            return code, f"{condition['type']}: {condition.get('message', '')}"
    return None


def shared_warnings(application: Mapping[str, Any]) -> tuple[str, ...]:
    """What Argo CD says of objects that other Applications have: the messages of its SharedResourceWarnings."""
    found = _list(application, "status", "conditions")
    return tuple(str(_at(c, "message")) for c in found if _at(c, "type") == "SharedResourceWarning")


def _stale(
    application: Mapping[str, Any], status: Mapping[str, Any], revisions: Sequence[str]
) -> tuple[str, str] | None:
    """Why the comparison does not count yet, as code and sentence: it is of something else (`stale-revision`), or only
    of before the sync that has ended (`stale-comparison`)."""
    seen = _list(status, "sync", "revisions") or [_at(status, "sync", "revision") or ""]
    for index, expected in enumerate(revisions):
        found = str(seen[index] or "") if index < len(seen) else ""
        if expected and not is_at(found, expected):
            return "stale-revision", f"compared to revision {found[:7] or 'none'}, not yet to {expected[:7]}"
    if is_asked(application):
        return "stale-revision", ASKED
    compared = _at(status, "sync", "comparedTo") or {}
    # With `sources`, `source` is not looked at; a hydrated source is written nowhere in the specification.
    source = "sources" if _list(application, "spec", "sources") else "source"
    for part in () if _at(application, "spec", "sourceHydrator") else (source, "destination"):
        if compared and bare(_at(compared, part)) != bare(_at(application, "spec", part)):
            return "stale-revision", f"compared to another spec.{part}, not yet to the present one"
    if _ended_after_comparison(status):
        return "stale-comparison", "not yet compared since its sync ended"
    return None


def is_at(found: str, expected: str) -> bool:
    """Whether `found` is the commit that is expected: a short one is left as it is written wherever the repo-server has
    not just checked it out (util/git: IsTruncatedCommitSHA; reposerver/cache: GetManifests)."""
    short = re.fullmatch(r"[0-9A-Fa-f]{7,}", found)
    return found == expected or (short is not None and expected.startswith(found.lower()))


def _ended_after_comparison(status: Mapping[str, Any]) -> bool:
    """As `argocd app wait` has it: sync and health are those of before the sync until it is reconciled once more."""
    ended, compared = _time(_at(status, "operationState", "finishedAt")), _time(_at(status, "reconciledAt"))
    return ended is not None and (compared is None or compared < ended)


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def bare(value: Any) -> Any:
    """A value without what Go leaves out when it writes it: empty texts, lists and mappings, zeros, `false`."""
    if isinstance(value, Mapping):
        return {k: kept for k, v in value.items() if (kept := bare(v))} or None
    if isinstance(value, list):
        return [bare(v) for v in value] or None
    return value or None


def _title(resource: Mapping[str, Any]) -> str:
    kind, name, namespace = resource.get("kind", "?"), resource.get("name", "?"), resource.get("namespace")
    return title(kind, name, namespace)


def _failed(status: Mapping[str, Any]) -> list[str]:
    """The objects that the last sync could not apply, and hooks that failed."""
    return [
        f"{_title(r)}: {_hook(r)}{r.get('message') or r.get('status') or r.get('hookPhase')}"
        for r in _list(status, "operationState", "syncResult", "resources")
        if isinstance(r, Mapping)
        and (r.get("status") == "SyncFailed" or r.get("hookPhase") in {"Failed", "Error"})
    ]


def _hook(resource: Mapping[str, Any]) -> str:
    return f"{resource['hookType']} hook failed: " if resource.get("hookType") else ""


def _out_of_sync(status: Mapping[str, Any], *, applied: bool = False) -> list[str]:
    return [
        f"{_title(r)}: {_differs(r, applied)}"
        for r in _list(status, "resources")
        if isinstance(r, Mapping) and r.get("status") not in {"Synced", None} and not r.get("hook")
    ]


def _differs(resource: Mapping[str, Any], applied: bool) -> str:
    if resource.get("requiresPruning"):
        return "would be pruned"
    gone = applied and _at(resource, "health", "status") == "Missing"
    return f"{resource.get('status')}{', and is not there' if gone else ''}"


def _unhealthy(status: Mapping[str, Any], health: str) -> tuple[list[str], list[str]]:
    """The objects that are not Healthy: those that are as the Application is, for the worst decides, and others."""
    worst: list[str] = []
    others: list[str] = []
    for r in _list(status, "resources"):
        word = _at(r, "health", "status")
        if word and word != "Healthy":
            message = _at(r, "health", "message")
            found = worst if word == health else others
            found.append(f"{_title(r)}: {word}{f', {message}' if message else ''}")
    return worst, others


def resources_of(application: Mapping[str, Any]) -> tuple[Resource, ...]:
    """What Argo CD says of each object of the Application (status.resources, and the hooks of its last sync)."""
    status = _at(application, "status") or {}
    found = [
        Resource(
            api_version=f"{r['group']}/{r.get('version', '')}"
            if r.get("group")
            else str(r.get("version", "")),
            kind=str(r.get("kind", "")),
            namespace=str(r.get("namespace") or ""),
            name=str(r.get("name", "")),
            sync=str(r.get("status") or ""),
            health=str(_at(r, "health", "status") or ""),
            message=str(_at(r, "health", "message") or ""),
            wave=int(r.get("syncWave") or 0),
        )
        for r in _list(status, "resources")
        if isinstance(r, Mapping) and not r.get("hook")
    ]
    for r in _list(status, "operationState", "syncResult", "resources"):
        if isinstance(r, Mapping) and r.get("hookType"):
            group = r.get("group")
            found.append(
                Resource(
                    api_version=f"{group}/{r.get('version', '')}" if group else str(r.get("version", "")),
                    kind=str(r.get("kind", "")),
                    namespace=str(r.get("namespace") or ""),
                    name=str(r.get("name", "")),
                    sync=str(r.get("hookPhase") or ""),
                    message=str(r.get("message") or ""),
                    hook=str(r["hookType"]),
                )
            )
    return tuple(found)
