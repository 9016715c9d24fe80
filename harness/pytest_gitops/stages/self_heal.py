"""self-heal: is drift undone; without selfHeal: is it seen; under ignoreDifferences: is it left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import Applications
from pytest_gitops.argocd.causes import cause_of
from pytest_gitops.argocd.convergence import Observation, State
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.shorten import cut
from pytest_gitops.errors import GitOpsError
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.stages import live
from pytest_gitops.stages.base import Family, Publish
from pytest_gitops.stages.deadlines import deadline_of
from pytest_gitops.stages.drifting import UNSEEN, Drifting, Tried
from pytest_gitops.stages.drifts import UNSAID, Choice, Drift, Expected, Sort, Subject, choose, heals
from pytest_gitops.stages.following import Deleted, Following, Late
from pytest_gitops.stages.looking import Seen, Unsaid, look_at_each
from pytest_gitops.stages.placing import by_title, place
from pytest_gitops.stages.tracks import still_of
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "self-heal"
family = Family.VERIFY
question = "Is drift undone, or at least seen?"
needs = ("converge",)

SCALERS = {"HorizontalPodAutoscaler": "scaleTargetRef", "ScaledObject": "scaleTargetRef"}
"""Kinds that scale others, and the field of their spec that says what."""

WORDS = 500
"""Characters of one message of Argo CD's that are told: it may quote whole objects."""

SHOWN = 4
"""As many objects as a text names."""

OUTSIDE = "it is outside of the run's namespaces, where others may need it"

DID = {
    Sort.ADDED: "another manager added a label and a field",
    Sort.DELETED: "it was deleted",
}

HELP = {
    "drift-not-undone": "see that the API server takes the way back too; sync windows of the AppProject stop "
    "healing as well",
    "drift-not-seen": "see ignoreDifferences of the Application, and ignoreDifferences and knownTypeFields of "
    "argocd-cm: what is not compared is not kept",
    "drift-not-repaired": "see that the API server takes the way back too",
    "ignored-drift-undone": "see whether ignoreDifferences still finds the field once its value is another "
    "(jqPathExpressions), and what else of the object differs: a sync writes all of it without the sync option "
    "RespectIgnoreDifferences=true",
    "unhealthy-after-drift": "see the objects named in the message",
}


Group = Sequence[Drift]
"""Of which the first is made that can be."""


