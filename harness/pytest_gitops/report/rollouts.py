"""What the evidence of an upgrade has of Rollouts, for writers: which there are, and their way in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_gitops.report.reading import Application
from pytest_gitops.report.text import since

WAYS = {"head": "to head", "rollback": "and back"}
"""The phases of an upgrade in which Rollouts have steps, as people say them."""

Rollout = Mapping[str, Any]


def rollouts_of(application: Application) -> Iterator[tuple[str, Rollout]]:
    """(way, Rollout as the evidence has it) of everything that got a new version, in order."""
    for stage in application["stages"]:
        for phase, way in WAYS.items():
            told = stage["evidence"].get(phase)
            if stage["stage"] == "upgrade" and isinstance(told, Mapping):
                yield from ((way, each) for each in told.get("rollouts") or ())


def line(rollout: Rollout) -> str:
    """Its steps, what was done at each, and where it ended: "setWeight 20 → pause until promoted (promoted, as a person
    would) → Healthy after 4.1 s"."""
    parts: list[tuple[str, list[str]]] = []
    for moment in rollout["moments"]:
        doing = moment["doing"] or ""
        if not doing and moment["phase"] == "Paused":
            doing = "pause"
        if doing and (not parts or parts[-1][0] != doing):
            parts.append((doing, []))
        if moment["did"]:
            if not parts:
                parts.append((moment["phase"] or "", []))
            parts[-1][1].append(moment["did"])
    told = [f"{doing} ({'; '.join(deeds)})" if deeds else doing for doing, deeds in parts]
    last = rollout["moments"][-1]
    return " → ".join([*told, f"{rollout['phase'] or 'unknown'} after {since(last['at'])}"])


def remarks(rollout: Rollout) -> list[str]:
    """What a reader must know besides: an abort that was not tried, an analysis that says little."""
    found = []
    if rollout["abort"]["tried"] is False and rollout["abort"]["why"]:
        found.append(f"no abort was tried: {rollout['abort']['why']}")
    if rollout["analysisSimulated"]:
        found.append("its analysis by a Job is simulated: no container ran")
    if rollout["analysisNotWaitedFor"]:
        found.append(f"not waited for: {', '.join(rollout['analysisNotWaitedFor'])}")
    return found
