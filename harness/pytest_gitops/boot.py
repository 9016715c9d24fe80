"""Brings up what a run stands on: tools, snapshot, world, clusters, Argo CD, OPA; whatever can overlaps."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pytest_gitops.argocd import install
from pytest_gitops.argocd.confinement import Confinement, is_possible
from pytest_gitops.argocd.destinations import cluster_secret, stand_ins
from pytest_gitops.argocd.processes import EXEC_SECONDS, ArgoCD, Surroundings
from pytest_gitops.argocd.schema import CrdSchema
from pytest_gitops.argocd.untrusted import tame
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.base import Cluster
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.errors import ConfigError, GitOpsError
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.process import Daemon, Supervisor
from pytest_gitops.rego.opa import Opa
from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.repository.discovery import Declarations, Declared
from pytest_gitops.settings import Provider, Settings
from pytest_gitops.tools import ENGINE_PARTS, Progress, Tool, ensure
from pytest_gitops.waiting import now, utc
from pytest_gitops.world.loopback import World
from pytest_gitops.world.urls import parse as parse_url

REVIEW_PARTS = ("argocd", "argocd-crds", "opa", "helm", "kustomize", "redis", "git")
"""What a run without a cluster needs."""

CRD_SECONDS = 60.0
"""How long the API server may take to serve new kinds."""

PARALLEL = 8
"""Threads that render or write to an API server at once: two cores are full with this many."""


class Ground:
    """Everything that runs for one run. `up` starts it, `close` ends it; the attributes are there after `up`."""

    checkout: Checkout
    world: World
    argocd: ArgoCD
    opa: Opa
    schema: CrdSchema
    brought: Sequence[Mapping[str, Any]]
    tools: Mapping[str, Tool]

    def __init__(
        self, settings: Settings, *, say: Callable[[str], None], died: Callable[[Daemon], None]
    ) -> None:
        self.settings, self._say, self._on_death = settings, say, died
        self.timings: dict[str, float] = {}
        self.cluster: Cluster | None = None
        self.api: Api | None = None
        self.findings: list[Finding] = []
        self._began = now()
        self._supervisor: Supervisor | None = None
        self._definitions: tuple[dict[str, Any], ...] = ()

    @property
    def supervisor(self) -> Supervisor:
        assert self._supervisor is not None, "the run has no directory before `up`"
        return self._supervisor

    @property
    def declarations(self) -> Declarations:
        return self.checkout.declarations

    def mark(self, what: str) -> None:
        """Note how long after the beginning `what` was done."""
        self.timings[what] = now() - self._began

    def up(self) -> None:
        """Start everything. Raises ConfigError if the repository cannot be used, EngineError if we cannot start."""
        settings, with_cluster = self.settings, self.settings.provider is not Provider.NONE
        self.checkout = Checkout(settings)
        self.tools = ensure(
            ENGINE_PARTS if with_cluster else REVIEW_PARTS,
            cache=settings.cache,
            environ=settings.environ,
            explicit=settings.tools,
            mirrors=settings.mirrors,
            report=self._progress,
        )
        self.mark("tools")
        paths = {name: tool.path for name, tool in self.tools.items()}
        run_id = f"{utc():%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
        directory = Path(tempfile.gettempdir()) / f"pytest-gitops-{run_id}"
        self._supervisor = supervisor = Supervisor(directory, run_id=run_id)
        supervisor.on_death(self._on_death)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="boot") as pool:
            cluster = pool.submit(self._boot_cluster, paths) if with_cluster else None
            opa = pool.submit(self._boot_opa, paths)
            definitions = pool.submit(install.crds, paths["argocd-crds"])
            self._say("reading the repository")
            self.checkout.take(directory / "repository.git")
            tamed = tame(self.declarations.settings, confined=self._confines)
            self.brought, self.findings = tamed.manifests, [*tamed.findings]
            self.mark("repository")
            self.world = self._build_world(directory / "world", paths)
            self.argocd = self._argocd(directory / "argocd", paths)
            server = pool.submit(self._boot_repo_server)
            self._definitions = definitions.result()
            self.schema = CrdSchema(self._definitions, "Application")
            if cluster is not None:
                self.cluster = cluster.result()
                self.api = self._furnish(self.cluster, meanwhile=self._install)
                self._bring_projects(self.api)
            server.result()
            self.mark("argocd")
            self.opa = self._finish(opa)

    def _finish(self, future: Future[Opa]) -> Opa:
        opa = future.result()
        self.mark("opa")
        return opa

    def _progress(self, progress: Progress) -> None:
        self._say(f"{progress.tool}: {progress.action} {progress.detail} ({progress.seconds:.0f} s)")

    def _build_world(self, directory: Path, paths: Mapping[str, Path]) -> World:
        settings, checkout = self.settings, self.checkout
        world = World(directory, environ=settings.environ, network=settings.network)
        if checkout.urls:
            world.serve_repository(checkout.urls, checkout.snapshot.bare)
        for number, chart in enumerate(settings.charts):
            folder = self.supervisor.directory / "folders" / str(number)
            checkout.write_out(chart.path, folder, where=f"pytest-gitops.yaml charts: {chart.url}")
            world.serve_charts(chart.url, folder, helm=paths["helm"])
        world.allow(settings.allowed_hosts)
        world.allow_named(checkout.source_hosts())
        world.start()
        self.mark("world")
        return world

    def _boot_cluster(self, paths: Mapping[str, Path]) -> Cluster:
        self._say("starting the control plane")
        cluster = Embedded(self.supervisor, self.supervisor.directory / "cluster", paths)
        cluster.start()
        self.mark("cluster")
        return cluster

    def _boot_opa(self, paths: Mapping[str, Path]) -> Opa:
        opa = Opa(
            self.supervisor,
            self.supervisor.directory / "opa",
            paths["opa"],
            folders=self.settings.policy_folders,
            data={"settings": dict(self.settings.policy_data)},
        )
        opa.start()
        return opa

    def _argocd(self, directory: Path, paths: Mapping[str, Path]) -> ArgoCD:
        around = Surroundings(
            tools=paths,
            environ=self.settings.environ,
            world=self.world.env,
            path=(self.world.bin,),
            control=self.declarations.control,
            # What may take no longer as a whole may take no longer in a part of it.
            exec_limit=min(EXEC_SECONDS, self.settings.timeout),
            confinement=self._confinement(paths) if self._confines else None,
        )
        return ArgoCD(self.supervisor, directory, around)

    @property
    def _confines(self) -> bool:
        """Whether Argo CD's processes are kept from this machine's files and services by its kernel."""
        return is_possible(shutil.which("git", path=self.settings.environ.get("PATH")))

    def _confinement(self, paths: Mapping[str, Path]) -> Confinement:
        directory = self.supervisor.directory
        return Confinement(
            # Over ssh the repository is read right there, where its snapshot borrows the clone's objects.
            reads=(directory / "world", self.checkout.snapshot.bare, *self.checkout.repository.object_stores),
            programs=(
                self.world.bin,
                *self.world.programs,
                *(paths[name] for name in ("argocd", "helm", "kustomize")),
            ),
            ports=self.world.ports,
        )

    def _boot_repo_server(self) -> None:
        self._say("starting Argo CD")
        self.argocd.start_redis()
        self.argocd.start_repo_server()

    def _furnish(self, cluster: Cluster, *, meanwhile: Callable[[Api], None] = lambda _: None) -> Api:
        """What every cluster has before Argo CD acts: CRDs and the configuration's prerequisites.

        `meanwhile` runs while the API server still digests the CRDs.
        """
        api = Api(cluster.kubeconfig)
        crds = self.checkout.manifests(self.settings.crds, where="pytest-gitops.yaml crds")
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="furnish") as pool:
            # Created, not applied: nobody else owns a field of them.
            made = [pool.submit(api.post, install.CRD_PATH, d) for d in self._definitions]
            made += [pool.submit(api.apply, c) for c in crds]
            meanwhile(api)
            for each in made:
                each.result()
        kinds = [*self._definitions, *(c for c in crds if c.get("kind") == "CustomResourceDefinition")]
        names = {c["metadata"]["name"] for c in kinds}
        # That one is by far the largest, and only its own controller needs it: see engine.
        api.wait_established(names - {install.APPLICATIONSETS}, limit=CRD_SECONDS)
        for manifest in self.checkout.manifests(
            self.settings.prerequisites, where="pytest-gitops.yaml prerequisites"
        ):
            api.apply(manifest)
        return api

    def _install(self, api: Api) -> None:
        """What Argo CD must find of its own: its namespace, settings and trust."""
        control = self.declarations.control
        namespace, *rest = install.settings(control, [_in_namespace(m, control) for m in self.brought])
        plain = {o["metadata"]["name"]: o for o in install.settings(control, ())}
        api.apply(namespace)
        # Where roots live they are put by whoever installs Argo CD, so those namespaces are there before it acts.
        declared = (*self.declarations.applications, *self.declarations.application_sets)
        for other in sorted({d.namespace for d in declared if d.namespace} - {control}):
            api.apply({**namespace, "metadata": {"name": other}})
        brought = {d.name: d for d in self.declarations.settings}

        def one(manifest: Mapping[str, Any]) -> None:
            name = manifest["metadata"]["name"]
            try:
                api.apply(manifest)
            except GitOpsError as error:
                if manifest.get("kind") != "ConfigMap" or name not in brought:
                    raise
                self._not_accepted(brought[name], error)
                api.apply(plain[name])

        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="install") as pool:
            list(pool.map(one, [*rest, *self.world.secrets(control)]))

    def _bring_projects(self, api: Api) -> None:
        control = self.declarations.control
        api.apply(install.default_project(control))
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="projects") as pool:
            list(pool.map(lambda d: self._bring(api, d), self.declarations.projects))
        self.mark("install")

    def _bring(self, api: Api, declared: Declared) -> None:
        """Apply one of the repository's own AppProjects; what the API server refuses is a finding, not our end."""
        try:
            api.apply(_in_namespace(declared.manifest, self.declarations.control))
        except GitOpsError as error:
            self._not_accepted(declared, error)

    def _not_accepted(self, declared: Declared, error: GitOpsError) -> None:
        self.findings.append(
            Finding(
                rule="not-accepted",
                severity=Severity.ERROR,
                message=f"the API server does not accept {declared.kind} {declared.name}: {error}",
                file=declared.file,
                line=declared.line,
                help="correct the manifest",
            )
        )

    def connect(self, cases: Sequence[Case]) -> None:
        """A cluster of its own behind every destination that is not the one Argo CD runs in."""
        if self.api is None:
            return
        wanted = stand_ins(cases)
        paths = {name: tool.path for name, tool in self.tools.items()}

        def one(number: int) -> None:
            name, server = wanted[number]
            self._say(f"starting a control plane for {name}")
            plane = Embedded(
                self.supervisor,
                self.supervisor.directory / f"cluster-{number + 1}",
                paths,
                name=f"destination-{number + 1}",
            )
            plane.start()
            self._furnish(plane)
            address = parse_url(server)
            if address is None:
                raise ConfigError(f"{server!r} is no URL of an API server", where="spec.destination.server")
            self.world.tunnel(address.host, address.port, to=plane.address)
            assert self.api is not None
            secret = cluster_secret(
                name, server, plane.kubeconfig, control=self.declarations.control, proxy=self.world.url
            )
            self.api.apply(secret)

        # Two at a time: each takes a second of both cores and 700 MB.
        with ThreadPoolExecutor(2, thread_name_prefix="destination") as pool:
            list(pool.map(one, range(len(wanted))))
        if wanted:
            self.mark("destinations")

    def private_file(self, name: str, text: str) -> Path:
        """Leave a file in the run's private directory for our own worker processes."""
        path = self.supervisor.directory / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path

    def close(self) -> None:
        """End everything; safe to call at any time and more than once."""
        keep = self.settings.keep and self.cluster is not None
        if self._supervisor is not None:
            self._supervisor.close(keep=keep)
        if hasattr(self, "world") and not keep:
            self.world.stop()


def _in_namespace(manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    metadata = dict(manifest["metadata"])
    metadata.setdefault("namespace", namespace)
    return {**manifest, "metadata": metadata}
