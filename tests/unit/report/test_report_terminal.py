from __future__ import annotations

import dataclasses
import re

import pytest
from report_documents import grid, large, nasty, run, small

from pytest_gitops.model import Finding, Run, Severity
from pytest_gitops.report import document
from pytest_gitops.report.terminal import summary

REPORTS = ["gitops-report/index.html", "gitops-report/review.md"]


def _lines(made: Run) -> list[tuple[str, str]]:
    return summary(document.build(made), reports=REPORTS)


def test_a_green_run_is_told_in_three_lines() -> None:
    assert _lines(small()) == [
        ("1 Application: 1 passed in 12 s (Argo CD 3.6.1, embedded cluster)", "green"),
        (
            "simulated: No container runs, so images, probes and exit codes are not tested "
            "(and 1 more, see the report)",
            "",
        ),
        ("reports: gitops-report/index.html gitops-report/review.md", "bold"),
    ]


def test_a_red_run_names_what_failed_where_and_what_nobody_checked() -> None:
    assert _lines(grid())[:-2] == [
        ("9 Applications: 2 failed, 1 error, 6 passed in 31 s (Argo CD 3.6.1, embedded cluster)", "red"),
        (
            "✗ argocd/omega-fibonacci render: nil pointer evaluating interface {}.golden "
            "[kubernetes/helm/fibonacci/templates/deployment.yaml:17]",
            "red",
        ),
        (
            "✗ argocd/omega-matrix-news converge: StatefulSet matrix-news/mongodb is Progressing after 60 s; "
            "expected Healthy. [kubernetes/gitops/applications/matrix-news-app.yaml:4]",
            "red",
        ),
        (
            "! argocd/omega-rasta-api policy: opa was killed by signal 9. "
            "[kubernetes/gitops/applications/rasta-api-app.yaml:4]",
            "red",
        ),
        ("3 scenarios: 1 failed, 2 passed", "red"),
        (
            "✗ the news survive a rollback: tests/grid.gitops-test.yaml:12: step 2, expect omega-matrix-news: Application "
            "argocd/omega-matrix-news (OutOfSync, Healthy) is not as expected withi…",
            "red",
        ),
        ("3 warnings, 1 waived (image-tag-mutable 1, plain-secret-in-git 1, probe-missing 1)", "yellow"),
        ("could not check: 4 checks (render-failed 2, remote-cluster 1, tool-died 1)", "yellow"),
        (
            "hosts out of reach: charts.new-host.example refused, registry.internal.example:5000 unreachable",
            "yellow",
        ),
    ]


@pytest.mark.parametrize(
    "made", [small(), grid(), nasty(), large(400, 400, 800), run(), run(error="etcd died\nlast lines")]
)
def test_it_is_never_much_more_than_ten_lines_and_never_controls_the_terminal(made: Run) -> None:
    lines = _lines(made)
    assert len(lines) <= 14
    for text, style in lines:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", text)
        assert style in {"red", "yellow", "green", "bold", ""}


def test_a_run_without_application_is_not_green() -> None:
    assert _lines(run())[0] == ("0 Applications: none in 31 s (Argo CD 3.6.1, embedded cluster)", "yellow")


def test_why_the_engine_could_not_judge_is_said() -> None:
    assert _lines(run(error="etcd ended with exit code 1.\nIts last lines:"))[1] == (
        "the engine could not judge: etcd ended with exit code 1.",
        "red",
    )


def test_an_error_in_the_repository_makes_it_red() -> None:
    finding = Finding(
        rule="name-twice", severity=Severity.ERROR, message="two of one name", file="a.yaml", line=2
    )
    lines = _lines(dataclasses.replace(small(), findings=(finding,)))
    assert lines[0][1] == "red"
    assert lines[1] == ("✗ repository: two of one name [a.yaml:2]", "red")


def test_an_error_of_a_file_that_was_not_asked_for_is_no_failure_of_this_run() -> None:
    findings = tuple(
        Finding(
            rule="name-twice", severity=Severity.ERROR, message="two of one name", file=f"{n}.yaml", line=2
        )
        for n in "abcde"
    )
    made = document.build(dataclasses.replace(small(), findings=findings))
    lines = summary(made, failed=())
    assert lines[0][1] == summary(document.build(small()))[0][1]
    note = "not selected: 5 errors elsewhere in the repository (a.yaml:2, b.yaml:2, c.yaml:2, 2 more)"
    assert [line for line in lines if line not in summary(document.build(small()))] == [(note, "")]
    lines = summary(made, failed=[("name-twice", "b.yaml", 2)])
    assert lines[0][1] == "red"
    assert lines[1] == ("✗ repository: two of one name [b.yaml:2]", "red")
    assert "not selected: 4 errors elsewhere" in " ".join(text for text, _ in lines)


def test_the_name_of_the_report_folder_cannot_control_the_terminal() -> None:
    assert summary(document.build(small()), reports=["a\x1b[31m\nb"])[-1] == ("reports: a b", "bold")
