"""The composition root: brings up world, cluster, Argo CD and OPA, makes the plan, runs the stages, gives verdicts.

Knows nothing of pytest. One engine is one run: `prepare`, `begin`, `wait`, `finish`, in this order.
"""

from __future__ import annotations

import logging
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_gitops import __version__
from pytest_gitops.argocd import install
from pytest_gitops.argocd.applicationsets import expand
from pytest_gitops.argocd.capabilities import api_versions
from pytest_gitops.argocd.convergence import resources_of
from pytest_gitops.argocd.options import from_config_map
from pytest_gitops.argocd.processes import ArgoCD, Surroundings
from pytest_gitops.argocd.render import NotRendered, Rendered, RepoServer
from pytest_gitops.argocd.schema import CrdSchema
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.base import Cluster
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.errors import ConfigError, EngineError, GitOpsError
from pytest_gitops.model import IN_CLUSTER, Case, Finding, Outcome, Resource, Run, Severity, StageResult, Tools, Verdict
from pytest_gitops.plan import Generated, Plan, Planner
from pytest_gitops.process import Daemon, Supervisor
from pytest_gitops.rego.opa import Opa
from pytest_gitops.repository.discovery import Declarations, Declared, FileEntry, case_of, discover
from pytest_gitops.repository.git import Repository, open_repository
from pytest_gitops.repository.manifest import ManifestError, parse
from pytest_gitops.repository.snapshot import Snapshot, take
from pytest_gitops.settings import Provider, Settings, announced_branches
from pytest_gitops.stages import Stage, all_stages, source, with_needs
from pytest_gitops.stages.context import Context
from pytest_gitops.tools import ENGINE_PARTS, Progress, Tool, ensure
from pytest_gitops.verdicts import Verdicts
from pytest_gitops.waiting import now, utc
from pytest_gitops.world.loopback import World
from pytest_gitops.world.urls import canonical
from pytest_gitops.world.urls import parse as parse_url

log = logging.getLogger(__name__)

REVIEW_PARTS = ("argocd", "argocd-crds", "opa", "helm", "kustomize", "redis", "git")
"""What a run without a cluster needs."""

PARALLEL = 8
"""Threads that render or write to the API server at once: two cores are full with this many."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked: (case id, stage) pairs, in order."""

    pairs: tuple[tuple[str, str], ...]

    def cases(self, stage: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c for c, s in self.pairs if s == stage))


