"""The composition root: makes the plan on what `boot` brings up, runs the stages, gives verdicts.

Knows nothing of pytest. One engine is one run: `prepare`, `begin`, `wait`, `finish`, in this order.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pytest_gitops.argocd import install
from pytest_gitops.argocd.applicationsets import expand
from pytest_gitops.argocd.capabilities import api_versions
from pytest_gitops.argocd.options import from_config_map
from pytest_gitops.argocd.render import Rendered, RepoServer
from pytest_gitops.boot import CRD_SECONDS, PARALLEL, Ground
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.model import Case, Finding, Outcome, Run, Severity, StageResult, Tools
from pytest_gitops.outcome import build_run
from pytest_gitops.plan import Generated, Objects, Plan, Planner
from pytest_gitops.process import Daemon
from pytest_gitops.repository.discovery import Declared, Problem, case_of
from pytest_gitops.settings import Provider, Settings
from pytest_gitops.stages import all_stages, policy, source, with_needs
from pytest_gitops.stages.base import Stage
from pytest_gitops.stages.context import Context
from pytest_gitops.verdicts import Verdicts
from pytest_gitops.waiting import now, utc
from pytest_gitops.waivers import expired

log = logging.getLogger(__name__)

JOIN_SECONDS = 10.0
"""How long a stage may take to notice that the run is over."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked: (case id, stage) pairs, in order."""

    pairs: tuple[tuple[str, str], ...]

    def cases(self, stage: str) -> tuple[str, ...]:
        """The ids of the cases of which `stage` is asked."""
        return tuple(dict.fromkeys(c for c, s in self.pairs if s == stage))


