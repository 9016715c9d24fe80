"""change: what does the pull request do, base against head, as Argo CD renders both."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.parameters import policy
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.applications import Rendition, Side
from pytest_gitops.changes.compare import compare
from pytest_gitops.changes.values import counts
from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.settings.waivers import apply
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.stages.unrestarted import Unrestarted
from pytest_gitops.stages.unsynced import unsynced
from pytest_gitops.waiting import utc

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "change"
family = Family.REVIEW
question = "What does the pull request change?"
needs = ("render",)


def survey(context: Context) -> None:
    """Compare, once both sides are planned, and put what head has no more into the plan, or may have no more: what an
    unreadable file or a parent that does not render had declared must not go unsaid."""
    assert context.base is not None, "without a base there is nothing to compare with"
    comparison = context.comparison = compare(_side(context.base), _side(context))
    removed = [c.old for c in comparison.applications if c.new is None and c.old is not None]
    context.plan = replace(context.plan, removed=tuple(removed))


def _side(context: Context) -> Side:
    control, declarations = context.control, context.checkout.declarations
    set_policy, may_override = policy(context.parameters)
    return Side(
        renditions=[_rendition(context, case) for case in context.plan.cases],
        application_sets={
            f"{s.namespace or control}/{s.name}": s.manifest for s in declarations.application_sets
        },
        unexpanded=context.unexpanded,
        unreadable={p.file: p.finding.message for p in declarations.problems},
        settings=context.argocd_cm,
        others=_others(context),
        clusters=_clusters(context),
        set_policy=set_policy,
        may_override=may_override,
    )


def _others(context: Context) -> list[Mapping[str, Any]]:
    """What is there without being rendered, such as StorageClasses: it decides what becomes of data."""
    settings, checkout = context.settings, context.checkout
    found: list[Mapping[str, Any]] = list(context.remote_crds)
    for paths in (settings.crds, settings.prerequisites):
        with contextlib.suppress(ConfigError):  # base may not have had that folder yet
            found += checkout.manifests(paths, where="pytest-gitops.yaml")
    return found


def _clusters(context: Context) -> dict[str, str]:
    """The servers of the clusters that the configuration or the repository declares, by name (Argo CD: declarative
    setup, clusters)."""
    found = {c.name: c.server for c in context.settings.clusters}
    for secret in context.checkout.declarations.secrets:
        labels = (secret.manifest.get("metadata") or {}).get("labels") or {}
        data = secret.manifest.get("stringData")
        if labels.get("argocd.argoproj.io/secret-type") == "cluster" and isinstance(data, Mapping):
            found[str(data.get("name") or "")] = str(data.get("server") or "")
    return found


def _rendition(context: Context, case: Case) -> Rendition:
    result = context.renders.get(case.id)
    if case.id in context.spared:  # whatever it is, it is the same on the other side
        return Rendition(case=case, objects=())
    if isinstance(result, Rendered):
        return Rendition(case=case, objects=result.objects)
    if result is not None:
        return Rendition(case=case, objects=None, reason=result.message)
    wrong = [f.message for f in context.source_findings.get(case.id, ()) if f.counts]
    return Rendition(case=case, objects=None, reason=wrong[0] if wrong else "it was not rendered")


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Tell of every case what becomes of it, and what of it no sync will bring, or no running Pod take up. Whether that
    may be is for the policies; here only what could not be compared is no pass."""
    going_on = Unrestarted(context)
    for case in cases:
        publish(case, _result(context, case, going_on))


def _result(context: Context, case: Case, going_on: Unrestarted) -> StageResult:
    if context.comparison is None:
        message = "not asked: there is no base to compare with (--gitops-base)"
        return StageResult(stage=name, outcome=Outcome.SKIPPED, code="no-base", message=message)
    change = context.comparison.of(case)
    if change is None or change.kind is None:
        why = change.unknown if change else "it is on neither side"
        return StageResult(
            stage=name, outcome=Outcome.SKIPPED, code="not-compared", message=f"not compared: {why}"
        )
    evidence: dict[str, Any] = {"change": change.kind.value, **counts(change.objects)}
    if reasons := (context.plan.changed or {}).get(case.id):
        evidence["selectedBecause"] = list(reasons)
    findings = [*unsynced(context, case, change), *going_on.findings(case, change)]
    told = apply(findings, context.settings.waivers, application=case.key, today=utc().date())
    return judged(name, told, evidence=evidence)