class Engine:
    """One run over one repository. `say` is told what it is doing, in a few words, from any thread."""

    def __init__(self, settings: Settings, *, say: Say = lambda _: None) -> None:
        self.settings, self._say = settings, say
        self.verdicts = Verdicts()
        self.timings: dict[str, float] = {}
        self._began, self._started = now(), utc().isoformat(timespec="seconds")
        self._stopping = threading.Event()
        self._failure: GitOpsError | None = None
        self._supervisor: Supervisor | None = None
        self._worker: threading.Thread | None = None
        self._world: World | None = None
        self._cluster: Cluster | None = None
        self._tools: Mapping[str, Tool] = {}
        self._repository: Repository | None = None
        self._snapshot: Snapshot | None = None
        self._context: Context | None = None
        self._selection = Selection(())
        self._stages: tuple[Stage, ...] = all_stages()

    # ------------------------------------------------------------------ prepare

    def prepare(self) -> Plan:
        """Bring everything up and find out which Applications there are.

        Raises ConfigError if the repository or its configuration cannot be used, EngineError if we cannot start.
        """
        settings = self.settings
        self._repository = repository = open_repository(settings.root, environ=settings.environ)
        with_cluster = settings.provider is not Provider.NONE
        self._tools = tools = ensure(
            ENGINE_PARTS if with_cluster else REVIEW_PARTS,
            cache=settings.cache,
            environ=settings.environ,
            explicit=settings.tools,
            mirrors=settings.mirrors,
            report=self._progress,
        )
        self._mark("tools")
        paths = {name: tool.path for name, tool in tools.items()}
        run_id = f"{utc():%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
        directory = Path(tempfile.gettempdir()) / f"pytest-gitops-{run_id}"
        self._supervisor = supervisor = Supervisor(directory, run_id=run_id)
        supervisor.on_death(self._died)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="boot") as pool:
            cluster = pool.submit(self._boot_cluster, paths) if with_cluster else None
            opa = pool.submit(self._boot_opa, paths)
            schema = pool.submit(install.crds, paths["argocd-crds"])
            read = pool.submit(self._read, repository)
            snapshot, declarations = read.result()
            self._world = world = self._build_world(directory, snapshot, declarations, paths)
            argocd = self._argocd(directory, declarations, paths, world)
            server = pool.submit(self._boot_repo_server, argocd)
            definitions = schema.result()
            context = self._context = Context(
                settings=settings,
                snapshot=snapshot,
                is_ours=self._is_ours,
                branches=self._branches(),
                shallow=repository.shallow,
                schema=CrdSchema(definitions, "Application"),
                control=declarations.control,
                stopping=self._stopping,
                refusals=lambda: world.refusals,
            )
            api = self._install(cluster, definitions, declarations, world) if cluster else None
            context.api = api
            server.result()
            self._mark("argocd")
            context.opa = self._finish(opa)
        return self._make_plan(context, argocd, declarations, api)

    def _finish(self, future: Future[Opa]) -> Opa:
        opa = future.result()
        self._mark("opa")
        return opa

    def _mark(self, what: str) -> None:
        self.timings[what] = now() - self._began

    def _progress(self, progress: Progress) -> None:
        self._say(f"{progress.tool}: {progress.action} {progress.detail} ({progress.seconds:.0f} s)")

    def _read(self, repository: Repository) -> tuple[Snapshot, Declarations]:
        assert self._supervisor is not None
        self._say("reading the repository")
        snapshot = take(
            repository,
            into=self._supervisor.directory / "repository.git",
            branches=self._branches(),
            environ=self.settings.environ,
        )
        self._snapshot = snapshot
        entries = (FileEntry(path=e.path, size=e.size) for e in snapshot.files() if e.mode.startswith("100"))
        declarations = discover(entries, snapshot.read_many, ignore=self.settings.ignore)
        self._mark("repository")
        return snapshot, declarations

    def _branches(self) -> tuple[str, ...]:
        repository = self._repository
        assert repository is not None
        names = [repository.branch, repository.default_branch, *announced_branches(self.settings.environ)]
        names += self.settings.branches
        if not any(names) and not repository.remote_urls:
            names += ["main", "master"]
        elif not repository.branch and not repository.default_branch and not announced_branches(self.settings.environ):
            # A detached checkout that knows no branch, as CI systems make them: the usual names are meant.
            names += ["main", "master"]
        return tuple(dict.fromkeys(n for n in names if n))

    def _own_urls(self) -> tuple[str, ...]:
        assert self._repository is not None
        return tuple(dict.fromkeys([*self._repository.remote_urls, *self.settings.urls]))

    def _is_ours(self, url: str) -> bool:
        return canonical(url) in {canonical(u) for u in self._own_urls()}

    def _build_world(
        self, directory: Path, snapshot: Snapshot, declarations: Declarations, paths: Mapping[str, Path]
    ) -> World:
        settings = self.settings
        world = World(directory / "world", environ=settings.environ, network=settings.network)
        if urls := self._own_urls():
            world.serve_repository(urls, snapshot.bare)
        for chart in settings.charts:
            folder = self._folder(chart.path, f"charts: {chart.url}")
            world.serve_charts(chart.url, folder, helm=paths["helm"])
        world.allow([*settings.allowed_hosts, *source_hosts(snapshot, declarations)])
        world.start()
        self._mark("world")
        return world

    def _folder(self, path: str, what: str) -> Path:
        """A folder of the snapshot, written out: what is tested is what git has, not what else lies around."""
        assert self._supervisor is not None and self._snapshot is not None
        prefix = path.strip("/").removeprefix("./") + "/"
        entries = [e for e in self._snapshot.files() if e.path.startswith(prefix) and e.mode.startswith("100")]
        if not entries:
            raise ConfigError(f"{path!r} does not exist in the repository", where=what)
        into = self._supervisor.directory / "folders" / secrets.token_hex(4)
        for name, content in self._snapshot.read_many([e.path for e in entries]).items():
            target = into / name.removeprefix(prefix)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(content)
        return into

    def _boot_cluster(self, paths: Mapping[str, Path]) -> Cluster:
        assert self._supervisor is not None
        self._say("starting the control plane")
        cluster = Embedded(self._supervisor, self._supervisor.directory / "cluster", paths)
        cluster.start()
        self._cluster = cluster
        self._mark("cluster")
        return cluster

    def _boot_opa(self, paths: Mapping[str, Path]) -> Opa:
        assert self._supervisor is not None
        opa = Opa(
            self._supervisor,
            self._supervisor.directory / "opa",
            paths["opa"],
            folders=self.settings.policy_folders,
            data={"gitops_settings": dict(self.settings.policy_data)},
        )
        opa.start()
        return opa

    def _argocd(
        self, directory: Path, declarations: Declarations, paths: Mapping[str, Path], world: World
    ) -> ArgoCD:
        assert self._supervisor is not None
        around = Surroundings(
            tools=paths,
            environ=self.settings.environ,
            world=world.env,
            path=tuple(p for p in (world.bin,) if p is not None),
            control=declarations.control,
        )
        return ArgoCD(self._supervisor, directory / "argocd", around)

    def _boot_repo_server(self, argocd: ArgoCD) -> None:
        self._say("starting Argo CD")
        argocd.start_redis()
        argocd.start_repo_server()

    def _install(
        self, cluster: Future[Cluster], definitions: Sequence[dict[str, Any]], declarations: Declarations, world: World
    ) -> Api:
        """Everything that is in the cluster before Argo CD starts."""
        api = Api(cluster.result().kubeconfig)
        control = declarations.control
        crds = [*definitions, *self._manifests(self.settings.crds, "crds")]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="install") as pool:
            list(pool.map(api.apply, crds))
            own = [_in_namespace(d.manifest, control) for d in declarations.settings]
            list(pool.map(api.apply, install.settings(control, own)))
            list(pool.map(api.apply, world.secrets(control)))
        names = [c["metadata"]["name"] for c in crds if c.get("kind") == "CustomResourceDefinition"]
        api.wait_established(names, limit=30)
        api.apply(install.default_project(control))
        for project in declarations.projects:
            self._try(api, _in_namespace(project.manifest, control), project)
        for each in self._manifests(self.settings.prerequisites, "prerequisites"):
            api.apply(each)
        self._mark("install")
        return api

    def _try(self, api: Api, manifest: dict[str, Any], declared: Declared) -> None:
        try:
            api.apply(manifest)
        except GitOpsError as error:
            self._early.append(
                Finding(
                    rule="not-accepted",
                    severity=Severity.ERROR,
                    message=f"the API server does not accept {declared.kind} {declared.name}: {error}",
                    file=declared.file,
                    line=declared.line,
                    help="correct the manifest",
                )
            )

    @property
    def _early(self) -> list[Finding]:
        return self.__dict__.setdefault("_early_findings", [])  # type: ignore[no-any-return]

    def _manifests(self, paths: Iterable[str], what: str) -> list[dict[str, Any]]:
        """The manifests in files and folders of the repository that the configuration names."""
        assert self._snapshot is not None
        found: list[dict[str, Any]] = []
        for path in paths:
            clean = path.strip("/").removeprefix("./")
            wanted = [
                e.path
                for e in self._snapshot.files()
                if (e.path == clean or e.path.startswith(clean + "/")) and e.path.endswith((".yaml", ".yml", ".json"))
            ]
            if not wanted:
                raise ConfigError(f"{path!r}: no manifest in the repository", where=f"pytest-gitops.yaml {what}")
            for name, content in sorted(self._snapshot.read_many(wanted).items()):
                try:
                    documents = parse(content)
                except ManifestError as error:
                    raise ConfigError(error.problem, where=f"{name}:{error.line}") from error
                found += [i.value for d in documents for i in d.items() if isinstance(i.value, dict)]
        return found

    # ------------------------------------------------------------------ plan

    def _make_plan(self, context: Context, argocd: ArgoCD, declarations: Declarations, api: Api | None) -> Plan:
        assert self._supervisor is not None
        control = declarations.control
        cm = install.data_of([d.manifest for d in declarations.settings], "argocd-cm")
        assert self._world is not None
        repo_server = RepoServer(
            argocd.repo_server, control=control, options=from_config_map(cm, credentials=self._credentials)
        )
        versions = api_versions(api) if api else ()
        kube = self._tools["kube-apiserver"].version if "kube-apiserver" in self._tools else ""
        for declared in declarations.applications:
            case = case_of(declared.manifest, control=control, file=declared.file, line=declared.line)
            context.documents.setdefault(case.id, declared.document)
        namespaces = install.other_namespaces(
            [d.namespace for d in (*declarations.applications, *declarations.application_sets)], control=control
        )
        kubeconfig = self._cluster.kubeconfig if self._cluster else None
        started = threading.Event()

        def render(cases: Sequence[Case]) -> list[Sequence[Mapping[str, Any]] | None]:
            self._say(f"rendering {len(cases)} Applications")

            def one(case: Case) -> Sequence[Mapping[str, Any]] | None:
                findings = source.check(context, case)
                context.source_findings[case.id] = findings
                if any(f.counts for f in findings):
                    return None
                began = now()
                result = repo_server.render(case, kube_version=kube, api_versions=versions)
                context.render_seconds[case.id] = now() - began
                context.renders[case.id] = result
                return result.objects if isinstance(result, Rendered) else None

            with ThreadPoolExecutor(PARALLEL, thread_name_prefix="render") as pool:
                return list(pool.map(one, cases))

        def generate(sets: Sequence[Declared]) -> Mapping[str, Generated]:
            if api is None or kubeconfig is None:
                error = "cannot be expanded without a cluster (--gitops-cluster none)"
                return {f"{s.namespace or control}/{s.name}": Generated(error=error) for s in sets}
            self._say(f"expanding {len(sets)} ApplicationSets")
            if not started.is_set():
                argocd.start_applicationset_controller(kubeconfig, namespaces=namespaces)
                started.set()
            return expand(api, sets, control=control)

        def start_controller() -> None:
            assert kubeconfig is not None
            if not started.is_set():
                argocd.start_applicationset_controller(kubeconfig, namespaces=namespaces)
                started.set()
            argocd.start_application_controller(kubeconfig, namespaces=namespaces)

        context.start_controller = start_controller
        planner = Planner(declarations=declarations, render=render, generate=generate, reads=context.reads)
        plan = context.plan = planner.build()
        context.repository_findings += [*declarations.warnings, *self._early, *self._unnamed(plan)]
        self._mark("plan")
        self._raise_failure()
        return plan

    def _credentials(self, url: str) -> dict[str, Any]:
        """What Argo CD's own database would add to a repository: our key, for our repository by ssh."""
        address = parse_url(url)
        if address is None or address.scheme != "ssh" or not self._is_ours(url) or self._world is None:
            return {}
        keys = [s["stringData"]["sshPrivateKey"] for s in self._world.secrets("")]
        return {"sshPrivateKey": keys[0]} if keys else {}

    def hand_over(self, name: str, text: str) -> Path:
        """Leave a file in the run's private directory for our own worker processes."""
        assert self._supervisor is not None
        path = self._supervisor.directory / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path

    def _unnamed(self, plan: Plan) -> list[Finding]:
        """A clone without a remote and without configuration: nothing says which URL means it."""
        if self._own_urls() or not plan.cases:
            return []
        urls = sorted({s.repo_url for c in plan.cases for s in c.sources if s.repo_url and not s.chart})
        return [
            Finding(
                rule="unknown-repository-url",
                severity=Severity.WARNING,
                message="the clone has no remote, so nothing says which repoURL means this repository; "
                f"its Applications name {', '.join(urls) or 'none'}",
                help="add a remote, or name the URL in pytest-gitops.yaml: repository: {urls: [...]}",
            )
        ]

    # ------------------------------------------------------------------ run

    def begin(self, selection: Selection) -> None:
        """Start the stages for what is selected, in the background."""
        self._selection = selection
        self.verdicts.expect(selection.pairs)
        self._raise_failure(quiet=True)
        self._worker = threading.Thread(target=self._run, name="engine", daemon=True)
        self._worker.start()

    def wait(self, case_id: str, stage: str, *, limit: float | None = None) -> StageResult | None:
        """The result of one stage of one case; None if it is not there within `limit` seconds."""
        return self.verdicts.wait(case_id, stage, limit=limit)

    def _run(self) -> None:
        try:
            done = {s.name: self._run_stage for s in self._stages}
            # Policy asks OPA, converge asks Argo CD: they do not wait for each other.
            waiting = list(self._stages)
            finished: set[str] = set()
            threads: list[threading.Thread] = []
            for stage in waiting:
                needed = [n for n in with_needs(stage.name, self._stages) if n not in finished]
                if needed:
                    for thread in threads:
                        thread.join()
                    finished |= {t.name for t in threads}
                thread = threading.Thread(target=done[stage.name], args=(stage,), name=stage.name, daemon=True)
                thread.start()
                threads.append(thread)
                if any(stage.name in s.needs for s in self._stages):
                    thread.join()
                    finished.add(stage.name)
            for thread in threads:
                thread.join()
        finally:
            self.verdicts.fail_rest(code="not-answered", message="the engine ended without an answer")

    def _run_stage(self, stage: Stage) -> None:
        context = self._context
        assert context is not None
        plan = context.plan.by_id
        wanted = [plan[c] for c in self._selection.cases(stage.name) if c in plan]
        # A stage that others need is asked of every case: its answer decides about them too.
        asked = list(plan.values()) if stage.name in {"source", "render"} else wanted
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
        self._mark(stage.name)

    def _unanswered(self, stage: Stage, cases: Sequence[Case], error: GitOpsError) -> None:
        code = "tool-died" if error is self._failure else "engine-error"
        for case in cases:
            self.verdicts.give(
                case.id, StageResult(stage=stage.name, outcome=Outcome.ERROR, code=code, message=str(error))
            )

    def _skip(self, stage: Stage, case: Case) -> StageResult | None:
        """Why the stage cannot be asked of this case, or None."""
        for need in with_needs(stage.name, self._stages):
            before = self.verdicts.get(case.id, need)
            if before is None or before.outcome is Outcome.PASSED:
                continue
            error = before.outcome is Outcome.ERROR
            return StageResult(
                stage=stage.name,
                outcome=Outcome.ERROR if error else Outcome.SKIPPED,
                code=f"{need}-{before.outcome.value}",
                message=f"not asked: {need} {before.outcome.value} ({before.code})",
            )
        if stage.name == "converge":
            if self.settings.provider is Provider.NONE:
                return StageResult(
                    stage=stage.name, outcome=Outcome.SKIPPED, code="no-cluster", message="not asked: there is no cluster"
                )
            return self._orphan(stage, case)
        return None

    def _orphan(self, stage: Stage, case: Case) -> StageResult | None:
        """Skipped, if an Application that must create this one cannot be applied itself."""
        assert self._context is not None
        parent = self._context.plan.parent_of(case)
        seen = {case.id}
        while parent is not None and parent.id not in seen:
            seen.add(parent.id)
            for need in ("source", "render"):
                before = self.verdicts.get(parent.id, need)
                if before is not None and before.outcome is not Outcome.PASSED:
                    return StageResult(
                        stage=stage.name,
                        outcome=Outcome.SKIPPED,
                        code="parent-failed",
                        message=f"not asked: {parent.key}, which creates it, failed in {need} ({before.code})",
                    )
            parent = self._context.plan.parent_of(parent)
        return None

    # ------------------------------------------------------------------ end

    def _died(self, daemon: Daemon) -> None:
        if self._stopping.is_set():
            return
        self.abort(daemon.died())

    def abort(self, error: GitOpsError) -> None:
        """Answer everything that is open with `error` and stop asking."""
        if self._failure is None:
            self._failure = error
        self._stopping.set()
        self.verdicts.fail_rest(code="tool-died", message=str(error))

    def _raise_failure(self, *, quiet: bool = False) -> None:
        if self._failure is not None:
            if quiet:
                self.verdicts.fail_rest(code="tool-died", message=str(self._failure))
                return
            raise self._failure

    def finish(self) -> Run:
        """Stop everything and say what was found."""
        self._stopping.set()
        self.verdicts.fail_rest(code="interrupted", message="the run ended before this was answered")
        if self._worker is not None:
            self._worker.join(10)
        run = self._report()
        self.close()
        return run

    def close(self) -> None:
        """Stop everything that was started; safe to call at any time."""
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.close(keep=self.settings.keep and self._cluster is not None)
        if self._world is not None and not self.settings.keep:
            self._world.stop()

    @property
    def kubeconfig(self) -> Path | None:
        return self._cluster.kubeconfig if self._cluster else None

    @property
    def versions(self) -> Tools:
        def version(name: str) -> str:
            return self._tools[name].version if name in self._tools else ""

        return Tools(argocd=version("argocd"), kubernetes=version("kube-apiserver"), opa=version("opa"))

    def _report(self) -> Run:
        context, repository, snapshot = self._context, self._repository, self._snapshot
        asked = dict.fromkeys(c for c, _ in self._selection.pairs)
        verdicts = [self._verdict(c, context) for c in context.plan.cases if c.id in asked] if context else []
        findings = tuple(context.repository_findings) if context else ()
        if context and context._plan:
            findings += tuple(p.finding for p in context.plan.problems)
        commit = snapshot.commit if snapshot else ""
        return Run(
            version=__version__,
            tools=self.versions,
            repository=self._title(),
            head={
                "name": (repository.branch if repository else "") or "HEAD",
                "commit": commit,
                "dirty": bool(snapshot and snapshot.dirty),
            },
            base=None,
            started=self._started,
            duration=now() - self._began,
            provider=self._cluster.provider if self._cluster else str(self.settings.provider.value),
            simulated=self._cluster.simulated if self._cluster else (),
            stages=self.settings.stages,
            command=self.settings.command,
            findings=tuple(dict.fromkeys(findings)),
            verdicts=tuple(verdicts),
            hosts=tuple(
                r.to_dict() for r in (self._world.refusals if self._world else ())
            ),
            timings=dict(self.timings),
            error=str(self._failure) if self._failure else "",
        )

    def _title(self) -> str:
        urls = self._own_urls() if self._repository else ()
        return canonical(urls[0]) if urls else self.settings.root.name

    def _verdict(self, case: Case, context: Context) -> Verdict:
        wanted = {s for c, s in self._selection.pairs if c == case.id}
        results = {r.stage: r for r in self.verdicts.of(case.id)}
        live = context.applications.get(case.id)
        resources = resources_of(live) if live else ()
        if not resources and isinstance(rendered := context.renders.get(case.id), Rendered | NotRendered):
            resources = _rendered_resources(case, rendered)
        return Verdict(
            case=case,
            stages=tuple(results[s.name] for s in self._stages if s.name in results and s.name in wanted),
            resources=resources,
            timeline=tuple(context.timelines.get(case.id, ())),
        )


