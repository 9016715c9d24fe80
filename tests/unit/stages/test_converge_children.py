"""Applications that Argo CD is told to leave alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drive_support import Driver, case, state

from pytest_gitops.model import Case, Outcome
from pytest_gitops.stages import tracks

SKIP = "argocd.argoproj.io/skip-reconcile"


def noted(known: Case, *, skip: str) -> Case:
    """`known` with the annotation."""
    metadata = {**known.manifest["metadata"], "annotations": {SKIP: skip}}
    return replace(known, manifest={**known.manifest, "metadata": metadata})


@pytest.mark.parametrize("said", ["true", "True", "1", "t"])
def test_what_argo_cd_is_told_not_to_reconcile_is_skipped_at_once(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    driver = Driver(monkeypatch, [noted(case("web"), skip=said)])
    driver.after(1)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "reconcile-skipped")
    assert result.message == (
        "not asked: Application argocd/web has the annotation argocd.argoproj.io/skip-reconcile: "
        f'"{said}", so Argo CD leaves it alone\n'
        "  next     take the annotation out where it is to be deployed"
    )
    assert driver.done


@pytest.mark.parametrize("said", ["false", "0", "yes", "TrUe", ""])
def test_what_is_no_such_word_is_reconciled(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    driver = Driver(monkeypatch, [noted(case("web"), skip=said)])
    driver.see("web", state("web"))
    driver.after(tracks.SETTLE + 1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_what_it_would_create_is_skipped_too_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = [noted(case("root"), skip="true"), case("child", "root"), case("grandchild", "child"), case("web")]
    driver = Driver(monkeypatch, plan, judged=["child", "grandchild", "web"])
    driver.after(1)
    assert {(k, r.code) for k, r in driver.answers.given} == {
        ("argocd/child", "reconcile-skipped"),
        ("argocd/grandchild", "reconcile-skipped"),
    }
    assert driver.of("grandchild").message.startswith(
        "not asked: Application argocd/root, without which Application argocd/grandchild is not created, has the"
    )
