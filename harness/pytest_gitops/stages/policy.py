"""policy: is the Application, and is what it renders to, allowed by the rules in OPA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Case, Finding
from pytest_gitops.rego.inputs import (
    Declared,
    SecretFile,
    Subject,
    application_subject,
    object_subject,
    repository_subject,
)
from pytest_gitops.rego.query import Hit
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.waiting import now, utc
from pytest_gitops.waivers import apply

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "policy"
family = Family.REVIEW
question = "Do the policies allow it?"
needs = ("render",)


def survey(context: Context) -> tuple[Finding, ...]:
    """Ask OPA about the repository as a whole, once it is planned.

    What it finds in an Application waits in `context.surveyed` for that one's own judgement; what belongs to none,
    such as a Secret in a file that nobody renders, is returned.
    """
    assert context.opa is not None, "policy is not run without OPA"
    subject = repository_subject(
        [
            Declared(
                key=c.key,
                manifest=c.manifest,
                file=c.file,
                line=c.line,
                objects=tuple(objects_of(context, c)),
            )
            for c in context.plan.cases
        ],
        projects=context.plan.projects,
        secrets=[
            SecretFile(manifest=d.manifest, file=d.file, line=d.line)
            for d in context.checkout.declarations.secrets
        ],
    )
    by_key = {c.key: c for c in context.plan.cases}
    general: list[Finding] = []
    for hit in context.opa.judge([subject])[0]:
        case = by_key.get(hit.application)
        finding = _finding(context, case, subject, hit)
        if case is None:
            general.append(finding)
        else:
            context.surveyed.setdefault(case.id, []).append(finding)
    return apply(general, context.settings.waivers, application="", today=utc().date())


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Ask OPA about every Application and every object, in one request."""
    assert context.opa is not None, "policy is not run without OPA"
    began = now()
    asked = list(_subjects(context, cases))
    found: dict[str, list[Finding]] = {c.id: list(context.surveyed.get(c.id, ())) for c in cases}
    for (case, subject), hits in zip(asked, context.opa.judge([s for _, s in asked]), strict=True):
        for finding in (_finding(context, case, subject, hit) for hit in hits):
            if finding not in found[case.id]:
                found[case.id].append(finding)
    seconds, rules = now() - began, len(context.opa.rules)
    for case in cases:
        judgement = apply(found[case.id], context.settings.waivers, application=case.key, today=utc().date())
        publish(case, judged(name, judgement, duration=seconds, evidence={"rules": rules}))


def _subjects(context: Context, cases: Sequence[Case]) -> Iterator[tuple[Case, Subject]]:
    projects = {str((p.get("metadata") or {}).get("name")): p for p in context.plan.projects}
    for case in cases:
        yield case, application_subject(case.manifest, project=projects.get(case.project))
        for each in objects_of(context, case):
            yield case, object_subject(each, application=case.manifest)


def objects_of(context: Context, case: Case) -> Sequence[Mapping[str, Any]]:
    """What a case renders to, nothing where it does not."""
    result = context.renders.get(case.id)
    return result.objects if isinstance(result, Rendered) else ()


def _unescaped(step: str) -> str:
    """A step of a JSON pointer (RFC 6901)."""
    return step.replace("~1", "/").replace("~0", "~")


def _finding(context: Context, case: Case | None, subject: Subject, hit: Hit) -> Finding:
    file, line = hit.file, hit.line
    if not file and case is not None:
        manifest = subject.input.get("object")
        place = context.locate(case, manifest) if isinstance(manifest, Mapping) else None
        if place:
            file, line = place
        elif manifest is None and hit.pointer:
            steps = [int(p) if p.isdigit() else _unescaped(p) for p in hit.pointer.strip("/").split("/")]
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
