"""What a scenario is told of an Application that does not come up."""

from __future__ import annotations

from typing import Any, cast

import pytest
from input_trees import case

from pytest_gitops.acting.control import Control
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.model import Outcome, StageResult
from pytest_gitops.scenarios.api import GitOpsFailure

WEB = case("web", {"path": "web"})


def came_up(outcome: Outcome, code: str, message: str) -> Control:
    control = Control(*cast("list[Any]", [None, None, type("Ground", (), {"side": None, "close": None})]))
    control._present[WEB.key] = StageResult(stage="scenario", outcome=outcome, code=code, message=message)
    return control


@pytest.mark.parametrize(
    ("outcome", "code", "error", "told"),
    [
        (Outcome.SKIPPED, "reconcile-skipped", GitOpsFailure, "Application argocd/web has the annotation"),
        (Outcome.FAILED, "never-created", GitOpsFailure, "Application argocd/web is not created: "),
        (Outcome.ERROR, "not-reconciled", EngineError, "Application argocd/web could not be brought up: "),
    ],
)
def test_what_does_not_come_up_is_told(
    outcome: Outcome, code: str, error: type[GitOpsError], told: str
) -> None:
    message = "not asked: Application argocd/web has the annotation"
    with pytest.raises(error) as raised:
        came_up(outcome, code, message).present(WEB)
    assert str(raised.value).startswith(told)


def test_what_is_stuck_is_there_all_the_same() -> None:
    came_up(Outcome.FAILED, "sync-failed", "no").present(WEB)
