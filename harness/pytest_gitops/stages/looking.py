"""Looks at each Application that has converged for itself, all at once: for stages that act on one step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_gitops.errors import GitOpsError
from pytest_gitops.model import Case, Finding, Outcome, Severity, StageResult
from pytest_gitops.stages.base import Publish, judged
from pytest_gitops.stages.deadlines import deadline_of
from pytest_gitops.stages.following import Deleted, Following, Late, Stopped
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

PARALLEL = 16
"""Applications that are looked at at once: each mostly waits for Argo CD, whose own queue has ten workers."""


@dataclass(slots=True)
class Seen:
    """What came to light of one Application."""

    findings: list[Finding] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)


class Unsaid(Exception):
    """Nothing can be said of an Application; `code` and `why` are those of its result, which is skipped."""

    def __init__(self, *, code: str, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


Look = Callable[[Case, Seen], None]
"""Collects what there is to see. Raises Unsaid, and what `Following.wait` raises."""


def look_at_each(
    stage: str,
    context: Context,
    cases: Sequence[Case],
    publish: Publish,
    look: Callable[[Following], Look],
) -> None:
    """Answer for each of `cases` by what `look` makes of following them all."""
    assert context.api is not None, f"{stage} is not run without a cluster"
    with Following(context, context.api, cases) as following:
        at = look(following)

        def one(case: Case) -> None:
            result = _result(stage, context, case, at)
            if result is not None:
                publish(case, result)

        with ThreadPoolExecutor(PARALLEL, thread_name_prefix=stage) as pool:
            list(pool.map(one, cases))


def _result(stage: str, context: Context, case: Case, look: Look) -> StageResult | None:
    """The result of one Application; None if the run is over."""
    began, seen = now(), Seen()

    def unjudged(outcome: Outcome, code: str, message: str) -> StageResult:
        return StageResult(
            stage=stage,
            outcome=outcome,
            code=code,
            message=message,
            duration=now() - began,
            evidence=seen.evidence,
        )

    try:
        look(case, seen)
    except Stopped:
        return None
    except Unsaid as unsaid:
        return unjudged(Outcome.SKIPPED, unsaid.code, unsaid.why)
    except Deleted:
        message = f"Application {case.key} was deleted during the run"
        seen.findings.append(
            Finding(rule="deleted", severity=Severity.ERROR, message=message, file=case.file, line=case.line)
        )
    except Late as late:
        last, limit = late.seen.message or late.seen.summary, deadline_of(context.settings, case).seconds
        text = f"Argo CD did not answer a refresh within {limit:g} s: {last}"
        return unjudged(Outcome.ERROR, "not-reconciled", text)
    except GitOpsError as error:
        return unjudged(Outcome.ERROR, "engine-error", str(error))
    return judged(stage, seen.findings, duration=now() - began, evidence=seen.evidence)
