"""The composition root: makes the plan on what `ground` brings up, runs the stages, gives verdicts.

Knows nothing of pytest. One engine is one run: `prepare`, `begin`, `wait`, `finish`, in this order.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_gitops.acting.desk import Desk
from pytest_gitops.argocd import install
from pytest_gitops.argocd.applicationsets import expand, remove
from pytest_gitops.argocd.namespaces import not_enabled
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.ground.boot import Ground
from pytest_gitops.ground.connecting import Connecting
from pytest_gitops.ground.controllers import Controllers
from pytest_gitops.ground.crowd import is_crowd
from pytest_gitops.ground.delivering import delivery
from pytest_gitops.ground.side import Side
from pytest_gitops.ground.stubs import bring_stubs
from pytest_gitops.ground.upgrading import begin_plane, upgrade_ground
from pytest_gitops.model import VERIFY_STAGES, Finding, Outcome, Run, StageResult, Tools
from pytest_gitops.planning.plan import Generated, Plan
from pytest_gitops.planning.planner import Planner
from pytest_gitops.processes.process import Daemon
from pytest_gitops.renders.rendering import Rendering
from pytest_gitops.repository.discovery import Declared, case_of
from pytest_gitops.run.asking import Selection, Turns
from pytest_gitops.run.outcome import build_run, secrets_of
from pytest_gitops.run.surveys import survey, with_scenarios
from pytest_gitops.run.verdicts import Verdicts
from pytest_gitops.scenarios.api import not_answered
from pytest_gitops.scenarios.values import STAGE
from pytest_gitops.selection import sharding
from pytest_gitops.selection.sparing import Sparing, fits
from pytest_gitops.settings.registered import recognized
from pytest_gitops.settings.settings import Settings
from pytest_gitops.shapes import mapping
from pytest_gitops.stages import all_stages
from pytest_gitops.stages.base import Stage
from pytest_gitops.stages.context import Context
from pytest_gitops.waiting import keep_time, now, utc

if TYPE_CHECKING:
    from pytest_gitops.clusters.embedded.plane import Embedded

log = logging.getLogger(__name__)

JOIN_SECONDS = 10.0
"""How long a stage may take to notice that the run is over."""


class Engine:
    """One run over one repository. `say` is told what it is doing, in a few words, from any thread."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.settings, self._say = settings, say
        self.verdicts = Verdicts()
        self._began, self._started = now(), utc().isoformat(timespec="seconds")
        self._stopping = threading.Event()
        self._failure: GitOpsError | None = None
        self._ground = Ground(settings, say=say, died=self._died, beside=self._begin)
        self._controllers = Controllers(self._ground)
        self._upgrade_plane: Future[Embedded] | None = None
        self._context: Context | None = None
        self._renderings: list[Rendering] = []
        self._selection = Selection(())
        self._desk: Desk | None = None
        self._stages: tuple[Stage, ...] = all_stages()
        self._worker: threading.Thread | None = None
        self._destinations = Connecting(self._ground)
        self._end_time: Callable[[], None] = lambda: None

    # ------------------------------------------------------------------ prepare

    def prepare(self) -> Plan:
        """Bring everything up and find out which Applications there are.

        Raises ConfigError if the repository or its configuration cannot be used, EngineError if we cannot start.
        """
        ground = self._ground
        self._end_time = keep_time()
        try:
            ground.up()
            controllers = self._controllers
            context = self._context = self._new_context(ground.head)
            context.start_controller = lambda: controllers.start_applications(without=context.left_out)
            sparing = None
            if ground.base is not None:
                base = context.base = self._new_context(ground.base)
                of_base = self._rendering(base, ground.base)
                sparing = Sparing(of_base, self._rendering(context, ground.head), on=fits(self.settings))
                base.plan = self._planned(of_base, ground.base, controllers)
                controllers.forget()
                ground.mark("base")
            else:
                self._rendering(context, ground.head)
            context.plan = self._planned(self._renderings[-1], ground.head, controllers)
            controllers.make_namespaces(ground.head)
            bring_stubs(ground, [c for c in (context.base, context) if c is not None])
            if sparing is not None:
                sparing.compare()
            self.verdicts.hidden = secrets_of(context, ground.outside.private.secrets)
            context.plan = survey(context, ground, hidden=self.verdicts.hidden)
            if sparing is not None:
                sparing.select()
            sharding.survey(context)
            plan = context.plan = with_scenarios(context)
            controllers.delivery = delivered = delivery(ground, context)
            if ground.base is not None:
                context.upgrade_ground = lambda: upgrade_ground(
                    ground, context, delivered, self._upgrade_plane
                )
            self._desk = Desk(
                ground,
                context,
                delivery=delivered,
                hidden=self.verdicts.hidden,
                say=self._say,
                spare=lambda: controllers.lend() if self._spares_a_cluster else None,
            )
        except GitOpsError as error:
            # What died first is the cause; what failed because of it is not news.
            raise self._failure or error from error
        except Exception as error:
            log.exception("prepare failed")
            raise self._failure or EngineError(f"an error of ours while starting: {error!r}") from error
        if self._failure is not None:
            raise self._failure
        ground.mark("plan")
        return plan

    def _begin(self, ground: Ground) -> None:
        self._upgrade_plane = begin_plane(ground)

    @property
    def _is_crowded(self) -> bool:
        """Whether the control plane of `upgrade` has to wait for the end of the first one."""
        selected = self._selection.cases(*VERIFY_STAGES)
        return self._upgrade_plane is not None and is_crowd(len(selected)) and self._controllers.may_end

    def _put_upgrade_off(self) -> None:
        """End its control plane, which began before anybody knew what is selected."""
        assert self._upgrade_plane is not None
        with suppress(GitOpsError):  # what could not begin is begun once more
            self._upgrade_plane.result().stop()

    def _begin_upgrade(self) -> None:
        self._controllers.end()
        self._upgrade_plane = begin_plane(self._ground, crowd=True)

    def _new_context(self, side: Side) -> Context:
        ground = self._ground
        context = Context(
            settings=self.settings,
            checkout=side.checkout,
            schema=ground.schema,
            control=side.declarations.control,
            stopping=self._stopping,
            refusals=lambda: side.world.refusals,
            api=ground.api,
            opa=ground.opa,
            admission=ground.admission,
            remote_crds=ground.remote_crds,
            argocd_cm=install.data_of(side.brought, "argocd-cm"),
            parameters=side.parameters,
            destinations=ground.destinations,
            app_state=side.argocd.state if ground.api is not None else None,
        )
        for declared in side.declarations.applications:
            case = case_of(declared.manifest, control=context.control, file=declared.file, line=declared.line)
            context.documents.setdefault(case.id, declared.document)
        return context

    def _planned(self, rendering: Rendering, side: Side, controllers: Controllers) -> Plan:
        plan = self._planner(rendering, side, controllers).build()
        renders = rendering.context.renders.values()
        objects = [o for r in renders if isinstance(r, Rendered) for o in r.objects]
        brought = [mapping(o, "metadata").get("name") for o in objects if o.get("kind") == "Namespace"]
        side.note(sets=plan.sets.values(), homes=[c.namespace for c in plan.cases], brought=map(str, brought))
        return replace(plan, cases=tuple(recognized(plan.cases, self.settings.clusters)))

    def _rendering(self, context: Context, side: Side) -> Rendering:
        rendering = Rendering(context, side, self._ground, earlier=self._renderings, say=self._say)
        self._renderings = [*self._renderings, rendering]
        return rendering

    def _planner(self, rendering: Rendering, side: Side, controllers: Controllers) -> Planner:
        ground, context = self._ground, rendering.context
        control = context.control

        def generate(sets: Sequence[Declared]) -> Mapping[str, Generated]:
            known = {f"{s.namespace or control}/{s.name}": s for s in sets}
            passed_over = self._passed_over(context, known)
            looked_at = {key: s for key, s in known.items() if key not in passed_over}
            if not looked_at:
                return passed_over
            sets = list(looked_at.values())
            if ground.api is None:
                context.repository_findings += [self._not_expanded(s) for s in sets]
                context.unexpanded |= dict.fromkeys(looked_at, "there is no cluster")
                return passed_over | dict.fromkeys(looked_at, Generated(unknown=True))
            self._say(f"expanding {len(sets)} ApplicationSets")
            controllers.start_sets(side, sets)
            assert ground.fleet is not None
            made = expand(ground.api, sets, control=control, introduce=ground.fleet.introduce)
            context.unexpanded |= {key: g.error for key, g in made.items() if g.error}
            return passed_over | made

        def forget(keys: Collection[str]) -> None:
            for key in keys:
                context.unexpanded.pop(key, None)
            if ground.api is not None:
                remove(ground.api, keys)

        return Planner(
            declarations=side.declarations,
            render=rendering,
            generate=generate,
            forget=forget,
            reads=context.reads,
        )

    def _passed_over(self, context: Context, sets: Mapping[str, Declared]) -> dict[str, Generated]:
        """Those of `sets` that Argo CD does not look at, by key: nothing is generated, and a finding says so."""
        found = {}
        for key, each in sets.items():
            finding = not_enabled(each.kind, key, context.parameters, control=context.control, at=each)
            if finding is not None:
                context.repository_findings.append(finding)
                context.unexpanded[key] = finding.message
                found[key] = Generated(unknown=True)
        return found

    def _not_expanded(self, declared: Declared) -> Finding:
        """What could not be checked is said, and fails where that is asked for."""
        return Finding(
            rule="applicationset-not-expanded",
            severity=self.settings.unchecked,
            message=f"ApplicationSet {declared.name} was not expanded, so its Applications were not checked: there is "
            "no cluster (--gitops-cluster none)",
            file=declared.file,
            line=declared.line,
            help="leave the default, --gitops-cluster embedded",
        )

    # ------------------------------------------------------------------ run

    def begin(self, selection: Selection) -> None:
        """Start the stages for what is selected, in the background."""
        self._selection = selection
        if self._context is not None and self.settings.shard is not None:
            self._context.left_out = sharding.left_out(self._context, {c for c, _ in selection.pairs})
        self.verdicts.expect(selection.pairs)
        if self._failure is not None:
            self.verdicts.fail_rest(code="tool-died", message=str(self._failure))
        self._worker = threading.Thread(target=self._run, name="engine", daemon=True)
        self._worker.start()

    def wait(self, case_id: str, stage: str, *, limit: float | None = None) -> StageResult | None:
        """The result of one stage of one case; None if it is not there within `limit` seconds."""
        return self.verdicts.wait(case_id, stage, limit=limit)

    def _run(self) -> None:
        try:
            if self._context is not None:
                self._ask(self._context)
        finally:
            self.verdicts.fail_rest(code="not-answered", message="the engine ended without an answer")

    @property
    def _spares_a_cluster(self) -> bool:
        """Whether it is known that no stage will act on the first cluster: not before what is selected is."""
        return self._worker is not None and not self._selection.cases(*VERIFY_STAGES)

    def _ask(self, context: Context) -> None:
        """The stages in their turns, and beside them the scenarios, on a ground of their own."""
        clear = self._begin_upgrade if self._is_crowded else None
        if clear is not None:
            self._put_upgrade_off()
        turns = Turns(
            context,
            self._stages,
            self._selection,
            verdicts=self.verdicts,
            destinations=self._destinations,
            failure=lambda: self._failure,
            abort=self.abort,
            mark=self._ground.mark,
            say=self._say,
            clear=clear,
        )
        scenarios = threading.Thread(target=self._run_scenarios, name=STAGE, daemon=True)
        scenarios.start()
        turns.run()
        scenarios.join()

    def _run_scenarios(self) -> None:
        """Those that are selected, on a ground of their own, so beside everything else."""
        wanted = set(self._selection.cases(STAGE))
        if self._context is None or self._desk is None or not wanted:
            return
        self._desk.run([s for s in self._context.plan.scenarios if s.id in wanted], self.verdicts.give)

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call of a user's own test, `holder` (see `scenarios.api`)."""
        return self._desk.call(holder, question, given) if self._desk else not_answered("it has not started")

    def release(self, holder: str) -> None:
        """A user's own test is over: what it changed is put back."""
        if self._desk is not None:
            self._desk.release(holder)

    # ------------------------------------------------------------------ end

    def _died(self, daemon: Daemon) -> None:
        if not self._stopping.is_set():
            self.abort(daemon.died())

    def abort(self, error: GitOpsError) -> None:
        """Answer everything that is open with `error` and stop asking."""
        if self._failure is None:
            self._failure = error
        self._stopping.set()
        self.verdicts.fail_rest(code="tool-died", message=str(error))

    def finish(self) -> Run:
        """Stop everything and say what was found."""
        self._stopping.set()
        self.verdicts.fail_rest(code="interrupted", message="the run ended before this was answered")
        if self._worker is not None:
            self._worker.join(JOIN_SECONDS)
        findings = self._context.repository_findings if self._context else self._ground.findings
        findings += self._ground.leave()
        run = build_run(
            settings=self.settings,
            ground=self._ground,
            context=self._context,
            verdicts=self.verdicts,
            pairs=self._selection.pairs,
            stages=tuple(s.name for s in self._stages),
            tools=self.versions,
            started=self._started,
            duration=now() - self._began,
            error=str(self._failure) if self._failure else "",
            hidden=self.verdicts.hidden,
        )
        if any(s.outcome in {Outcome.FAILED, Outcome.ERROR} for v in run.verdicts for s in v.stages):
            self._export_logs()
        self.close()
        return run

    def _export_logs(self) -> None:
        """What containers said, beside the reports of a run in which something failed."""
        try:
            if self._ground.own is not None:
                self._ground.own.export_logs(self.settings.report / "kind-logs")
        except GitOpsError as error:
            log.warning("the logs of the kind cluster could not be exported: %s", error)

    def close(self) -> None:
        """Stop everything that was started; safe to call at any time."""
        self._stopping.set()
        for each in self._renderings:
            each.close()
        if self._desk is not None:
            self._desk.close()
        self._ground.close()
        self._end_time()

    def hand_over(self, name: str, text: str) -> Path:
        """Leave a file in the run's private directory for our own worker processes."""
        return self._ground.private_file(name, text)

    @property
    def kubeconfig(self) -> Path | None:
        """How the cluster is reached, None without one."""
        return self._ground.cluster.kubeconfig if self._ground.cluster else None

    @property
    def versions(self) -> Tools:
        """The versions of what judges."""
        tools = getattr(self._ground, "tools", {})

        def version(name: str) -> str:
            return tools[name].version if name in tools else ""

        cluster = self._ground.cluster
        kubernetes = cluster.version if cluster is not None else version("kube-apiserver")
        return Tools(argocd=version("argocd"), kubernetes=kubernetes, opa=version("opa"))
