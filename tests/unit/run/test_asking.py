"""Which stage is asked when, and of whom: with stages that only write down that they were asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.errors import EngineError, GitOpsError, ProcessDied
from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.planning.plan import Plan
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.run.asking import Selection, Turns
from pytest_gitops.run.verdicts import Verdicts
from pytest_gitops.settings.settings import Settings
from pytest_gitops.stages.base import Answer, Family, Publish


def case(name: str) -> Case:
    return case_of({"metadata": {"name": name}, "spec": {}}, control="argocd", file=f"{name}.yaml", line=1)


@dataclass
class Fake:
    """A stage; `says` maps an Application's name to an outcome, all others pass."""

    name: str
    log: list[str]
    needs: tuple[str, ...] = ()
    says: dict[str, Outcome] = field(default_factory=dict)
    family: Family = Family.VERIFY
    question: str = "?"
    go_on: threading.Event | None = None

    def run(self, context: Any, cases: Sequence[Case], publish: Publish) -> None:
        self.log.append(f"{self.name} {','.join(c.name for c in cases)}")
        if self.go_on is not None:
            assert self.go_on.wait(10)
        for each in cases:
            outcome = self.says.get(each.name, Outcome.PASSED)
            publish(
                each,
                StageResult(stage=self.name, outcome=outcome, code="as-told", message="words of its own"),
            )


@dataclass
class Ahead(Fake):
    """One that begins before its needs are through."""

    ahead_needs: tuple[str, ...] = ()
    begins: Callable[[], object] = lambda: None

    def ahead(self, context: Any, cases: Sequence[Case]) -> Answer:
        self.log.append(f"{self.name} begins {','.join(c.name for c in cases)}")
        self.begins()

        def answer(cases: Sequence[Case], publish: Publish) -> None:
            self.run(context, cases, publish)

        return answer


class Anywhere:
    """Destinations that are all there."""

    def __init__(self) -> None:
        self.hosting = SimpleNamespace(seen=lambda stage, *given: given)

    def connect(self, context: Any, selected: Sequence[str]) -> None:
        pass

    def why_not(self, stage: str, case: Case, context: Any) -> None:
        pass


def run(
    stages: Sequence[Any],
    *names: str,
    spared: Sequence[str] = (),
    clear: Callable[[], None] | None = None,
    selected: Sequence[tuple[str, str]] | None = None,
    parents: Mapping[str, str] | None = None,
    split: bool = False,
) -> Verdicts:
    """`spared` are in the plan, and nothing is asked about them; `selected` is (name, stage), all if it is None;
    `parents` says who creates whom; `split` is a run that is one of several."""
    cases, others = tuple(case(n) for n in names), tuple(case(n) for n in spared)
    above = {n: f"argocd/{p}" for n, p in (parents or {}).items()}
    cases = tuple(
        replace(c, parent=above[c.name], parent_kind="Application") if c.name in above else c for c in cases
    )
    lots = {c.key: "1" for c in cases} if split else {}
    context = SimpleNamespace(
        plan=Plan(
            cases=cases + others, duplicates={}, cycles=frozenset(), projects=(), problems=(), lots=lots
        ),
        spared={c.id for c in others},
        settings=Settings(root=Path(), report=Path(), cache=Path(), environ={}),
        stopping=threading.Event(),
        applied_at=0.0,
    )
    pairs = tuple(
        (c.id, s.name) for c in cases for s in stages if selected is None or (c.name, s.name) in selected
    )
    verdicts = Verdicts()
    verdicts.expect(pairs)
    ended: list[GitOpsError] = []
    Turns(
        cast(Any, context),
        stages,
        Selection(pairs),
        verdicts=verdicts,
        destinations=cast(Any, Anywhere()),
        failure=lambda: ended[0] if ended else None,
        abort=ended.append,
        mark=lambda _: None,
        say=lambda _: None,
        clear=clear,
    ).run()
    return verdicts


def outcome(verdicts: Verdicts, name: str, stage: str) -> tuple[Outcome, str]:
    found = verdicts.get(case(name).id, stage)
    assert found is not None
    return found.outcome, found.code


