from __future__ import annotations

import dataclasses

import pytest
from report_documents import SIMULATED, case, grid, run, settled, small, stage

from pytest_gitops.model import Finding, Moment, Outcome, Run, Severity, Verdict, Waiver
from pytest_gitops.report import document, verification
from pytest_gitops.report.reading import settled_after


def _text(made: Run) -> str:
    return verification.render(document.build(made))


@pytest.mark.parametrize("made", [small(), grid(), run()])
def test_what_was_simulated_is_always_said(made: Run) -> None:
    assert f"> **Simulated** on the `embedded` cluster: {'. '.join(SIMULATED)}." in _text(made)


def test_a_real_cluster_simulates_nothing_and_says_so() -> None:
    made = dataclasses.replace(small(), simulated=(), provider="kubeconfig")
    assert "> **Simulated:** nothing; everything ran on the `kubeconfig` cluster." in _text(made)


def test_what_was_proven_is_one_row_with_its_time() -> None:
    assert "| ✅ | `argocd/omega-monitoring` | after 4.8 s | 2 | ✅ 5.1 s |" in _text(small())


def test_a_failure_gives_its_cause_before_objects_timeline_and_command() -> None:
    text = _text(grid())
    order = [
        "argocd/omega-matrix-news · converge · never-healthy · kubernetes/gitops/applications/matrix-",
        "StatefulSet matrix-news/mongodb is Progressing after 60 s",
        "| `StatefulSet matrix-news/mongodb` | Synced | Progressing |",
        "timeline: 0 s OutOfSync/Missing → 2.1 s OutOfSync/Missing → 4.6 s Synced/Progressing → 45 s Synced/",
        "matrix-news-app.yaml::argocd/omega-matrix-news::converge`",
        "**Proven** for 6 Applications",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_warnings_and_what_is_waived_are_told() -> None:
    found = Finding(
        rule="resource-excluded",
        severity=Severity.WARNING,
        message="Lease web/a: expected Argo CD to apply it, saw it left out",
        file="web/lease.yaml",
        line=7,
        resource="Lease web/a",
        help="take the kind out",
    )
    note = dataclasses.replace(found, rule="kept-object", severity=Severity.INFO)
    waived = dataclasses.replace(found, rule="cascade-stops", waiver=Waiver(reason="known"))
    made = small()
    (verdict,) = made.verdicts
    stages = (*verdict.stages[:-1], dataclasses.replace(verdict.stages[-1], findings=(found, note, waived)))
    text = _text(dataclasses.replace(made, verdicts=(dataclasses.replace(verdict, stages=stages),)))
    assert "1 Application Synced and Healthy, with warnings" in text
    warnings, _, rest = text.partition("**Warnings**")[2].partition("**Waived**")
    for word in ("saw it left out", "`resource-excluded`", "`web/lease.yaml:7`", "→ take the kind out"):
        assert word in warnings
    assert "kept-object" not in text
    assert "`cascade-stops`" in rest.partition("**Proven**")[0]
    assert "**Warnings**" not in _text(small())


def test_a_healthy_object_of_a_failed_application_is_not_listed() -> None:
    assert "Service matrix-news/mongodb" not in _text(grid())


def test_a_skipped_application_is_not_among_the_proven() -> None:
    proven = _text(grid()).partition("**Proven**")[2]
    assert "omega-pitch" not in proven
    assert "omega-btc-oracle" in proven


def test_a_run_that_only_reviews_proves_nothing_and_says_so() -> None:
    made = dataclasses.replace(small(), stages=("source", "render"))
    assert "No stage of the verification was asked for (`--gitops-stages`), so nothing was proven." in _text(
        made
    )


def test_a_long_timeline_keeps_its_beginning_and_its_end() -> None:
    moments = tuple(
        Moment(at=n, sync="Synced", health="Healthy" if n % 2 else "Progressing") for n in range(20)
    )
    verdict = Verdict(
        case=case("a"), stages=(stage("converge", Outcome.FAILED, message="m"),), timeline=moments
    )
    text = _text(run(verdict))
    assert "timeline: 0 s Synced/Progressing → " in text
    assert " → (14 steps) → " in text
    assert " → 19 s Synced/Healthy\n" in text


def test_settled_means_for_good() -> None:
    def after(*moments: Moment) -> float | None:
        built = document.build(run(Verdict(case=case("a"), timeline=moments)))
        return settled_after(built["applications"][0])

    assert after(*settled(5)) == 5
    assert after(*settled(5), Moment(at=9, sync="Synced", health="Degraded")) is None
    flapped = (
        *settled(5),
        Moment(at=6, sync="OutOfSync", health="Healthy"),
        Moment(at=8, sync="Synced", health="Healthy"),
    )
    assert after(*flapped) == 8


def test_what_stays_after_a_deletion_is_a_row_with_its_reason() -> None:
    told = {
        "deletedSeconds": 2.5,
        "gone": 3,
        "kept": [
            {"object": "Namespace a", "why": "Argo CD made it (CreateNamespace=true), and never deletes it"}
        ],
        "left": [],
    }
    stuck = {
        "deletedSeconds": None,
        "gone": 0,
        "kept": [{"object": f"ConfigMap b/{n}", "why": "Delete=false"} for n in range(5)],
        "left": [{"object": "ConfigMap b/settings", "finalizers": ["example.com/held"]}],
    }
    clean = {"deletedSeconds": 1.0, "gone": 2, "kept": [], "left": []}
    verdicts = [
        Verdict(case=case(name), stages=(dataclasses.replace(stage("prune", outcome), evidence=evidence),))
        for name, outcome, evidence in (
            ("a", Outcome.PASSED, told),
            ("b", Outcome.FAILED, stuck),
            ("c", Outcome.PASSED, clean),
        )
    ]
    text = _text(dataclasses.replace(run(*verdicts), stages=("converge", "prune"))).replace("\\", "")
    assert "**Deleted** with 3 Applications: 5 objects. What is still there, Applications aside:" in text
    assert (
        "| `argocd/a` | 3 | 2.5 s | `Namespace a` (Argo CD made it (CreateNamespace=true), and never deletes it) | – |"
        in text
    )
    (row,) = (line for line in text.splitlines() if line.startswith("| `argocd/b` | 0"))
    assert row.endswith("and 2 more | `ConfigMap b/settings` `example.com/held` |")
    assert "| `argocd/c` | 2" not in text
