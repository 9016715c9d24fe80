"""policy: is the Application, and is what it renders to, allowed by the rules in OPA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.rego.inputs import Declared, Subject, application_subject, object_subject, repository_subject
from pytest_gitops.rego.query import Hit
from pytest_gitops.rego.waivers import apply
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.waiting import now, utc

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "policy"
family = Family.REVIEW
question = "Do the policies allow it?"
needs = ("render",)


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Ask OPA about every Application, every object and the whole repository in one request."""
    assert context.opa is not None, "policy is not run without OPA"
    began = now()
    subjects: list[Subject] = []
    owners: list[Case | None] = []
    for case, subject in _subjects(context, cases):
        owners.append(case)
        subjects.append(subject)
    found: dict[str, list[Finding]] = {c.id: [] for c in cases}
    by_key = {c.key: c for c in cases}
    general: list[Finding] = []
    for owner, subject, hits in zip(owners, subjects, context.opa.judge(subjects), strict=True):
        for hit in hits:
            case = owner or by_key.get(hit.application)
            finding = _finding(context, case, subject, hit)
            if case is None:
                if not hit.application or hit.application not in {c.key for c in context.plan.cases}:
                    general.append(finding)
            elif finding not in found[case.id]:
                found[case.id].append(finding)
    # What belongs to no Application must still fail something: the first one speaks for the repository.
    found[cases[0].id] += [f for f in general if f.severity is Severity.ERROR]
    context.repository_findings += [f for f in general if f.severity is not Severity.ERROR]
    seconds = now() - began
    rules = len(context.opa.rules)
    for case in cases:
        findings = apply(
            found[case.id], context.settings.waivers, application=case.key, today=utc().date()
        )
        publish(case, judged(name, findings, duration=seconds, evidence={"rules": rules}))


def _subjects(context: Context, cases: Sequence[Case]) -> Iterator[tuple[Case | None, Subject]]:
    projects = {str((p.get("metadata") or {}).get("name")): p for p in context.plan.projects}
    for case in cases:
        yield case, application_subject(case.manifest, project=projects.get(case.project))
        for each in objects_of(context, case):
            yield case, object_subject(each, application=case.manifest)
    yield None, repository_subject(
        [
            Declared(
                key=c.key, manifest=c.manifest, file=c.file, line=c.line, objects=tuple(objects_of(context, c))
            )
            for c in context.plan.cases
        ],
        projects=context.plan.projects,
    )


def objects_of(context: Context, case: Case) -> Sequence[Mapping[str, Any]]:
    """What a case renders to, nothing where it does not."""
    result = context.renders.get(case.id)
    return result.objects if isinstance(result, Rendered) else ()


def _finding(context: Context, case: Case | None, subject: Subject, hit: Hit) -> Finding:
    file, line = hit.file, hit.line
    if not file and case is not None:
        manifest = subject.input.get("object")
        place = context.locate(case, manifest) if isinstance(manifest, Mapping) else None
        if place:
            file, line = place
        elif manifest is None and hit.pointer:
            steps = [int(p) if p.isdigit() else p for p in hit.pointer.strip("/").split("/")]
            file, line = case.file, context.line(case, *steps)
        else:
            file, line = case.file, case.line
    return Finding(
        rule=hit.rule.code,
        severity=hit.rule.severity,
        message=hit.message,
        file=file,
        line=line,
        resource=hit.resource,
        help=hit.rule.help,
    )
