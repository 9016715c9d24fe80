"""Following Rollouts: what is patched when, with an API server that only remembers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from stage_support import make_context

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.rollouts import steering
from pytest_gitops.rollouts.reading import HASH
from pytest_gitops.rollouts.story import Story
from pytest_gitops.stages import promoting
from pytest_gitops.stages.inventory import Claim, Key
from pytest_gitops.stages.promoting import Promoting
from pytest_gitops.waiting import wait_until

CASE = case_of(
    {"metadata": {"name": "shop"}, "spec": {"destination": {"namespace": "shop"}}},
    control="argocd", file="shop.yaml", line=1,
)  # fmt: skip
KEY = Key("in-cluster", "argoproj.io", "Rollout", "shop", "web")
MANIFEST = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}}
LIMIT = 10.0

HEALTHY = {"phase": "Healthy", "stableRS": "old", "currentPodHash": "old"}
PAUSED = {
    "phase": "Paused", "message": "CanaryPauseStep", "stableRS": "old", "currentPodHash": "new", "currentStepIndex": 1,
    "pauseConditions": [{"reason": "CanaryPauseStep"}],
}  # fmt: skip
ABORTED = {**PAUSED, "phase": "Degraded", "message": "RolloutAborted", "abort": True, "pauseConditions": None}
DONE = {"phase": "Healthy", "stableRS": "new", "currentPodHash": "new"}
ANALYSING = {
    **PAUSED, "phase": "Progressing", "pauseConditions": None,
    "canary": {"currentStepAnalysisRunStatus": {"name": "run", "status": "Running"}},
}  # fmt: skip


class FakeApi:
    """A cluster with one Rollout; `say` is its controller, `patches` is what was asked of it."""

    def __init__(self, *, available: int = 2, known: bool = True) -> None:
        self.available, self.known = available, known
        self.patches: list[dict[str, Any]] = []
        self._version = 0
        self._acts: dict[str, Callable[[str, Any], None]] = {}

    def watch(self, path: str, act: Callable[[str, Any], None], *, stop: threading.Event) -> None:
        if not self.known:
            raise ApiError("no such kind", status=404, reason="NotFound")
        self._acts[path.rpartition("/")[2]] = act
        stop.wait()

    def say(self, status: dict[str, Any], *, kind: str = "rollouts") -> None:
        wait_until(lambda: kind in self._acts, limit=LIMIT, what="the watch")
        self._version += 1
        metadata = {
            "name": "web",
            "namespace": "shop",
            "generation": 1,
            "resourceVersion": str(self._version),
        }
        steps = [{"setWeight": 50}, {"pause": {}}]
        spec = {"replicas": 2, "strategy": {"canary": {"steps": steps}}}
        self._acts[kind](
            "MODIFIED", {"metadata": metadata, "spec": spec, "status": {"observedGeneration": "1", **status}}
        )

    def measure(self, metric: dict[str, Any], **result: int) -> None:
        wait_until(lambda: "analysisruns" in self._acts, limit=LIMIT, what="the watch")
        run = {
            "metadata": {
                "name": "run",
                "namespace": "shop",
                "ownerReferences": [{"kind": "Rollout", "name": "web"}],
            },
            "spec": {"metrics": [{"name": "errors", "provider": metric}]},
            "status": {"phase": "Running", "metricResults": [{"name": "errors", **result}]},
        }
        self._acts["analysisruns"]("MODIFIED", run)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path.endswith("/namespaces/shop/rollouts/web/status")
        self.patches.append(body["status"])
        self._version += 1
        return {"metadata": {"resourceVersion": str(self._version)}}

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        if path == "/api/v1/namespaces/shop/events":
            about = {"kind": "ReplicaSet", "name": "web-1"}
            return {"items": [{"involvedObject": about, "reason": "FailedCreate", "message": "no account"}]}
        assert path == "/apis/apps/v1/namespaces/shop/replicasets"
        return {
            "items": [
                {"metadata": {"labels": {HASH: "old"}}, "status": {"availableReplicas": self.available}}
            ]
        }

    def asked(self, *patches: dict[str, Any]) -> None:
        wait_until(
            lambda: len(self.patches) >= len(patches),
            limit=LIMIT,
            what="a patch",
            seen=lambda: str(self.patches),
        )
        assert self.patches == list(patches)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promoting, "TICK", 0.01)
    monkeypatch.setattr(promoting, "AGAIN", 0.01)
    monkeypatch.setattr(promoting, "SERVING", 0.05)


@contextmanager
def following(
    api: FakeApi, *, try_abort: bool, application: dict[str, Any] | None = None
) -> Iterator[Promoting]:
    context = make_context()
    context.applications[CASE.id] = application or {}
    claims = {KEY: Claim(case=CASE, manifest=MANIFEST)}
    with Promoting(context, {"in-cluster": cast(Any, api)}, claims, try_abort=try_abort) as found:
        yield found


def the(found: Promoting) -> Story:
    return found.stories()[KEY]


def test_what_waits_is_aborted_once_retried_and_promoted() -> None:
    api = FakeApi()
    with following(api, try_abort=True) as found:
        api.say(HEALTHY)
        api.say(PAUSED)
        api.asked({"abort": True})
        api.say(ABORTED)
        api.asked({"abort": True}, {"abort": False})
        api.say(PAUSED)
        api.asked({"abort": True}, {"abort": False}, {"pauseConditions": None})
        api.say(DONE)
    story = the(found)
    assert (story.aborted, story.why) == (True, "")
    assert [h.did for h in story.happenings if h.did] == [
        "aborted, to see whether the stable version serves", "retried: the stable version served by itself", "promoted, as a person would",
    ]  # fmt: skip
    assert story.to_dict()["promoted"] is True


def test_a_patch_is_not_repeated_before_its_answer_is_seen() -> None:
    api = FakeApi()
    with following(api, try_abort=False) as found:
        api.say(PAUSED)
        api.asked({"pauseConditions": None})
        threading.Event().wait(0.1)  # ten ticks: none of them may ask again
        assert len(api.patches) == 1
        assert found.moved("argocd/shop") > 0
        assert found.moved("argocd/other") == 0


def test_a_stable_version_that_does_not_come_back_is_told_and_the_update_goes_on() -> None:
    api = FakeApi(available=1)
    with following(api, try_abort=True) as found:
        api.say(HEALTHY)
        api.say(PAUSED)
        api.asked({"abort": True})
        api.say(ABORTED)
        api.asked({"abort": True}, {"abort": False})
    assert (the(found).aborted, the(found).why) == (False, "1 of 2 Pods of the stable version are available")
    assert the(found).events == ("ReplicaSet web-1: FailedCreate: no account",)


@pytest.mark.parametrize(
    "waits_for",
    [
        "argoproj.io/Rollout/web",
        "argoproj.io/Rollout/web and 1 more resources",
        "apps/Deployment/db and 2 more resources",
    ],
)
def test_a_sync_that_waits_for_it_is_spared_the_abort(
    monkeypatch: pytest.MonkeyPatch, waits_for: str
) -> None:
    monkeypatch.setattr("pytest_gitops.rollouts.steering.SYNC", 0.0)
    api = FakeApi()
    said = f"waiting for healthy state of {waits_for}"
    syncing = {"status": {"operationState": {"phase": "Running", "message": said}}}
    with following(api, try_abort=True, application=syncing) as found:
        api.say(HEALTHY)
        api.say(PAUSED)
        api.asked({"pauseConditions": None})
    assert (the(found).aborted, the(found).why[:28]) == (None, "the sync waits for this Roll")


def test_an_analysis_that_cannot_be_asked_is_left_behind() -> None:
    api = FakeApi()
    with following(api, try_abort=False) as found:
        api.say(HEALTHY)
        api.say(ANALYSING)
        api.measure({"prometheus": {"address": "http://prometheus:9090"}}, error=1)
        api.asked({"pauseConditions": None, "currentStepIndex": 2})
    assert [m.name for m in the(found).unasked] == ["errors"]


def test_an_analysis_is_not_left_behind_before_its_first_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "ANALYSIS", 0.0)
    api = FakeApi()
    with following(api, try_abort=False) as found:
        api.say(HEALTHY)
        api.say(ANALYSING)
        api.measure({"job": {}})
        time.sleep(10 * promoting.TICK)
        assert api.patches == []
        api.measure({"job": {}}, count=1)
        api.asked({"pauseConditions": None, "currentStepIndex": 2})
    assert the(found).unwaited == {"run": 1}


def test_an_update_that_waits_for_nobody_is_not_aborted_and_says_so() -> None:
    api = FakeApi()
    with following(api, try_abort=True) as found:
        api.say(HEALTHY)
        api.say({**PAUSED, "phase": "Progressing", "pauseConditions": None})
        api.say(DONE)
    assert (the(found).aborted, the(found).why) == (None, "nothing of it waited for anybody")
    assert api.patches == []


def test_a_rollout_that_only_stays_has_no_story() -> None:
    api = FakeApi()
    with following(api, try_abort=True) as found:
        api.say(HEALTHY)
        api.say(HEALTHY)
    assert found.stories() == {}


def test_a_cluster_that_does_not_know_rollouts_yet_is_asked_again() -> None:
    api = FakeApi(known=False)
    with following(api, try_abort=False):
        api.known = True
        api.say(PAUSED)
        api.asked({"pauseConditions": None})


def test_an_api_server_that_fails_is_our_error_and_nobody_elses() -> None:
    class Broken(FakeApi):
        def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            self.patches.append(body)
            raise ApiError("etcd is gone", status=500, reason="InternalError")

    api = Broken()
    said = pytest.raises(EngineError, match="the Rollouts cannot be followed: etcd is gone")
    with said, following(api, try_abort=False):
        api.say(PAUSED)
        wait_until(lambda: bool(api.patches), limit=LIMIT, what="a patch")


def test_a_rollout_that_goes_while_it_is_patched_is_nobodys_error() -> None:
    class Going(FakeApi):
        def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            self.patches.append(body)
            raise ApiError("gone", status=404, reason="NotFound")

    api = Going()
    with following(api, try_abort=False):
        api.say(PAUSED)
        wait_until(lambda: bool(api.patches), limit=LIMIT, what="a patch")