class Engine:
    """One run over one repository. `say` is told what it is doing, in a few words, from any thread."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.settings, self._say = settings, say
        self.verdicts = Verdicts()
        self._began, self._started = now(), utc().isoformat(timespec="seconds")
        self._stopping = threading.Event()
        self._failure: GitOpsError | None = None
        self._ground = Ground(settings, say=say, died=self._died)
        self._context: Context | None = None
        self._repo_server: RepoServer | None = None
        self._selection = Selection(())
        self._stages: tuple[Stage, ...] = all_stages()
        self._worker: threading.Thread | None = None

    # ------------------------------------------------------------------ prepare

    def prepare(self) -> Plan:
        """Bring everything up and find out which Applications there are.

        Raises ConfigError if the repository or its configuration cannot be used, EngineError if we cannot start.
        """
        ground = self._ground
        try:
            ground.up()
            context = self._context = self._new_context()
            context.plan = self._planner(context).build()
            plan = context.plan = self._with_repository_findings(context)
            ground.connect(plan.cases)
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

    def _with_repository_findings(self, context: Context) -> Plan:
        """The plan with everything that belongs to no Application: errors as problems, which fail as items of their
        own files; the rest is only told."""
        ground, plan = self._ground, context.plan
        told = [*ground.declarations.warnings, *ground.findings]
        if policy.name in self.settings.stages:
            told += policy.survey(context)
            told += expired(self.settings.waivers, today=utc().date())
        errors = tuple(Problem(file=f.file, finding=f) for f in told if f.counts)
        context.repository_findings += [f for f in told if not f.counts]
        return dataclasses.replace(plan, problems=(*plan.problems, *errors))

    def _new_context(self) -> Context:
        ground, checkout = self._ground, self._ground.checkout
        return Context(
            settings=self.settings,
            checkout=checkout,
            schema=ground.schema,
            control=ground.declarations.control,
            stopping=self._stopping,
            refusals=lambda: ground.world.refusals,
            api=ground.api,
            opa=ground.opa,
        )

    def _planner(self, context: Context) -> Planner:
        ground, declarations = self._ground, self._ground.declarations
        control = declarations.control
        cm = install.data_of(ground.brought, "argocd-cm")
        options = from_config_map(cm, credentials=self._credentials)
        repo_server = self._repo_server = RepoServer(
            ground.argocd.repo_server, control=control, options=options
        )
        versions = api_versions(ground.api) if ground.api else ()
        kube = ground.cluster.version if ground.cluster else ""
        for declared in declarations.applications:
            case = case_of(declared.manifest, control=control, file=declared.file, line=declared.line)
            context.documents.setdefault(case.id, declared.document)
        controllers = _Controllers(ground)
        context.start_controller = controllers.start_applications

        def one(case: Case) -> Objects | None:
            findings = context.source_findings[case.id] = source.check(context, case)
            if any(f.counts for f in findings):
                return None
            began = now()
            result = context.renders[case.id] = repo_server.render(
                case, kube_version=kube, api_versions=versions
            )
            context.render_seconds[case.id] = now() - began
            return result.objects if isinstance(result, Rendered) else None

        def render(cases: Sequence[Case]) -> list[Objects | None]:
            self._say(f"rendering {len(cases)} Applications")
            with ThreadPoolExecutor(PARALLEL, thread_name_prefix="render") as pool:
                return list(pool.map(one, cases))

        def generate(sets: Sequence[Declared]) -> Mapping[str, Generated]:
            if ground.api is None:
                ground.findings += [self._not_expanded(s) for s in sets]
                return {f"{s.namespace or control}/{s.name}": Generated(unknown=True) for s in sets}
            self._say(f"expanding {len(sets)} ApplicationSets")
            controllers.start_sets()
            return expand(ground.api, sets, control=control)

        return Planner(declarations=declarations, render=render, generate=generate, reads=context.reads)

    def _not_expanded(self, declared: Declared) -> Finding:
        """What could not be checked is said, and fails where that is asked for."""
        return Finding(
            rule="applicationset-not-expanded",
            severity=Severity.ERROR if self.settings.strict else Severity.WARNING,
            message=f"ApplicationSet {declared.name} was not expanded, so its Applications were not checked: there is "
            "no cluster (--gitops-cluster none)",
            file=declared.file,
            line=declared.line,
            help="leave the default, --gitops-cluster embedded",
        )

    def _credentials(self, url: str) -> dict[str, str]:
        """What Argo CD's own database would add to a repository: the key of our stand-in, for ssh."""
        return self._ground.world.credentials(url) if self._ground.checkout.is_ours(url) else {}

    # ------------------------------------------------------------------ run

    def begin(self, selection: Selection) -> None:
        """Start the stages for what is selected, in the background."""
        self._selection = selection
        self.verdicts.expect(selection.pairs)
        if self._failure is not None:
            self.verdicts.fail_rest(code="tool-died", message=str(self._failure))
        self._worker = threading.Thread(target=self._run, name="engine", daemon=True)
        self._worker.start()

    def wait(self, case_id: str, stage: str, *, limit: float | None = None) -> StageResult | None:
        """The result of one stage of one case; None if it is not there within `limit` seconds."""
        return self.verdicts.wait(case_id, stage, limit=limit)

    def _run(self) -> None:
        """Each stage in a thread of its own, as soon as the stages that it needs are through."""
        threads: dict[str, threading.Thread] = {}

        def after_needs(stage: Stage) -> None:
            for need in with_needs(stage.name, self._stages):
                threads[need].join()
            self._run_stage(stage)

        try:
            for stage in self._stages:
                threads[stage.name] = threading.Thread(
                    target=after_needs, args=(stage,), name=stage.name, daemon=True
                )
                threads[stage.name].start()
            for thread in threads.values():
                thread.join()
        finally:
            self.verdicts.fail_rest(code="not-answered", message="the engine ended without an answer")

    def _run_stage(self, stage: Stage) -> None:
        context = self._context
        assert context is not None, "prepare comes before begin"
        plan = context.plan.by_id
        needed = any(stage.name in s.needs for s in self._stages)
        # A stage that others need is asked of every case: an Application that is not selected may have to be
        # created for one that is.
        asked = (
            list(plan.values())
            if needed
            else [plan[c] for c in self._selection.cases(stage.name) if c in plan]
        )
        ready: list[Case] = []
        for case in asked:
            skipped = self._skip(stage, case)
            if skipped is None:
                ready.append(case)
            else:
                self.verdicts.give(case.id, skipped)
        try:
            if ready and not self._stopping.is_set():
                self._say(f"{stage.name}: {len(ready)} Applications")
                stage.run(context, ready, lambda case, result: self.verdicts.give(case.id, result))
        except GitOpsError as error:
            self._unanswered(stage, ready, self._failure or error)
        except Exception as error:
            log.exception("%s failed", stage.name)
            self._unanswered(stage, ready, EngineError(f"{stage.name}: an error of ours: {error!r}"))
        self._ground.mark(stage.name)

    def _unanswered(self, stage: Stage, cases: Sequence[Case], error: GitOpsError) -> None:
        code = "tool-died" if error is self._failure else "engine-error"
        for case in cases:
            self.verdicts.give(
                case.id, StageResult(stage=stage.name, outcome=Outcome.ERROR, code=code, message=str(error))
            )

    def _skip(self, stage: Stage, case: Case) -> StageResult | None:
        """Why the stage cannot be asked of this case, or None."""

        def result(outcome: Outcome, code: str, why: str) -> StageResult:
            return StageResult(stage=stage.name, outcome=outcome, code=code, message=f"not asked: {why}")

        for need in with_needs(stage.name, self._stages):
            before = self.verdicts.get(case.id, need)
            if before is not None and before.outcome is not Outcome.PASSED:
                outcome = Outcome.ERROR if before.outcome is Outcome.ERROR else Outcome.SKIPPED
                return result(
                    outcome,
                    f"{need}-{before.outcome.value}",
                    f"{need} {before.outcome.value} ({before.code})",
                )
        if stage.name not in ON_CLUSTER:
            return None
        if self.settings.provider is Provider.NONE:
            return result(Outcome.SKIPPED, "no-cluster", "there is no cluster (--gitops-cluster none)")
        assert self._context is not None
        for parent in self._context.plan.ancestors(case):
            for need in with_needs(stage.name, self._stages):
                before = self.verdicts.get(parent.id, need)
                if before is not None and before.outcome is not Outcome.PASSED:
                    why = f"{parent.key}, which creates it, failed in {need} ({before.code})"
                    return result(Outcome.SKIPPED, "parent-failed", why)
        return None

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
        )
        self.close()
        return run

    def close(self) -> None:
        """Stop everything that was started; safe to call at any time."""
        self._stopping.set()
        if self._repo_server is not None:
            self._repo_server.close()
        self._ground.close()

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

        return Tools(argocd=version("argocd"), kubernetes=version("kube-apiserver"), opa=version("opa"))


ON_CLUSTER = ("converge",)
"""Stages that a cluster is needed for."""


class _Controllers:
    """Starts Argo CD's controllers when they are first needed."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._lock, self._sets = ground, threading.Lock(), False
        declarations = ground.declarations
        self._namespaces = install.other_namespaces(
            [d.namespace for d in (*declarations.applications, *declarations.application_sets)],
            control=declarations.control,
        )

    def start_sets(self) -> None:
        """The applicationset-controller alone: nothing is synced yet."""
        with self._lock:
            if not self._sets:
                assert self._ground.cluster is not None and self._ground.api is not None
                self._ground.api.wait_established([install.APPLICATIONSETS], limit=CRD_SECONDS)
                self._ground.argocd.start_applicationset_controller(
                    self._ground.cluster.kubeconfig, namespaces=self._namespaces
                )
                self._sets = True

    def start_applications(self) -> None:
        """The application-controller: from here on Argo CD acts. ApplicationSets, if any, have theirs already."""
        assert self._ground.cluster is not None
        self._ground.argocd.start_application_controller(
            self._ground.cluster.kubeconfig, namespaces=self._namespaces
        )
