"""What an Application object says of itself, from objects as Argo CD writes them (`testdata/`)."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.argocd.convergence import (
    Observation,
    State,
    is_automated,
    observe,
    resources_of,
    was_compared,
)
from pytest_gitops.repository.manifest import parse

SYNC = ("Synced", "OutOfSync", "Unknown")
HEALTH = ("Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown", "")
DATA = sorted((Path(__file__).parent / "testdata").glob("*.yaml"))


def example(name: str) -> dict[str, Any]:
    (document,) = parse((Path(__file__).parent / "testdata" / f"{name}.yaml").read_bytes())
    found: dict[str, Any] = document.value
    return found


@pytest.mark.parametrize("path", DATA, ids=lambda p: p.stem)
def test_an_application_is_judged_by_what_argo_cd_writes(path: Path) -> None:
    data = example(path.stem)
    application, expect = data["application"], data["expect"]
    seen = observe(application, revisions=data["revisions"])
    assert seen == Observation(
        state=State(expect["state"]),
        code=expect["code"],
        message=expect["message"],
        causes=tuple(expect["causes"]),
        retries=expect.get("retries", 0),
        retrying=expect.get("retrying", False),
        sync=application.get("status", {}).get("sync", {}).get("status", ""),
        health=application.get("status", {}).get("health", {}).get("status", ""),
        phase=application.get("status", {}).get("operationState", {}).get("phase", ""),
    )


@pytest.mark.parametrize("path", DATA, ids=lambda p: p.stem)
def test_nothing_but_synced_and_healthy_converges(path: Path) -> None:
    data = example(path.stem)
    status = data["application"].setdefault("status", {})
    for sync, health in itertools.product(SYNC, HEALTH):
        status.setdefault("sync", {})["status"] = sync
        status.setdefault("health", {})["status"] = health
        seen = observe(data["application"], revisions=data["revisions"])
        if seen.state is State.CONVERGED:
            assert (sync, health) == ("Synced", "Healthy")
            assert seen.problem == ("", "")
        else:
            assert seen.code
            assert seen.message


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("InvalidSpecError", "invalid-spec"),
        ("ComparisonError", "comparison-error"),
        ("SyncError", "sync-failed"),
        ("UnknownError", "comparison-error"),
        ("DeletionError", "deletion-error"),
        ("SharedResourceWarning", "shared-resource"),
    ],
)
def test_an_error_condition_outweighs_synced_and_healthy(kind: str, code: str) -> None:
    application = example("converged")["application"]
    application["status"]["conditions"] = [
        {"type": "OrphanedResourceWarning", "message": "one is nobody's"},
        {"type": kind, "message": "no"},
    ]
    seen = observe(application)
    assert (seen.state, seen.code) == (State.STUCK, code)
    assert seen.message == f"{kind}: no"


@pytest.mark.parametrize(
    "kind", ["OrphanedResourceWarning", "RepeatedResourceWarning", "ExcludedResourceWarning"]
)
def test_a_warning_does_not_keep_it_from_converging(kind: str) -> None:
    application = example("converged")["application"]
    application["status"]["conditions"] = [{"type": kind, "message": "odd"}]
    assert observe(application).state is State.CONVERGED


def test_a_revision_that_is_not_ours_is_not_checked() -> None:
    application = example("stale-revision")["application"]
    assert observe(application, revisions=("",)).state is State.CONVERGED
    assert observe(application).state is State.CONVERGED


def test_without_a_revision_at_all_it_does_not_converge() -> None:
    application = example("converged")["application"]
    del application["status"]["sync"]["revision"]
    seen = observe(application, revisions=("4f1c2a9d8e7b6a5c4d3e2f1a0b9c8d7e6f5a4b3c",))
    assert seen.message == "compared to revision none, not yet to 4f1c2a9"


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ("4f1c2a9", State.CONVERGED),
        ("4F1C2A9D8", State.CONVERGED),
        ("4f1c2a", State.MOVING),  # Argo CD takes no fewer digits for a commit
        ("4f1c2a8", State.MOVING),
        ("4f1c2a9d8e7b6a5c4d3e2f1a0b9c8d7e6f5a4b3c4f1c2a9", State.MOVING),
    ],
)
def test_a_short_commit_is_the_one_that_it_begins(found: str, state: State) -> None:
    application = example("converged")["application"]
    application["status"]["sync"]["revision"] = found
    assert observe(application, revisions=("4f1c2a9d8e7b6a5c4d3e2f1a0b9c8d7e6f5a4b3c",)).state is state


def test_a_time_within_the_same_second_counts_as_compared() -> None:
    application = example("converged")["application"]
    application["status"]["reconciledAt"] = application["status"]["operationState"]["finishedAt"]
    assert observe(application).state is State.CONVERGED
    del application["status"]["reconciledAt"]
    assert observe(application).message == "not yet compared since its sync ended"


def test_a_hydrated_source_is_not_compared_with_the_specification() -> None:
    application = example("stale-specification")["application"]
    application["spec"]["sourceHydrator"] = {"drySource": {"repoURL": "https://github.com/example/grid.git"}}
    assert observe(application).state is State.CONVERGED


def test_a_changed_parameter_is_another_specification() -> None:
    application = example("converged")["application"]
    application["spec"]["source"] = {
        **application["spec"]["source"],
        "helm": {"parameters": [{"name": "a", "value": "2"}]},
    }
    assert observe(application).message == "compared to another spec.source, not yet to the present one"


def test_of_two_ways_to_name_sources_the_one_that_counts_is_compared() -> None:
    data = example("multi-source")
    application = data["application"]
    application["spec"]["source"] = {"repoURL": "https://github.com/example/ignored.git"}
    assert observe(application).state is State.CONVERGED
    application["spec"]["sources"][0]["targetRevision"] = "1.2.4"
    application["status"]["sync"]["comparedTo"]["sources"] = [{"repoURL": "https://charts.example.com"}]
    assert observe(application).message == "compared to another spec.sources, not yet to the present one"


def test_without_a_word_on_what_was_compared_the_revision_decides() -> None:
    application = example("converged")["application"]
    del application["status"]["sync"]["comparedTo"]
    assert observe(application).state is State.CONVERGED


def test_what_is_not_a_time_says_nothing_of_time() -> None:
    application = example("converged")["application"]
    application["status"]["operationState"]["finishedAt"] = "soon"
    assert observe(application).state is State.CONVERGED


def test_an_object_of_the_cluster_has_no_namespace_in_its_title() -> None:
    application = example("out-of-sync-prune")["application"]
    application["status"]["resources"] = [
        {"kind": "ClusterRole", "name": "reader", "status": "OutOfSync"},
        {"kind": "Job", "namespace": "web", "name": "hook", "status": "OutOfSync", "hook": True},
        {"kind": "Service", "namespace": "web", "name": "a"},
    ]
    assert observe(application).causes == ("ClusterRole reader: OutOfSync",)


def test_what_failed_without_a_message_has_its_status() -> None:
    application = example("sync-failed")["application"]
    application["status"]["operationState"]["syncResult"]["resources"] = [
        {"kind": "Service", "name": "a", "status": "SyncFailed"},
        {"kind": "Job", "name": "b", "hookType": "Sync", "hookPhase": "Error"},
        {"kind": "Service", "name": "c", "status": "Synced"},
        "x",
    ]
    assert observe(application).causes == ("Service a: SyncFailed", "Job b: Sync hook failed: Error")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("syncing", "a sync is running"),
        ("sync-error", "the sync ended Error"),
        ("retrying-waits", "the sync failed"),
    ],
)
def test_a_sync_without_a_message_is_told_all_the_same(name: str, message: str) -> None:
    application = example(name)["application"]
    del application["status"]["operationState"]["message"]
    assert observe(application).message == message


@pytest.mark.parametrize(
    "application", [{}, {"status": None}, {"status": {"sync": None, "health": []}}, {"status": "?"}]
)
def test_an_object_without_a_status_is_still_to_be_compared(application: dict[str, Any]) -> None:
    assert observe(application).code == "not-compared"
    assert not was_compared(application)


def test_a_list_that_holds_something_else_does_not_stop_the_judgement() -> None:
    application = example("degraded")["application"]
    application["status"]["resources"] += [None, "x"]
    application["status"]["conditions"] = [None, "x"]
    assert observe(application).code == "degraded"
    assert len(resources_of(application)) == 2


@pytest.mark.parametrize(
    ("policy", "automated"),
    [
        (None, False),
        ({}, False),
        ({"automated": None}, False),
        ({"automated": {}}, True),
        ({"automated": {"enabled": True}}, True),
        ({"automated": {"enabled": False, "prune": True}}, False),
    ],
)
def test_automation_is_what_argo_cd_takes_for_it(policy: Any, automated: bool) -> None:
    assert is_automated({"spec": {"syncPolicy": policy}}) is automated


def test_a_summary_has_argo_cds_words() -> None:
    assert observe(example("before-first-sync")["application"]).summary == "OutOfSync, Missing"
    assert observe({}).summary == "not compared, health not assessed"


def test_resources_have_their_health_and_hooks_their_phase() -> None:
    application = example("hook-failed")["application"]
    application["status"]["resources"][0]["syncWave"] = 3
    application["status"]["operationState"]["syncResult"]["resources"].append(
        {"kind": "X", "hookType": "Sync"}
    )
    deployment, hook, bare = resources_of(application)
    assert (deployment.wave, hook.wave) == (3, 0)
    assert (hook.api_version, bare.api_version, bare.name, bare.message) == ("batch/v1", "", "", "")
    assert (deployment.api_version, deployment.title, deployment.sync, deployment.health) == (
        "apps/v1", "Deployment oracle/oracle", "Synced", "Healthy",
    )  # fmt: skip
    assert (hook.title, hook.hook, hook.sync) == ("Job oracle/smoke", "PostSync", "Failed")
    assert hook.message == "Job has reached the specified backoff limit"


def test_a_hook_is_listed_once() -> None:
    assert [r.kind for r in resources_of(example("hooks-succeeded")["application"])] == ["Deployment", "Job"]


def test_between_two_attempts_another_one_is_to_come() -> None:
    waiting = example("retrying-waits")["application"]
    assert observe(waiting).retrying
    waiting["status"]["operationState"]["phase"] = "Failed"
    assert not observe(waiting).retrying


def test_the_worst_objects_are_named_first_and_alone_counted() -> None:
    application = example("degraded")["application"]
    (object_,) = [r for r in application["status"]["resources"] if r["health"]["status"] == "Degraded"]
    busy = {**object_, "name": "busy", "health": {"status": "Progressing"}}
    application["status"]["resources"].insert(0, busy)
    seen = observe(application)
    assert seen.message == "Deployment oracle/oracle keeps it Degraded"
    assert [c.partition(",")[0] for c in seen.causes] == [
        "Deployment oracle/oracle: Degraded",
        "Deployment oracle/busy: Progressing",
    ]


def test_what_was_applied_and_is_gone_is_said_to_be_gone() -> None:
    application = example("out-of-sync-after-success")["application"]
    (object_,) = [r for r in application["status"]["resources"] if r["status"] == "OutOfSync"]
    object_["health"] = {"status": "Missing"}
    assert observe(application).causes == ("Deployment oracle/oracle: OutOfSync, and is not there",)
    # Before the first sync nothing was there.
    del application["status"]["operationState"]
    assert observe(application).causes == ("Deployment oracle/oracle: OutOfSync",)
