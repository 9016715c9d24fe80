"""The evidence, drawn: steps and stages on the timeline, an upgrade's three courses, who owns whom, tables of anything."""

from __future__ import annotations

from typing import Any

from report_documents import case, node, run, stage

from pytest_gitops.model import Moment, Outcome, Verdict
from pytest_gitops.report import document, verification
from pytest_gitops.report.markdown_evidence import steps, tables
from pytest_gitops.report.page_evidence import columns_of, evidence, words
from pytest_gitops.report.page_owners import owners
from pytest_gitops.report.page_timeline import timeline
from pytest_gitops.report.reading import cause_of

GOOD = (Moment(at=0, sync="OutOfSync", health="Missing"), Moment(at=4, sync="Synced", health="Healthy"))
COURSE = [m.to_dict() for m in GOOD]


def application(name: str = "converge", *, moments: tuple[Moment, ...] = (), **found: Any) -> dict[str, Any]:
    made = Verdict(case=case("a"), stages=(stage(name, duration=8, evidence=found),), timeline=moments)
    built: dict[str, Any] = document.build(run(made))["applications"][0]
    return built


# ---------------------------------------------------------------- timeline


def test_steps_are_marks_with_their_words_and_rows_of_the_list() -> None:
    step = {"at": 2.5, "kind": "hook", "step": "PreSync Job a: Running"}
    drawn = str(timeline(application(moments=GOOD, startedAtSeconds=0.0, steps=[step])))
    assert 'aria-label="Steps: PreSync Job a: Running at 2.5 s"' in drawn
    assert '<rect x="31.25%" width="4" height="100%" class="step hook"></rect>' in drawn
    assert "<td>PreSync Job a: Running</td>" in drawn
    assert "<td>converge begins</td>" in drawn


def test_where_each_stage_begins_is_marked_once_there_are_several() -> None:
    made = Verdict(
        case=case("a"),
        stages=(
            stage("converge", duration=5, evidence={"startedAtSeconds": 0.0}),
            stage("idempotent", duration=3, evidence={"startedAtSeconds": 6.0}),
        ),
        timeline=GOOD,
    )
    drawn = str(timeline(document.build(run(made))["applications"][0]))
    assert 'aria-label="Stages: converge at 0 s, idempotent at 6.0 s"' in drawn
    assert "Stages" not in str(timeline(application(moments=GOOD, startedAtSeconds=0.0)))


def test_an_upgrade_has_a_course_for_base_head_and_the_way_back() -> None:
    phases = {k: {"outcome": "passed", "timeline": COURSE} for k in ("base", "head", "rollback")}
    drawn = str(timeline(application("upgrade", **phases)))
    places = [drawn.index(f"Upgrade: {title} ") for title in ("base", "head", "back to base")]
    assert places == sorted(places)
    assert drawn.count('aria-label="Sync: OutOfSync from 0 s, Synced from 4.0 s"') == 3


def test_an_upgrade_that_ended_at_base_has_one_course() -> None:
    assert str(timeline(application("upgrade", base={"timeline": COURSE}, head={}))).count("Upgrade: ") == 1


def test_without_anything_seen_nothing_is_drawn() -> None:
    assert timeline(application()) is None
    assert owners(application()) is None


# ---------------------------------------------------------------- tree


def test_what_is_owned_stands_inside_of_its_owner() -> None:
    rows = [
        node("Deployment a/b", wave=2),
        node("Pod a/c", owner="Deployment a/b", health="Degraded", message="no"),
    ]
    drawn = str(owners(application(tree=rows)))
    assert drawn.index("Deployment") < drawn.index("<ul><li>", drawn.index("Deployment")) < drawn.index("a/c")
    assert "wave 2" in drawn
    assert "2 objects, 1 not Healthy" in drawn
    assert '<p class="help">no</p>' in drawn


def test_a_large_tree_is_folded_unless_something_is_wrong() -> None:
    many = [node(f"ConfigMap a/{n}") for n in range(41)]
    assert "<details>" in str(owners(application(tree=many)))
    assert "<details open>" in str(owners(application(tree=[*many, node("Pod a/x", health="Degraded")])))


def test_a_tree_that_is_a_circle_ends() -> None:
    circle = [node("A a/a", owner="B a/b"), node("B a/b", owner="A a/a"), node("C a/c")]
    assert "a/c" in str(owners(application(tree=circle)))


# ---------------------------------------------------------------- anything


def test_flat_mappings_are_a_table_whoever_wrote_them() -> None:
    found = application(
        "prune", left=[{"object": "Pod a/b", "why": None, "after": 3}, {"object": "x", "after": 4}]
    )
    drawn = str(evidence(found["stages"]))
    assert '<th scope="col">object</th><th scope="col">after</th>' in drawn
    assert "<td>Pod a/b</td><td>3</td>" in drawn


def test_what_is_drawn_elsewhere_is_not_told_again() -> None:
    assert evidence(application(tree=[node("A a")], steps=[], timeline=[])["stages"]) is None


def test_deep_and_mixed_evidence_is_shown_as_it_is() -> None:
    drawn = str(evidence(application(base={"operation": {"phase": "Failed"}}, odd=[1, [2]])["stages"]))
    assert "<dt>phase</dt><dd>Failed</dd>" in drawn
    assert "[\n  1,\n  [\n    2\n  ]\n]" in drawn


def test_keys_are_told_as_words_and_empty_columns_left_out() -> None:
    assert words("healthyAtSeconds") == "healthy at seconds"
    assert columns_of([{"a": None, "b": ""}, {"c": 0, "b": None}]) == ["c"]


# ---------------------------------------------------------------- verification.md


KNOWN = {"class": "quota-exceeded", "cause": "the namespace's quota is used up", "next": "raise it"}


def test_the_cause_is_that_of_the_phase_that_failed() -> None:
    (one,) = application("upgrade", base={}, head={"cause": KNOWN})["stages"]
    assert cause_of(one) == KNOWN
    (none,) = application("upgrade", head=3)["stages"]
    assert cause_of(none) is None


def test_verification_has_a_row_for_each_failure_cause_first() -> None:
    failed = stage("converge", Outcome.FAILED, code="sync-failed", message="m", evidence={"cause": KNOWN})
    unknown = stage("idempotent", Outcome.FAILED, code="deleted", message="m")
    text = verification.render(document.build(run(Verdict(case=case("a"), stages=(failed, unknown)))))
    assert "| cause | Application | stage | object | where |" in text
    assert "| **the namespace's quota is used up** | `argocd/a` | converge | – | " in text
    assert "| **deleted** | `argocd/a` | idempotent | – | " in text
    assert text.index("| cause |") < text.index("**What failed**")


def test_lists_of_a_failure_are_tables_differences_first() -> None:
    (one,) = application(
        other=[{"a": 1}],
        head={"differences": [{"object": "x|y", "path": "spec", "live": None, "desired": 3}]},
    )["stages"]
    first, second = tables(one)
    assert first.startswith("head differences (1):")
    assert "| x\\|y | spec | 3 |" in first
    assert "other (1)" in second
    assert tables({**one, "stage": "policy"}) == []


def test_many_steps_keep_their_beginning_and_end() -> None:
    (one,) = application(steps=[{"at": n, "kind": "wave", "step": f"wave {n}"} for n in range(15)])["stages"]
    assert steps(one)[0].count("→") == 10
    assert "(5 more)" in steps(one)[0]
