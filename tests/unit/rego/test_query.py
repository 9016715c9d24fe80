"""Reading what OPA answered, without OPA."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding, Severity
from pytest_gitops.rego.inputs import Subject, application_subject, object_subject, repository_subject
from pytest_gitops.rego.query import Hit, documents, hits, module
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
    (found,) = hits({"object": {"0": {"0": values}}}, [rule], [about or subject("p")])
    return found


def test_answers_go_back_to_their_subjects_whatever_the_order_of_kinds() -> None:
    subjects = [subject("a"), application_subject(APPLICATION, project=None), subject("b")]
    of_application = replace(RULE, subject=SubjectKind.APPLICATION)
    answer = {"object": {"1": {"0": ["x"]}}, "application": {"0": {"1": ["y"]}}}
    first, second, third = hits(answer, [RULE, of_application], subjects)
    assert first == ()
    assert [(h.message, h.resource) for h in second] == [("y", "Application argocd/a")]
    assert [(h.message, h.resource) for h in third] == [("x", "Pod grid/b")]
    assert [len(d) for d in documents(subjects).values()] == [2, 1]


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
    with pytest.raises(ConfigError) as error:
        judged(values)
    assert str(error.value) == (
        "p/a.rego:3: rule r: expected a set of texts or of objects with a text `msg`, saw " + seen
    )


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
    assert text.count('data["team"]["r"]') == 1
    assert text.count('data["main"]["deny"]') == 1
    assert (
        text.index('data["team"]["r"]') < text.index("all_manifest :=") < text.index('data["main"]["deny"]')
    )
