"""The fixtures on the real engine: what is right is green, what is wrong is red, and nothing else is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, Outcome, commit, gitops

from pytest_gitops.model import REVIEW_STAGES, VERIFY_STAGES
from pytest_gitops.repository.manifest import parse

pytestmark = pytest.mark.engine

RunFixture = Callable[..., Outcome]

WITHOUT_DRIFT = "review,converge,idempotent,prune"
"""What self-heal has to find is in `twins`; that it finds nothing is seen with the vision's grid, and with all by the soak."""

SELECTED = (
    "not (idempotent or prune) or cluster-objects or finalizer-unknown or job-gone or prune-allow-empty"
)
"""Of the broken grid: what acts on Applications is asked of those in which it has something to find, and of the one that
has a stage's name in its own."""


def data(path: str) -> Any:
    return parse((ROOT / "fixtures" / path).read_bytes())[0].value


def test_the_grid_of_the_vision_is_synced_and_healthy(run_fixture: RunFixture) -> None:
    run = run_fixture("omega-grid")
    assert run.status == 0, run.output
    names = ("omega-divine-grid", "omega-btc-oracle", "omega-matrix-news")
    asked = tuple(s for s in (*REVIEW_STAGES, *VERIFY_STAGES) if s not in {"change", "upgrade"})
    assert {key: run.asked(key) for key in run.applications} == {f"argocd/{n}": asked for n in names}
    # It has Applications alone, which are test cases of their own.
    assert run.not_passed == {("argocd/omega-divine-grid", "self-heal", "skipped", "no-safe-drift")}
    assert run.report is not None
    assert {s["name"]: s["outcome"] for s in run.report["scenarios"]} == {
        "drift is seen, and a sync undoes it[omega-btc-oracle]": "passed",
        "drift is seen, and a sync undoes it[omega-matrix-news]": "passed",
        "the oracle has room and guards itself": "passed",
        "viewers look and do not touch": "passed",
    }
    kinds = {r["kind"]: r for r in run.applications["argocd/omega-matrix-news"]["resources"]}
    assert kinds["StatefulSet"]["health"] == "Healthy"
    assert kinds["ServiceMonitor"]["sync"] == "Synced"
    assert run.applications["argocd/omega-btc-oracle"]["parent"] == "argocd/omega-divine-grid"


def test_every_layout_is_green(run_fixture: RunFixture) -> None:
    run = run_fixture("layouts", "--gitops-stages", WITHOUT_DRIFT)
    assert run.status == 0, run.output
    asked = (*(s for s in REVIEW_STAGES if s != "change"), "converge", "idempotent", "prune")
    assert [run.asked(key) for key in run.applications] == [asked] * 18
    assert (run.not_passed, run.findings) == (set(), set())


def test_the_broken_grid_has_exactly_the_findings_it_should(run_fixture: RunFixture) -> None:
    run = run_fixture("broken-grid", "--gitops-stages", WITHOUT_DRIFT, "-k", SELECTED)
    assert run.status == 1
    expected = {
        (e["application"], e["rule"], e["severity"], e["file"], e["line"])
        for e in data("broken-grid/expected.yaml")
    }
    assert run.findings == expected
    for name in ("one", "two"):
        message = run.stage(f"argocd/shared-object-{name}", "converge")["message"]
        assert (
            "data.KEY: argocd/shared-object-one says 'value', argocd/shared-object-two 'another value'"
            in message
        )


def test_what_is_broken_is_red_and_nothing_else(toolbox: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "fixtures" / "layouts", tmp_path / "layouts")
    breakages = data("layouts/breakages.yaml")
    for breakage in breakages:
        file = folder / breakage["file"]
        text = file.read_text("utf-8")
        assert breakage["old"] in text, breakage
        file.write_text(text.replace(breakage["old"], breakage["new"], 1), "utf-8")
    # The stages that act on what has converged see nothing of these.
    run = gitops(commit(folder), "--gitops-stages", "review,converge")
    bad = {
        key: [s for s in application["stages"] if s["outcome"] in {"failed", "error"}]
        for key, application in run.applications.items()
    }
    # What the API server would refuse fails once more where Argo CD tries it.
    red = {(key, stages[0]["stage"], stages[0]["code"]) for key, stages in bad.items() if stages}
    assert red == {(b["application"], b["stage"], b["code"]) for b in breakages}
