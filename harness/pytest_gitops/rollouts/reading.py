"""What a Rollout says of itself at one moment, as its controller writes it (status.phase and message: Argo Rollouts 1.0
and later), and the patches by which a person acts on it (kubectl-argo-rollouts: promote.go, abort.go, retry.go)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.shapes import mapping

HASH = "rollouts-pod-template-hash"
"""The label of a version's ReplicaSet and Pods, and the selector that the controller gives to Services."""

INCONCLUSIVE = {"InconclusiveAnalysisRun", "InconclusiveExperiment"}
"""Reasons of a pause after which promoting also leaves the step."""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")

Rollout = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One moment of one Rollout. `step` of `steps` is the canary's step it is at, None without steps or when it is
    through; `doing` names the step in a few words; `pause` is how many seconds it stays paused by itself, infinite
    until somebody promotes it, None if it is not paused, and `reason` Argo Rollouts' word for it; `running` is the
    AnalysisRun that it waits for, `experiment` the Experiment, empty without one; `updated` of `replicas` Pods have the
    new version, `weight` is the traffic's, where something routes it."""

    strategy: str
    phase: str
    message: str
    step: int | None = None
    steps: int = 0
    doing: str = ""
    pause: float | None = None
    reason: str = ""
    running: str = ""
    experiment: str = ""
    aborted: bool = False
    stable: str = ""
    current: str = ""
    updated: int = 0
    replicas: int = 0
    weight: int | None = None

    @property
    def promoted(self) -> bool:
        """Whether the version that is wanted is the stable one."""
        return bool(self.current) and self.current == self.stable

    @property
    def words(self) -> tuple[object, ...]:
        """What makes a moment another one than that before."""
        return self.phase, self.message, self.step, self.weight


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def seconds(duration: Any) -> float:
    """A duration of a step in seconds: a number of them, or Go's "1h30m". Infinite for one that cannot be read, as
    for none: the controller then waits for a person.

    >>> seconds("1h30m"), seconds(20), seconds("20"), seconds(None)
    (5400.0, 20.0, 20.0, inf)
    """
    text = str(duration if duration is not None else "")
    if re.fullmatch(r"\d+", text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        return math.inf
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def look(rollout: Rollout) -> Look:
    """What `rollout`, an object as the API server has it, says now."""
    spec, status = mapping(rollout, "spec"), mapping(rollout, "status")
    strategy = next((s for s in ("canary", "blueGreen") if _at(spec, "strategy", s) is not None), "")
    steps = _steps(rollout)
    index = _at(status, "currentStepIndex")
    at = index if isinstance(index, int) and index < len(steps) else None
    conditions = _at(status, "pauseConditions") or []
    reason = str(_at(conditions[0], "reason") or "") if conditions else ""
    step = steps[at] if at is not None else {}
    return Look(
        strategy=strategy,
        phase=str(_at(status, "phase") or "") if _is_observed(rollout) else "Progressing",
        message=str(_at(status, "message") or "") if _is_observed(rollout) else "not yet observed",
        step=at,
        steps=len(steps),
        doing=name_of(step) if step else "",
        pause=_pause(spec, step, reason) if reason else None,
        reason=reason,
        running=_running(status),
        experiment=str(_at(status, "canary", "currentExperiment") or ""),
        aborted=bool(_at(status, "abort")),
        stable=str(_at(status, "stableRS") or ""),
        current=str(_at(status, "currentPodHash") or ""),
        updated=int(_at(status, "updatedReplicas") or 0),
        replicas=int(_at(status, "replicas") or 0),
        weight=_at(status, "canary", "weights", "canary", "weight"),
    )


def _steps(rollout: Rollout) -> Sequence[Mapping[str, Any]]:
    found = _at(rollout, "spec", "strategy", "canary", "steps")
    return found if isinstance(found, list) else []


def _is_observed(rollout: Rollout) -> bool:
    """Whether the status is of the specification that there is now."""
    return str(_at(rollout, "status", "observedGeneration") or "") == str(
        _at(rollout, "metadata", "generation") or ""
    )


def name_of(step: Mapping[str, Any]) -> str:
    """A canary's step in a few words.

    >>> name_of({"setWeight": 20}), name_of({"pause": {}}), name_of({"pause": {"duration": "1h"}})
    ('setWeight 20', 'pause until promoted', 'pause 1h')
    """
    kind, value = next(iter(step.items()), ("", None))
    if kind == "pause":
        duration = _at(value, "duration")
        return f"pause {duration}" if duration is not None else "pause until promoted"
    if kind == "analysis":
        names = [str(_at(t, "templateName")) for t in _at(value, "templates") or ()]
        return f"analysis {', '.join(names)}".rstrip()
    if kind == "setCanaryScale" and isinstance(value, Mapping):
        return f"setCanaryScale {', '.join(f'{k} {v}' for k, v in value.items())}".rstrip()
    return kind if isinstance(value, (Mapping, list)) or value is None else f"{kind} {value}"


def _pause(spec: Mapping[str, Any], step: Mapping[str, Any], reason: str) -> float:
    if reason in INCONCLUSIVE:
        return math.inf
    if _at(spec, "strategy", "blueGreen") is not None:
        return seconds(_at(spec, "strategy", "blueGreen", "autoPromotionSeconds") or None)
    return seconds(_at(step, "pause", "duration"))


def _running(status: Mapping[str, Any]) -> str:
    """The AnalysisRun that keeps the Rollout where it is; one in the background does not."""
    for where in (
        ("canary", "currentStepAnalysisRunStatus"),
        ("blueGreen", "prePromotionAnalysisRunStatus"),
        ("blueGreen", "postPromotionAnalysisRunStatus"),
    ):
        if _at(status, *where, "status") in {"Pending", "Running"}:
            return str(_at(status, *where, "name") or "")
    return ""


# ------------------------------------------------------------------ what a person does; each patches the status

ABORT: Mapping[str, Any] = {"status": {"abort": True}}
RETRY: Mapping[str, Any] = {"status": {"abort": False}}


def promote(seen: Look) -> Mapping[str, Any]:
    """What `kubectl argo rollouts promote` patches: the end of a pause, or else of the step that it is at."""
    beyond = {"currentStepIndex": seen.step + 1} if seen.step is not None else {}
    if seen.reason in INCONCLUSIVE and beyond:
        return {"status": {"pauseConditions": None, "controllerPause": False, **beyond}}
    if seen.reason:
        return {"status": {"pauseConditions": None}}
    return {"status": {"pauseConditions": None, **beyond}}


def promote_full() -> Mapping[str, Any]:
    """What `promote --full` patches: without analysis, pauses and steps to the end, out of an abort too."""
    return {"status": {"promoteFull": True, "abort": False}}


def not_serving(
    rollout: Rollout,
    stable: str,
    replica_sets: Sequence[Mapping[str, Any]],
    service: Mapping[str, Any] | None,
) -> str:
    """What is missing until an aborted Rollout is served by the version `stable` alone, empty if nothing is.

    `replica_sets` are those of its namespace, `service` is that for users, None without one.
    """
    seen = look(rollout)
    wanted = int(_at(rollout, "spec", "replicas") if _at(rollout, "spec", "replicas") is not None else 1)
    available = sum(
        int(_at(r, "status", "availableReplicas") or 0)
        for r in replica_sets
        if _at(r, "metadata", "labels", HASH) == stable
    )
    if seen.stable != stable:
        return f"the stable version became {seen.stable or 'none'}, expected {stable}"
    if not seen.aborted or seen.phase != "Degraded":
        return f"it says {seen.phase or 'nothing'}{f', {seen.message}' if seen.message else ''}, expected Degraded"
    if available < wanted:
        return f"{available} of {wanted} Pods of the stable version are available"
    new = sum(
        int(_at(r, "status", "availableReplicas") or 0)
        for r in replica_sets
        if _at(r, "metadata", "labels", HASH) == seen.current and seen.current != stable
    )
    if (
        new
        and seen.strategy == "canary"
        and _at(rollout, "spec", "strategy", "canary", "trafficRouting") is None
    ):
        return f"{new} Pods of the new version are still there, and nothing but Pods divides the traffic"
    if seen.weight:
        return f"{seen.weight} % of the traffic still goes to the new version"
    selected = _at(service, "spec", "selector", HASH) if service else None
    if selected not in {None, stable}:
        return f"Service {_at(service, 'metadata', 'name')} selects version {selected}, expected {stable}"
    return ""


def service_of(rollout: Rollout) -> str:
    """The name of the Service that users are served by, empty if the Rollout has none of its own."""
    strategy = mapping(rollout, "spec", "strategy")
    return str(_at(strategy, "blueGreen", "activeService") or _at(strategy, "canary", "stableService") or "")