@dataclass(slots=True)
class _Seen:
    """What came to light of one Application, and what was tried of it."""

    findings: list[Finding]
    evidence: dict[str, Any]
    tried: list[Tried] = field(default_factory=list)
    held: dict[live.Ref, Tried] = field(default_factory=dict)

    @property
    def proven(self) -> bool:
        """Whether anything was shown of drift that matters: fields that nobody wants do not."""
        return any(
            t.drift.sort is not Sort.ADDED and t.drift.why != UNSAID and not t.by_others for t in self.tried
        )


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Make each Application drift, all at once, each of them in one way after the other."""
    look_at_each(name, context, cases, publish, lambda following: _Check(context, following).look)


class _Check:
    def __init__(self, context: Context, following: Following) -> None:
        self.context, self.following = context, following
        self._scalers = scalers(context)

    def look(self, case: Case, found: Seen) -> None:
        """Collect what is wrong. Raises Unsaid if nothing can be said."""
        seen = _Seen(found.findings, found.evidence)
        try:
            self._look(case, seen)
        finally:
            seen.evidence["drifts"] = [t.to_dict() for t in seen.tried]

    def _limit(self, case: Case) -> float:
        return deadline_of(self.context.settings, case).seconds

    def _look(self, case: Case, seen: _Seen) -> None:
        """Collect what is wrong. Raises Unsaid if nothing can be said."""
        limit = self._limit(case)
        still = still_of(self.context.settings, limit)
        drifting = Drifting(self.context.api_of(case), self.following, case, limit=limit, still=still)
        first = drifting.settled()
        if first.state is not State.CONVERGED:
            why = first.message or first.summary
            raise Unsaid(
                code="not-settled",
                why=f"it is not Synced and Healthy any more, before anything drifts: {why}",
            )
        application = self.following.state(case, limit=self._limit(case))
        choice = self._choose(case, application)
        seen.evidence |= {"selfHeal": heals(application), **choice.to_dict()}
        try:
            for together in self._rounds(choice):
                if self._round(case, seen, drifting, choice, together):
                    break
            for held in seen.held.values():
                self._let_go(case, seen, drifting, held)
        except (Late, GitOpsError):
            for tried in seen.tried:
                with suppress(Late, Deleted, GitOpsError):  # what went wrong first is told
                    drifting.restore(tried)
            raise
        seen.evidence |= choice.to_dict()
        if seen.tried and not seen.findings:
            self._judge_end(case, seen, drifting)
        if not seen.proven and not seen.findings:
            raise Unsaid(
                code="no-safe-drift", why="nothing of it can be changed safely; why is in the evidence"
            )

    def _choose(self, case: Case, application: Mapping[str, Any]) -> Choice:
        bounds = self.context.bounds_of(case)
        managed = live.managed(application)
        near = [r for r in managed if bounds is None or r.namespace in bounds.namespaces]
        found = live.read(self.context.api_of(case), near)
        rendered = by_title(self.context, case)
        subjects = [
            Subject(ref=ref, manifest=rendered.get(ref.title, {}), live=each) for ref, each in found.items()
        ]
        choice = choose(
            subjects,
            application,
            control=self.context.control,
            argocd_cm=self.context.argocd_cm,
            scalers=self._scalers.get(case.destination.cluster, {}),
        )
        for ref in (r for r in managed if r not in near):
            choice.leave(ref, OUTSIDE)
        return choice

    # ------------------------------------------------------------------ some drifts

    def _rounds(self, choice: Choice) -> list[tuple[Group, ...]]:
        """The groups that drift together: fields that are to be undone, then objects that are to come back, for Argo CD
        heals all that differs in one sync, and each drift is looked at for itself. Not where argocd-cm says what it is
        not told of (ignoreResourceUpdates): it would hear of one drift by another."""
        deaf = any("ignoreResourceUpdates" in f"{k}: {v}" for k, v in self.context.argocd_cm.items())

        def together(group: Group) -> object:
            first = group[0]
            alone = deaf or first.expected is not Expected.UNDONE
            return first if alone else first.sort is Sort.DELETED

        return [tuple(groups) for _, groups in groupby(choice.groups, together)]

    def _round(
        self, case: Case, seen: _Seen, drifting: Drifting, choice: Choice, groups: Sequence[Group]
    ) -> bool:
        """Make the first drift of each group that can be made; True if one went wrong: what comes after it would tell
        nothing. Where several did, each is made once more for itself, to tell which it was."""
        drifting.ready()
        made = [t for g in groups if (t := self._make(case, seen, drifting, choice, g)) is not None]
        wrong = [(t, w) for t in made if (w := self._judge(seen, drifting, t)) is not None]
        if wrong and len(made) > 1:
            for tried in made:
                drifting.restore(tried)
            if drifting.settled().state is State.CONVERGED:
                del seen.tried[-len(made) :]  # those are the last ones
                return any(self._round(case, seen, drifting, choice, [[t.drift]]) for t in made)
        if wrong:
            tried, (rule, saw) = wrong[0]
            self._problem(rule, case, seen, tried, saw, beside=[t for t in made if t is not tried])
            drifting.restore(tried)
        for tried in made:
            if tried.by_others:
                choice.leave(tried.ref, "something else than Argo CD undoes it", tried.drift.sort)
        return bool(seen.findings)

    def _make(
        self, case: Case, seen: _Seen, drifting: Drifting, choice: Choice, group: Group
    ) -> Tried | None:
        for drift in group:
            held = seen.held.pop(drift.ref, None)
            if held is not None:
                self._let_go(case, seen, drifting, held)
            tried = drifting.make(drift)
            if isinstance(tried, Tried):
                choice.note_tried(drift.ref, drift.sort)
                seen.tried.append(tried)
                return tried
            choice.leave(drift.ref, tried, drift.sort)
        return None

    def _judge(self, seen: _Seen, drifting: Drifting, tried: Tried) -> tuple[str, Observation | None] | None:
        """What is wrong with what came of a drift, and what was seen of the Application; None if nothing is."""
        if tried.expected is Expected.LEFT:
            if drifting.left_alone(tried):
                seen.held[tried.ref] = tried
                return None
            if tried.drift.why == "ignoreDifferences":
                return "ignored-drift-undone", None
            # Whatever Argo CD takes for a difference it has to keep.
            tried.expected = Expected.UNDONE if seen.evidence["selfHeal"] else Expected.SEEN
        heals = tried.expected is Expected.UNDONE
        if not heals and not drifting.seen(tried):
            return "drift-not-seen", UNSEEN
        final = drifting.undone(tried) if heals else drifting.repaired(tried)
        if final.state is State.CONVERGED:
            return None
        if final is UNSEEN:
            return "drift-not-seen", final
        if tried.undone is not None:
            return "unhealthy-after-drift", final
        if heals:
            return "drift-not-undone", final
        return "drift-not-repaired", final

    def _let_go(self, case: Case, seen: _Seen, drifting: Drifting, tried: Tried) -> None:
        if not drifting.still_left_alone(tried) and tried.drift.why == "ignoreDifferences":
            self._problem("ignored-drift-undone", case, seen, tried, None)
        drifting.restore(tried)

    def _judge_end(self, case: Case, seen: _Seen, drifting: Drifting) -> None:
        """All is as it was, or else what comes after this stage would be judged by what we did."""
        self.following.refreshed(case, hard=False, limit=self._limit(case))
        final = drifting.settled()
        if final.state is not State.CONVERGED:
            self._problem("unhealthy-after-drift", case, seen, seen.tried[-1], final)

    # ------------------------------------------------------------------ telling it

    def _problem(
        self,
        rule: str,
        case: Case,
        seen: _Seen,
        tried: Tried,
        saw: Observation | None,
        *,
        beside: Sequence[Tried] = (),
    ) -> None:
        said, causes = (saw.message, saw.causes) if saw is not None else ("", ())
        events = self._events(case, tried) if rule == "unhealthy-after-drift" else ()
        known = cause_of(saw.code, " ".join([said, *causes, *events])) if saw is not None else None
        # The object itself was taken before: what is wrong is that it cannot go back.
        help_ = known.next if known and known.id != "invalid-object" else HELP[rule]
        if known and not seen.findings:  # the first finding is the verdict
            seen.evidence["cause"] = {**known.to_dict(), "next": help_}
        title, after = tried.ref.title, f"after {now() - tried.began:.1f} s"
        did = f"{tried.field} was changed" if tried.field else DID[tried.drift.sort]
        told = {
            "drift-not-undone": f"expected selfHeal to undo that, saw it still so {after}",
            "drift-not-seen": f"expected Argo CD to see that as OutOfSync, saw Synced {after}",
            "drift-not-repaired": f"expected a sync to put that right, saw it still so {after}",
            "ignored-drift-undone": "expected that to be left alone, for ignoreDifferences names it, saw it "
            + ("undone" if tried.undone is not None else "OutOfSync"),
            "unhealthy-after-drift": "that was undone; expected the Application to become Synced, Healthy again, saw "
            f"{saw.summary if saw else 'something else'} {after}",
        }
        lines = [
            f"{title}: {did}; {told[rule]}",
            *([f"  Argo CD  {cut(said, WORDS)}"] if said else []),
            *(f"  object   {cut(c, WORDS)}" for c in causes[:SHOWN] if c.partition(": ")[2] not in said),
            *(f"  event    {cut(e, WORDS)}" for e in events),
            *([f"  together with drift of {', '.join(t.ref.title for t in beside)}"] if beside else []),
            *([f"  cause    {known.name}"] if known else []),
        ]
        file, line = place(self.context, case, title)
        seen.findings.append(
            Finding(
                rule=rule,
                severity=Severity.ERROR,
                message="\n".join(lines),
                file=file,
                line=line,
                resource=title,
                help=help_,
            )
        )

    def _events(self, case: Case, tried: Tried) -> tuple[str, ...]:
        if not tried.ref.namespace:
            return ()
        api = Applications(self.context.api_of(case))
        try:
            return api.warnings(tried.ref.namespace, [tried.ref.name], limit=1)  # they repeat themselves
        except GitOpsError:
            return ()  # who may not read events has the finding without them


def scalers(context: Context) -> dict[str, dict[tuple[str, str, str], str]]:
    """Who scales what, in all Applications: destination cluster → (kind, namespace, name) → title of the autoscaler."""
    found: dict[str, dict[tuple[str, str, str], str]] = {}
    for case in context.plan.cases if context.has_plan else ():
        result = context.renders.get(case.id)
        for manifest in result.objects if isinstance(result, Rendered) else ():
            kind, metadata = str(manifest.get("kind")), manifest.get("metadata") or {}
            target = (manifest.get("spec") or {}).get(SCALERS.get(kind, ""))
            if isinstance(target, Mapping):
                space = str(metadata.get("namespace") or case.destination.namespace)
                key = (str(target.get("kind") or "Deployment"), space, str(target.get("name")))
                found.setdefault(case.destination.cluster, {})[key] = f"{kind} {metadata.get('name')}"
    return found
