"""From what the engine knows at its end to the Run that is reported."""

from __future__ import annotations

from pytest_gitops import __version__
from pytest_gitops.argocd.convergence import resources_of
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.boot import Ground
from pytest_gitops.model import Case, Finding, Resource, Run, Tools, Verdict
from pytest_gitops.settings import Settings
from pytest_gitops.stages.context import Context
from pytest_gitops.verdicts import Key, Verdicts
from pytest_gitops.waiting import utc
from pytest_gitops.waivers import unused


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
) -> Run:
    """The run as a value. Works at any point: what is not known yet is left out."""
    asked = {c for c, _ in pairs}
    wanted = set(pairs)
    judged: tuple[Verdict, ...] = ()
    findings: tuple[Finding, ...] = tuple(ground.findings)
    if context is not None and context.has_plan:
        plan = context.plan
        judged = tuple(_verdict(c, context, verdicts, wanted, stages) for c in plan.cases if c.id in asked)
        findings = (*context.repository_findings, *(p.finding for p in plan.problems))
        told = [(v.case.key, f) for v in judged for f in v.findings] + [("", f) for f in findings]
        if len(asked) == len(plan.cases) and "policy" in settings.stages:
            findings += unused(settings.waivers, told, today=utc().date())
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
        base=None,
        started=started,
        duration=duration,
        provider=ground.cluster.provider if ground.cluster else settings.provider.value,
        simulated=tuple(ground.cluster.simulated) if ground.cluster else (),
        stages=settings.stages,
        command=settings.command,
        findings=tuple(dict.fromkeys(findings)),
        verdicts=judged,
        hosts=tuple(r.to_dict() for r in world.refusals) if world else (),
        timings=dict(ground.timings),
        error=error,
    )


def _verdict(
    case: Case, context: Context, verdicts: Verdicts, wanted: set[Key], stages: tuple[str, ...]
) -> Verdict:
    results = {r.stage: r for r in verdicts.of(case.id)}
    live = context.applications.get(case.id)
    return Verdict(
        case=case,
        stages=tuple(results[s] for s in stages if s in results and (case.id, s) in wanted),
        resources=(resources_of(live) if live else ()) or _rendered(context, case),
        timeline=tuple(context.timelines.get(case.id, ())),
    )


def _rendered(context: Context, case: Case) -> tuple[Resource, ...]:
    """What a case renders to, where nothing of it is live."""
    result = context.renders.get(case.id)
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