def test_a_stage_is_asked_after_what_it_needs_of_those_that_passed() -> None:
    log: list[str] = []
    first = Fake("render", log, says={"db": Outcome.FAILED}, family=Family.REVIEW)
    verdicts = run([first, Fake("converge", log, needs=("render",))], "web", "db")
    assert log == ["render web,db", "converge web"]
    assert outcome(verdicts, "db", "converge") == (Outcome.SKIPPED, "needs-render")


def verify(render: Outcome) -> list[Fake]:
    log: list[str] = []
    return [
        Fake("render", log, says={"db": render}, family=Family.REVIEW),
        Fake("converge", log, needs=("render",)),
        Fake("idempotent", log, needs=("render", "converge")),
    ]


def test_what_failed_in_a_stage_that_is_not_selected_is_told_by_the_first_that_is() -> None:
    """Else nobody would, and the run would be green: `--gitops-stages verify` of what does not render."""
    selected = [("db", "converge"), ("db", "idempotent")]
    verdicts = run(verify(Outcome.FAILED), "db", selected=selected)
    assert outcome(verdicts, "db", "converge") == (Outcome.FAILED, "needs-render")
    found = verdicts.get(case("db").id, "converge")
    assert found is not None and found.message == "not asked: render failed (as-told)\nwords of its own"
    assert outcome(verdicts, "db", "idempotent") == (Outcome.SKIPPED, "needs-render")


def test_what_was_skipped_in_a_stage_that_is_not_selected_is_skipped() -> None:
    verdicts = run(verify(Outcome.SKIPPED), "db", selected=[("db", "converge")])
    assert outcome(verdicts, "db", "converge") == (Outcome.SKIPPED, "needs-render")


@pytest.mark.parametrize(
    ("selected", "split", "expected"),
    [
        ([("web", "converge")], False, Outcome.FAILED),
        ([("web", "converge"), ("db", "converge")], False, Outcome.SKIPPED),
        ([("web", "converge"), ("db", "render")], False, Outcome.SKIPPED),
        ([("web", "converge")], True, Outcome.SKIPPED),  # another part of the run tells
    ],
)
def test_a_parent_that_failed_is_told_by_its_child_if_by_nobody_else(
    selected: Sequence[tuple[str, str]], split: bool, expected: Outcome
) -> None:
    parents = {"web": "db"}
    verdicts = run(verify(Outcome.FAILED), "db", "web", selected=selected, parents=parents, split=split)
    assert outcome(verdicts, "web", "converge") == (expected, "parent-failed")


def test_a_turn_on_the_cluster_comes_after_a_stage_that_failed_too() -> None:
    log: list[str] = []
    stages = [
        Fake("converge", log),
        Fake("idempotent", log, needs=("converge",), says={"web": Outcome.FAILED}),
        Fake("prune", log, needs=("converge",)),
    ]
    verdicts = run(stages, "web")
    assert log == ["converge web", "idempotent web", "prune web"]
    assert outcome(verdicts, "web", "prune")[0] is Outcome.PASSED


def test_what_can_begins_beside_what_it_needs_and_answers_for_those_that_passed() -> None:
    log: list[str] = []
    began = threading.Event()
    stages = [
        Fake("render", log, says={"bad": Outcome.FAILED}, family=Family.REVIEW),
        Fake("converge", log, needs=("render",), says={"db": Outcome.FAILED}, go_on=began),
        Ahead("upgrade", log, needs=("converge",), ahead_needs=("render",), begins=began.set),
    ]
    verdicts = run(stages, "web", "db", "bad")
    assert log[0] == "render web,db,bad"
    assert sorted(log[1:3]) == ["converge web,db", "upgrade begins web,db"]
    assert log[3:] == ["upgrade web"]
    assert outcome(verdicts, "db", "upgrade") == (Outcome.SKIPPED, "needs-converge")


def test_what_began_is_called_to_its_end_though_nobody_is_left_to_be_asked() -> None:
    log: list[str] = []
    began = threading.Event()
    stages = [
        Fake("converge", log, says={"web": Outcome.FAILED}, go_on=began),
        Ahead("upgrade", log, needs=("converge",), begins=began.set),
    ]
    run(stages, "web")
    assert log[-1] == "upgrade "


