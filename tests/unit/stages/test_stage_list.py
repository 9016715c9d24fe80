"""The list of stages, and the results that findings make."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import REVIEW_STAGES, VERIFY_STAGES, Finding, Outcome, Severity, Waiver
from pytest_gitops.stages import FAMILIES, IN_TURN, NAMES, OF_BASE, all_stages, before, chosen, with_needs
from pytest_gitops.stages.base import Family, judged, told


def test_the_names_are_those_of_the_stages() -> None:
    stages = all_stages()
    assert tuple(s.name for s in stages) == NAMES
    assert {s.name: s.family for s in stages} == FAMILIES
    for stage in stages:
        assert stage.question.endswith("?")
        family = REVIEW_STAGES if stage.family is Family.REVIEW else VERIFY_STAGES
        assert stage.name in family


def test_a_stage_comes_after_all_that_it_needs() -> None:
    stages = all_stages()
    for at, stage in enumerate(stages):
        needs = with_needs(stage.name, stages)
        assert set(stage.needs) <= set(needs) <= set(NAMES[:at])
        assert list(needs) == [n for n in NAMES if n in needs]


def test_needs_of_needs_are_named_once() -> None:
    graph = {"a": (), "b": ("a",), "c": ("b", "a"), "d": ("c", "b")}
    stages = cast(Any, [SimpleNamespace(name=n, needs=needs) for n, needs in graph.items()])
    assert with_needs("d", stages) == ("a", "b", "c")


def test_stages_that_share_a_cluster_take_turns_whatever_was_said() -> None:
    names = ("render", *IN_TURN, "upgrade")
    needs = {"converge": ("render",), "upgrade": ("converge",)}
    stages = cast(
        Any,
        [SimpleNamespace(name=n, needs=needs.get(n, ("converge",) if n in IN_TURN else ())) for n in names],
    )
    assert before("idempotent", stages) == ("render", "converge")
    assert before("prune", stages) == ("render", "converge", "idempotent", "self-heal")
    assert before("upgrade", stages) == ("render", "converge")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["all"], tuple(n for n in NAMES if n not in OF_BASE)),
        (["review"], ("source", "render", "admit", "policy")),
        (["review", "change"], ("source", "render", "admit", "policy", "change")),
        (["verify"], ("converge", "idempotent", "self-heal", "prune")),
        (["converge", "source", "source"], ("source", "converge")),
        (["verify", "render"], ("render", "converge", "idempotent", "self-heal", "prune")),
        ([], ()),
    ],
)
def test_words_mean_stages_in_the_stages_order(words: list[str], names: tuple[str, ...]) -> None:
    assert chosen(words) == names


def test_what_compares_is_asked_where_there_is_a_base() -> None:
    assert chosen(["all"], compares=True) == NAMES
    assert chosen(["verify"], compares=True) == ("converge", "idempotent", "self-heal", "upgrade", "prune")
    assert chosen(["review"], compares=True) == ("source", "render", "admit", "policy", "change")


def test_what_leaves_nothing_to_look_at_is_asked_by_name_where_the_cluster_is_kept() -> None:
    assert chosen(["verify"], keeps=True) == ("converge", "idempotent", "self-heal")
    assert chosen(["all", "prune"], keeps=True)[-1] == "prune"


@pytest.mark.parametrize("word", ["", "Source", "upgraded", "source,render"])
def test_an_unknown_word_is_refused_with_the_known_ones(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(["source", word], where="gitops_stages")
    assert str(caught.value) == (
        f"gitops_stages: expected stages of source, render, admit, policy, change, converge, idempotent, self-heal, upgrade, prune, review, verify, all; saw {word!r}"
    )


ERROR = Finding(
    rule="missing-path",
    severity=Severity.ERROR,
    message="no path",
    file="a.yaml",
    line=3,
    resource="Service web/a",
    help="make it",
)
WARNING = Finding(rule="odd", severity=Severity.WARNING, message="hm")
WAIVED = Finding(rule="old", severity=Severity.ERROR, message="known", waiver=Waiver(reason="so"))


@pytest.mark.parametrize("findings", [[], [WARNING], [WAIVED], [WARNING, WAIVED]])
def test_what_does_not_count_passes_and_is_kept(findings: list[Finding]) -> None:
    result = judged("source", findings, duration=1.5, evidence={"a": 1}, message="never")
    assert (result.outcome, result.code, result.message) == (Outcome.PASSED, "", "")
    assert (result.findings, result.duration, result.evidence) == (tuple(findings), 1.5, {"a": 1})


def test_the_first_that_counts_gives_the_code_and_all_that_count_are_told() -> None:
    second = Finding(rule="other", severity=Severity.ERROR, message="more")
    result = judged("source", [WARNING, WAIVED, ERROR, second])
    assert (result.stage, result.outcome, result.code) == ("source", Outcome.FAILED, "missing-path")
    assert result.findings == (WARNING, WAIVED, ERROR, second)
    assert result.message == f"{told(ERROR)}\n{told(second)}"
    assert judged("source", [ERROR], message="own words").message == "own words"


def test_a_finding_is_told_with_its_place_its_object_its_rule_and_the_next_step() -> None:
    assert (
        told(ERROR)
        == "a.yaml:3: no path\n  object   Service web/a\n  rule     missing-path\n  next     make it"
    )
    assert told(WARNING) == "hm\n  rule     odd"
