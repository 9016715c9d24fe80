"""A scenario and what became of it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_gitops.model import Outcome, StageResult
from pytest_gitops.repository.endings import NOT_SEARCHED

if TYPE_CHECKING:
    from pytest_gitops.repository.manifest import Document

STAGE = "scenario"
"""What stands in the place of a stage's name where a scenario is asked for its result."""

*SUFFIXES, GOLDEN = NOT_SEARCHED
"""How the files of scenarios, and those that rendered output is held against, end."""


class Action(StrEnum):
    """What a step does: the key that it has."""

    SYNC = "sync"
    WAIT = "wait"
    EXPECT = "expect"
    DRIFT = "drift"
    CHECKOUT = "checkout"
    RENDER = "render"
    RBAC = "rbac"


EXPECTATIONS = ("sync", "health", "operation", "conditions", "status", "objects", "absent", "events")
"""What an `expect` may say, and has to say one of."""

DRIFTS = ("patch", "scale", "delete")
"""What a `drift` does, and has to do one of."""

ON_A_CLUSTER = frozenset({Action.SYNC, Action.WAIT, Action.EXPECT, Action.DRIFT, Action.CHECKOUT})

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `arguments` is what stands under its action, variables filled in and the short form written out;
    `within` is in seconds, None for the action's own limit."""

    action: Action
    name: str
    file: str
    arguments: Mapping[str, Any]
    within: float | None
    path: Path
    document: Document = field(repr=False, compare=False)

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.document.line_of(*self.path)

    @property
    def application(self) -> str:
        """The Application that it is about, empty for a step that is about none."""
        return str(self.arguments.get("application", ""))

    def line_of(self, *path: str | int) -> int:
        """Where something of its arguments stands."""
        return self.document.line_of(*self.path, self.action.value, *path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Steps in their order, and those that come at the end whatever happened."""

    name: str
    file: str
    line: int
    steps: tuple[Step, ...]
    always: tuple[Step, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The node id."""
        return f"{self.file}::{self.name}"

    @property
    def every_step(self) -> tuple[Step, ...]:
        return (*self.steps, *self.always)

    @property
    def applications(self) -> tuple[str, ...]:
        """The Applications that it names, each once."""
        return tuple(dict.fromkeys(s.application for s in self.every_step if s.application))

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it consists of: its own, and those that rendered output is held against."""
        golden = (str(s.arguments["golden"]) for s in self.every_step if "golden" in s.arguments)
        return tuple(dict.fromkeys((self.file, *golden)))

    @property
    def acts(self) -> bool:
        """Whether it needs a cluster."""
        return any(s.action in ON_A_CLUSTER for s in self.every_step)

    @property
    def checks_out(self) -> bool:
        """Whether it moves branches, which concerns every Application."""
        return any(s.action is Action.CHECKOUT for s in self.every_step)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What became of a step; `message` is the whole text for a person, empty when it passed."""

    name: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "seconds": round(self.seconds, 3),
            "message": self.message or None,
        }


def told(scenario: Scenario, result: StageResult) -> dict[str, Any]:
    """What report.json has on a scenario; the evidence of its result has the `steps`."""
    return {
        "id": scenario.id,
        "name": scenario.name,
        "file": scenario.file,
        "line": scenario.line,
        "applications": list(scenario.applications),
        "family": "verification" if scenario.acts else "review",
        "outcome": result.outcome.value,
        "code": result.code or None,
        "message": result.message or None,
        "durationSeconds": round(result.duration, 3),
        "steps": list(result.evidence.get("steps", ())),
    }
