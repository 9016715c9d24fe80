"""Which rules METADATA and names make, without OPA."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.model import Severity
from pytest_gitops.rego.rules import Annotation, Head, Rule, SubjectKind, rules_from


def annotation(*path: str, scope: str = "rule", line: int = 5, custom: Any = None, **text: Any) -> Annotation:
    text = {**text, "custom": custom} if custom is not None else text
    return Annotation(path=path, scope=scope, text=text, file="p/a.rego", line=line, builtin=False)


def head(*path: str, line: int = 9) -> Head:
    return Head(package=path[:-1], name=path[-1], file="p/a.rego", line=line)


def read(annotations: list[Annotation], heads: list[Head]) -> tuple[Rule, ...]:
    reading = rules_from(annotations, heads)
    assert reading.problems == ()
    return reading.rules


def test_a_rule_is_what_its_metadata_says() -> None:
    (rule,) = read(
        [
            annotation(
                "team",
                "owner",
                title="Owner",
                description="Why\nit is.",
                custom={
                    "rule": "owner-label",
                    "subject": "object",
                    "severity": "info",
                    "help": "Add\n a label.",
                },
            )
        ],
        [],
    )
    assert (rule.code, rule.title, rule.severity, rule.subject) == (
        "owner-label",
        "Owner",
        Severity.INFO,
        SubjectKind.OBJECT,
    )
    assert (rule.package, rule.name, rule.where) == (("team",), "owner", "p/a.rego:5")
    assert (rule.help, rule.description, rule.conftest) == ("Add a label.", "Why it is.", False)


def test_code_and_severity_have_defaults_and_the_package_gives_the_subject() -> None:
    package = annotation("team", scope="package", line=1, custom={"subject": "application"})
    (rule,) = read([annotation("team", "owner_label", title="t"), package], [])
    assert (rule.code, rule.severity, rule.subject) == (
        "owner-label",
        Severity.ERROR,
        SubjectKind.APPLICATION,
    )


def test_metadata_without_subject_is_no_rule() -> None:
    assert read([annotation("team", "helper", description="d")], [head("team", "helper")]) == ()


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("deny", Severity.ERROR),
        ("violation", Severity.ERROR),
        ("warn", Severity.WARNING),
        ("deny_latest", Severity.ERROR),
        ("warn_a_b", Severity.WARNING),
    ],
)
def test_conftest_rules_are_known_by_name(name: str, severity: Severity) -> None:
    (rule,) = read([], [head("main", name), head("main", name, line=20), head("main", "other")])
    assert (rule.code, rule.severity, rule.line) == (f"main-{name}".replace("_", "-"), severity, 9)
    assert rule.conftest
    assert rule.excepted is None


def test_names_that_only_begin_like_conftests_are_none() -> None:
    assert read([], [head("main", "denylist"), head("main", "warned"), head("main", "is_deny")]) == ()


def test_a_conftest_rule_can_be_excepted_where_its_package_has_exceptions() -> None:
    rules = read([], [head("main", n) for n in ("deny", "deny_latest", "exception")])
    assert {r.name: r.excepted for r in rules} == {"deny": "", "deny_latest": "latest"}


def test_metadata_describes_a_conftest_rule_as_well() -> None:
    about = annotation("main", "deny", title="No root", custom={"rule": "no-root", "severity": "warning"})
    (rule,) = read([about], [head("main", "deny")])
    assert (rule.code, rule.title, rule.severity, rule.conftest) == (
        "no-root",
        "No root",
        Severity.WARNING,
        True,
    )


@pytest.mark.parametrize(
    ("custom", "message"),
    [
        (
            {"subject": "pod"},
            "p/a.rego:5: custom.subject: expected one of application, object, repository, change, saw 'pod'",
        ),
        (
            {"subject": "object", "severity": "fatal"},
            "p/a.rego:5: custom.severity: expected one of error, warning, info, saw 'fatal'",
        ),
        (
            {"subject": "object", "rule": "Owner_Label"},
            "p/a.rego:5: custom.rule: expected small letters, digits and single dashes, saw 'Owner_Label'",
        ),
        (
            {"rule": "owner"},
            "p/a.rego:5: METADATA of team.owner: expected custom.subject beside custom.rule "
            "(application, object, repository, change), saw none",
        ),
    ],
)
def test_metadata_that_cannot_be_read_is_refused_by_its_place(custom: dict[str, str], message: str) -> None:
    fine = annotation("team", "fine", line=1, custom={"subject": "object"})
    reading = rules_from([annotation("team", "owner", custom=custom), fine], [head("team", "owner")])
    (problem,) = reading.problems
    assert f"{problem.where}: {problem.message}" == message
    assert problem.rule == "policy-invalid" and problem.counts
    assert [rule.name for rule in reading.rules] == ["fine"]


def test_a_code_is_given_once() -> None:
    custom = {"rule": "x", "subject": "object"}
    reading = rules_from(
        [annotation("a", "p", custom=custom), annotation("a", "q", line=8, custom=custom)], []
    )
    (problem,) = reading.problems
    assert (problem.where, problem.message, problem.help) == (
        "p/a.rego:8",
        "rule code 'x': expected a code of its own, it is taken by p/a.rego:5",
        "give one of the two another custom.rule",
    )
    assert [rule.where for rule in reading.rules] == ["p/a.rego:5"]


@pytest.mark.parametrize("name", ["deny_", "deny__a", "deny_a_", "warn-x"])
def test_names_are_conftests_as_conftest_has_them(name: str) -> None:
    assert read([], [head("main", name)]) == ()


def test_a_rule_of_several_parts_knows_them_all() -> None:
    (rule,) = read([], [head("main", "deny"), head("main", "deny", line=20), head("main", "deny", line=30)])
    assert rule.parts == ("p/a.rego:9", "p/a.rego:20", "p/a.rego:30")
