"""Who is asked to confirm, and that it is confirmed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from pytest_gitops.errors import EngineError
from pytest_gitops.stages import approving
from pytest_gitops.stages.approving import APPROVED, Approving, asked

WAITS = "waiting for pruning confirmation of /ConfigMap/old"


def application(
    *, deleted: str = "", asks: bool = False, phase: str = "", message: str = "", began: str = "t1"
) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "argocd", **({"deletionTimestamp": deleted} if deleted else {})}
    state = {"operationState": {"phase": phase, "message": message, "startedAt": began}} if phase else {}
    resources = [{"kind": "ConfigMap"}, {"kind": "ConfigMap", "requiresDeletionConfirmation": asks}]
    return {"metadata": meta, "status": {"resources": resources, **state}}


@pytest.mark.parametrize(
    ("given", "since"),
    [
        (application(), ""),
        (application(asks=True), ""),  # nobody deletes it
        (application(deleted="t0"), ""),
        (application(deleted="t0", asks=True), "t0"),
        (application(phase="Running", message=WAITS), "t1"),
        (application(phase="Running", message="waiting for healthy state of apps/Deployment/web"), ""),
        (application(phase="Succeeded", message=WAITS), ""),
        ({"metadata": {"name": "web", "namespace": "argocd"}}, ""),
    ],
)
def test_who_waits_for_a_person(given: Mapping[str, Any], since: str) -> None:
    assert asked(given) == since


class FakeApi:
    def __init__(self) -> None:
        self.patches: list[dict[str, Any]] = []

    def patch(self, path: str, patch: dict[str, Any]) -> None:
        assert path.endswith("/namespaces/argocd/applications/web")
        self.patches.append(patch)


def seeing(monkeypatch: pytest.MonkeyPatch, *states: Mapping[str, Any], fails: bool = False) -> None:
    """The watch shows `states`, at once and in the thread that enters."""

    class Applications:
        def __init__(self, api: Any) -> None:
            pass

        def watch(self, act: Callable[[str, Mapping[str, Any]], None], *, stop: Any) -> None:
            for state in states:
                act("argocd/web", state)
            if fails:
                raise OSError("gone")

    class Thread:
        def __init__(self, *, target: Callable[[], None], **_: Any) -> None:
            self.start = target

    monkeypatch.setattr(approving, "Applications", Applications)
    monkeypatch.setattr(approving.threading, "Thread", Thread)


def test_each_question_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = application(phase="Running", message=WAITS)
    seeing(
        monkeypatch, application(), {}, first, first, application(phase="Running", message=WAITS, began="t2")
    )
    api = FakeApi()
    with Approving(cast(Any, api)) as each:
        assert each.confirmed == {"argocd/web"}
    assert [list(p["metadata"]["annotations"]) for p in api.patches] == [[APPROVED], [APPROVED]]


def test_one_that_sees_nothing_says_so_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seeing(monkeypatch, fails=True)
    with pytest.raises(EngineError, match="cannot be watched: gone"), Approving(cast(Any, FakeApi())):
        pass


def test_what_went_wrong_meanwhile_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    seeing(monkeypatch, fails=True)
    with pytest.raises(KeyError), Approving(cast(Any, FakeApi())):
        raise KeyError
