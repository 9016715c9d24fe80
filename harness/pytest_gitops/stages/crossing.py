"""How an upgrade is told: one verdict from what the three phases said, and from what became of the objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_gitops.model import Case, Finding, Outcome, Severity, StageResult
from pytest_gitops.rollouts.story import Story
from pytest_gitops.stages.aftermath import Aftermath
from pytest_gitops.stages.evidence import said_otherwise
from pytest_gitops.stages.inventory import Claim, Key
from pytest_gitops.stages.removal import STUCK
from pytest_gitops.stages.telling import contested, quoted
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

STAGE = "upgrade"

MOMENTS = 40
"""As many moments as the evidence of one phase has: a loop of healing writes hundreds, all alike."""


Results = Mapping[str, StageResult]
"""By "namespace/name"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase: its context, with timelines of its own, what the drive said, and what became of Rollouts."""

    context: Context
    results: Results
    stories: Mapping[Key, Story] = field(default_factory=dict)

    def evidence(self, case: Case) -> dict[str, Any]:
        result = self.results.get(case.key)
        if result is None:
            return {}
        # The same Application may lie in another file on the other side.
        own = next((c.id for c in self.context.plan.cases if c.key == case.key), case.id)
        return {
            "outcome": result.outcome.value,
            "code": result.code or None,
            **result.evidence,
            **({"rollouts": told} if (told := self._rollouts(case)) else {}),
            "timeline": [m.to_dict() for m in self.context.timelines.get(own, ())[:MOMENTS]],
        }

    def _rollouts(self, case: Case) -> list[dict[str, Any]]:
        """The steps of its Rollouts that got a new version."""
        return [s.to_dict() for s in self.stories.values() if s.owner == case.key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What keeps a removed Application from its end: its own `finalizers`, and by `objects` of it that are on their way
    out those of theirs that nobody takes away; `claims` say where they are written. `kept_open` has what Kubernetes
    says of its namespaces."""

    finalizers: tuple[str, ...] = ()
    objects: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    claims: Mapping[Key, Claim] = field(default_factory=dict)
    kept_open: Mapping[Key, str] = field(default_factory=dict)


