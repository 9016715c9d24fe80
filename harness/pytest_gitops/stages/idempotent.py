"""idempotent: does nothing change when Argo CD compares again, renders again and syncs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.causes import cause_of
from pytest_gitops.argocd.convergence import BLOCKING, Observation, State, observe
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.argocd.sharing import HOOKS
from pytest_gitops.changes.shorten import cut
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.stages import live
from pytest_gitops.stages.base import Family, Publish
from pytest_gitops.stages.deadlines import deadline_of
from pytest_gitops.stages.evidence import bounded, differences_of, seen_of
from pytest_gitops.stages.evidence import told as fields_told
from pytest_gitops.stages.following import Following, is_at_work
from pytest_gitops.stages.looking import Seen, Unsaid, look_at_each
from pytest_gitops.stages.placing import place
from pytest_gitops.stages.rendered import Unsteady, unsteady, written_at
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "idempotent"
family = Family.VERIFY
question = "Does a second sync change nothing?"
needs = ("converge",)

COMPARISON_SETTINGS = ("resource.customizations", "resource.compareoptions")
"""Settings of argocd-cm that may keep differences from being seen, as their keys begin."""

CONDITIONS = set(BLOCKING.values()) - {"sync-failed"}
"""Codes of what Argo CD itself says is wrong; that a sync failed is told as what it was a sync for."""

WORDS = 500
"""Characters of one message of Argo CD's that are told: it may quote whole objects."""

SHOWN = 8
"""As many objects as a text names."""

KEEP_IT = (
    "let it be the same each time: a value in the repository, or a Secret that something else keeps; or leave the "
    "field alone with ignoreDifferences and the sync option RespectIgnoreDifferences=true"
)
TEMPLATE_HELP = f"{KEEP_IT} (`lookup` finds nothing: Argo CD renders without a cluster)"

