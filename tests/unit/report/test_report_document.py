from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from report_documents import case, grid, large, nasty, run, small, stage

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding, Outcome, Run, Severity, Verdict, Waiver
from pytest_gitops.report import document, schema


@pytest.mark.parametrize("make", [small, grid, nasty, run, lambda: large(20, 100, 100)])
def test_every_document_fits_the_published_schema(make: Callable[[], Run]) -> None:
    schema.validate(document.build(make()))


@pytest.mark.parametrize(
    ("place", "member"),
    [
        ([], "extra"),
        (["run"], "extra"),
        (["applications", 0], "extra"),
        (["applications", 0, "stages", 0], "extra"),
    ],
)
def test_the_schema_refuses_members_it_does_not_know(place: list[Any], member: str) -> None:
    built = document.build(small())
    target: Any = built
    for step in place:
        target = target[step]
    target[member] = 1
    with pytest.raises(ConfigError, match=r"report\.json: .*'extra' was unexpected.*report\.schema\.json"):
        schema.validate(built)


def test_the_schema_error_names_the_member() -> None:
    built = document.build(small())
    built["applications"][0]["stages"][1]["outcome"] = "fine"
    with pytest.raises(
        ConfigError, match=r"part 1: applications\[0\]\.stages\[1\]\.outcome: 'fine' is not one of"
    ):
        schema.validate(built, where="part 1")


def test_the_order_of_verdicts_does_not_show() -> None:
    first = grid()
    second = dataclasses.replace(
        first, verdicts=tuple(reversed(first.verdicts)), hosts=tuple(reversed(first.hosts))
    )
    assert document.to_json(document.build(first)) == document.to_json(document.build(second))


def test_stages_are_in_the_order_of_the_pipeline() -> None:
    made = grid()
    oracle = made.verdicts[1]
    turned = dataclasses.replace(oracle, stages=tuple(reversed(oracle.stages)))
    [application] = document.build(dataclasses.replace(made, verdicts=(turned,)))["applications"]
    assert [s["stage"] for s in application["stages"]] == ["source", "render", "policy", "converge"]


def test_arranging_leaves_its_input_alone() -> None:
    built = document.build(grid())
    built["applications"].reverse()
    before = json.dumps(built)
    document.arranged(built)
    assert json.dumps(built) == before


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, "a"), [1, "a"]),
        ({"b", "a"}, ["a", "b"]),
        (float("nan"), None),
        (float("inf"), None),
        (date(2026, 8, 14), "2026-08-14"),
        (datetime(2026, 8, 14, 9, 0), "2026-08-14T09:00:00"),  # YAML reads timestamps as these
        (b"\x00\x01", "(2 bytes)"),
        (Path("a/b"), "a/b"),
        ({1: {"x": (None, True)}}, {"1": {"x": [None, True]}}),
        ("lone \udcff surrogate", "lone \ufffd surrogate"),
        ("\x1b[31mred\x1b[0m\r\n\u202eback", "red\n\ufffdback"),
    ],
)
def test_evidence_of_any_type_becomes_json(value: object, expected: object) -> None:
    assert document.plain(value) == expected


def test_the_json_text_reads_back_as_the_document() -> None:
    built = document.build(nasty())
    assert json.loads(document.to_json(built)) == built


def test_the_summary_counts_what_is_there() -> None:
    def finding(severity: Severity, waiver: Waiver | None = None) -> Finding:
        return Finding(rule="r", severity=severity, message="m", waiver=waiver)

    warning, waived = finding(Severity.WARNING), finding(Severity.ERROR, Waiver(reason="known"))
    made = run(
        Verdict(
            case=case("one"),
            stages=(stage("source", findings=(warning, waived)), stage("render", Outcome.SKIPPED)),
        ),
        Verdict(
            case=case("two"),
            stages=(stage("source", Outcome.FAILED, findings=(finding(Severity.ERROR),)),),
        ),
        Verdict(case=case("three")),
        findings=(warning,),
    )
    assert document.build(made)["summary"] == {
        "applications": 3,
        "outcomes": {"passed": 1, "failed": 1, "error": 0, "skipped": 1},
        "stages": {"passed": 1, "failed": 1, "error": 0, "skipped": 1},
        "scenarios": {"passed": 0, "failed": 0, "error": 0, "skipped": 0},
        "findings": {"error": 1, "warning": 2, "info": 0, "waived": 1},
    }
