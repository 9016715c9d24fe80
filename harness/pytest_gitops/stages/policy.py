"""policy: do the rules in OPA allow the Application, what it renders to, and what a pull request makes of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.values import DELETING, ApplicationChange, ChangeKind, ObjectChange
from pytest_gitops.model import Case, Finding, Outcome, StageResult
from pytest_gitops.rego.inputs import (
    Changed,
    Declared,
    SecretFile,
    Subject,
    Written,
    application_subject,
    change_subject,
    object_subject,
    repository_subject,
)
from pytest_gitops.rego.problems import Trouble
from pytest_gitops.rego.query import Hit
from pytest_gitops.rego.reviews import Deployed, Surroundings, surroundings
from pytest_gitops.settings.waivers import apply, unknown
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.stages.codes import WAIVABLE
from pytest_gitops.waiting import now, utc

if TYPE_CHECKING:
    from pytest_gitops.rego.constraint import Review
    from pytest_gitops.stages.context import Context

name = "policy"
family = Family.REVIEW
question = "Do the policies allow it?"
needs = ("render",)


def survey(context: Context) -> tuple[Finding, ...]:
    """Ask OPA about the repository as a whole, once it is planned.

    What it finds in an Application waits in `context.surveyed` for that one's own judgement; what belongs to none,
    such as a Secret in a file that nobody renders, or a policy that does not compile, is returned.
    """
    assert context.opa is not None, "policy is not run without OPA"
    declarations = context.checkout.declarations
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
        secrets=[SecretFile(manifest=d.manifest, file=d.file, line=d.line) for d in declarations.secrets],
        declared=[
            Written(manifest=d.manifest, file=d.file, line=d.line)
            for d in (*declarations.projects, *declarations.application_sets, *declarations.settings)
        ],
    )
    by_key = {c.key: c for c in context.plan.cases}
    general: list[Finding] = [_counted(context, problem) for problem in context.opa.problems]
    if not any(problem.counts for problem in general):
        # A policy that is left out takes its codes along: whose waivers are then wrong, nobody knows.
        codes = [rule.code for rule in context.opa.rules]
        general += unknown(context.settings.waivers, codes, others=WAIVABLE)
    written = list(_written_changes(context))
    about, *changes = context.opa.judge([subject, *(each for each, _ in written)])
    for (_, declared), hits in zip(written, changes, strict=True):
        general += [_finding(context, _Asked(case=None, subject=subject), h, at=declared) for h in hits]
    for hit in about:
        case = by_key.get(hit.application)
        asked = _Asked(case=case, subject=subject, manifest=_pointed_at(subject, hit.pointer))
        finding = _finding(context, asked, hit)
        if case is None:
            general.append(finding)
        else:
            context.surveyed.setdefault(case.id, []).append(finding)
    return apply(general, context.settings.waivers, application="", today=utc().date())


def _written_changes(context: Context) -> Iterator[tuple[Subject, Written]]:
    """The AppProjects and Argo CD's ConfigMaps in files that differ from base's; what an Application renders of them
    is a change of that Application."""
    if context.base is None:
        return
    rendered = {_identity(o) for case in context.plan.cases for o in objects_of(context, case)}
    sides = (context.base.checkout.declarations, context.checkout.declarations)
    old, new = ({(d.kind, d.name): d for d in (*side.projects, *side.settings)} for side in sides)
    for key, declared in new.items():
        before = old.get(key)
        if before is None or before.manifest == declared.manifest or _identity(declared.manifest) in rendered:
            continue
        changed = Changed(change=ChangeKind.CHANGED, old=before.manifest, new=declared.manifest)
        yield (
            change_subject(changed, application={}, old_application=None, project=None),
            Written(manifest=declared.manifest, file=declared.file, line=declared.line),
        )


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Ask OPA about every Application, every object and every change, in one request."""
    assert context.opa is not None, "policy is not run without OPA"
    began = now()
    lost = {case.id: why for case in cases if (why := _lost(context, case))}
    for case in cases:
        if case.id in lost:
            message = f"not asked: {lost[case.id]}"
            publish(
                case, StageResult(stage=name, outcome=Outcome.SKIPPED, code="not-compared", message=message)
            )
    cases = [case for case in cases if case.id not in lost]
    around = _surroundings(context) if context.opa.reviews else None
    known = _Known.of(context)
    asked = [each for case in cases for each in _subjects(context, case, known, around)]
    answers = context.opa.judge(
        [each.subject for each in asked], inventories=around.inventories if around else None
    )
    found: dict[str, list[Finding]] = {c.id: list(context.surveyed.get(c.id, ())) for c in cases}
    for each, hits in zip(asked, answers, strict=True):
        assert each.case is not None, "only the repository as a whole is nobody's"
        mine = found[each.case.id]
        mine += [f for f in (_finding(context, each, hit) for hit in hits) if f not in mine]
    seconds, rules = now() - began, len(context.opa.rules)
    for case in cases:
        judgement = apply(found[case.id], context.settings.waivers, application=case.key, today=utc().date())
        result = judged(
            name,
            judgement,
            duration=seconds,
            evidence={"rules": rules},
            fail_on=context.settings.fail_on,
        )
        publish(case, result)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A subject, whose case it is, and the object it is about, None where it is about the Application itself."""

    case: Case | None
    subject: Subject
    manifest: Mapping[str, Any] | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What every case is asked about with: the AppProjects by name, the "namespace/name" of every Application of
    either side, and base's Applications by it."""

    projects: Mapping[str, Mapping[str, Any]]
    keys: frozenset[str]
    before: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, context: Context) -> _Known:
        changes = context.comparison.applications if context.comparison else ()
        return cls(
            projects={str((p.get("metadata") or {}).get("name")): p for p in context.plan.projects},
            keys=frozenset(c.case.key for c in changes),
            before={c.old.key: c.old.manifest for c in changes if c.old},
        )