CAME_OF_IT = {
    "out-of-sync-after-refresh": "so a hard refresh makes the Application OutOfSync",
    "sync-changes-objects": "so a second sync of the same revision changes it",
}
"""Codes that may be no more than the consequence of a rendering that differs, and the words for it."""


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Refresh, refresh hard, sync again and render again each Application; all at once."""
    look_at_each(name, context, cases, publish, lambda following: _Check(context, following).look)


class _Check:
    def __init__(self, context: Context, following: Following) -> None:
        self.context, self.following = context, following

    def _limit(self, case: Case) -> float:
        return deadline_of(self.context.settings, case).seconds

    def look(self, case: Case, seen: Seen) -> None:
        """Collect what is wrong. Raises Unsaid if nothing can be said."""
        first = self.following.state(case, limit=self._limit(case))
        api = self.context.api_of(case)
        before = live.read(api, live.managed(first))
        seen.evidence |= {"objects": len(before), "refreshes": []}
        final = self._again(case, seen)
        last = self.following.state(case, limit=self._limit(case))
        if last["spec"] != first["spec"]:
            why = (
                f"the Application's own spec was changed while it was looked at, by {case.parent or 'somebody else'}: "
                "what its objects did says nothing of it"
            )
            raise Unsaid(code="changed-meanwhile", why=why)
        after = live.read(api, sorted({*before, *live.managed(last)}))
        self._judge_changes(case, seen, live.changes(before, after), after, last)
        if final is not None and final.state is not State.CONVERGED and not seen.findings:
            self._problem("unhealthy-after-sync", case, seen, final, "after its second sync")
        self._judge_renders(case, seen, last)

    def _again(self, case: Case, seen: Seen) -> Observation | None:
        """Both refreshes and the second sync; what the Application is at its end, None if it did not come so far."""
        for kind in ("normal", "hard"):
            asked = now()
            state = self.following.refreshed(case, hard=kind == "hard", limit=self._limit(case))
            compared = observe(state)
            said = {"kind": kind, "sync": compared.sync, "health": compared.health}
            seen.evidence["refreshes"].append({**said, "seconds": round(now() - asked, 2)})
            if compared.sync != "Synced" or compared.code in CONDITIONS:
                when = f"after a {kind} refresh of the same revision"
                self._problem("out-of-sync-after-refresh", case, seen, compared, when)
                # Where Argo CD syncs by itself it has begun to: what comes after this wants its end.
                self.following.wait(case, lambda s: not is_at_work(s), limit=self._limit(case))
                return None
        asked = now()
        final = self.following.synced(case, limit=self._limit(case))
        state = self.following.state(case, limit=self._limit(case))
        seen.evidence["sync"] = {**live.operation_of(state), "seconds": round(now() - asked, 2)}
        if final.code == "sync-failed":
            self._problem("second-sync-failed", case, seen, final, "when it was synced a second time")
            return None
        if final.state is State.CONVERGED:
            # The look right after a sync may be one at the cluster of before: Argo CD's cache lags behind.
            self.following.refreshed(case, hard=False, limit=self._limit(case))
            final = self.following.settled(case, limit=self._limit(case))
        return final

    def _problem(self, rule: str, case: Case, seen: Seen, saw: Observation, when: str) -> None:
        words = " ".join([saw.message, *saw.causes])
        # Where Argo CD has begun to sync it again, that sync is what comes of it, not why.
        healing = saw.code == "syncing" and rule == "out-of-sync-after-refresh"
        known = cause_of("" if healing else saw.code, words)
        summary = saw.summary
        if not healing:
            summary = {"sync-failed": "that sync fail", "syncing": "that sync go on"}.get(saw.code, summary)
        state = self.following.state(case, limit=self._limit(case))
        differ = differences_of(self.context, case, state) if saw.sync == "OutOfSync" else ()
        seen.evidence |= bounded("differences", [d.to_dict() for d in differ])
        seen.evidence |= seen_of(self.context, case, state)
        if known:
            seen.evidence["cause"] = known.to_dict()
        lines = [
            f"Application {case.key}: expected Synced, Healthy {when}, saw {summary}",
            *([f"  Argo CD  {cut(saw.message, WORDS)}"] if saw.message else []),
            *(f"  object   {cut(c, WORDS)}" for c in saw.causes[:SHOWN] if saw.message not in c),
            *([f"  differs  {fields_told(differ)}"] if differ else []),
            *([f"  cause    {known.name}"] if known else []),
        ]
        objects = [c.split(": ", 1)[0] for c in saw.causes]
        file, line = place(self.context, case, objects[0] if objects else "")
        seen.findings.append(
            Finding(
                rule=saw.code if saw.code in CONDITIONS else rule,
                severity=Severity.ERROR,
                message="\n".join(lines),
                file=file,
                line=line,
                resource=objects[0] if objects else "",
                help=known.next if known else "compare what is there with `argocd app diff --hard-refresh`",
            )
        )

    def _judge_changes(
        self,
        case: Case,
        seen: Seen,
        changes: Sequence[live.Change],
        after: Mapping[live.Ref, live.Manifest],
        application: Mapping[str, Any],
    ) -> None:
        seen.evidence["changes"] = [c.to_dict() for c in changes]
        meant = [c.ref.title for c in changes if live.is_meant(c, after.get(c.ref), application)]
        seen.evidence["madeAnewOnPurpose"] = meant
        for change in changes:
            if not change.synced or change.ref.title in meant:
                continue
            differ = f": {live.told(change.ref.kind, change.fields)}" if change.fields else ""
            words = {
                "recreated": "was deleted and made anew",
                "gone": "is gone",
                "created": "was not there before",
                "changed": "was changed",
                "rewritten": "was changed, and something else changed it back",
            }
            file, line = place(self.context, case, change.ref.title)
            seen.findings.append(
                Finding(
                    rule="sync-changes-objects",
                    severity=Severity.ERROR,
                    message=f"{change.ref.title}: expected a second sync of the same revision to leave it alone; it "
                    f"{words[change.word]}{differ}",
                    file=file,
                    line=line,
                    resource=change.ref.title,
                    help="see its sync options (Replace=true and Force=true write whatever is there)"
                    if change.word == "recreated"
                    else "let one of the two decide the field: leave it out of the manifest, or name it in "
                    "ignoreDifferences with the sync option RespectIgnoreDifferences=true",
                )
            )

    def _judge_renders(self, case: Case, seen: Seen, application: Mapping[str, Any]) -> None:
        first, ask = self.context.renders.get(case.id), self.context.render_again
        if not isinstance(first, Rendered) or ask is None:
            return
        if not seen.findings and not self._overlooks(first, application):
            seen.evidence["renderedTheSame"] = True  # for a hard refresh rendered it anew and found it Synced
            return
        second = ask(case)
        if not isinstance(second, Rendered):
            return
        found = unsteady(first.objects, second.objects)
        seen.evidence["renderedTheSame"] = not found
        if not found:
            return
        # Where nothing came of it, as under RespectIgnoreDifferences, it is only worth knowing.
        codes = {f.rule for f in seen.findings}
        severity = Severity.ERROR if codes else Severity.WARNING
        came = "; ".join(words for code, words in CAME_OF_IT.items() if code in codes)
        told = [self._unsteady(case, each, severity, came) for each in found]
        names = {each.short for each in found}
        # What only comes of it is told with it, not for itself.
        rest = [
            f
            for f in seen.findings
            if f.rule not in CAME_OF_IT or (f.resource and _short(f.resource) not in names)
        ]
        seen.findings = [*told, *rest]
        seen.evidence.pop("cause", None)  # that of a finding which is not the verdict any more

    def _overlooks(self, first: Rendered, application: Mapping[str, Any]) -> bool:
        """Whether Argo CD may say Synced of a rendering that is another: it was told to ignore differences, and hooks
        are not compared."""
        return (
            bool(application["spec"].get("ignoreDifferences"))
            or any(key.startswith(COMPARISON_SETTINGS) for key in self.context.argocd_cm)
            or any(
                h in ((o.get("metadata") or {}).get("annotations") or {})
                for o in first.objects
                for h in HOOKS
            )
        )

    def _unsteady(self, case: Case, each: Unsteady, severity: Severity, came: str) -> Finding:
        file, line = written_at(self.context, case, each) or place(self.context, case, each.title)
        if each.fields:
            differ = live.told(str(each.manifest.get("kind")), each.fields)
            message = f"{each.title} is not the same in two renderings of one revision: {differ}"
        else:
            message = f"{each.title} is in one of two renderings of one revision, and not in the other"
        if came:
            message = f"{message}; {came}"
        return Finding(
            rule="render-not-deterministic",
            severity=severity,
            message=message,
            file=file,
            line=line,
            resource=each.title,
            help=TEMPLATE_HELP,
        )


def _short(title: str) -> str:
    """ "Kind name" of an object's title: a rendered object need not name its namespace."""
    kind, _, rest = title.partition(" ")
    return f"{kind} {rest.rpartition('/')[2]}"
