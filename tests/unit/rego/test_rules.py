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


def test_what_conftest_would_ask_is_ours_in_a_package_that_gives_the_subject() -> None:
    package = annotation(
        "team",
        scope="package",
        line=1,
        custom={"subject": "object", "help": "Ask us.", "severity": "warning"},
    )
    rules = read(
        [package],
        [head("team", n) for n in ("deny", "helper", "exception")] + [head("main", "deny", line=30)],
    )
    theirs, ours = rules
    assert (theirs.code, theirs.conftest) == ("main-deny", True)
    assert (ours.code, ours.severity, ours.subject, ours.help, ours.where) == (
        "team-deny",
        Severity.WARNING,
        SubjectKind.OBJECT,
        "Ask us.",
        "p/a.rego:9",
    )
    assert (ours.conftest, ours.excepted) == (False, None)


def test_namespaces_choose_among_conftests_rules_only() -> None:
    package = annotation("team", scope="package", line=1, custom={"subject": "object"})
    heads = [head(package, "deny") for package in ("main", "other", "team")]
    rules = rules_from([package], heads, namespaces=["m*"]).rules
    assert [r.code for r in rules] == ["main-deny", "team-deny"]


def test_a_conftest_name_keeps_its_severity_in_a_package_that_gives_the_subject_alone() -> None:
    package = annotation("team", scope="package", line=1, custom={"subject": "object"})
    rules = read([package], [head("team", n) for n in ("deny", "warn_x")])
    assert [(r.code, r.severity) for r in rules] == [
        ("team-deny", Severity.ERROR),
        ("team-warn-x", Severity.WARNING),
    ]


TWO = [
    ("severity", "error", "info"),
    ("rule", "a", "b"),
    ("subject", "object", "application"),
    ("help", "Do this.", "Do that."),
]


@pytest.mark.parametrize(("word", "first", "second"), TWO)
def test_blocks_of_one_rule_that_say_different_things_are_refused_at_the_second(
    word: str, first: str, second: str
) -> None:
    said = {"rule": "a", "subject": "object", "severity": "error", "help": "Do this."}
    blocks = [
        annotation("team", "forbidden", custom={**said, word: first}),
        annotation("team", "forbidden", line=20, custom={**said, word: second}),
    ]
    reading = rules_from(blocks, [])
    (problem,) = reading.problems
    assert (problem.rule, problem.counts, problem.where) == ("policy-invalid", True, "p/a.rego:20")
    assert problem.message == (
        f"METADATA of team.forbidden: expected custom.{word} {first!r}, as at p/a.rego:5, saw {second!r}: "
        "nobody can tell which part of a rule an answer is of"
    )
    assert (
        problem.help
        == "say the same in both, say it once (scope: document), or give the part a name of its own"
    )
    assert reading.rules == ()


def test_a_part_without_severity_is_an_error_and_not_what_another_part_is() -> None:
    advice = {"rule": "team-advice", "subject": "object", "severity": "info"}
    rest = {"rule": "team-advice", "subject": "object"}
    for first, second in ((advice, rest), (rest, advice)):
        reading = rules_from(
            [annotation("team", "r", custom=first), annotation("team", "r", line=8, custom=second)], []
        )
        (problem,) = reading.problems
        assert "custom.severity" in problem.message
        assert reading.rules == ()


def test_titles_of_blocks_differ_no_more_than_the_rest() -> None:
    custom = {"subject": "object"}
    blocks = [
        annotation("team", "r", custom=custom, title="A"),
        annotation("team", "r", line=8, custom=custom, title="B"),
    ]
    (problem,) = rules_from(blocks, []).problems
    assert "expected title 'A', as at p/a.rego:5, saw 'B'" in problem.message


def test_blocks_of_conftests_rules_are_compared_too() -> None:
    blocks = [
        annotation("main", "deny", custom={"severity": "warning"}),
        annotation("main", "deny", line=20, custom={"rule": "no-host-network", "severity": "error"}),
    ]
    reading = rules_from(blocks, [head("main", "deny"), head("main", "deny", line=20)])
    (problem,) = reading.problems
    assert (problem.rule, problem.where) == ("policy-invalid", "p/a.rego:20")
    assert "expected custom.rule 'main-deny', as at p/a.rego:5, saw 'no-host-network'" in problem.message
    assert reading.rules == ()


def test_blocks_that_agree_are_one_rule() -> None:
    custom = {"rule": "x", "subject": "object", "severity": "warning"}
    (rule,) = read(
        [
            annotation("team", "r", custom=custom),
            annotation("team", "r", line=8, custom=custom, description="More."),
        ],
        [],
    )
    assert (rule.code, rule.line) == ("x", 5)


def test_a_block_that_only_describes_its_part_takes_nothing_from_the_rule() -> None:
    custom = {"rule": "x", "subject": "object", "severity": "warning"}
    (rule,) = read(
        [
            annotation("team", "r", title="One part"),
            annotation("team", "r", line=8, custom=custom, title="X"),
        ],
        [],
    )
    assert (rule.code, rule.severity, rule.title) == ("x", Severity.WARNING, "X")


def test_parts_of_conftests_rule_that_are_only_described_are_one_rule() -> None:
    other = {"short_name": "no_root"}  # of somebody else's tool
    (rule,) = read(
        [annotation("main", "deny", title="A", custom=other), annotation("main", "deny", line=20, title="B")],
        [head("main", "deny"), head("main", "deny", line=20)],
    )
    assert (rule.code, rule.title, rule.parts) == ("main-deny", "main.deny", ("p/a.rego:9", "p/a.rego:20"))


def test_a_block_for_the_document_holds_for_every_part() -> None:
    document = annotation(
        "team",
        "r",
        scope="document",
        title="R",
        custom={"rule": "x", "subject": "object", "severity": "warning"},
    )
    part = annotation("team", "r", line=8, title="A part")
    (rule,) = read([document, annotation("team", "r", title="Its first"), part], [])
    assert (rule.code, rule.severity, rule.title) == ("x", Severity.WARNING, "R")
    weaker = annotation("team", "r", line=12, custom={"severity": "info"})
    (problem,) = rules_from([document, part, weaker], []).problems
    assert problem.where == "p/a.rego:12"
    assert "expected custom.severity 'warning', as at p/a.rego:5, saw 'info'" in problem.message


def test_in_a_package_with_a_subject_every_block_is_compared() -> None:
    package = annotation("team", scope="package", line=1, custom={"subject": "object"})
    blocks = [
        annotation("team", "r", description="An error, by default."),
        annotation("team", "r", line=8, custom={"severity": "info"}),
    ]
    (problem,) = rules_from([package, *blocks], []).problems
    assert "expected custom.severity 'error', as at p/a.rego:5, saw 'info'" in problem.message


def test_a_part_that_has_words_of_a_rule_and_no_subject_is_refused() -> None:
    blocks = [
        annotation("team", "r", custom={"subject": "object", "severity": "info"}),
        annotation("team", "r", line=8, custom={"severity": "error"}),
    ]
    (problem,) = rules_from(blocks, []).problems
    assert problem.where == "p/a.rego:8"


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
