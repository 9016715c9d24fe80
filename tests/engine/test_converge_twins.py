"""The twins of converge on the real engine: each defect red in converge, with its cause and place; its twin green."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runs import Outcome
from twin_support import each_has_its_cause, each_is_found_where_it_is_written, only_the_listed_fail

pytestmark = pytest.mark.engine

RunFixture = Callable[[str], Outcome]


@pytest.fixture
def run(run_fixture: RunFixture) -> Outcome:
    return run_fixture("converge-twins")


SKIPPED = {
    ("window-closed", "converge", "sync-window"),
    ("window-closed-by-hand", "converge", "sync-window"),
    ("rolls-not-second", "converge", "step-not-reached"),
    ("left-alone", "converge", "reconcile-skipped"),
}
AGAIN = (
    "annotation-ignored",
    "hook-phases",
    "large-server-side",
    "replaced",
    "rules-gathered",
    "sync-options",
)
"""Those on which an option or a hook has a say: a second sync is asked of them."""


def test_each_defect_is_seen_by_converge_alone_and_all_else_is_green(run: Outcome) -> None:
    only_the_listed_fail(run, "converge-twins", SKIPPED)
    asked = {key: run.asked(key) for key in run.applications}
    assert len(asked) == 46
    again = dict.fromkeys((f"argocd/{name}" for name in AGAIN), ("converge", "idempotent"))
    assert asked == {**dict.fromkeys(asked, ("converge",)), **again}


def test_each_defect_is_found_where_it_is_written(run: Outcome) -> None:
    each_is_found_where_it_is_written(run, "converge-twins")


def test_each_has_its_cause(run: Outcome) -> None:
    each_has_its_cause(run, "converge-twins")


def test_without_argo_rollouts_it_is_said_how_to_have_it(run: Outcome) -> None:
    message = run.stage("argocd/rollout-alone", "converge")["message"]
    assert "no controller acts on Rollouts" in message
    assert "argo-rollouts: true" in message


def test_what_is_out_of_sync_for_ever_is_named_with_its_path_and_both_values(run: Outcome) -> None:
    (finding,) = run.stage("argocd/annotation-healed", "converge")["findings"]
    path = 'metadata.annotations["deployment.kubernetes.io/revision"]'
    assert f"{path}: desired '7', live '1'" in finding["message"]
    (finding,) = run.stage("argocd/field-dropped", "converge")["findings"]
    assert "spec.lamps[0].wats: desired 60, live not there" in finding["message"]
    found = run.stage("argocd/rules-overwritten", "converge")["evidence"]["differences"]
    assert {
        "object": "ClusterRole reader",
        "path": "rules[0].resources[0]",
        "desired": "pods",
        "live": None,
    } in found


def test_the_kinds_of_no_end_are_told_apart(run: Outcome) -> None:
    progress = {
        "annotation-healed": "circles",
        "field-dropped": "still",
        "annotation-taken-back": "still",  # nobody heals it, and our asking makes nothing go round
        "lua-degraded": "still",
        "too-slow": "slow",
    }
    for name, kind in progress.items():
        assert run.stage(f"argocd/{name}", "converge")["evidence"]["progress"] == kind, name


def test_what_a_failed_sync_mends_the_next_attempt_finds(run: Outcome) -> None:
    mends = run.stage("argocd/retry-mends", "converge")["evidence"]
    assert mends["retries"] == 1
    assert "SyncFail ServiceAccount work: Succeeded" in {s["step"] for s in mends["steps"]}
    assert run.stage("argocd/retry-none", "converge")["evidence"]["retries"] == 0


def test_what_a_hooks_delete_policy_says_is_done(run: Outcome) -> None:
    def jobs(name: str) -> set[str]:
        tree = run.stage(f"argocd/{name}", "converge")["evidence"]["tree"]
        # One that is on its way out waits for the garbage collector, which has other work too.
        there = [r["object"] for r in tree if not str(r["message"]).startswith("Pending deletion")]
        return {each.partition("/")[2] for each in there if each.startswith("Job ")}

    assert jobs("hook-phases") == {"during"}  # BeforeHookCreation; of the others HookSucceeded
    assert jobs("hook-fails-after") == set()
    after = run.stage("argocd/hook-fails-after", "converge")["evidence"]
    assert "PostSync Job report: Failed" in {s["step"] for s in after["steps"]}
    assert (after["sync"], after["health"]) == ("Synced", "Healthy")


def test_hooks_waves_and_owners_are_in_the_evidence(run: Outcome) -> None:
    phases = run.stage("argocd/hook-phases", "converge")["evidence"]
    hooks = [s["step"] for s in phases["steps"] if s["kind"] == "hook" and s["step"].endswith("Succeeded")]
    assert hooks == [
        f"{p} Job {n}: Succeeded"
        for p, n in (("PreSync", "before"), ("Sync", "during"), ("PostSync", "after"))
    ]
    assert phases["hookLogs"] == "none: no container runs on the embedded cluster"
    failed = run.stage("argocd/hook-fails", "converge")["evidence"]["steps"]
    assert "SyncFail Job failed: Succeeded" in {s["step"] for s in failed if s["kind"] == "hook"}
    waves = [
        s["step"] for s in run.stage("argocd/waves", "converge")["evidence"]["steps"] if s["kind"] == "wave"
    ]
    assert waves == ["wave 0", "wave 1"]
    owners = {
        r["object"].split(" ")[0]: r["owner"]
        for r in run.stage("argocd/comes-up", "converge")["evidence"]["tree"]
    }
    assert owners["Deployment"] is None
    assert owners["ReplicaSet"] == "Deployment comes-up/web"
    assert owners["Pod"].startswith("ReplicaSet comes-up/web-")
