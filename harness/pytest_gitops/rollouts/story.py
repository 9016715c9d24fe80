"""What happened to one Rollout on one way: its moments, what was done to it, what its analyses measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.rollouts.analysis import Analysis, Metric
from pytest_gitops.rollouts.reading import Look

SHOWN = 80
"""As many moments as the evidence has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A moment, `at` seconds after the way began. `did` is what was done to the Rollout then, empty where it only said
    something."""

    at: float
    seen: Look
    did: str = ""

    def to_dict(self) -> dict[str, Any]:
        seen = self.seen
        return {
            "at": round(self.at, 2),
            "phase": seen.phase or None,
            "message": seen.message or None,
            "step": seen.step + 1 if seen.step is not None else None,
            "steps": seen.steps,
            "doing": seen.doing or None,
            "weight": seen.weight,
            "updated": seen.updated,
            "replicas": seen.replicas,
            "did": self.did or None,
        }


@dataclass(slots=True, kw_only=True)
class Story:
    """One Rollout's way. `owner` is the Application's "namespace/name"; `aborted` is True when an abort was tried and
    the stable version served, False when it did not, None when none was tried, and `why` says why."""

    title: str
    owner: str
    happenings: list[Happening] = field(default_factory=list)
    analyses: dict[str, Analysis] = field(default_factory=dict)
    aborted: bool | None = None
    why: str = ""
    events: tuple[
        str, ...
    ] = ()  # warnings about its ReplicaSets and Pods, where the stable version did not serve
    unwaited: dict[str, int] = field(
        default_factory=dict
    )  # analyses that nobody waited for, with their measurements

    @property
    def moved(self) -> bool:
        """Whether a new version came, that is, anything happened besides being there."""
        return len(self.happenings) > 1

    @property
    def unasked(self) -> tuple[Metric, ...]:
        """The metrics that could not be had here, each once."""
        return tuple({(m.name, m.provider): m for a in self.analyses.values() for m in a.hindered}.values())

    @property
    def erring(self) -> bool:
        """Whether a metric that can be had here was not."""
        return any(m.errors and not m.unasked for a in self.analyses.values() for m in a.metrics)

    def is_unmeasured(self, name: str) -> bool:
        """Whether the AnalysisRun `name`, which goes on, has a metric that was not asked for yet."""
        run = self.analyses.get(name)
        return run is None or not all(m.made or m.errors for m in run.metrics)

    @property
    def simulated(self) -> bool:
        """Whether it passed an analysis by a Job, which succeeds here whatever it would run."""
        return any(m.provider == "job" and m.made for a in self.analyses.values() for m in a.metrics)

    def to_dict(self) -> dict[str, Any]:
        seen = self.happenings[-1].seen
        return {
            "rollout": self.title,
            "strategy": seen.strategy,
            "phase": seen.phase or None,
            "promoted": seen.promoted,
            "abort": {
                "tried": self.aborted is not None,
                "stableServed": self.aborted,
                "why": self.why or None,
            },
            "moments": [h.to_dict() for h in self.happenings[:SHOWN]],
            "analyses": [a.to_dict() for a in self.analyses.values()],
            "analysisNotWaitedFor": sorted(self.unwaited),
            "analysisSimulated": self.simulated,
        }
