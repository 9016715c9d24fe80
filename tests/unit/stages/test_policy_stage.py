"""What the stage policy asks OPA about, and what it makes of the answers; OPA itself is asked in tests/contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from stage_support import Answers, declare, make_context, make_plan

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.values import (
    ApplicationChange,
    ChangeKind,
    Comparison,
    Data,
    Effect,
    Fate,
    FieldChange,
    ObjectChange,
    Radius,
)
from pytest_gitops.model import Case, Finding, Outcome, Resource, Severity
from pytest_gitops.rego.inputs import Subject
from pytest_gitops.rego.problems import not_checked, not_compiling
from pytest_gitops.rego.query import Hit
from pytest_gitops.rego.rules import Rule, SubjectKind
from pytest_gitops.settings.waivers import parse
from pytest_gitops.stages import policy
from pytest_gitops.stages.context import Context

RULE = Rule(
    code="some-rule",
    title="Some rule",
    severity=Severity.ERROR,
    subject=SubjectKind.OBJECT,
    package=("team",),
    name="some_rule",
    file="policies/a.rego",
    line=3,
    help="Repair it.",
)

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  namespace: argocd
spec:
  project: grid
  destination:
    namespace: grid
  source:
    repoURL: https://github.com/example/grid.git
    path: web
"""


@dataclass
class FakeOpa:
    """Says what it is told to say of subjects of one kind, and remembers what it was asked."""

    hits: Mapping[SubjectKind, Sequence[Hit]] = field(default_factory=dict)
    problems: tuple[Finding, ...] = ()
    rules: tuple[Rule, ...] = (RULE,)
    reviews: bool = False
    asked: list[Subject] = field(default_factory=list)
    inventories: Any = None

    def judge(self, subjects: Sequence[Subject], *, inventories: Any = None) -> list[tuple[Hit, ...]]:
        self.asked += subjects
        self.inventories = inventories
        return [tuple(self.hits.get(s.kind, ())) for s in subjects]

    def changes(self) -> list[Mapping[str, Any]]:
        return [s.input for s in self.asked if s.kind is SubjectKind.CHANGE]


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def set_up(opa: FakeOpa, *objects: Mapping[str, Any], **settings: Any) -> tuple[Context, Case]:
    context = make_context()
    context.settings = replace(context.settings, **settings)
    cast(Any, context.checkout).declarations = SimpleNamespace(
        secrets=(), projects=(), application_sets=(), settings=()
    )
    case = declare(context, APPLICATION)
    context.plan = make_plan([case], projects=({"metadata": {"name": "grid"}},))
    context.renders[case.id] = Rendered(objects=tuple(objects))
    context.opa = cast(Any, opa)
    return context, case


def compared(*changes: ApplicationChange) -> Comparison:
    return Comparison(
        applications=changes, images=(), radius=Radius(applications=(), namespaces=(), clusters=())
    )


def changed(kind: ChangeKind, old: Any, new: Any, **more: Any) -> ObjectChange:
    def resource(manifest: Any) -> Resource | None:
        return manifest and Resource(
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            namespace="",
            name=manifest["metadata"]["name"],
        )

    return ObjectChange(
        kind=kind, old=resource(old), new=resource(new), old_object=old, new_object=new, **more
    )


def run(context: Context, *cases: Case) -> Answers:
    answers = Answers()
    policy.run(context, cases, answers)
    return answers


def test_the_application_and_each_object_are_asked_about() -> None:
    opa = FakeOpa()
    context, case = set_up(opa, named("Pod", "a"), named("Pod", "b"))
    assert run(context, case).of(case.key).outcome is Outcome.PASSED
    assert [(s.kind, s.resource) for s in opa.asked] == [
        (SubjectKind.APPLICATION, "Application argocd/web"),
        (SubjectKind.OBJECT, "Pod grid/a"),
        (SubjectKind.OBJECT, "Pod grid/b"),
    ]
    assert opa.asked[0].input["project"] == {"metadata": {"name": "grid"}}


def test_a_hit_is_a_finding_at_the_line_it_points_to() -> None:
    opa = FakeOpa({SubjectKind.APPLICATION: [Hit(rule=RULE, message="m", pointer="/spec/source/path")]})
    context, case = set_up(opa)
    result = run(context, case).of(case.key)
    assert (result.outcome, result.code) == (Outcome.FAILED, "some-rule")
    assert [f.where for f in result.findings] == ["apps/web.yaml:12"]


