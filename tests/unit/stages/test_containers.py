"""What containers say of themselves, from the statuses that a kubelet writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.argocd.convergence import Observation, State
from pytest_gitops.settings.settings import Provider, Settings
from pytest_gitops.stages import tracks
from pytest_gitops.stages.containers import lines, makers, troubles, workloads


def pod(*containers: dict[str, Any], inits: tuple[dict[str, Any], ...] = (), **status: Any) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": "web-5d4f"}
    return {
        "metadata": {"name": "web-5d4f-x", "ownerReferences": [owner]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": list(containers),
            "initContainerStatuses": list(inits),
            **status,
        },
    }


CRASHED = {
    "name": "main",
    "ready": False,
    "restartCount": 3,
    "state": {
        "waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}
    },
    "lastState": {"terminated": {"exitCode": 7, "reason": "Error"}},
}
PULLING = {
    "name": "main",
    "ready": False,
    "restartCount": 0,
    "state": {
        "waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "example.com/no:1"'}
    },
}
UNREADY = {"name": "main", "ready": False, "restartCount": 0, "state": {"running": {}}}
WELL = {"name": "side", "ready": True, "restartCount": 0, "state": {"running": {}}}
DONE = {"name": "init", "ready": True, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}
BROKEN_INIT = {
    "name": "init",
    "ready": False,
    "restartCount": 1,
    "state": {"terminated": {"exitCode": 2, "reason": "Error"}},
}
WAITS = {
    "name": "main",
    "ready": False,
    "restartCount": 0,
    "state": {"waiting": {"reason": "PodInitializing"}},
}


def unhealthy(said: str, *, at: str = "2026-01-01T00:00:01Z", container: str = "main") -> dict[str, Any]:
    about = {"kind": "Pod", "name": "web-5d4f-x", "fieldPath": f"spec.containers{{{container}}}"}
    return {"reason": "Unhealthy", "message": said, "lastTimestamp": at, "involvedObject": about}


def told(
    thing: dict[str, Any], *events: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[tuple[str, bool]]]:
    """The rows, and of which containers the log was asked for, and whether that of the last end."""
    asked: list[tuple[str, bool]] = []

    def log(_pod: str, container: str, previous: bool) -> str:
        asked.append((container, previous))
        return "one\ntwo\n"

    return list(troubles(thing, events, log)), asked


def test_a_crash_has_its_exit_code_and_what_it_said_before() -> None:
    (row,), asked = told(pod(CRASHED, WELL))
    assert (row["reason"], row["exitCode"], row["restarts"]) == ("CrashLoopBackOff", 7, 3)
    assert row["log"] == ["one", "two"]
    assert asked == [("main", True)]
    assert (
        lines([row])[0] == "  container web-5d4f-x main: CrashLoopBackOff, ended with exit code 7, 3 restarts"
    )
    assert lines([row])[-1] == "    log      two"


def test_an_image_that_does_not_come_has_what_the_kubelet_says_and_no_log() -> None:
    (row,), asked = told(pod(PULLING))
    assert row["message"] == 'Back-off pulling image "example.com/no:1"'
    assert "exitCode" not in row and "log" not in row
    assert not asked


def test_a_probe_that_fails_is_told_the_last_one_of_that_container() -> None:
    events = [
        unhealthy("Readiness probe failed: newer", at="2026-01-01T00:00:09Z"),
        unhealthy("Readiness probe failed: older"),
        unhealthy("of another", at="2026-01-01T00:00:10Z", container="side"),
    ]
    (row,), asked = told(pod(UNREADY, WELL), *events)
    assert (row["reason"], row["probe"]) == ("NotReady", "Readiness probe failed: newer")
    assert asked == [("main", False)]


def test_only_the_init_container_that_fails_is_told_of() -> None:
    rows, asked = told(pod(WAITS, inits=(BROKEN_INIT,)))
    assert [(r["container"], r["exitCode"]) for r in rows] == [("init", 2)]
    assert asked == [("init", False)]
    assert told(pod(WAITS, inits=(DONE,)))[0] == []


def test_a_pod_that_no_node_takes_is_told_of_as_such() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    (row,), _ = told(pod(conditions=[condition]))
    assert lines([row]) == ["  container web-5d4f-x: Unschedulable", "    message  0/1 nodes"]


@pytest.mark.parametrize(
    "status", [{"phase": "Succeeded"}, {"conditions": [{"type": "Ready", "status": "True"}]}]
)
def test_of_a_pod_that_is_well_nothing_is_told(status: dict[str, Any]) -> None:
    assert told(pod(CRASHED, **status))[0] == []


def test_pods_are_those_of_what_is_rendered_and_not_of_what_is_called_alike() -> None:
    rendered = [
        {"kind": "Deployment", "metadata": {"name": "web"}},
        {"kind": "Job", "metadata": {"name": "j", "namespace": "b"}},
    ]
    assert workloads(rendered, "a") == {"a": {("Deployment", "web")}, "b": {("Job", "j")}}
    assert makers(pod()) & {("Deployment", "web")}
    assert not makers(pod()) & {("Deployment", "web-5d4f"), ("StatefulSet", "web")}


@pytest.mark.parametrize(
    ("provider", "given_up"),
    [(Provider.EMBEDDED, True), (Provider.KIND, False), (Provider.KUBECONFIG, False)],
)
def test_containers_that_come_up_slowly_have_until_their_deadline(
    tmp_path: Path, provider: Provider, given_up: bool
) -> None:
    settings = Settings(root=tmp_path, report=tmp_path, cache=tmp_path, environ={}, provider=provider)
    patience = tracks.patience_of(settings, 300, began=0)
    seen = Observation(state=State.MOVING, code="progressing")
    patience.note(seen, now=0)
    assert bool(patience.final(seen, now=tracks.STILL + 1, others_moved=0)) is given_up
    assert patience.final(seen, now=300, others_moved=0) is seen
