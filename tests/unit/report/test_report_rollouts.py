"""The steps of Rollouts in verification.md and on the page."""

from __future__ import annotations

from typing import Any

from report_documents import case, run, stage

from pytest_gitops.model import Verdict
from pytest_gitops.report import document, html, verification
from pytest_gitops.report.rollouts import line, remarks, rollouts_of


def moment(at: float, phase: str, doing: str = "", did: str = "") -> dict[str, Any]:
    return {"at": at, "phase": phase, "message": None, "step": 2 if doing else None, "steps": 4, "doing": doing or None,
            "weight": 20, "updated": 1, "replicas": 4, "did": did or None}  # fmt: skip


def rollout(**more: Any) -> dict[str, Any]:
    return {
        "rollout": "Rollout shop/web", "strategy": "canary", "phase": "Healthy", "promoted": True,
        "abort": {"tried": True, "stableServed": True, "why": None},
        "moments": [
            moment(0, "Healthy"),
            moment(1, "Progressing", "setWeight 20"),
            moment(2, "Paused", "pause until promoted", "promoted, as a person would"),
            moment(4.1, "Healthy"),
        ],
        "analyses": [], "analysisNotWaitedFor": [], "analysisSimulated": False, **more,
    }  # fmt: skip


LINE = "setWeight 20 → pause until promoted (promoted, as a person would) → Healthy after 4.1 s"


def verdict(told: dict[str, Any]) -> Verdict:
    return Verdict(
        case=case("shop"), stages=(stage("upgrade", evidence={"base": {}, "head": {"rollouts": [told]}}),)
    )


def test_the_steps_are_one_line() -> None:
    assert line(rollout()) == LINE


def test_a_blue_green_has_a_pause_without_a_step() -> None:
    moments = [moment(0, "Healthy"), moment(1, "Paused", did="aborted"), moment(2, "Paused", did="promoted"), moment(3, "Healthy")]  # fmt: skip
    assert line(rollout(moments=moments)) == "pause (aborted; promoted) → Healthy after 3.0 s"


def test_what_says_little_is_said() -> None:
    assert remarks(rollout()) == []
    told = rollout(abort={"tried": False, "stableServed": None, "why": "it never waits"}, analysisSimulated=True, analysisNotWaitedFor=["run"])  # fmt: skip
    assert remarks(told) == [
        "no abort was tried: it never waits",
        "its analysis by a Job is simulated: no container ran",
        "not waited for: run",
    ]


def test_both_reports_have_them() -> None:
    made = document.build(run(verdict(rollout()), stages=("upgrade",)))
    assert f"- `Rollout shop/web` to head: {LINE}" in verification.render(made).replace("\\", "")
    page = html.render(made)
    assert "Progressive delivery" in page
    assert "2 of 4: setWeight 20" in page


def test_without_rollouts_neither_speaks_of_them() -> None:
    made = document.build(run(Verdict(case=case("shop"), stages=(stage("upgrade"),)), stages=("upgrade",)))
    assert "Progressive delivery" not in verification.render(made) + html.render(made)
    assert list(rollouts_of(made["applications"][0])) == []
