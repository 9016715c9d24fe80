"""The twins of converge on the real engine: each defect red in converge, with its cause and place; its twin green."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runs import ROOT, Outcome

from pytest_gitops.repository.manifest import parse

pytestmark = pytest.mark.engine

RunFixture = Callable[[str], Outcome]


@pytest.fixture
def run(run_fixture: RunFixture) -> Outcome:
    return run_fixture("converge-twins")


def twins() -> list[dict[str, str]]:
    path = ROOT / "fixtures" / "converge-twins" / "twins.yaml"
    found: list[dict[str, str]] = parse(path.read_bytes())[0].value
    return found


def test_each_defect_is_seen_by_converge_alone_and_no_twin_is_red(run: Outcome) -> None:
    red = {
        (key, stage["stage"], stage["code"])
        for key, application in run.applications.items()
        for stage in application["stages"]
        if stage["outcome"] in {"failed", "error"}
    }
    assert red == {(t["application"], t["stage"], t["code"]) for t in twins()}, run.output


def test_each_defect_is_found_where_it_is_written(run: Outcome) -> None:
    found = {(f[0], f[1], f"{f[3]}:{f[4]}") for f in run.findings if f[2] == "error"}
    assert found == {(t["application"], t["code"], t["at"]) for t in twins()}


def test_each_has_its_cause(run: Outcome) -> None:
    for twin in (t for t in twins() if "cause" in t):
        told = run.stage(twin["application"], twin["stage"])["evidence"]
        assert told.get("cause", {}).get("class") == twin["cause"], twin["application"]


def test_without_argo_rollouts_it_is_said_how_to_have_it(run: Outcome) -> None:
    message = run.stage("argocd/rollout-alone", "converge")["message"]
    assert "no controller acts on Rollouts" in message
    assert "argo-rollouts: true" in message


def test_a_second_sync_is_asked_of_those_on_which_an_option_or_a_hook_has_a_say(run: Outcome) -> None:
    asked = {k for k, a in run.applications.items() if "idempotent" in {s["stage"] for s in a["stages"]}}
    names = (
        "annotation-ignored",
        "hook-phases",
        "large-server-side",
        "replaced",
        "rules-gathered",
        "sync-options",
    )
    assert asked == {f"argocd/{n}" for n in names}


def test_what_is_out_of_sync_for_ever_is_named_with_its_path_and_both_values(run: Outcome) -> None:
    (finding,) = run.stage("argocd/annotation-healed", "converge")["findings"]
    path = 'metadata.annotations["deployment.kubernetes.io/revision"]'
    assert f"{path}: desired '7', live '1'" in finding["message"]
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
        "annotation-taken-back": "still",  # nobody heals it, and our asking makes nothing go round
        "lua-degraded": "still",
        "too-slow": "slow",
    }
    for name, kind in progress.items():
        assert run.stage(f"argocd/{name}", "converge")["evidence"]["progress"] == kind, name


def test_what_a_window_a_step_or_its_annotation_keeps_back_is_not_judged(run: Outcome) -> None:
    codes = {
        "window-closed": "sync-window",
        "window-closed-by-hand": "sync-window",
        "rolls-not-second": "step-not-reached",
        "left-alone": "reconcile-skipped",
    }
    for name, code in codes.items():
        said = run.stage(f"argocd/{name}", "converge")
        assert (said["outcome"], said["code"]) == ("skipped", code), said["message"]
    assert run.stage("argocd/window-open-by-hand", "converge")["outcome"] == "passed"


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
