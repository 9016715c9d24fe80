"""Answers arrive once, and what was never answered is an error."""

from __future__ import annotations

import threading

from pytest_gitops.model import Outcome, StageResult
from pytest_gitops.run.verdicts import Verdicts


def result(stage: str = "source", outcome: Outcome = Outcome.PASSED, code: str = "") -> StageResult:
    return StageResult(stage=stage, outcome=outcome, code=code)


def test_the_first_answer_stays() -> None:
    verdicts = Verdicts()
    verdicts.give("a", result(outcome=Outcome.FAILED, code="first"))
    verdicts.give("a", result(outcome=Outcome.PASSED))
    found = verdicts.get("a", "source")
    assert found is not None
    assert (found.outcome, found.code) == (Outcome.FAILED, "first")


def test_answers_are_of_one_case_and_one_stage() -> None:
    verdicts = Verdicts()
    verdicts.give("a", result("source"))
    verdicts.give("a", result("render"))
    verdicts.give("b", result("source"))
    assert [r.stage for r in verdicts.of("a")] == ["source", "render"]
    assert verdicts.get("b", "render") is None
    assert verdicts.of("c") == ()


def test_what_is_still_open_becomes_an_error_and_nothing_else_does() -> None:
    verdicts = Verdicts()
    verdicts.expect([("a", "source"), ("a", "render"), ("b", "source")])
    verdicts.give("a", result("source"))
    assert (verdicts.expected, verdicts.open) == (3, 2)
    verdicts.fail_rest(code="tool-died", message="etcd is gone")
    assert verdicts.open == 0
    assert [(r.stage, r.outcome, r.code) for r in verdicts.of("a")] == [
        ("source", Outcome.PASSED, ""), ("render", Outcome.ERROR, "tool-died"),
    ]  # fmt: skip
    verdicts.give("b", result("source"))
    late = verdicts.get("b", "source")
    assert late is not None
    assert (late.outcome, late.message) == (Outcome.ERROR, "etcd is gone")


def test_an_answer_that_nobody_asked_for_closes_no_question() -> None:
    verdicts = Verdicts()
    verdicts.expect([("a", "source")])
    verdicts.give("a", result("render"))
    assert verdicts.open == 1


def test_who_waits_is_woken_by_the_answer() -> None:
    verdicts, woken = Verdicts(), []
    thread = threading.Thread(target=lambda: woken.append(verdicts.wait("a", "source", limit=30)))
    thread.start()
    verdicts.give("b", result("source"))
    verdicts.give("a", result("source"))
    thread.join(30)
    assert woken == [result("source")]


def test_who_waits_is_woken_by_the_end() -> None:
    verdicts, woken = Verdicts(), []
    verdicts.expect([("a", "source")])
    thread = threading.Thread(target=lambda: woken.append(verdicts.wait("a", "source", limit=30)))
    thread.start()
    verdicts.fail_rest(code="interrupted", message="over")
    thread.join(30)
    assert [r.code for r in woken if r] == ["interrupted"]


def test_without_an_answer_in_time_there_is_none() -> None:
    assert Verdicts().wait("a", "source", limit=0) is None
