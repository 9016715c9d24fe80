"""Twins on the real engine: an Application with one defect is red in the one stage that can see it, its twin green."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runs import Outcome
from twin_support import each_has_its_cause, each_is_found_where_it_is_written, only_the_listed_fail

from pytest_gitops.model import VERIFY_STAGES

pytestmark = pytest.mark.engine

RunFixture = Callable[[str], Outcome]


@pytest.fixture
def run(run_fixture: RunFixture) -> Outcome:
    return run_fixture("twins")


NOTHING_TO_DRIFT = (
    *("brings-argocd", "claim-in-use", "claim-unused", "family", "job-made-anew", "landlord"),
    *("project-first", "project-last", "volume-kept"),
)
SKIPPED = {
    *((name, "self-heal", "no-safe-drift") for name in NOTHING_TO_DRIFT),
    # What idempotent found is not over when self-heal begins.
    *((name, "self-heal", "not-settled") for name in ("job-replaced", "random-secret", "volume-used-up")),
    ("brings-argocd", "prune", "manages-argocd"),
}


def evidence(run: Outcome, name: str, stage: str = "idempotent") -> dict[str, Any]:
    found: dict[str, Any] = run.stage(f"argocd/{name}", stage)["evidence"]
    return found


def drifts(run: Outcome, name: str) -> set[tuple[str, str, str]]:
    """(object, drift, expectation) of everything that one Application was made to do."""
    told = evidence(run, name, "self-heal")["drifts"]
    return {(d["object"].partition("/")[2], d["drift"], d["expectation"]) for d in told}


def test_each_defect_is_seen_by_its_stage_alone_and_all_else_is_green(run: Outcome) -> None:
    only_the_listed_fail(run, "twins", SKIPPED)
    asked = tuple(s for s in VERIFY_STAGES if s != "upgrade")
    assert [run.asked(key) for key in run.applications] == [asked] * 58


def test_each_defect_is_found_where_it_is_written(run: Outcome) -> None:
    each_is_found_where_it_is_written(run, "twins")


def test_each_has_its_cause(run: Outcome) -> None:
    each_has_its_cause(run, "twins")


def test_what_differs_is_told_with_its_path_and_without_the_values_of_a_secret(run: Outcome) -> None:
    (finding,) = run.stage("argocd/random-secret", "idempotent")["findings"]
    assert "stringData.key is another (value hidden)" in finding["message"]
    (finding,) = run.stage("argocd/stamped", "idempotent")["findings"]
    assert "data.at was '17" in finding["message"]


def test_a_rendering_that_differs_where_argocd_leaves_it_alone_is_only_told(run: Outcome) -> None:
    (finding,) = run.stage("argocd/stamped-left-alone", "idempotent")["findings"]
    assert (finding["rule"], finding["severity"]) == ("render-not-deterministic", "warning")
    assert evidence(run, "stamped-left-alone")["changes"] == []


def test_what_runs_again_by_its_own_wish_is_in_the_evidence(run: Outcome) -> None:
    assert evidence(run, "hooked-by-hand")["sync"]["hooksRunAgain"] == ["Job migrate"]
    assert evidence(run, "job-made-anew")["madeAnewOnPurpose"] == ["Job job-made-anew/migrate"]


def test_the_timeline_goes_on_after_it_converged(run: Outcome) -> None:
    line = run.applications["argocd/random-secret"]["timeline"]
    assert line[-1]["sync"] == "OutOfSync"
    assert [m["at"] for m in line] == sorted(m["at"] for m in line)


def test_where_no_rule_is_asked_no_opa_is_started(run: Outcome) -> None:
    assert run.report is not None
    marks = run.report["run"]["timings"]
    assert "argocd" in marks and "opa" not in marks


def test_two_hundred_objects_go_through_every_stage(run: Outcome) -> None:
    stages = {s["stage"]: s for s in run.applications["argocd/many"]["stages"]}
    assert {s["outcome"] for s in stages.values()} == {"passed"}
    assert stages["prune"]["evidence"]["gone"] == 200
    healed = stages["self-heal"]["evidence"]
    assert [d["drift"] for d in healed["drifts"]] == [
        "label and field added by another manager",
        "field changed",
        "deleted",
    ]
    assert {e["count"] for e in healed["notTried"]} == {199}, "one stands for the others"


# ---------------------------------------------------------------------- prune


def pruned(run: Outcome, name: str) -> dict[str, Any]:
    found: dict[str, Any] = run.stage(f"argocd/{name}", "prune")
    return found


def told(run: Outcome, name: str) -> list[tuple[str, str]]:
    return [
        (f["rule"], f["resource"] or "") for f in pruned(run, name)["findings"] if f["severity"] != "error"
    ]


def test_what_is_deleted_is_counted_and_timed(run: Outcome) -> None:
    evidence = pruned(run, "released")["evidence"]
    assert evidence["gone"] == 1 and evidence["left"] == [] and evidence["deletedSeconds"] > 0
    assert evidence["kept"] == [
        {
            "object": "Namespace released",
            "why": "Argo CD made it (CreateNamespace=true), and never deletes it",
        }
    ]


def test_what_rightly_stays_is_told_with_its_reason(run: Outcome) -> None:
    stage = pruned(run, "keeps")
    assert stage["outcome"] == "passed"
    assert {k["object"] for k in stage["evidence"]["kept"]} == {
        "ConfigMap keeps/kept",
        "ConfigMap keeps/kept-by-helm",
        "Namespace keeps",
        "PersistentVolumeClaim keeps/data-store-0",
    }
    assert stage["evidence"]["gone"] == 2  # Prune=false keeps nothing from being deleted
    (words,) = pruned(run, "set-leaves-porto")["findings"]
    assert "preserveResourcesOnDeletion" in words["message"]
    assert pruned(run, "set-clears-porto")["evidence"]["with"] == "ApplicationSet argocd/set-clears"


def test_a_confirmation_is_given(run: Outcome) -> None:
    assert pruned(run, "asks-first")["evidence"]["confirmed"] is True
    assert pruned(run, "released")["evidence"]["confirmed"] is False


def test_a_child_without_a_finalizer_is_warned_of_and_its_objects_are_deleted(run: Outcome) -> None:
    assert told(run, "family-child") == [("cascade-stops", "")]
    assert pruned(run, "family-child")["evidence"]["gone"] == 1


def test_what_others_need_goes_after_them_and_is_told(run: Outcome) -> None:
    assert told(run, "landlord") == [("deletes-others", "Namespace landlord")]
    assert pruned(run, "tenant")["outcome"] == "passed"


def test_what_a_sync_does_to_a_foreign_namespace_is_told(run: Outcome) -> None:
    assert told(run, "marks-namespace") == [("foreign-object-changed", "Namespace marks-namespace")]


def test_argocds_words_and_the_cause_are_in_the_text(run: Outcome) -> None:
    message = pruned(run, "project-first-child")["message"]
    assert 'appproject.argoproj.io "project-first" not found' in message
    assert "the AppProject is gone" in message
    assert 'Job.batch "farewell" is invalid' in pruned(run, "farewell-fails")["message"]
    assert "waiting for Application argocd/project-first-child" in pruned(run, "project-first")["message"]


def test_who_uses_a_claim_that_does_not_go_is_named(run: Outcome) -> None:
    (finding,) = pruned(run, "claim-in-use")["findings"]
    assert "Kubernetes keeps it for Pod claim-in-use/of-another-team-" in finding["message"]


ADDED = "label and field added by another manager"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("healed", "undone"),
        ("server-side", "undone"),
        ("only-seen", "seen as OutOfSync"),
        ("by-hand", "seen as OutOfSync"),
    ],
)
def test_four_kinds_of_drift_come_to_what_the_sync_policy_says(
    run: Outcome, name: str, expected: str
) -> None:
    assert run.stage(f"argocd/{name}", "self-heal")["outcome"] == "passed"
    assert drifts(run, name) == {
        ("web", ADDED, "left alone"),
        *((o, "field changed", expected) for o in ("web", "settings")),
        *((o, "deleted", expected) for o in ("web", "settings")),
        ("web", "replicas scaled", expected),
    }
    for drift in evidence(run, name, "self-heal")["drifts"]:
        assert drift["restored"], drift
        if drift["expectation"] != "left alone":
            assert drift["undoneSeconds"] > 0 and drift["how"], drift


def test_what_is_ignored_is_left_alone_and_the_rest_is_healed(run: Outcome) -> None:
    assert drifts(run, "left-alone") >= {
        ("settings", "field changed", "left alone"),
        ("web", "replicas scaled", "left alone"),
        ("web", "field changed", "undone"),
    }


def test_replicas_belong_to_their_autoscaler(run: Outcome) -> None:
    assert not any(drift == "replicas scaled" for _, drift, _ in drifts(run, "autoscaled"))
    peace = {p["drift"]: p for p in evidence(run, "autoscaled", "self-heal")["leftInPeace"]}
    assert peace["replicas scaled"]["reason"] == "HorizontalPodAutoscaler web scales it"


def test_a_child_drifts_for_its_parent_in_what_its_own_case_does_not_depend_on(run: Outcome) -> None:
    told = evidence(run, "parent", "self-heal")
    assert {(d["object"], d.get("field")) for d in told["drifts"]} == {
        ("Application argocd/child", None),
        ("Application argocd/child", "spec.syncPolicy.retry.limit"),
    }
    assert {p["reason"] for p in told["leftInPeace"]} == {"it is a test case of its own"}
    assert len(drifts(run, "child")) == len(drifts(run, "neighbour")) == 6  # in one namespace


def test_argocds_own_objects_are_not_deleted_and_that_is_said(run: Outcome) -> None:
    stage = pruned(run, "brings-argocd")
    assert (stage["outcome"], stage["code"]) == ("skipped", "manages-argocd")
    assert "ConfigMap argocd/argocd-gpg-keys-cm is Argo CD's own" in stage["message"]


def test_what_is_not_compared_or_no_longer_ignored_is_told_with_what_to_look_at(run: Outcome) -> None:
    (finding,) = run.stage("argocd/compared-in-part", "self-heal")["findings"]
    assert "spec.settings.key was changed; expected Argo CD to see that as OutOfSync" in finding["message"]
    assert "knownTypeFields" in finding["help"]
    (finding,) = run.stage("argocd/ignored-by-value", "self-heal")["findings"]
    assert "rules[0].verbs[2] was changed; expected that to be left alone" in finding["message"]
    assert "jqPathExpressions" in finding["help"]
    for name in ("compared-in-part", "ignored-by-value"):
        assert all(d["restored"] for d in evidence(run, name, "self-heal")["drifts"]), name


def test_what_decides_for_others_is_left_in_peace(run: Outcome) -> None:
    told = evidence(run, "accepted-still", "self-heal")["leftInPeace"]
    assert [(p["drift"], p["count"]) for p in told] == [("any", 2)]
