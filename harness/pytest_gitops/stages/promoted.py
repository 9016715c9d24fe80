"""What an upgrade's verdict says of Rollouts: an abort that did not work, and analyses that could not be run here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.model import Case, Finding, Outcome, Severity, StageResult
from pytest_gitops.rollouts.story import Story

if TYPE_CHECKING:
    from pytest_gitops.stages.crossing import Phase

Place = Callable[[Case, Mapping[str, Any]], tuple[str, int]]


def with_rollouts(result: StageResult, case: Case, phases: Sequence[Phase], place: Place) -> StageResult:
    """`result`, the verdict on `case`, with what its Rollouts add. What could not be checked is never passed: without a
    failure it is skipped."""
    told = [
        (finding, text)
        for phase in phases
        for key, story in phase.stories.items()
        if story.owner == case.key
        for finding, text in _told(story, *place(case, _manifest(key)))
    ]
    # Head's way and the way back say the same of one analysis.
    told = list({(f.rule, f.resource): (f, text) for f, text in told}.values())
    if not told:
        return result
    failing = [(f, text) for f, text in told if f.counts]
    outcome, code, texts = result.outcome, result.code, [result.message] if result.message else []
    if failing and outcome is Outcome.PASSED:
        outcome, code = Outcome.FAILED, failing[0][0].rule
    elif outcome is Outcome.PASSED:
        outcome, code = Outcome.SKIPPED, told[0][0].rule
    shown = failing if outcome is Outcome.FAILED else told
    return replace(
        result,
        outcome=outcome,
        code=code,
        message="\n".join([*texts, *(text for _, text in shown)]),
        findings=(*result.findings, *(f for f, _ in told)),
    )


def _manifest(key: Any) -> dict[str, Any]:
    """As much of an object as finds the place where it is written."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": key.kind,
        "metadata": {"name": key.name, "namespace": key.namespace},
    }


def _told(story: Story, file: str, line: int) -> Iterator[tuple[Finding, str]]:
    if story.aborted is False:
        finding = Finding(
            rule="rollout-abort-failed",
            severity=Severity.ERROR,
            message=f"{story.title}: expected the stable version to serve by itself after an abort, and {story.why}",
            file=file,
            line=line,
            resource=story.title,
            help="an update that goes wrong could not be taken back: keep what the stable version needs until the new "
            "one has taken its place, and room for both",
        )
        events = [f"  event    {e}" for e in story.events]
        yield (
            finding,
            "\n".join([f"{finding.where}: {finding.message}", *events, f"  next     {finding.help}"]),
        )
    missing = [f"metric {m.name} ({m.provider}): {m.unasked}" for m in story.unasked]
    missing += [f"{name}: no measurement in time" for name, made in story.unwaited.items() if not made]
    if missing:
        finding = Finding(
            rule="analysis-not-run",
            severity=Severity.WARNING,
            message=f"{story.title}: its analysis was not run, so it was promoted past it: {'; '.join(missing)}",
            file=file,
            line=line,
            resource=story.title,
            help="name the host of its metrics under network.allow in pytest-gitops.yaml (on this machine as "
            "127.0.0.1:PORT); everything else of the upgrade was judged",
        )
        said = [f"  said     {m.message}" for m in story.unasked if m.message]
        lines = [f"{finding.where}: {finding.message}", *said, f"  next     {finding.help}"]
        yield finding, "\n".join(lines)
