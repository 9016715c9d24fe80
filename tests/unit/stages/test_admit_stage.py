"""admit: what is asked about an Application, and what its findings are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from stage_support import HEAD, URL, Answers, declare, make_context, make_plan

from pytest_gitops.admission.values import UNCONVERTED, Hit, Judgement, Request
from pytest_gitops.argocd.render import NotRendered, Rendered
from pytest_gitops.model import Case, Outcome, Severity
from pytest_gitops.stages import admit
from pytest_gitops.stages.context import Context

FILE = "apiVersion: v1\nkind: Service\nmetadata: {name: other}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hunter2"}}


class FakeAdmission:
    """Says of each request what it is told to."""

    def __init__(self, **said: Sequence[Hit]) -> None:
        self.said = said
        self.asked: tuple[Sequence[Request], Sequence[Request]] = ((), ())

    def judge(self, requests: Sequence[Request], base: Sequence[Request]) -> dict[str, Judgement]:
        self.asked = (requests, base)
        return {
            r.id: Judgement(
                hits=tuple(self.said.get(r.id.rpartition("/")[2], ())),
                objects=3,
                pods=1,
                versions=("1.37.2",),
            )
            for r in requests
        }


def application(name: str, policy: str = "{}", *, destination: str = "namespace: web") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec:\n"
        f"  source: {{repoURL: {URL}, path: web, targetRevision: main}}\n"
        f"  destination: {{server: https://a.example.com, {destination}}}\n  syncPolicy: {policy}\n"
    )


def rendered(*objects: Any) -> Rendered:
    return Rendered(objects=objects, revisions=(HEAD,), source_types=("Directory",), commands=())


def ask(
    context: Context, cases: Sequence[Case], admission: FakeAdmission, *, all_cases: Sequence[Case] = ()
) -> Answers:
    context.plan = make_plan(list(all_cases or cases))
    context.admission = cast(Any, admission)
    answers = Answers()
    admit.run(context, cases, answers)
    return answers


def test_a_finding_is_where_the_object_is_written_or_at_its_application() -> None:
    context = make_context({"web/a.yaml": FILE})
    case = declare(context, application("web"))
    context.renders[case.id] = rendered(SERVICE)
    hits = [
        Hit(
            rule="odd",
            severity=Severity.ERROR,
            message="no",
            resource="Service web/web",
            help="do",
            manifest=SERVICE,
        ),
        Hit(rule="mild", severity=Severity.WARNING, message="hm", manifest=SECRET),
        Hit(rule="whole", severity=Severity.INFO, message="so"),
    ]
    result = ask(context, [case], FakeAdmission(web=hits)).of("argocd/web")
    assert (result.stage, result.outcome, result.code) == ("admit", Outcome.FAILED, "odd")
    assert [(f.rule, f.where) for f in result.findings] == [
        ("odd", "web/a.yaml:5"), ("mild", "apps/web.yaml:1"), ("whole", "apps/web.yaml:1"),
    ]  # fmt: skip
    first = result.findings[0]
    assert (first.severity, first.message, first.resource, first.help) == (
        Severity.ERROR,
        "no",
        "Service web/web",
        "do",
    )
    assert result.evidence == {"objects": 3, "pods": 1, "kubernetes": ["1.37.2"]}


def test_warnings_alone_pass() -> None:
    context = make_context()
    case = declare(context, application("web"))
    context.renders[case.id] = rendered(SERVICE)
    mild = Hit(rule="mild", severity=Severity.WARNING, message="hm")
    assert ask(context, [case], FakeAdmission(web=[mild])).of("argocd/web").outcome is Outcome.PASSED


@pytest.mark.parametrize(("strict", "outcome"), [(False, Outcome.PASSED), (True, Outcome.FAILED)])
def test_what_was_not_asked_fails_where_everything_is_to_be_checked(strict: bool, outcome: Outcome) -> None:
    context = make_context()
    context.settings = replace(context.settings, strict=strict)
    case = declare(context, application("web"))
    context.renders[case.id] = rendered(SERVICE)
    hits = [Hit(rule=r, severity=Severity.WARNING, message="hm") for r in ("mild", UNCONVERTED)]
    assert ask(context, [case], FakeAdmission(web=hits)).of("argocd/web").outcome is outcome


def test_no_message_repeats_what_a_secret_holds() -> None:
    context = make_context()
    case = declare(context, application("web"))
    context.renders[case.id] = rendered(SECRET)
    said = Hit(rule="odd", severity=Severity.ERROR, message="saw hunter2 and aHVudGVyMg==", manifest=SECRET)
    result = ask(context, [case], FakeAdmission(web=[said])).of("argocd/web")
    assert result.findings[0].message == "saw *** and ***"
    assert "hunter2" not in result.message


def test_what_is_asked_says_how_argocd_would_apply_it() -> None:
    context = make_context()
    policy = (
        "{syncOptions: [CreateNamespace=true, ServerSideApply=true, ' Force=true', 3], "
        "managedNamespaceMetadata: {labels: {level: strict, odd: 3}, annotations: {a: b}}}"
    )
    case = declare(context, application("web", policy))
    context.renders[case.id] = rendered(SERVICE)
    asked = admit.request(context, case)
    assert asked == Request(
        id=case.id,
        cluster="https://a.example.com",
        namespace="web",
        objects=(SERVICE,),
        creates=True,
        labels={"level": "strict", "odd": "3"},
        annotations={"a": "b"},
        server_side=True,
        force=True,
    )


def test_odd_sync_policies_are_no_sync_options() -> None:
    for policy in ("{syncOptions: CreateNamespace=true}", "[]", "{managedNamespaceMetadata: {labels: [a]}}"):
        context = make_context()
        asked = admit.request(context, declare(context, application("web", policy)))
        assert (asked.creates, asked.labels, asked.objects) == (False, {}, ())


def test_those_that_are_not_asked_about_are_there_all_the_same() -> None:
    context = make_context()
    web = declare(context, application("web"))
    other = declare(context, application("other"), file="apps/other.yaml")
    broken = declare(context, application("broken"), file="apps/broken.yaml")
    context.renders.update({web.id: rendered(SERVICE), other.id: rendered(SECRET)})
    context.renders[broken.id] = NotRendered(source=0, message="no")
    admission = FakeAdmission()
    answers = ask(context, [web], admission, all_cases=[other, web, broken])
    assert [key for key, _ in answers.given] == ["argocd/web"]
    assert {(r.id, r.asked, len(r.objects)) for r in admission.asked[0]} == {
        (web.id, True, 1), (other.id, False, 1), (broken.id, False, 0),
    }  # fmt: skip


def test_what_the_base_renders_is_given_beside_it() -> None:
    context, base = make_context(), make_context()
    case = declare(context, application("web"))
    old = declare(base, application("old"))
    context.renders[case.id] = rendered(SERVICE)
    base.renders[old.id] = rendered(SECRET)
    base.plan = make_plan([old])
    context.base = base
    admission = FakeAdmission()
    ask(context, [case], admission)
    assert [(r.id, r.objects) for r in admission.asked[1]] == [(old.id, (SECRET,))]
