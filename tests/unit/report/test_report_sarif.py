"""review.sarif: one rule for each code, places in the source, stable fingerprints, waivers, GitHub's limits."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from change_documents import shop
from report_documents import case, grid, large, nasty, run, small, stage

from pytest_gitops.model import Finding, Outcome, Run, Severity, Verdict
from pytest_gitops.report import document, sarif


def _log(made: Run) -> dict[str, Any]:
    [log] = json.loads(sarif.render(document.build(made)))["runs"]
    return dict(log)


@cache
def _shop() -> dict[str, Any]:
    return _log(shop())


def _results(log: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {r["ruleId"]: r for r in log["results"]}


def _one(finding: Finding, **other: Any) -> Run:
    return run(
        Verdict(
            case=case("omega-x", file="apps/x.yaml", line=3), stages=(stage("policy", findings=(finding,)),)
        ),
        **other,
    )


FOUND = Finding(
    rule="image-tag-mutable",
    severity=Severity.WARNING,
    message="Container a uses x:latest",
    file="charts/x/values.yaml",
    line=22,
    resource="Deployment prod/a",
    help="Pin a version",
)


def test_each_rule_has_one_descriptor_with_its_help_and_results_point_at_it() -> None:
    log = _log(_one(FOUND, findings=(FOUND, replace(FOUND, severity=Severity.ERROR))))
    [rule] = log["tool"]["driver"]["rules"]
    assert rule == {
        "id": "image-tag-mutable",
        "name": "ImageTagMutable",
        "shortDescription": {"text": "Image tag mutable"},
        "help": {"text": "Pin a version"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["gitops", "argocd"]},
    }
    assert {(r["ruleId"], r["ruleIndex"]) for r in log["results"]} == {("image-tag-mutable", 0)}


@pytest.mark.parametrize(
    ("severity", "level"), [("error", "error"), ("warning", "warning"), ("info", "note")]
)
def test_severity_becomes_level(severity: str, level: str) -> None:
    [result] = _log(_one(replace(FOUND, severity=Severity(severity))))["results"]
    assert result["level"] == level


def test_a_result_is_at_the_source_file_and_line() -> None:
    [result] = _log(_one(FOUND))["results"]
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "charts/x/values.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 22},
            },
            "logicalLocations": [{"fullyQualifiedName": "Deployment prod/a", "kind": "resource"}],
        }
    ]
    assert result["properties"] == {"applications": ["argocd/omega-x"], "place": "source"}
    assert (
        result["message"]["text"]
        == "Deployment prod/a: Container a uses x:latest (1 Application: argocd/omega-x)"
    )


def test_where_only_the_application_is_known_that_is_said() -> None:
    near = replace(FOUND, file="apps/x.yaml", line=3)
    [result] = _log(_one(near))["results"]
    assert result["properties"]["place"] == "application"
    assert "[the place is the Application's" in result["message"]["text"]
    [own] = _log(_one(replace(near, resource="Application argocd/omega-x")))["results"]
    assert own["properties"]["place"] == "source"


def test_what_base_had_is_marked_as_not_of_head() -> None:
    built = document.build(shop())
    for application in built["applications"]:
        if application["name"] == "legacy":
            application["stages"][2]["findings"] = [{**FOUND.to_dict(), "file": "clusters/prod/legacy.yaml"}]
    [log] = json.loads(sarif.render(built))["runs"]
    assert _results(log)["image-tag-mutable"]["properties"]["revision"] == "base"
    assert "revision" not in _results(log)["claim-removed"]["properties"]


@pytest.mark.parametrize("file", ["/etc/passwd", "../x.yaml", "a/../../x.yaml", ""])
def test_nothing_outside_the_repository_is_pointed_at(file: str) -> None:
    [result] = _log(_one(replace(FOUND, file=file)))["results"]
    assert result["locations"] == []


def test_names_of_files_are_written_as_a_uri() -> None:
    [result] = _log(_one(replace(FOUND, file="a b/ü#1.yaml")))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/%C3%BC%231.yaml"


def _prints(made: Run) -> list[str]:
    return [r["partialFingerprints"]["primaryLocationLineHash"] for r in _log(made)["results"]]


def test_a_fingerprint_stays_when_lines_move_and_differs_otherwise() -> None:
    [before] = _prints(_one(replace(FOUND, message="charts/x/values.yaml:22: bad at line 7")))
    [after] = _prints(_one(replace(FOUND, line=99, message="charts/x/values.yaml:99: bad at line 84")))
    assert before == after
    for other in (
        {"rule": "x"},
        {"file": "y.yaml"},
        {"resource": "Deployment prod/b"},
        {"message": "port 23 is bad"},
    ):
        assert before not in _prints(_one(replace(FOUND, **other)))  # type: ignore[arg-type]


def test_results_that_look_alike_have_fingerprints_of_their_own() -> None:
    twice = (replace(FOUND, line=1), replace(FOUND, line=2))
    prints = _prints(_one(FOUND, findings=twice))
    assert len(prints) == len(set(prints)) == 3


def test_a_waived_finding_is_suppressed_with_its_reason_and_the_others_are_not() -> None:
    results = _results(_shop())
    assert results["network-policy-removed"]["suppressions"] == [
        {"kind": "external", "justification": "The mesh does it now (until 2027-01-31)"}
    ]
    assert results["claim-removed"]["suppressions"] == []
    assert _shop()["results"][-1]["ruleId"] == "network-policy-removed"


def test_a_failure_without_findings_is_a_result_too() -> None:
    made = run(
        Verdict(
            case=case("omega-x"),
            stages=(stage("render", Outcome.FAILED, code="no-chart", message="x is missing\nmore"),),
        )
    )
    [result] = _log(made)["results"]
    assert (result["ruleId"], result["level"], result["properties"]["place"]) == (
        "no-chart",
        "error",
        "application",
    )
    assert result["message"]["text"].startswith("Application argocd/omega-x: x is missing (1 Application")


def test_what_could_not_be_checked_is_a_notification() -> None:
    [invocation] = _shop()["invocations"]
    assert invocation["executionSuccessful"] is True
    [told] = invocation["toolExecutionNotifications"]
    assert (told["level"], told["descriptor"]["id"]) == ("warning", "not-compared")
    [broken] = _log(run(error="etcd ended"))["invocations"]
    assert broken == {
        "executionSuccessful": False,
        "toolExecutionNotifications": [
            {"level": "error", "descriptor": {"id": "engine"}, "message": {"text": "etcd ended"}}
        ],
    }


def test_stages_on_a_cluster_are_not_part_of_the_review() -> None:
    assert "never-healthy" not in _results(_log(grid()))


def test_text_of_a_repository_becomes_no_link() -> None:
    assert "](" not in sarif.render(document.build(nasty()))


def test_more_results_than_github_takes_are_cut_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 40)
    built = document.build(large(applications=9, objects=9, findings=108))
    [log] = json.loads(sarif.render(built))["runs"]
    assert len(log["results"]) == 40
    assert {r["level"] for r in log["results"][:36]} == {"error"}  # the least severe is what goes
    assert log["invocations"][0]["toolExecutionNotifications"][-1] == {
        "level": "warning",
        "descriptor": {"id": "results-left-out"},
        "message": {"text": f"{9 * 12 - 40} results left out here: see report.json"},
    }


def test_a_file_that_is_too_large_for_github_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_BYTES", 2_000)
    built = document.build(large(applications=9, objects=9, findings=108))
    text = sarif.render(built)
    assert len(gzip.compress(text.encode())) <= 2_000
    assert "results left out here" in text


@pytest.mark.parametrize("make", [small, grid, nasty, shop])
def test_what_is_required_is_there(make: Any) -> None:
    log = _log(make())
    ids = [r["id"] for r in log["tool"]["driver"]["rules"]]
    assert ids == sorted(set(ids))
    assert all(ids[r["ruleIndex"]] == r["ruleId"] and r["message"]["text"] for r in log["results"])