class Crossing:
    """From `base` to `head` and back, both as contexts of the upgrade's ground. `waited` is in seconds: how long
    deletions were waited for."""

    def __init__(self, base: Context, head: Context, *, waited: float) -> None:
        self.base, self.head, self.waited = base, head, waited
        self.began = now()

    def place(self, case: Case, manifest: Mapping[str, Any]) -> tuple[str, int]:
        """Where an object is written, at head or else at base; the Application's own place if it is made."""
        for side in (self.head, self.base):
            known = next((c for c in side.plan.cases if c.key == case.key), None)
            if known is not None and (place := side.locate(known, manifest)) is not None:
                return place
        return case.file, case.line

    def broken(self, old: Case, base: Phase) -> StageResult:
        """The verdict on what was `old` at base, and did not become Synced and Healthy there."""
        result = base.results[old.key]
        error = result.outcome is Outcome.ERROR
        broken = result.outcome is Outcome.FAILED
        why = (
            "is broken at base already, so head is not to blame" if broken else "could not be judged at base"
        )
        return StageResult(
            stage=STAGE,
            outcome=Outcome.ERROR if error else Outcome.SKIPPED,
            code="base-broken" if broken else result.code,
            message=f"not asked: it {why}:\n{result.message}",
            duration=now() - self.began,
            evidence={"base": base.evidence(old)},
        )

    def result(
        self,
        case: Case,
        old: Case | None,
        phases: tuple[Phase, Phase, Phase],
        after: Aftermath,
        *,
        held: Held | None,
    ) -> StageResult:
        """The verdict on `case`, which was `old` at base (itself where it is removed); `held` is what keeps a removed
        one from ending, None if it ended."""
        base, head, rollback = phases
        forth, back = head.results.get(case.key), rollback.results.get(old.key) if old else None
        told: list[tuple[Finding, str]] = []
        if forth is not None and forth.outcome is Outcome.FAILED:
            way = f"from {_revision(self.base)}, where it was Synced and Healthy, to {_revision(self.head)}"
            told += [(f, f"{forth.message}\n  upgrade  {way}") for f in forth.findings]
        if held is not None:
            finding = self._not_deleted(case, held)
            told.append((finding, _told(finding)))
        known = {f.rule for f, _ in told} & {"shared-resource"}
        told += [(f, _told(f)) for f in after.findings if f.rule not in known]
        upgraded = forth is None or forth.outcome is Outcome.PASSED
        if upgraded and back is not None and back.outcome is Outcome.FAILED:
            way = f"from {_revision(self.head)}, to which it was upgraded, back to {_revision(self.base)}"
            told.append((self._no_way_back(case, back), f"{back.message}\n  rollback {way}"))
        failing = [(f, text) for f, text in told if f.counts]
        unknown = [r for r in (forth, back) if r is not None and r.outcome is Outcome.ERROR]
        skipped = [r for r in (forth, back) if r is not None and r.outcome is Outcome.SKIPPED]
        if skipped and not unknown and not failing:
            unknown = skipped  # a closed sync window: neither green nor red
        return StageResult(
            stage=STAGE,
            outcome=unknown[0].outcome if unknown else Outcome.FAILED if failing else Outcome.PASSED,
            code=unknown[0].code if unknown else failing[0][0].rule if failing else "",
            message="\n".join([*(u.message for u in unknown), *(text for _, text in failing)]),
            duration=now() - self.began,
            findings=tuple(f for f, _ in told),
            evidence={
                "base": base.evidence(old) if old else {},
                "head": head.evidence(case),
                "rollback": rollback.evidence(old) if old else {},
                **after.to_dict(),
            },
        )

    def double_owner(self, title: str, claim: Claim, was: Claim) -> Finding:
        """What is wrong with an object that a root of base owns, which nobody deletes, and another one at head."""
        file, line = self.place(claim.case, claim.manifest)
        claims = {each.case.key: each.manifest for each in (was, claim)}
        old = was.case.key
        seen = contested(title, tuple(claims), said_otherwise(claims))
        return Finding(
            rule="shared-resource",
            severity=Severity.ERROR,
            message=f"{seen}; nothing in the repository deletes {old}, so it stays beside the one that takes its place",
            file=file,
            line=line,
            resource=title,
            help=f"keep the Application's name, or delete {old} without its objects right before the merge "
            "(`kubectl delete`, its finalizer taken away)",
        )

    def _no_way_back(self, case: Case, back: StageResult) -> Finding:
        first = back.findings[0] if back.findings else None
        return Finding(
            rule="rollback-failed",
            severity=Severity.ERROR,
            message=f"the upgrade works, and going back does not: {first.message if first else back.message}",
            file=first.file if first else case.file,
            line=first.line if first else case.line,
            resource=first.resource if first else "",
            help=first.help if first else "",
        )

    def _not_deleted(self, case: Case, held: Held) -> Finding:
        message = (
            f"Application {case.key}: expected it to end when it is deleted, saw it still there {self.waited:g} s "
            "after the last that went"
        )
        file, line, resource, help_ = case.file, case.line, "", "see the finalizers of its objects"
        if held.objects:
            key = min(held.objects)
            message += f": {key.title} is held by the finalizer {', '.join(held.objects[key])}, which nobody takes away"
            message += f", and {len(held.objects) - 1} more" if len(held.objects) > 1 else ""
            file, line = self.place(case, held.claims[key].manifest)
            resource, help_ = key.title, STUCK
        elif held.kept_open:
            key = min(held.kept_open)
            lines, known = quoted("Kubernetes", held.kept_open[key])
            message += f": {key.title} does not end{lines}"
            file, line = self.place(case, held.claims[key].manifest)
            resource, help_ = key.title, known.next if known else help_
        else:
            message += f", held by {', '.join(held.finalizers) or 'nothing that can be seen'}"
        return Finding(
            rule="not-deleted",
            severity=Severity.ERROR,
            message=message,
            file=file,
            line=line,
            resource=resource,
            help=help_,
        )


def _revision(side: Context) -> str:
    return side.snapshot.commit[:7]


def _told(finding: Finding) -> str:
    lines = [f"{finding.where}: {finding.message}"]
    return "\n".join([*lines, f"  next     {finding.help}"] if finding.help else lines)
