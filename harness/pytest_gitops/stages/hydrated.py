"""Applications that Argo CD hydrates: what becomes of them says nothing of the tree under test.

Argo CD syncs the branch of `spec.sourceHydrator.syncSource`. Its hydrator writes that from the dry source once a change
is merged, so what the branch has during a test is of before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.repository.sources import is_hydrated, synced_of
from pytest_gitops.stages.base import Publish

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context


def told_apart(context: Context, publish: Publish) -> Publish:
    """A `publish` that makes no verdict of what became of a hydrated Application, or of one that comes from such a one:
    it is skipped, with what was seen as its reason. They are brought up all the same, for others may need them."""

    def told(case: Case, result: StageResult) -> None:
        origin = next((c for c in (case, *context.plan.ancestors(case)) if is_hydrated(c.manifest)), None)
        if origin is not None and result.outcome in {Outcome.PASSED, Outcome.FAILED}:
            result = replace(
                result,
                outcome=Outcome.SKIPPED,
                code="not-hydrated",
                message=_why(case, origin, result),
                findings=(),
            )
        publish(case, result)

    return told


def _why(case: Case, origin: Case, result: StageResult) -> str:
    (branch,) = synced_of(origin.manifest)
    whose = "it" if case is origin else f"Application {origin.key}, from which it comes,"
    # What happened, and Argo CD's words for it: what to do about a failure is of no use here.
    seen = "\n".join(result.message.splitlines()[:2]) or "it became Synced and Healthy"
    return (
        f"Application {case.key} was not judged: {whose} is synced from the branch "
        f"{branch.target_revision} (path {branch.path or '.'}), which Argo CD's hydrator writes from "
        f"spec.sourceHydrator.drySource after the merge. Of what that has now: {seen}"
    )