def _lost(context: Context, case: Case) -> str:
    """Why nothing can be asked about a case of base, which head may or may not have still; empty for all others."""
    change = context.comparison.of(case) if context.comparison else None
    return change.unknown if change is not None and change.new is None and change.kind is None else ""


def _subjects(context: Context, case: Case, known: _Known, around: Surroundings | None) -> Iterator[_Asked]:
    project = known.projects.get(case.project)
    change = context.comparison.of(case) if context.comparison else None
    before = {_identity(o.new_object): o for o in change.objects if o.new_object} if change else {}
    if change is None or change.kind is not ChangeKind.REMOVED:
        yield _Asked(case=case, subject=application_subject(case.manifest, project=project))
        for manifest in objects_of(context, case):
            differs = before.get(_identity(manifest))
            review = _review(around, case, manifest, differs) if around else None
            subject = object_subject(manifest, application=case.manifest, review=review)
            yield _Asked(case=case, subject=subject, manifest=manifest)
    if change is not None:
        yield from _changes(case, change, known, around)


def _changes(
    case: Case, change: ApplicationChange, known: _Known, around: Surroundings | None
) -> Iterator[_Asked]:
    """What differs between base and head, the Application's own manifest first. What differs by noise alone is not
    asked about."""
    project = known.projects.get(case.project)
    old = change.old.manifest if change.old else None
    new = change.new.manifest if change.new else None
    if change.fields or change.old is None or change.new is None:
        changed = Changed(
            change=change.kind or ChangeKind.CHANGED,
            old=old,
            new=new,
            effect=change.fate.effect if change.fate else "",
            effect_text=change.fate.text if change.fate else "",
            data=(change.fate.data or "") if change.fate else "",
        )
        subject = change_subject(changed, application=case.manifest, old_application=old, project=project)
        yield _Asked(case=case, subject=subject, gone=new is None)
    for each in change.objects:
        # A child is asked about where it is a case of its own.
        child = each.resource.kind == "Application" and _child(each, case) in known.keys
        if child or each.kind is ChangeKind.UNCHANGED:
            continue
        changed = Changed(
            change=each.kind,
            old=each.old_object,
            new=each.new_object,
            effect=each.effect,
            effect_text=each.effect_text,
            data=(each.fate.data or "") if each.fate else "",
        )
        review = None
        if around and each.old_object and each.fate and each.fate.effect in DELETING:
            review = _deletion(around, case, each.old_object)
        subject = change_subject(
            changed,
            application=case.manifest,
            old_application=known.before.get(each.old_application, old),
            project=project,
            review=review,
        )
        gone = each.new_object is None
        yield _Asked(case=case, subject=subject, manifest=each.new_object or each.old_object, gone=gone)