def _rendered_resources(case: Case, rendered: Rendered | NotRendered) -> tuple[Resource, ...]:
    if isinstance(rendered, NotRendered):
        return ()
    return tuple(
        Resource(
            api_version=str(o.get("apiVersion", "")),
            kind=str(o.get("kind", "")),
            namespace=str((o.get("metadata") or {}).get("namespace") or ""),
            name=str((o.get("metadata") or {}).get("name") or ""),
        )
        for o in rendered.objects
    )


def _in_namespace(manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    metadata = dict(manifest["metadata"])
    metadata.setdefault("namespace", namespace)
    return {**manifest, "metadata": metadata}


def source_hosts(snapshot: Snapshot, declarations: Declarations) -> tuple[str, ...]:
    """The hosts that the repository itself names as sources: in its Applications, ApplicationSets, and charts."""
    found: set[str] = set()
    for declared in (*declarations.applications, *declarations.application_sets):
        found.update(_hosts(declared.manifest))
    charts = [e.path for e in snapshot.files() if e.path.rsplit("/", 1)[-1] in {"Chart.yaml", "requirements.yaml"}]
    for content in snapshot.read_many(charts).values():
        try:
            documents = parse(content)
        except ManifestError:
            continue
        for document in documents:
            found.update(_hosts(document.value))
    return tuple(sorted(h for h in found if h))


def _hosts(value: Any) -> Iterable[str]:
    """The hosts of every `repoURL` and `repository` below `value`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in {"repoURL", "repository"} and isinstance(inner, str):
                address = parse_url(inner)
                if address is not None:
                    yield address.host
            else:
                yield from _hosts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _hosts(inner)


__all__ = ["IN_CLUSTER", "Engine", "Selection"]
