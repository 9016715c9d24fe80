"""From what the engine knows at its end to the Run that is reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_gitops import __version__
from pytest_gitops.argocd.convergence import resources_of
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.values import ApplicationChange, ChangeKind
from pytest_gitops.ground.boot import Ground
from pytest_gitops.model import NOT_COMPARED, Case, Finding, Resource, Run, Tools, Verdict
from pytest_gitops.redaction import NOTHING, Hidden, hidden_of
from pytest_gitops.run.verdicts import Key, Verdicts
from pytest_gitops.scenarios.values import STAGE, told
from pytest_gitops.settings.settings import Settings
from pytest_gitops.settings.waivers import unused
from pytest_gitops.stages.context import Context
from pytest_gitops.waiting import utc


def build_run(
    *,
    settings: Settings,
    ground: Ground,
    context: Context | None,
    verdicts: Verdicts,
    pairs: tuple[Key, ...],
    stages: tuple[str, ...],
    tools: Tools,
    started: str,
    duration: float,
    error: str,
    hidden: Hidden = NOTHING,
) -> Run:
    """The run as a value. Works at any point: what is not known yet is left out."""
    asked = {c for c, _ in pairs}
    wanted = set(pairs)
    judged: tuple[Verdict, ...] = ()
    scenarios: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Finding, ...] = tuple(ground.findings)
    idle: tuple[Finding, ...] = ()
    if context is not None and context.has_plan:
        plan = context.plan
        said = _Said(context=context, verdicts=verdicts, wanted=wanted, stages=stages, hidden=hidden)
        judged = tuple(said.of(c) for c in plan.cases if c.id in asked)
        judged += tuple(said.of(c, gone=True) for c in plan.removed if c.id in asked)
        results = ((s, verdicts.get(s.id, STAGE)) for s in plan.scenarios if (s.id, STAGE) in wanted)
        scenarios = tuple(told(s, result) for s, result in results if result is not None)
        findings = (*context.repository_findings, *(p.finding for p in plan.problems))
        said_of = [(v.case.key, f) for v in judged for f in v.findings] + [("", f) for f in findings]
        if "policy" in settings.stages:
            idle = unused(settings.waivers, said_of, today=utc().date())
        if {c.id for c in plan.cases} <= asked and settings.shard is None:
            findings += idle
    checkout = getattr(ground, "checkout", None)
    snapshot = getattr(checkout, "snapshot", None)
    world = getattr(ground, "world", None)
    return Run(
        version=__version__,
        tools=tools,
        repository=checkout.title if checkout else settings.root.name,
        head={
            "name": (checkout.repository.branch if checkout else "") or "HEAD",
            "commit": snapshot.commit if snapshot else "",
            "dirty": bool(snapshot and snapshot.dirty),
        },
        base={"name": settings.base.name, "commit": settings.base.commit} if settings.base else None,
        started=started,
        duration=duration,
        provider=settings.provider.value,
        simulated=ground.simulated,
        stages=settings.stages,
        command=settings.command,
        findings=tuple(dict.fromkeys(findings)),
        verdicts=judged,
        scenarios=scenarios,
        hosts=tuple(r.to_dict() for r in world.refusals) if world else (),
        timings=dict(ground.timings),
        changes=_changes(context, hidden),
        expectations=tuple(a.to_dict() for a in context.plan.answered)
        if context is not None and context.has_plan
        else (),
        error=error,
        idle_waivers=idle,
        hide=hidden,
    )


def secrets_of(context: Context, more: Iterable[str] = ()) -> Hidden:
    """What hides the values of every Secret that either side renders or has in a file, and `more`."""
    sides = [side for side in (context, context.base) if side is not None]
    objects = [
        o
        for side in sides
        for rendered in side.renders.values()
        if isinstance(rendered, Rendered)
        for o in rendered.objects
    ]
    written = [d.manifest for side in sides for d in side.checkout.declarations.secrets]
    cases = [c.manifest for side in sides if side.has_plan for c in side.plan.cases]
    return hidden_of([*objects, *written], others=cases, values=more)


def _changes(context: Context | None, hidden: Hidden) -> dict[str, Any] | None:
    comparison = context.comparison if context else None
    if context is None or comparison is None:
        return None
    # What is cut off has to be hidden before: half a secret is one, too.
    found = comparison.to_dict(lambda value, _: hidden.value(value))
    if not context.has_plan or context.plan.changed is None:
        return found
    judged = {
        "changed": len(context.plan.changed),
        "of": len(context.plan.cases),
        "notRendered": sum(c.id in context.spared for c in context.plan.cases),
    }
    return {**found, "selection": judged}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """Everything that was said, by whom it was said of."""

    context: Context
    verdicts: Verdicts
    wanted: set[Key]
    stages: tuple[str, ...]
    hidden: Hidden

    def of(self, case: Case, *, gone: bool = False) -> Verdict:
        """The verdict on a case of head, or on one of base that is `gone` at head."""
        context = self.context
        results = {r.stage: r for r in self.verdicts.of(case.id)}
        live = None if gone else context.applications.get(case.id)
        resources = (resources_of(live) if live else ()) or _rendered(context.base if gone else context, case)
        change = context.comparison.of(case) if context.comparison else None
        return Verdict(
            case=case,
            stages=tuple(results[s] for s in self.stages if s in results and (case.id, s) in self.wanted),
            resources=_with_changes(resources, change, case) if change else resources,
            timeline=tuple(context.timelines.get(case.id, ())),
            change=self._change(case, change),
        )

    def _change(self, case: Case, change: ApplicationChange | None) -> Mapping[str, Any]:
        if change is None:
            return NOT_COMPARED
        told = change.to_dict(lambda value, _: self.hidden.value(value))
        reasons = (self.context.plan.changed or {}).get(case.id)
        return {**told, "selectedBecause": [*map(self.hidden.value, reasons)]} if reasons else told


def _with_changes(
    resources: tuple[Resource, ...], change: ApplicationChange, case: Case
) -> tuple[Resource, ...]:
    """The resources, each with what became of it. An object without a namespace of its own is in the Application's."""
    if change.kind is None or change.unknown:
        return resources
    removed = change.kind is ChangeKind.REMOVED
    kinds = {_identity(r): o.kind.value for o in change.objects if (r := o.old if removed else o.new)}
    inside = case.destination.namespace

    def told(resource: Resource) -> str:
        plain, placed = _identity(resource), _identity(replace(resource, namespace=inside))
        found = kinds.get(plain) or (kinds.get(placed) if not resource.namespace else None)
        return found or ChangeKind.UNCHANGED.value

    return tuple(replace(r, change=told(r)) for r in resources)


def _identity(resource: Resource) -> tuple[str, str, str, str]:
    group = resource.api_version.rpartition("/")[0]
    return group, resource.kind, resource.namespace, resource.name


def _rendered(context: Context | None, case: Case) -> tuple[Resource, ...]:
    """What a case renders to, where nothing of it is live."""
    result = context.renders.get(case.id) if context else None
    if not isinstance(result, Rendered):
        return ()
    return tuple(
        Resource(
            api_version=str(o.get("apiVersion", "")),
            kind=str(o.get("kind", "")),
            namespace=str((o.get("metadata") or {}).get("namespace") or ""),
            name=str((o.get("metadata") or {}).get("name") or ""),
        )
        for o in result.objects
    )