def test_a_change_is_asked_about_with_both_sides_and_what_becomes_of_it() -> None:
    opa = FakeOpa()
    context, case = set_up(opa)
    claim = named("PersistentVolumeClaim", "data")
    fate = Fate(effect=Effect.PRUNED, text="Argo CD prunes it.", data=Data.LOST)
    change = changed(ChangeKind.REMOVED, claim, None, old_application=case.key, fate=fate)
    context.comparison = compared(
        ApplicationChange(kind=ChangeKind.CHANGED, old=case, new=case, objects=(change,))
    )
    run(context, case)
    assert opa.changes() == [
        {
            "version": "1",
            "kind": "change",
            "change": "removed",
            "old": claim,
            "object": None,
            "application": case.manifest,
            "oldApplication": case.manifest,
            "project": {"metadata": {"name": "grid"}},
            "effect": "pruned",
            "effectText": "Argo CD prunes it.",
            "data": "lost",
        }
    ]
    assert opa.asked[-1].resource == "PersistentVolumeClaim grid/data"


def test_without_a_base_no_change_is_asked_about() -> None:
    opa = FakeOpa()
    context, case = set_up(opa, named("Pod", "a"))
    run(context, case)
    assert opa.changes() == []


def test_what_differs_by_noise_alone_is_not_asked_about() -> None:
    opa = FakeOpa()
    context, case = set_up(opa)
    noise = changed(ChangeKind.UNCHANGED, named("Pod", "a"), named("Pod", "a"), noise={"tracking": 1})
    context.comparison = compared(
        ApplicationChange(kind=ChangeKind.UNCHANGED, old=case, new=case, objects=(noise,))
    )
    run(context, case)
    assert opa.changes() == []


def test_a_change_of_the_application_itself_is_asked_about_and_points_into_its_file() -> None:
    opa = FakeOpa({SubjectKind.CHANGE: [Hit(rule=RULE, message="m", pointer="/spec/project")]})
    context, case = set_up(opa)
    before = replace(case, manifest={**case.manifest, "spec": {}})
    fields = (FieldChange(path="spec.project", op="add", new="grid"),)
    context.comparison = compared(
        ApplicationChange(kind=ChangeKind.CHANGED, old=before, new=case, fields=fields)
    )
    result = run(context, case).of(case.key)
    (change,) = opa.changes()
    assert (change["change"], change["old"], change["object"]) == ("changed", before.manifest, case.manifest)
    assert [f.where for f in result.findings] == ["apps/web.yaml:7"]


def test_a_child_that_is_a_case_of_its_own_is_asked_about_once() -> None:
    opa = FakeOpa()
    context, case = set_up(opa)
    text = APPLICATION.replace("name: web", "name: child")
    child = declare(context, text)
    fields = (FieldChange(path="spec.project", op="add", new="grid"),)
    in_parent = changed(ChangeKind.CHANGED, child.manifest, child.manifest)
    in_parent = replace(in_parent, new=replace(in_parent.resource, namespace="argocd"))
    context.comparison = compared(
        ApplicationChange(kind=ChangeKind.CHANGED, old=case, new=case, objects=(in_parent,)),
        ApplicationChange(kind=ChangeKind.CHANGED, old=child, new=child, fields=fields),
    )
    run(context, case, child)
    assert [c["object"]["metadata"]["name"] for c in opa.changes()] == ["child"]


def test_a_removed_application_is_judged_by_what_its_removal_does_alone() -> None:
    opa = FakeOpa({SubjectKind.CHANGE: [Hit(rule=RULE, message="m", pointer="/spec/project")]})
    context, case = set_up(opa, named("Pod", "a"))
    fate = Fate(effect=Effect.DELETED_WITH_APPLICATION, text="gone")
    context.comparison = compared(ApplicationChange(kind=ChangeKind.REMOVED, old=case, new=None, fate=fate))
    result = run(context, case).of(case.key)
    assert [s.kind for s in opa.asked] == [SubjectKind.CHANGE]
    (change,) = opa.changes()
    assert (change["change"], change["object"], change["effect"]) == (
        "removed",
        None,
        "deleted-with-application",
    )
    # Its file may not be there any more: no line of it is looked up.
    assert [f.where for f in result.findings] == ["apps/web.yaml:1"]


def test_an_application_that_cannot_be_compared_is_still_judged() -> None:
    opa = FakeOpa()
    context, case = set_up(opa, named("Pod", "a"))
    context.comparison = compared(ApplicationChange(kind=None, old=case, new=case, unknown="base fails"))
    run(context, case)
    assert [s.kind for s in opa.asked] == [SubjectKind.APPLICATION, SubjectKind.OBJECT]


