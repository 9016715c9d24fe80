"""Review without a cluster: what can be judged is, and what cannot is said, or fails where that is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from runs import ROOT, Outcome, commit, gitops

pytestmark = pytest.mark.engine


def run(folder: Path, *args: str) -> Outcome:
    return gitops(
        commit(shutil.copytree(ROOT / "fixtures" / "layouts", folder)), "--gitops-cluster", "none", *args
    )


def test_what_needs_no_cluster_is_judged_and_the_rest_is_said(
    toolbox: dict[str, Path], tmp_path: Path
) -> None:
    ran = run(tmp_path / "layouts")
    assert ran.status == 0, ran.output
    assert ran.stage("argocd/helm-chart", "render")["outcome"] == "passed"
    assert ran.stage("argocd/helm-chart", "policy")["outcome"] == "passed"
    converge = ran.stage("argocd/helm-chart", "converge")
    assert (converge["outcome"], converge["code"]) == ("skipped", "no-cluster")
    unexpanded = {f for f in ran.findings if f[1] == "applicationset-not-expanded"}
    assert len(unexpanded) == 4
    assert {f[2] for f in unexpanded} == {"warning"}


def test_strict_fails_what_could_not_be_checked(toolbox: dict[str, Path], tmp_path: Path) -> None:
    ran = run(tmp_path / "layouts", "--gitops-strict", "--gitops-stages", "source")
    assert ran.status == 1, ran.output
    assert {f[2] for f in ran.findings if f[1] == "applicationset-not-expanded"} == {"error"}
    assert "applicationset-not-expanded" in ran.output
