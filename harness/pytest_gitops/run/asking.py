"""Asks each stage in its turn, of the cases that are ready for it, and gives the verdicts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pytest_gitops.errors import EngineError, GitOpsError, ProcessDied
from pytest_gitops.ground.connecting import Connecting
from pytest_gitops.model import VERIFY_STAGES, Case, Outcome, StageResult
from pytest_gitops.run.verdicts import Verdicts
from pytest_gitops.settings.settings import Provider
from pytest_gitops.stages import IN_TURN, OF_REMOVED, before, unsigned, with_needs
from pytest_gitops.stages.base import Answer, Eager, Family, Publish, Stage
from pytest_gitops.stages.context import Context
from pytest_gitops.waiting import now

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked, in order: (case id, stage) pairs, and (scenario id, `STAGE`) ones."""

    pairs: tuple[tuple[str, str], ...]
    _known: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", frozenset(self.pairs))

    def __contains__(self, pair: tuple[str, str]) -> bool:
        return pair in self._known

    def cases(self, *stages: str) -> tuple[str, ...]:
        """The ids of the cases of which one of `stages` is asked."""
        return tuple(dict.fromkeys(c for c, s in self.pairs if s in stages))


class Turns:
    """The turns of `stages` for what is selected. `failure` tells why the run is over, None while it is not; `abort`
    ends it; `mark` is told the name of each stage that is through. What has a ground of its own begins beside the
    others, or, where `clear` is given, after all that act on the first one, which `clear` then ends."""

    def __init__(
        self,
        context: Context,
        stages: Sequence[Stage],
        selection: Selection,
        *,
        verdicts: Verdicts,
        destinations: Connecting,
        failure: Callable[[], GitOpsError | None],
        abort: Callable[[GitOpsError], None],
        mark: Callable[[str], None],
        say: Callable[[str], None],
        clear: Callable[[], None] | None = None,
    ) -> None:
        self.context, self.stages, self.selection = context, stages, selection
        self.verdicts, self.destinations = verdicts, destinations
        self._failure, self._abort, self._mark, self._say, self._clear = failure, abort, mark, say, clear
        self._through = {s.name: threading.Event() for s in stages}

    def run(self) -> None:
        """Each stage in a thread of its own, as soon as those before it are through; returns after the last."""
        for stage in self.stages:
            threading.Thread(target=self._one, args=(stage,), name=stage.name, daemon=True).start()
        self._wait_for([s.name for s in self.stages])

    def _one(self, stage: Stage) -> None:
        try:
            self._in_turn(stage)
        finally:
            self._through[stage.name].set()

    def _in_turn(self, stage: Stage) -> None:
        answer = None
        if isinstance(stage, Eager):
            needs = [n for need in stage.ahead_needs for n in (*with_needs(need, self.stages), need)]
            self._wait_for(needs)
            answer = self._ahead(stage, stage, needs)
        self._wait_for(before(stage.name, self.stages))
        self._run_stage(stage, answer)

    def _wait_for(self, names: Sequence[str]) -> None:
        for each in names:
            self._through[each].wait()

    def _ahead(self, stage: Stage, eager: Eager, needs: Sequence[str]) -> Answer | None:
        """What answers in the place of `stage.run`, for whom the stages of `needs` passed; None if there is nothing to
        answer."""
        asked = self._asked(stage)
        if not asked or self.context.stopping.is_set():
            return None
        try:
            self.destinations.connect(self.context, self.selection.cases(*VERIFY_STAGES))
            cases = [c for c in asked if self._skip(stage, c, needs) is None]
            if not cases:
                return None
            if self._clear is not None:
                self._wait_for([n for n in IN_TURN if n in self._through])
                if self.context.stopping.is_set():
                    return None
                self._clear()
            return eager.ahead(self.context, cases)
        except Exception as error:
            failure = error

            def failed(cases: Sequence[Case], publish: Publish) -> None:
                raise failure

            return failed

    def _asked(self, stage: Stage) -> list[Case]:
        """The cases of which a verdict of the stage is wanted, or needed."""
        plan = self.context.plan.by_id
        gone = self.context.plan.removed if stage.name in OF_REMOVED else ()
        known = {**plan, **{c.id: c for c in gone}}
        later = [s.name for s in self.stages if stage.name in with_needs(s.name, self.stages)]
        # What a review stage says is needed of every case: an Application that is not selected may have to be created
        # for one that is.
        everyone = later and stage.family is Family.REVIEW
        selected = self.selection.cases(stage.name, *later)
        if everyone:
            return [case for key, case in plan.items() if key not in self.context.spared]
        return [known[c] for c in selected if c in known]

    def _run_stage(self, stage: Stage, answer: Answer | None) -> None:
        context = self.context
        asked = self._asked(stage)
        ready: list[Case] = []
        if asked and stage.family is Family.VERIFY:
            try:
                self.destinations.connect(context, self.selection.cases(*VERIFY_STAGES))
            except GitOpsError as error:
                self._unanswered(stage, asked, self._failure() or error)
                return
        for case in asked:
            skipped = self._skip(stage, case, with_needs(stage.name, self.stages))
            if skipped is None:
                ready.append(case)
            else:
                self.verdicts.give(case.id, skipped)

        def publish(case: Case, result: StageResult) -> None:
            self._give(case, result)

        try:
            if ready and not self.context.stopping.is_set():
                self._say(f"{stage.name}: {len(ready)} Applications")
            if answer is not None:
                answer(ready, publish)
            elif ready and not self.context.stopping.is_set():
                stage.run(*self.destinations.hosting.seen(stage.name, context, ready, publish))
        except GitOpsError as error:
            self._unanswered(stage, ready, self._failure() or error)
        except Exception as error:
            log.exception("%s failed", stage.name)
            self._unanswered(stage, ready, EngineError(f"{stage.name}: an error of ours: {error!r}"))
        if asked:
            self._mark(stage.name)

    def _give(self, case: Case, result: StageResult) -> None:
        result = unsigned.judged(result)
        if result.stage in IN_TURN:
            # On the clock of the timelines, so that a report can say which stage saw what.
            began = max(0.0, now() - result.duration - self.context.applied_at)
            result = replace(result, evidence={"startedAtSeconds": round(began, 2), **result.evidence})
        self.verdicts.give(case.id, result)

    def _unanswered(self, stage: Stage, cases: Sequence[Case], error: GitOpsError) -> None:
        if isinstance(error, ProcessDied):
            # Whoever asked it may know that it is dead before its watcher does.
            self._abort(error)
        code = "tool-died" if error is self._failure() else "engine-error"
        for case in cases:
            self.verdicts.give(
                case.id, StageResult(stage=stage.name, outcome=Outcome.ERROR, code=code, message=str(error))
            )

    def _skip(self, stage: Stage, case: Case, needs: Sequence[str]) -> StageResult | None:
        """Why the stage cannot be asked of this case, of which those of `needs` were asked; or None."""

        def result(outcome: Outcome, code: str, why: str) -> StageResult:
            return StageResult(stage=stage.name, outcome=outcome, code=code, message=f"not asked: {why}")

        def untold(of: Case, need: str, said: StageResult, skipped: StageResult) -> StageResult:
            """The same, failed, where nothing that is selected tells that `of` failed: somebody has to. Of a run that
            is split another part tells what is only needed here."""
            elsewhere = of.id != case.id and of.key in self.context.plan.lots
            if said.outcome is not Outcome.FAILED or elsewhere or (of.id, need) in self.selection:
                return skipped
            told = {(c.id, n) for c in (of, case) for n in (*needs, stage.name)}
            given = [self.verdicts.get(*pair) for pair in told if pair in self.selection]
            if any(t is not None and t.outcome is Outcome.FAILED for t in given):
                return skipped
            message = f"{skipped.message}\n{said.message}".rstrip()
            return replace(skipped, outcome=Outcome.FAILED, message=message, findings=said.findings)

        for need in needs:
            said = self.verdicts.get(case.id, need)
            if said is not None and said.code == "no-cluster":
                break  # which is so of this one too
            if said is not None and said.outcome is not Outcome.PASSED:
                outcome = Outcome.ERROR if said.outcome is Outcome.ERROR else Outcome.SKIPPED
                found = result(outcome, f"needs-{need}", f"{need} {said.outcome.value} ({said.code})")
                return untold(case, need, said, found)
        if stage.family is Family.REVIEW:
            return None
        if self.context.settings.provider is Provider.NONE:
            return result(Outcome.SKIPPED, "no-cluster", "there is no cluster (--gitops-cluster none)")
        if (told := self.destinations.why_not(stage.name, case, self.context)) is not None:
            return result(Outcome.SKIPPED, told.code, told.why)
        for parent in self.context.plan.ancestors(case):
            # One that did not converge may have done all that this one needs of it: to have created it.
            for need in with_needs("converge", self.stages):
                said = self.verdicts.get(parent.id, need)
                if said is not None and said.outcome is not Outcome.PASSED:
                    why = f"{parent.key}, which creates it, failed in {need} ({said.code})"
                    return untold(parent, need, said, result(Outcome.SKIPPED, "parent-failed", why))
        return None
