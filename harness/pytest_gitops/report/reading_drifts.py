"""How the writers read what `self-heal` did: the drifts of an Application in words, and what was left in peace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.report.reading import Application
from pytest_gitops.report.text import counted, seconds

STAGE = "self-heal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One drift: of which object, what was done, what Argo CD made of it, and whether that was expected."""

    object: str
    drift: str
    came: str
    good: bool


def drifts(application: Application) -> tuple[Told, ...]:
    """The drifts of an Application, in their order."""
    return tuple(_told(d) for d in _evidence(application).get("drifts") or ())


def peace(application: Application) -> tuple[tuple[str, str], ...]:
    """What was left in peace, or stood for by another object: (objects, reason)."""
    evidence = _evidence(application)
    return tuple(
        (_objects(entry), f"{entry['reason']} ({entry['drift']})")
        for entry in (*(evidence.get("leftInPeace") or ()), *(evidence.get("notTried") or ()))
    )


def _evidence(application: Application) -> Mapping[str, Any]:
    found = (s["evidence"] for s in application["stages"] if s["stage"] == STAGE)
    return next(found, None) or {}


def _objects(entry: Mapping[str, Any]) -> str:
    names, rest = entry["objects"], entry["count"] - len(entry["objects"])
    return ", ".join([*names, *([counted(rest, "more object")] if rest else [])])


def _told(drift: Mapping[str, Any]) -> Told:
    seen, undone, how = (drift.get(k) for k in ("seenSeconds", "undoneSeconds", "how"))
    left = drift["expectation"] == "left alone"
    words = [f"seen after {seconds(seen)}"] if seen is not None else []
    words += [f"undone after {seconds(undone)}"] if undone is not None else []
    if not words:
        words = ["left alone" if left else "not seen"]
    elif undone is None and not left:
        words.append("not undone")
    return Told(
        object=drift["object"],
        drift=f"{drift['field']} changed" if drift.get("field") else drift["drift"],
        came=", ".join([*words, *([str(how)] if how else [])]),
        good=(undone is None and seen is None) if left else undone is not None,
    )
