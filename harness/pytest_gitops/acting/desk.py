"""Answers every call of scenarios and of users' tests, and keeps them from disturbing each other. Thread-safe."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pytest_gitops.acting.control import Control
from pytest_gitops.acting.ground import ActingGround
from pytest_gitops.argocd.render import NotRendered, Rendered
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.redaction import Hidden
from pytest_gitops.scenarios import golden
from pytest_gitops.scenarios.api import GitOpsFailure, GitOpsRun, answered, failed, not_answered
from pytest_gitops.scenarios.running import run
from pytest_gitops.scenarios.turns import EVERYTHING, Deadlock, Over, Turns
from pytest_gitops.scenarios.values import STAGE, Scenario
from pytest_gitops.settings.expectations import Expectation
from pytest_gitops.settings.settings import Provider
from pytest_gitops.stages.following import Stopped
from pytest_gitops.stages.rbac import rbac_of
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.argocd.rbac import Rbac
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.clusters.embedded.plane import Embedded
    from pytest_gitops.ground.boot import Ground
    from pytest_gitops.ground.delivering import Delivery
    from pytest_gitops.stages.context import Context

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Scenarios that run at once: each mostly waits for Argo CD."""

Publish = Callable[[str, StageResult], None]


class Desk:
    """One for a run. `holder` names who asks: a scenario, or one test. `spare` gives the cluster that nobody else of
    the run acts on, None where there is none; it is asked once, by whoever acts first."""

    def __init__(
        self,
        ground: Ground,
        context: Context,
        *,
        delivery: Delivery | None,
        hidden: Hidden,
        say: Callable[[str], None],
        spare: Callable[[], tuple[Embedded, Api] | None],
    ) -> None:
        self._ground, self._context, self._hidden, self._say = ground, context, hidden, say
        self._delivery, self._spare = delivery, spare
        self._turns = Turns(over=context.stopping.is_set)
        self._lock, self._booting = threading.Lock(), threading.Lock()
        self._control: Control | None = None
        self._no_control: EngineError | None = None
        self._rbac: tuple[Rbac, str] | None = None
        self._moved: set[str] = set()  # holders that have moved the branches
        self._broken: dict[str, str] = {}  # Applications that could not be put back, and why

    # ------------------------------------------------------------------ scenarios

    def run(self, scenarios: Sequence[Scenario], publish: Publish) -> None:
        """Run all, several at once as far as they act on other Applications; `publish` gets each one's id and
        result."""

        def one(scenario: Scenario) -> None:
            if self._context.stopping.is_set():
                return
            try:
                result = self._result(scenario)
            except Exception as error:  # whatever it is, it is this one's and no other's
                log.exception("%s failed", scenario.id)
                result = _not_judged(scenario, f"an error of ours: {error!r}")
            publish(scenario.id, result)

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix=STAGE) as pool:
            list(pool.map(one, scenarios))

    def _result(self, scenario: Scenario) -> StageResult:
        began = now()
        if scenario.acts and not self._has_cluster:
            return StageResult(
                stage=STAGE,
                outcome=Outcome.SKIPPED,
                code="no-cluster",
                message="not asked: there is no cluster (--gitops-cluster none)",
            )
        holder = scenario.id
        try:
            if scenario.acts:
                # All at once, so no two can wait for each other. Of a name that means nothing its step tells.
                known = [n for n in scenario.applications if len(self._named(n)) == 1]
                self._take(holder, known, everything=scenario.checks_out)
            ran = run(scenario, GitOpsRun(lambda question, given: self.answer(holder, question, given)))
        except GitOpsError as error:
            return _not_judged(scenario, str(error))
        finally:
            self.release(holder)
        return StageResult(
            stage=STAGE,
            outcome=ran.outcome,
            code=ran.code,
            message=ran.message,
            duration=now() - began,
            evidence={"steps": [s.to_dict() for s in ran.steps]},
        )

    # ------------------------------------------------------------------ calls

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call from a test of the user's, who may print it: without values of Secrets."""
        answer = self.answer(holder, question, given)
        found: dict[str, Any] = self._hidden.value(_without_secrets(answer))
        return found

    def answer(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call. Raises nothing."""
        try:
            return answered(self._answer(holder, question, dict(given)))
        except GitOpsFailure as failure:
            return failed(failure)
        except (Stopped, Over):
            return not_answered("the run is over")
        except GitOpsError as error:
            return not_answered(str(error))
        except Exception as error:
            log.exception("%s failed", question)
            return not_answered(f"an error of ours: {error!r}")

    def _answer(self, holder: str, question: str, given: dict[str, Any]) -> Any:
        match question:
            case "applications":
                return [c.key for c in self._context.plan.cases]
            case "cluster":
                return self._has_cluster
            case "rendered":
                case, found = self._rendered(given["application"])
                objects = [dict(o) for o in found.objects]
                return {"key": case.key, "objects": objects, "namespace": case.destination.namespace}
            case "golden":
                return self._golden(given["application"], given["file"])
            case "rbac":
                return self._allowed(given)
            case "checkout":
                return self._checkout(holder, given["revision"], given["within"])
            case _:
                return self._act(holder, question, given)

    def _act(self, holder: str, question: str, given: dict[str, Any]) -> Any:
        """What is asked of an Application on the ground, which is the holder's from now on."""
        case = self._case(given.pop("application"))
        self._take(holder, [case.key])
        control = self._up()
        control.present(case)
        hands = control.hands
        match question:
            case "take":
                return case.key
            case "status":
                return hands.status(case, **given)
            case "sync":
                return hands.sync(case, **given)
            case "wait":
                return hands.wait(case, **given)
            case "expect":
                return hands.expect(case, given["expected"], within=given["within"])
            case "drift":
                reference, within = given.pop("object"), given.pop("within")
                return hands.drift(case, reference, given, within=within)
            case "objects":
                state = hands.following.state(case, limit=self._context.settings.timeout)
                return hands.objects.find(case, state, given["object"])
            case _:
                raise EngineError(f"nobody knows the question {question!r}")

    def _checkout(self, holder: str, revision: str, within: float | None) -> str:
        self._take(holder, [], everything=True)
        control = self._up()
        commit = control.commit_of(revision)
        with self._lock:
            self._moved.add(holder)
        control.checkout(commit, within=within)
        return commit

    # ------------------------------------------------------------------ turns

    def _take(self, holder: str, names: Iterable[str], *, everything: bool = False) -> None:
        """Wait until nobody else acts on these Applications, nor on what they create."""
        cases = [self._case(n) for n in names]
        keys = {c.key for c in cases} | {
            c.key for c in self._context.plan.cases for a in self._context.plan.ancestors(c) if a in cases
        }
        try:
            self._turns.take(holder, {*keys, EVERYTHING} if everything else keys)
        except Deadlock as error:
            what = "all Applications" if error.key == EVERYTHING else error.key
            raise GitOpsFailure(
                f"this test and {error.other} would wait for each other for ever: that one has {what} and waits too",
                help="let both name what they need in the same order",
            ) from error
        with self._lock:
            broken = [(k, self._broken[k]) for k in sorted(keys) if k in self._broken]
        if broken:
            key, why = broken[0]
            raise EngineError(
                f"Application {key} could not be put back after what was done to it before: {why}"
            )

    def release(self, holder: str) -> None:
        """Put everything back that a holder has changed, and let others have it. Raises nothing."""
        held = self._turns.held(holder)
        if not held:
            return
        try:
            self._put_back(holder, held)
        finally:
            self._turns.release(holder)

    def _put_back(self, holder: str, held: Iterable[str]) -> None:
        control = self._control
        with self._lock:
            moved = holder in self._moved
            self._moved.discard(holder)
        if control is None or self._context.stopping.is_set():
            return
        cases = [c for c in self._context.plan.cases if moved or c.key in held]
        try:
            problems = control.put_back(cases, moved=moved)
        except Stopped:
            return
        except Exception as error:
            log.exception("the ground cannot be put back")
            problems = {c.key: f"{holder}: {error}" for c in cases}
        with self._lock:
            self._broken |= problems

    # ------------------------------------------------------------------ what is known

    @property
    def _has_cluster(self) -> bool:
        return self._context.settings.provider is not Provider.NONE

    def _up(self) -> Control:
        """The ground, brought up by whoever needs it first. Raises EngineError, always the same."""
        if not self._has_cluster:
            raise GitOpsFailure("there is no cluster to act on (--gitops-cluster none)")
        with self._booting:
            if self._no_control is not None:
                raise self._no_control
            if self._control is None:
                self._say("starting the cluster of scenarios")
                control: Control | None = None
                try:
                    acting = ActingGround(self._ground, self._context, self._delivery, lent=self._spare())
                    control = Control(self._ground, self._context, acting)
                    self._control = control.up()
                    self._say("scenarios: the cluster is up")
                except GitOpsError as error:
                    self._no_control = EngineError(f"the cluster of scenarios did not come up: {error}")
                    if control is not None:
                        control.close()
                    raise self._no_control from error
            return self._control

    def _case(self, name: str) -> Case:
        """The Application that `name` or `namespace/name` means. Raises GitOpsFailure."""
        found = self._named(name)
        if len(found) == 1:
            return next(iter(found.values()))
        known = ", ".join(sorted(found or {c.key for c in self._context.plan.cases})) or "none"
        raise GitOpsFailure(
            f"expected one Application {name!r}, saw {len(found) or 'none'}; there is {known}"
        )

    def _named(self, name: str) -> dict[str, Case]:
        """The Applications that a name may mean, by "namespace/name"."""
        return {c.key: c for c in reversed(self._context.plan.cases) if name in {c.key, c.name}}

    def _rendered(self, name: str) -> tuple[Case, Rendered]:
        case = self._case(name)
        found = self._context.renders.get(case.id)
        if found is None and case.id in self._context.spared and self._context.render_again is not None:
            found = self._context.render_again(case)
        if isinstance(found, Rendered):
            return case, found
        if isinstance(found, NotRendered):
            raise GitOpsFailure(f"Application {case.key} cannot be rendered", said=[found.message])
        wrong = [f.message for f in self._context.source_findings.get(case.id, ()) if f.counts]
        raise GitOpsFailure(
            f"Application {case.key} is not rendered: {'; '.join(wrong) or 'it was not asked for'}"
        )

    def _golden(self, name: str, file: str) -> None:
        case, found = self._rendered(name)
        text = golden.canonical(self._hidden.value(o) for o in found.objects)
        path = golden.checked(file).as_posix()
        if self._context.settings.update:
            golden.write(self._context.settings.root, path, text)
            return
        regular = {e.path for e in self._context.checkout.files()}
        content = self._context.snapshot.read_many([path]).get(path) if path in regular else None
        golden.hold(
            path, content.decode(errors="replace") if content is not None else None, text, key=case.key
        )

    def _allowed(self, given: Mapping[str, Any]) -> bool:
        with self._lock:
            if self._rbac is None:
                directory = self._ground.supervisor.directory / "rbac-scenarios"
                self._rbac = rbac_of(self._context, self._ground.tools["argocd"].path, directory)
            rbac, where = self._rbac
        asked = Expectation(**{**given, "groups": tuple(given["groups"])}, allowed=True)
        if unknown := rbac.unknown(asked):
            raise GitOpsFailure(f"expected a role that {where} or an AppProject defines, saw {unknown}")
        answer = rbac.answer(asked)
        if answer.trouble:
            raise GitOpsFailure(f"{asked.title}: Argo CD does not answer", said=[answer.trouble])
        return answer.allowed

    def close(self) -> None:
        """End what only scenarios need."""
        if self._control is not None:
            self._control.close()


def _not_judged(scenario: Scenario, why: str) -> StageResult:
    message = f"{scenario.file}:{scenario.line}: {why}"
    return StageResult(stage=STAGE, outcome=Outcome.ERROR, code="scenario-not-judged", message=message)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = golden.without_secrets(value) if value.get("kind") == "Secret" else value
        return {k: _without_secrets(v) for k, v in value.items()}
    return [_without_secrets(v) for v in value] if isinstance(value, list) else value