def test_where_two_clusters_are_too_much_the_first_is_cleared_before_the_other_begins() -> None:
    log: list[str] = []
    stages = [
        Fake("render", log, family=Family.REVIEW),
        Fake("converge", log, needs=("render",), says={"db": Outcome.FAILED}),
        Ahead("upgrade", log, needs=("converge",), ahead_needs=("render",)),
        Fake("prune", log, needs=("converge",)),
    ]
    run(stages, "web", "db", clear=lambda: log.append("cleared"))
    assert log == [
        "render web,db",
        "converge web,db",
        "prune web",
        "cleared",
        "upgrade begins web,db",  # base has all that it has when both are there at once
        "upgrade web",
    ]


def test_nothing_is_cleared_once_the_run_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    waits = threading.Event()

    class Dies(Fake):
        def run(self, context: Any, cases: Sequence[Case], publish: Publish) -> None:
            assert waits.wait(10)
            context.stopping.set()

    monkeypatch.setattr(
        Anywhere, "why_not", lambda _, stage, *__: waits.set() if stage == "upgrade" else None
    )
    stages = [Dies("converge", log), Ahead("upgrade", log, needs=("converge",))]
    run(stages, "web", clear=lambda: log.append("cleared"))
    assert log == []


def test_nothing_is_cleared_for_what_is_not_asked() -> None:
    log: list[str] = []
    stages = [
        Fake("render", log, says={"web": Outcome.FAILED}, family=Family.REVIEW),
        Fake("converge", log, needs=("render",)),
        Ahead("upgrade", log, needs=("converge",), ahead_needs=("render",)),
    ]
    run(stages, "web", clear=lambda: log.append("cleared"))
    assert log == ["render web"]


def test_what_cannot_be_cleared_is_an_error_of_what_should_have_begun_then() -> None:
    def fails() -> None:
        raise EngineError("it does not end")

    log: list[str] = []
    verdicts = run([Fake("converge", log), Ahead("upgrade", log, needs=("converge",))], "web", clear=fails)
    assert outcome(verdicts, "web", "upgrade") == (Outcome.ERROR, "engine-error")
    assert outcome(verdicts, "web", "converge")[0] is Outcome.PASSED


@pytest.mark.parametrize("error", [EngineError("no memory"), RuntimeError("ours")])
def test_what_cannot_begin_is_an_error_of_those_that_are_asked(error: Exception) -> None:
    began = threading.Event()

    def fails() -> None:
        began.set()
        raise error

    log: list[str] = []
    verdicts = run(
        [Fake("converge", log, go_on=began), Ahead("upgrade", log, needs=("converge",), begins=fails)], "web"
    )
    assert outcome(verdicts, "web", "upgrade") == (Outcome.ERROR, "engine-error")
    assert outcome(verdicts, "web", "converge")[0] is Outcome.PASSED


def test_who_asks_a_process_that_died_ends_the_run() -> None:
    died = ProcessDied("opa", status=-9, log=Path("opa.log"), tail="")

    class Asking(Fake):
        def run(self, context: Any, cases: Sequence[Case], publish: Publish) -> None:
            raise died

    verdicts = run([Asking("policy", [], family=Family.REVIEW)], "web")
    assert outcome(verdicts, "web", "policy") == (Outcome.ERROR, "tool-died")


def test_nothing_is_asked_about_what_was_not_rendered() -> None:
    log: list[str] = []
    stages = [Fake("render", log, family=Family.REVIEW), Fake("converge", log, needs=("render",))]
    verdicts = run(stages, "a", spared=("b",))
    assert log == ["render a", "converge a"]
    assert verdicts.get(case("b").id, "render") is None


def test_when_a_stage_began_on_the_cluster_is_in_its_evidence() -> None:
    verdicts = run([Fake("render", [], family=Family.REVIEW), Fake("converge", [], needs=("render",))], "web")
    began = {s: verdicts.get(case("web").id, s) for s in ("render", "converge")}
    assert {s: "startedAtSeconds" in r.evidence for s, r in began.items() if r} == {
        "render": False,
        "converge": True,
    }
