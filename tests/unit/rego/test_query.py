"""Reading what OPA answered, without OPA."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from pytest_gitops.model import Finding, Severity
from pytest_gitops.rego.constraint import Constraint, Review
from pytest_gitops.rego.inputs import Subject, application_subject, object_subject, repository_subject
from pytest_gitops.rego.module import module
from pytest_gitops.rego.query import Hit, concerned, hits, ordered, question
from pytest_gitops.rego.redact import redact, secret_values
from pytest_gitops.rego.rules import Rule, SubjectKind

MARKER = "the-marker-value"

RULE = Rule(
    code="r",
    title="Title",
    severity=Severity.ERROR,
    subject=SubjectKind.OBJECT,
    package=("team",),
    name="r",
    file="p/a.rego",
    line=3,
)
APPLICATION = {
    "kind": "Application",
    "metadata": {"name": "a", "namespace": "argocd"},
    "spec": {"destination": {"namespace": "grid"}},
}


def subject(name: str, **more: Any) -> Subject:
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, **more}
    return object_subject(manifest, application=APPLICATION)


def judged(values: Any, *, rule: Rule = RULE, about: Subject | None = None) -> tuple[Hit, ...]:
    part = "manifest" if rule.conftest else "object"
    (found,) = hits({part: {"0": {"0": values}}}, [rule], question([about or subject("p")], [rule]))
    return ordered(found)


def test_answers_go_back_to_their_subjects_whatever_the_order_of_kinds() -> None:
    subjects = [subject("a"), application_subject(APPLICATION, project=None), subject("b")]
    of_application = replace(RULE, subject=SubjectKind.APPLICATION)
    answer = {"object": {"1": {"0": ["x"]}}, "application": {"0": {"1": ["y"]}}}
    rules = [RULE, of_application]
    asked = question(subjects, rules)
    first, second, third = hits(answer, rules, asked)
    assert first == []
    assert [(h.message, h.resource) for h in second] == [("y", "Application argocd/a")]
    assert [(h.message, h.resource) for h in third] == [("x", "Pod grid/b")]
    assert [len(asked.document[kind]) for kind in ("object", "application")] == [2, 1]


def test_hits_are_sorted_and_told_once() -> None:
    assert [h.message for h in judged(["b", "a", {"msg": "b"}])] == ["a", "b"]


def test_an_objects_fields_are_taken() -> None:
    (hit,) = judged(
        [
            {
                "msg": "m",
                "resource": "Service x/y",
                "pointer": "/spec",
                "file": "f.yaml",
                "line": 4,
                "details": {},
            }
        ]
    )
    assert hit == Hit(rule=RULE, message="m", resource="Service x/y", pointer="/spec", file="f.yaml", line=4)


def test_a_finding_stands_where_the_rule_says_or_else_at_its_subject() -> None:
    rule = replace(RULE, help="Repair it.")
    hit = Hit(rule=rule, message="m", resource="Pod n/p")
    assert hit.finding(file="a.yaml", line=3) == Finding(
        rule="r",
        severity=Severity.ERROR,
        message="m",
        file="a.yaml",
        line=3,
        resource="Pod n/p",
        help="Repair it.",
    )
    assert replace(hit, file="b.yaml", line=7).finding(file="a.yaml", line=3).where == "b.yaml:7"
    assert replace(hit, file="b.yaml").finding(file="a.yaml", line=3).where == "b.yaml"


def test_a_rule_that_is_only_true_is_told_by_its_title() -> None:
    assert [h.message for h in judged(True)] == ["Title"]


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ([3], "a number or null"),
        (7, "a number or null"),
        ([{"message": MARKER}], "an object without a text `msg`"),
        ([[MARKER]], "an array"),
        ([{"msg": 3}], "an object without a text `msg`"),
    ],
)
def test_an_answer_of_the_wrong_shape_names_the_rule_and_shows_no_value(values: Any, seen: str) -> None:
    (hit,) = judged(values)
    assert hit.message == ("rule r: expected a set of texts or of objects with a text `msg`, saw " + seen)
    assert (hit.rule.code, hit.file, hit.line) == ("policy-wrong-shape", "p/a.rego", 3)
    assert hit.finding().counts


def test_a_wrong_answer_does_not_hide_the_right_ones() -> None:
    assert [h.message[:6] for h in judged(["fine", 3])] == ["rule r", "fine"]


def test_a_conftest_result_without_a_message_has_passed() -> None:
    of_conftest = replace(RULE, conftest=True)
    assert [h.message for h in judged(["", {"msg": ""}, "x"], rule=of_conftest)] == ["x"]
    assert [h.message for h in judged([""])] == [""]


def test_a_users_rule_cannot_say_a_secrets_value() -> None:
    encoded = base64.b64encode(MARKER.encode()).decode()
    secret = object_subject(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "data": {"password": encoded},
            "stringData": {"other": "another-value"},
        },
        application=APPLICATION,
    )
    said = f"saw {MARKER}, {encoded} and another-value"
    (hit,) = judged([{"msg": said, "resource": f"Secret {MARKER}"}], about=secret)
    assert hit.message == "saw ***, *** and ***"
    assert hit.resource == "Secret ***"


def test_secrets_are_found_anywhere_in_a_document() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": MARKER, "short": "abc"}}
    whole = repository_subject([], projects=[], secrets=[])
    assert secret_values(whole.input) == frozenset()
    values = secret_values({"all": {"applications": [{"objects": [secret]}]}})
    assert MARKER in values
    assert "abc" not in values
    assert redact(f"x {MARKER} abc", values) == "x *** abc"


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "grid", "b": "grid-of-omega"}}
    assert redact("x grid-of-omega x grid", secret_values(secret)) == "x *** x ***"


@pytest.mark.parametrize(
    ("manifest", "title"),
    [
        ({"kind": "Pod", "metadata": {"name": "p", "namespace": "n"}}, "Pod n/p"),
        ({"kind": "Pod", "metadata": {"name": "p"}}, "Pod grid/p"),
        ({"kind": "ClusterRole", "metadata": {"name": "r"}}, "ClusterRole r"),
        ({"kind": "Job", "metadata": {"generateName": "j-"}}, "Job grid/j-"),
        ({"kind": "Pod", "metadata": None}, "Pod grid/"),
        ({}, "Object grid/"),
    ],
)
def test_an_object_is_named_by_kind_and_where_it_will_be(manifest: dict[str, Any], title: str) -> None:
    assert object_subject(manifest, application=APPLICATION).resource == title


def test_every_rule_is_asked_on_its_subject_only() -> None:
    text = module([RULE, replace(RULE, code="c", name="deny", package=("main",), conftest=True)])
    # Once with all others, and once alone.
    assert text.count('data["team"]["r"]') == 2
    assert text.count('data["main"]["deny"]') == 2
    assert (
        text.index('data["team"]["r"]') < text.index("all_manifest :=") < text.index('data["main"]["deny"]')
    )


CONSTRAINT = replace(
    RULE, code="k-c", constraint=Constraint(kind="K", name="c", match={"kinds": [{"kinds": ["Pod"]}]})
)


def reviewed(kind: str, **match: Any) -> Subject:
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "grid"}}
    review = Review(request={"object": manifest, "namespace": "grid", "operation": "CREATE"}, cluster="here")
    return object_subject(manifest, application=APPLICATION, review=review)


def test_a_constraint_is_asked_about_what_it_matches_only() -> None:
    subjects = [reviewed("Service"), reviewed("Pod"), subject("without a review")]
    asked = question(subjects, [RULE, CONSTRAINT], {"here": {"cluster": {}}, "elsewhere": {}})
    (entry,) = asked.document["review"]
    assert (entry["constraints"], entry["cluster"]) == ({"1": True}, "here")
    assert asked.document["inventories"] == {"here": {"cluster": {}}}
    assert concerned(1, CONSTRAINT, asked) == [1]
    assert concerned(0, RULE, asked) == [0, 1, 2]
    found = hits({"review": {"0": {"1": [{"msg": "m", "details": {}}]}}}, [RULE, CONSTRAINT], asked)
    assert [[h.message for h in each] for each in found] == [[], ["m"], []]


def test_a_namespace_that_is_not_known_is_said() -> None:
    selector = {"namespaceSelector": {"matchLabels": {"team": "grid"}}}
    constraint = Constraint(kind="K", name="c", match=selector)
    rule = replace(CONSTRAINT, constraint=constraint)
    asked = question([reviewed("Pod")], [rule])
    assert asked.document["review"] == []
    ((hit,),) = hits({}, [rule], asked)
    assert (hit.rule.code, hit.rule.severity, hit.finding().where) == (
        "policy-not-checked",
        Severity.WARNING,
        "p/a.rego:3",
    )
    assert "namespace grid, whose manifest is not in the repository" in hit.message


def test_rules_can_be_left_out_of_a_question() -> None:
    assert question([subject("p")], [RULE]).skipping([3, 1])["skip"] == {"3": True, "1": True}


def test_our_own_rules_are_never_left_out_nor_asked_alone() -> None:
    text = module([replace(RULE, builtin=True)])
    assert "gitops_skip" not in text
    assert "rule_0" not in text
