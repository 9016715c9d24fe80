"""admit: would the API server take every object that the Application renders to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_gitops.admission.values import UNCONVERTED, Hit, Judgement, Request
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Case, Finding
from pytest_gitops.rego.redact import redact, secret_values
from pytest_gitops.repository.sources import sync_options
from pytest_gitops.settings.waivers import apply
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.waiting import now, utc

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "admit"
family = Family.REVIEW
question = "Would the API server take every object?"
needs = ("render",)


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Ask about the objects of all cases together: what one Application renders acts on what another one does."""
    assert context.admission is not None, "admit is not run without its API servers"
    began = now()
    asked = {case.id for case in cases}
    # Those that are not asked about are there all the same: with their namespaces, definitions and policies.
    others = [case for case in context.plan.cases if case.id not in asked]
    requests = [request(context, c, asked=c.id in asked) for c in (*cases, *others)]
    base = context.base
    before = [request(base, case) for case in base.plan.cases] if base else []
    judgements = context.admission.judge(requests, before)
    seconds = now() - began
    for case, its in zip(cases, requests, strict=False):
        judgement, secrets = judgements[case.id], secret_values(its.objects)
        findings = [_finding(context, case, hit, secrets) for hit in judgement.hits]
        told = apply(findings, context.settings.waivers, application=case.key, today=utc().date())
        publish(case, judged(name, told, duration=seconds, evidence=_evidence(judgement)))


def request(context: Context, case: Case, *, asked: bool = True) -> Request:
    """What a case renders to, and what its sync options make of it."""
    result = context.renders.get(case.id)
    policy = mapping(case.manifest, "spec", "syncPolicy")
    chosen = sync_options(case.manifest)
    metadata = mapping(policy, "managedNamespaceMetadata")
    return Request(
        id=case.id,
        cluster=case.destination.cluster,
        namespace=case.destination.namespace,
        objects=result.objects if isinstance(result, Rendered) else (),
        creates="CreateNamespace=true" in chosen,
        labels=_texts(metadata.get("labels")),
        annotations=_texts(metadata.get("annotations")),
        server_side="ServerSideApply=true" in chosen,
        replace="Replace=true" in chosen,
        force="Force=true" in chosen,
        asked=asked,
    )


def _texts(value: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def _evidence(judgement: Judgement) -> dict[str, Any]:
    return {
        "objects": judgement.objects,
        "pods": judgement.pods,
        "kubernetes": list(judgement.versions),
    }


def _finding(context: Context, case: Case, hit: Hit, secrets: frozenset[str]) -> Finding:
    place = context.locate(case, hit.manifest) if hit.manifest is not None else None
    file, line = place or (case.file, case.line)
    return Finding(
        rule=hit.rule,
        severity=context.settings.unchecked if hit.rule == UNCONVERTED else hit.severity,
        message=redact(hit.message, secrets),
        file=file,
        line=line,
        resource=hit.resource,
        help=hit.help,
    )