def test_constraints_get_reviews_of_what_head_has_and_of_what_is_deleted() -> None:
    opa = FakeOpa(reviews=True)
    old, new, gone = named("Pod", "a", spec={"x": 1}), named("Pod", "a", spec={"x": 2}), named("Pod", "gone")
    context, case = set_up(opa, new, named("Pod", "b"))
    pruned = Fate(effect=Effect.PRUNED, text="")
    kept = Fate(effect=Effect.ORPHANED, text="")
    changes = (
        changed(ChangeKind.CHANGED, old, new),
        changed(ChangeKind.REMOVED, gone, None, fate=pruned),
        changed(ChangeKind.REMOVED, named("Pod", "kept"), None, fate=kept),
    )
    context.comparison = compared(
        ApplicationChange(kind=ChangeKind.CHANGED, old=case, new=case, objects=changes)
    )
    run(context, case)
    told = [(s.review.request["name"], s.review.request["operation"]) for s in opa.asked if s.review]
    assert told == [("a", "UPDATE"), ("b", "CREATE"), ("gone", "DELETE")]
    assert set(opa.inventories[case.destination.cluster]["namespace"]["grid"]["v1"]["Pod"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("fail_on", "outcome"), [(Severity.ERROR, Outcome.PASSED), (Severity.WARNING, Outcome.FAILED)]
)
def test_fail_on_says_from_which_severity_on_a_finding_fails(fail_on: Severity, outcome: Outcome) -> None:
    warning = Hit(rule=replace(RULE, severity=Severity.WARNING), message="m")
    info = Hit(rule=replace(RULE, code="info", severity=Severity.INFO), message="i")
    context, case = set_up(FakeOpa({SubjectKind.APPLICATION: [info, warning]}), fail_on=fail_on)
    result = run(context, case).of(case.key)
    assert result.outcome is outcome
    assert result.code == ("some-rule" if outcome is Outcome.FAILED else "")
    assert [f.severity for f in result.findings] == [Severity.INFO, Severity.WARNING]


def test_a_waiver_keeps_a_finding_from_failing() -> None:
    waivers = parse([{"rule": "some-rule", "reason": "known"}])
    context, case = set_up(FakeOpa({SubjectKind.APPLICATION: [Hit(rule=RULE, message="m")]}), waivers=waivers)
    assert run(context, case).of(case.key).outcome is Outcome.PASSED


PROBLEM = not_compiling("x", file="policies/bad.rego", line=3)


def test_policies_that_are_not_asked_are_findings_of_the_repository() -> None:
    context, _ = set_up(FakeOpa(problems=(PROBLEM,)))
    assert policy.survey(context) == (PROBLEM,)


@pytest.mark.parametrize(("strict", "severity"), [(False, Severity.WARNING), (True, Severity.ERROR)])
def test_what_was_not_checked_fails_where_everything_is_to_be_checked(
    strict: bool, severity: Severity
) -> None:
    left = not_checked("x", file="policies/t.yaml", line=1)
    context, _ = set_up(FakeOpa(problems=(left,)), strict=strict)
    assert [f.severity for f in policy.survey(context)] == [severity]


def test_a_waiver_for_a_rule_that_does_not_exist_is_an_error_with_its_line() -> None:
    entries = [{"rule": code, "reason": "r"} for code in ("some-rule", "sone-rule", "some-*", "pod-security")]
    waivers = parse(entries, file="pytest-gitops.yaml", lines=[3, 6, 9, 12])
    context, _ = set_up(FakeOpa(), waivers=waivers)
    (told,) = policy.survey(context)
    assert (told.rule, told.where, told.counts) == ("waiver-unknown-rule", "pytest-gitops.yaml:6", True)
    assert "saw 'sone-rule'; did you mean 'some-rule'?" in told.message


def test_which_rules_there_are_is_not_known_while_a_policy_does_not_compile() -> None:
    context, _ = set_up(FakeOpa(problems=(PROBLEM,)), waivers=parse([{"rule": "gone", "reason": "r"}]))
    assert policy.survey(context) == (PROBLEM,)


def test_what_the_survey_finds_in_an_application_is_part_of_its_judgement() -> None:
    hit = Hit(rule=RULE, message="two of a name", application="argocd/web")
    context, case = set_up(FakeOpa({SubjectKind.REPOSITORY: [hit]}))
    assert policy.survey(context) == ()
    assert run(context, case).of(case.key).code == "some-rule"
