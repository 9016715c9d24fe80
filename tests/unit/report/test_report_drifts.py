"""What `self-heal` did, as the page and verification.md tell it."""

from __future__ import annotations

from typing import Any

from report_documents import case, run, stage

from pytest_gitops.model import Outcome, Verdict
from pytest_gitops.report.document import build
from pytest_gitops.report.html import render as page
from pytest_gitops.report.reading_drifts import drifts, peace
from pytest_gitops.report.verification import render as verification

WEB = {"object": "Deployment web/web", "expectation": "undone", "restored": True}
DRIFTS: list[dict[str, Any]] = [
    {
        **WEB,
        "drift": "field changed",
        "field": "spec.image",
        "seenSeconds": 0.2,
        "undoneSeconds": 0.9,
        "how": "self-heal",
    },
    {**WEB, "drift": "deleted", "seenSeconds": 0.3, "restored": False},
    {**WEB, "drift": "deleted"},
    {
        **WEB,
        "drift": "replicas scaled",
        "field": "spec.replicas",
        "expectation": "left alone",
        "why": "ignoreDifferences",
    },
    {
        **WEB,
        "drift": "replicas scaled",
        "field": "spec.replicas",
        "expectation": "left alone",
        "undoneSeconds": 0.5,
    },
]
EVIDENCE = {
    "drifts": DRIFTS,
    "leftInPeace": [
        {"drift": "deleted", "reason": "it holds data", "objects": ["StatefulSet web/db"], "count": 1}
    ],
    "notTried": [
        {
            "drift": "deleted",
            "reason": "another object stands for it",
            "objects": ["ConfigMap web/a"],
            "count": 9,
        }
    ],
}


def document(**evidence: Any) -> dict[str, Any]:
    made = stage("self-heal", Outcome.FAILED, message="m", evidence=evidence)
    return build(run(Verdict(case=case("web"), stages=(stage("converge"), made))))


def test_what_came_of_each_drift_is_said_in_words() -> None:
    (application,) = document(**EVIDENCE)["applications"]
    assert [(t.drift, t.came, t.good) for t in drifts(application)] == [
        ("spec.image changed", "seen after 0.2 s, undone after 0.9 s, self-heal", True),
        ("deleted", "seen after 0.3 s, not undone", False),
        ("deleted", "not seen", False),
        ("spec.replicas changed", "left alone", True),
        ("spec.replicas changed", "undone after 0.5 s", False),
    ]
    assert peace(application) == (
        ("StatefulSet web/db", "it holds data (deleted)"),
        ("ConfigMap web/a, 8 more objects", "another object stands for it (deleted)"),
    )


def test_both_reports_tell_it() -> None:
    made = document(**EVIDENCE)
    told = verification(made)
    assert "**Drift**: 5 drifts made and followed" in told
    assert "`Deployment web/web` | deleted | seen after 0.3 s, not undone |" in told
    html = page(made)
    assert "Left in peace, or not tried" in html and "it holds data (deleted)" in html
    assert "seen after 0.3 s, not undone" in html


def test_without_drift_nothing_is_said_of_it() -> None:
    assert "Drift" not in verification(document())
    assert ">Drift " not in page(document())
