"""Waivers, without a process and on a date of our own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding, Severity, Waiver
from pytest_gitops.settings.waivers import WaiverEntry, apply, counts, expired, parse, unknown, unused

TODAY = date(2030, 6, 15)


def finding(rule: str = "limits-missing", resource: str = "Deployment news/web") -> Finding:
    return Finding(rule=rule, severity=Severity.ERROR, message="m", resource=resource)


def entry(**fields: object) -> WaiverEntry:
    (parsed,) = parse([{"rule": "limits-missing", "reason": "known", **fields}], file="c.yaml", lines=[7])
    return parsed


def waived(waiver: WaiverEntry, *, rule: str = "limits-missing", application: str = "argocd/news") -> bool:
    (after,) = apply([finding(rule)], [waiver], application=application, today=TODAY)
    return after.waiver is not None


def test_a_waiver_carries_its_reason_and_date_and_leaves_the_severity() -> None:
    (after,) = apply([finding()], [entry(expires="2030-12-31")], application="argocd/news", today=TODAY)
    assert after.waiver == Waiver(reason="known", expires="2030-12-31")
    assert after.severity is Severity.ERROR
    assert not after.counts


def test_a_waiver_without_date_holds_for_good() -> None:
    (after,) = apply([finding()], [entry()], application="argocd/news", today=date(2999, 1, 1))
    assert after.waiver == Waiver(reason="known")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"rule": "limits-*"}, True),
        ({"rule": "requests-missing"}, False),
        ({"application": "argocd/*"}, True),
        ({"application": "*/news"}, True),
        ({"application": "news"}, False),
        ({"object": "Deployment news/*"}, True),
        ({"object": "Deployment */web"}, True),
        ({"object": "StatefulSet *"}, False),
        ({"application": "argocd/news", "object": "deployment news/web"}, False),
    ],
)
def test_a_waiver_covers_what_all_its_patterns_match(fields: dict[str, str], expected: bool) -> None:
    assert waived(entry(**fields)) is expected


@pytest.mark.parametrize(("expires", "expected"), [("2030-06-15", True), ("2030-06-14", False)])
def test_a_waiver_holds_through_its_last_day(expires: str, expected: bool) -> None:
    assert waived(entry(expires=expires)) is expected


def test_the_first_waiver_that_holds_is_shown() -> None:
    waivers = [entry(reason="old", expires="2030-01-01"), entry(reason="first"), entry(reason="second")]
    (after,) = apply([finding()], waivers, application="a/b", today=TODAY)
    assert after.waiver == Waiver(reason="first")


def test_an_expired_waiver_is_an_error_that_names_it() -> None:
    waiver = entry(expires="2030-06-14", application="argocd/news")
    (said,) = expired([waiver, entry(expires="2030-06-15")], today=TODAY)
    assert (said.rule, said.severity, said.where) == ("waiver-expired", Severity.ERROR, "c.yaml:7")
    expected = "waiver limits-missing for argocd/news: it expired on 2030-06-14 (reason: known)"
    assert said.message == expected


@pytest.mark.parametrize(
    ("head", "severity"),
    [
        ([], Severity.WARNING),
        ([entry(expires="2030-09-01")], Severity.WARNING),
        ([entry(expires="2030-06-14", reason="another")], Severity.ERROR),
        (None, Severity.ERROR),
    ],
)
def test_an_expired_waiver_of_base_does_not_keep_out_what_repairs_it(head: Any, severity: Severity) -> None:
    (said,) = expired([entry(expires="2030-06-14")], today=TODAY, head=head)
    assert said.severity is severity
    assert ("head does not have it any more" in said.message) is (severity is Severity.WARNING)


def test_an_unused_waiver_is_told_after_a_complete_run() -> None:
    (said,) = unused([entry()], [("argocd/news", finding("privileged"))], today=TODAY)
    assert (said.rule, said.severity) == ("waiver-unused", Severity.INFO)
    assert said.message == "waiver limits-missing: expected a finding that it covers, saw none"


def test_nothing_is_said_of_a_waiver_that_is_used_or_already_told_to_be_expired() -> None:
    assert unused([entry()], [("argocd/news", finding())], today=TODAY) == ()
    assert unused([entry(expires="2030-06-14")], [], today=TODAY) == ()


def test_a_waiver_hides_nothing_that_is_said_about_waivers() -> None:
    assert not waived(entry(rule="*"), rule="waiver-expired")
    assert waived(entry(rule="*"), rule="privileged")


def test_a_date_that_yaml_has_read_is_taken() -> None:
    assert entry(expires=date(2030, 1, 2)).expires == date(2030, 1, 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reason": " "}, "c.yaml:7: waiver 1: reason: expected a text, saw ' '"),
        ({"rule": None}, "c.yaml:7: waiver 1: rule: expected a text, saw None"),
        (
            {"expires": "soon"},
            "c.yaml:7: waiver 1: expires: expected a date such as 2030-12-31, saw 'soon'",
        ),
        (
            {"until": "2030-01-01"},
            "c.yaml:7: waiver 1: unknown field 'until'. "
            "Known ones: rule, application, object, reason, expires",
        ),
    ],
)
def test_a_wrong_waiver_is_refused_by_its_place(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        entry(**fields)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("rule", "exists"),
    [
        ("limits-missing", True),
        ("limits-*", True),
        ("*", True),
        ("claim-missing", True),
        ("limit-missing", True),
        ("limits", False),
        ("nothing-*", False),
    ],
)
def test_a_waiver_names_a_rule_that_exists(rule: str, exists: bool) -> None:
    told = unknown([entry(rule=rule)], ["limits-missing"], others=["*-missing"])
    assert (told == ()) is exists
    assert all(f.rule == "waiver-unknown-rule" and f.where == "c.yaml:7" and f.counts for f in told)


def test_an_unknown_rule_is_told_with_one_that_is_spelled_alike() -> None:
    (told,) = unknown([entry(rule="limits-mising", application="argocd/x")], ["limits-missing"])
    assert told.message == (
        "waiver limits-mising for argocd/x: expected the code of a rule, saw 'limits-mising'; "
        "did you mean 'limits-missing'?"
    )


@pytest.mark.parametrize("fail_on", Severity)
@pytest.mark.parametrize("severity", Severity)
def test_what_is_as_bad_as_fail_on_counts_unless_waived(severity: Severity, fail_on: Severity) -> None:
    order = [Severity.INFO, Severity.WARNING, Severity.ERROR]
    one = replace(finding(), severity=severity)
    assert counts(one, fail_on) is (order.index(severity) >= order.index(fail_on))
    assert not counts(replace(one, waiver=Waiver(reason="r")), fail_on)


def test_a_waiver_cannot_hide_that_another_ones_rule_is_unknown() -> None:
    assert not waived(entry(rule="*"), rule="waiver-unknown-rule")
