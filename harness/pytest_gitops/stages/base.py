"""What a stage is, and what it may ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_gitops.model import Case, Finding, Outcome, Severity, StageResult
from pytest_gitops.settings.waivers import counts

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context


class Family(StrEnum):
    """Which report and which `--gitops-stages` word a stage belongs to."""

    REVIEW = "review"
    VERIFY = "verify"


Publish = Callable[[Case, StageResult], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAsked:
    """Why a stage is not asked of an Application: the code of its skip, and the reason."""

    code: str
    why: str


class Stage(Protocol):
    """One question asked of every Application.

    `needs` names the stages that must have passed for it to be asked; `run` answers for all `cases` and calls
    `publish` once for each, as soon as its answer is known. What `run` raises becomes an `error` of those left.
    """

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> Family: ...

    @property
    def question(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    def run(self, context: Context, cases: Sequence[Case], publish: Publish) -> None: ...


Answer = Callable[[Sequence[Case], Publish], None]
"""What answers for all the cases that it is given, as `run` of a stage does."""


@runtime_checkable
class Eager(Protocol):
    """What a stage has as well that can do part of its work beside the stages that it needs.

    `ahead` does it as soon as the stages of `ahead_needs` are through, for all cases that may be asked, and gives no
    verdict; what it returns is called in place of `run`, always, be it with no case at all.
    """

    @property
    def ahead_needs(self) -> tuple[str, ...]: ...

    def ahead(self, context: Context, cases: Sequence[Case]) -> Answer: ...


def judged(
    stage: str,
    findings: Sequence[Finding],
    *,
    duration: float = 0.0,
    evidence: Mapping[str, Any] | None = None,
    message: str = "",
    fail_on: Severity = Severity.ERROR,
) -> StageResult:
    """The result that `findings` make: failed if one of them counts, its rule the code. `fail_on` is the least
    severity that counts."""
    counting = sorted(
        (f for f in findings if counts(f, fail_on)), key=lambda f: list(Severity).index(f.severity)
    )
    if not counting:
        return StageResult(
            stage=stage,
            outcome=Outcome.PASSED,
            duration=duration,
            findings=tuple(findings),
            evidence=evidence or {},
        )
    return StageResult(
        stage=stage,
        outcome=Outcome.FAILED,
        code=counting[0].rule,
        message=message or "\n".join(told(f) for f in counting),
        duration=duration,
        findings=tuple(findings),
        evidence=evidence or {},
    )


def told(finding: Finding) -> str:
    """A finding as a failure's text has it."""
    lines = [f"{finding.where}: {finding.message}" if finding.where else finding.message]
    if finding.resource and finding.resource not in finding.message:
        lines.append(f"  object   {finding.resource}")
    lines.append(f"  rule     {finding.rule}")
    if finding.help:
        lines.append(f"  next     {finding.help}")
    return "\n".join(lines)