def _child(change: ObjectChange, case: Case) -> str:
    return (
        f"{change.resource.namespace or case.destination.namespace or case.namespace}/{change.resource.name}"
    )


def _identity(manifest: Mapping[str, Any] | None) -> tuple[str, ...]:
    given = manifest or {}
    metadata = given.get("metadata") or {}
    words = (given.get("apiVersion"), given.get("kind"), metadata.get("namespace"), metadata.get("name"))
    return tuple(str(word or "") for word in words)


def _surroundings(context: Context) -> Surroundings:
    return surroundings(
        Deployed(
            application=c.manifest,
            cluster=c.destination.cluster,
            namespace=c.destination.namespace,
            objects=tuple(objects_of(context, c)),
        )
        for c in context.plan.cases
    )


def _review(
    around: Surroundings, case: Case, manifest: Mapping[str, Any], change: ObjectChange | None
) -> Review:
    """The admission of an object: an update of what base has under the same identity, else a creation."""
    old = change.old_object if change is not None and change.kind is ChangeKind.CHANGED else None
    return around.review(
        manifest,
        cluster=case.destination.cluster,
        namespace=case.destination.namespace,
        operation="UPDATE" if old is not None else "CREATE",
        old=old,
    )


def _deletion(around: Surroundings, case: Case, manifest: Mapping[str, Any]) -> Review:
    destination = case.destination
    return around.review(
        manifest, cluster=destination.cluster, namespace=destination.namespace, operation="DELETE"
    )


def objects_of(context: Context, case: Case) -> Sequence[Mapping[str, Any]]:
    """What a case renders to, nothing where it does not."""
    result = context.renders.get(case.id)
    return result.objects if isinstance(result, Rendered) else ()


def _pointed_at(subject: Subject, pointer: str) -> Mapping[str, Any] | None:
    """The rendered object that a rule on the repository points into ("/all/applications/3/objects/7/…"), if any."""
    match pointer.split("/"):
        case ["", "all", "applications", number, "objects", place, *_]:
            application = subject.input["all"]["applications"][int(number)]
            found: Mapping[str, Any] = application["objects"][int(place)]
            return found
    return None


def _unescaped(step: str) -> str:
    """A step of a JSON pointer (RFC 6901)."""
    return step.replace("~1", "/").replace("~0", "~")


def _finding(context: Context, asked: _Asked, hit: Hit, *, at: Written | None = None) -> Finding:
    file, line = (at.file, at.line) if at else (hit.file, hit.line)
    case = asked.case
    if not file and case is not None:
        place = None
        if asked.manifest is not None and not asked.gone:
            place = context.locate(case, asked.manifest)
        if place:
            file, line = place
        elif asked.manifest is None and not asked.gone and hit.pointer:
            steps = [int(p) if p.isdigit() else _unescaped(p) for p in hit.pointer.strip("/").split("/")]
            file, line = case.file, context.line(case, *steps)
        else:
            file, line = case.file, case.line
    finding = Finding(
        rule=hit.rule.code,
        severity=hit.rule.severity,
        message=hit.message,
        file=file,
        line=line,
        resource=hit.resource,
        help=hit.rule.help,
    )
    return _counted(context, finding)


def _counted(context: Context, finding: Finding) -> Finding:
    if finding.rule == Trouble.NOT_CHECKED:
        return replace(finding, severity=context.settings.unchecked)
    return finding
