"""Brings up what a run stands on: tools, snapshot, world, clusters, Argo CD, OPA; whatever can overlaps."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pytest_gitops.admission.admission import Admission
from pytest_gitops.admission.setup import admission, parts
from pytest_gitops.argocd import install
from pytest_gitops.argocd.destinations import Placement
from pytest_gitops.argocd.schema import CrdSchema
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.base import Cluster
from pytest_gitops.clusters.kubeconfig import Existing
from pytest_gitops.errors import GitOpsError
from pytest_gitops.ground.fleet import Fleet
from pytest_gitops.ground.installing import Installer
from pytest_gitops.ground.outside import Outside, outside
from pytest_gitops.ground.providing import Own
from pytest_gitops.ground.rule_sources import RuleSources
from pytest_gitops.ground.side import Side
from pytest_gitops.hosts.hosts import Hosts
from pytest_gitops.keeping import DOWNLOADS, Kept
from pytest_gitops.model import Finding, Severity
from pytest_gitops.processes.process import Daemon, Supervisor
from pytest_gitops.rego.opa import Opa
from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.repository.discovery import Declarations, Declared
from pytest_gitops.repository.remote import DEFINITION, fetch
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.settings.settings import Provider, Settings
from pytest_gitops.tools import ENGINE_PARTS, REVIEW_PARTS, Progress, Tool, ensure
from pytest_gitops.waiting import now, utc
from pytest_gitops.world.download import download
from pytest_gitops.world.loopback import World
from pytest_gitops.world.urls import parse as parse_url

CRD_SECONDS = 60.0
"""How long the API server may take to serve new kinds."""

PARALLEL = 8
"""Threads that render or write to an API server at once: two cores are full with this many."""


class Ground:
    """Everything that runs for one run. `up` starts it, `close` ends it; the attributes are there after `up`.

    `head` is what is under test, `base` what it is compared with, None without one. `beside` is called once the run
    has its directory and its tools, to begin what is to come up beside all this.
    """

    head: Side
    outside: Outside
    schema: CrdSchema
    tools: Mapping[str, Tool]

    def __init__(
        self,
        settings: Settings,
        *,
        say: Callable[[str], None],
        died: Callable[[Daemon], None],
        beside: Callable[[Ground], None] = lambda _: None,
    ) -> None:
        self.settings, self._say, self._on_death, self._beside = settings, say, died, beside
        self.timings: dict[str, float] = {}
        self.base: Side | None = None
        self.own: Own | None = None
        self.cluster: Cluster | None = None
        self.api: Api | None = None
        self.admission: Admission | None = None
        self.opa: Opa | None = None  # where policies are asked
        self.findings: list[Finding] = []
        self.remote_crds: tuple[dict[str, Any], ...] = ()
        self.stubs: tuple[dict[str, Any], ...] = ()  # of kinds that nobody defines
        self.fleet: Fleet | None = None
        self.placement = Placement()
        self.hosts = Hosts(settings, say=say)
        self.acting: Daemon | None = None  # the application-controller
        self.changed: tuple[str, ...] = ()  # of what is tried on clusters that exist, one sentence each
        self.pretended: list[str] = []  # besides what the cluster says of itself
        self._began = now()
        self._supervisor: Supervisor | None = None
        self._definitions: tuple[dict[str, Any], ...] = ()
        self._with_sets = True

    @property
    def supervisor(self) -> Supervisor:
        assert self._supervisor is not None, "the run has no directory before `up`"
        return self._supervisor

    @property
    def checkout(self) -> Checkout:
        return self.head.checkout

    @property
    def declarations(self) -> Declarations:
        return self.head.declarations

    @property
    def world(self) -> World:
        return self.head.world

    @property
    def sides(self) -> tuple[Side, ...]:
        """Base first, for head to use again what has not changed."""
        return tuple(s for s in (self.base, getattr(self, "head", None)) if s is not None)

    @property
    def paths(self) -> dict[str, Path]:
        """Where each tool is."""
        return {name: tool.path for name, tool in self.tools.items()}

    def mark(self, what: str) -> None:
        """Note how long after the beginning `what` was done."""
        self.timings[what] = now() - self._began

    def up(self) -> None:
        """Start everything. Raises ConfigError if the repository cannot be used, EngineError if we cannot start."""
        settings, with_cluster = self.settings, self.settings.provider is not Provider.NONE
        self.head = Side(settings, "head")
        if settings.base is not None:
            clone = self.head.checkout.repository
            self.base = Side(settings, "base", revision=settings.base.commit, repository=clone)
        kind = ("kind",) if settings.provider is Provider.KIND else ()
        wanted = (*ENGINE_PARTS, *kind) if with_cluster else REVIEW_PARTS
        self.tools = self.ensure((*wanted, *(p for p in self._admission_parts if p not in wanted)))
        self.mark("tools")
        paths = self.paths
        run_id = f"{utc():%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
        directory = Path(tempfile.gettempdir()) / f"pytest-gitops-{run_id}"
        self._supervisor = supervisor = Supervisor(directory, run_id=run_id)
        supervisor.on_death(self._on_death)
        self.hosts.reach(
            directory, pinned=self.tools["kube-apiserver"].version if with_cluster else "", tools=paths
        )
        self.findings += self.hosts.findings
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="boot") as pool:
            cluster = pool.submit(self._boot_cluster, paths) if with_cluster else None
            self._beside(self)
            definitions = pool.submit(install.crds, paths["argocd-crds"], self.settings.cache)
            self._say("reading the repository")
            for side in self.sides:
                side.take(directory)
            self.findings += self.head.findings
            self._with_sets = any(s.checkout.snapshot.mentions(install.APPLICATION_SET) for s in self.sides)
            self.mark("repository")
            opa = pool.submit(self._boot_opa, paths) if "policy" in self.settings.stages else None
            # What only a pull request names is not reached: with a base, its hosts are those that count.
            first = self.sides[0]
            self.outside = outside(settings, supervisor, checkout=first.checkout, brought=first.brought)
            servers = []
            for side in reversed(self.sides):
                # Base's branches are moved to head for `upgrade`: its own server then reads what head's snapshot has.
                shares = [s.checkout.snapshot.bare for s in self.sides]
                side.build(supervisor, paths, outside=self.outside, shares=shares)
                servers.append(pool.submit(self._boot_repo_server, side))
            self.mark("world")
            self._fetch_crds()
            self._definitions = definitions.result()
            if self._admission_parts:
                self._boot_admission(paths)
            self.schema = CrdSchema(self._definitions, "Application")
            if cluster is not None:
                self.cluster = cluster.result()
                installer = Installer(
                    self.head, world=self.world, config=paths["argocd-config"], refused=self._not_accepted
                )
                self.api = self.furnish(self.cluster, meanwhile=installer.settings)
                installer.projects(self.api)
                self.fleet = self.fleet_of(self.head, self.api)
                self.mark("install")
            for server in servers:
                server.result()
            self.mark("argocd")
            if opa is not None:
                self.opa = opa.result()
                self.mark("opa")

    def lead_to(self, cluster: RegisteredCluster, existing: Existing) -> None:
        """Let Argo CD reach a cluster that exists by the address of `cluster`."""
        address = parse_url(cluster.server)
        assert address is not None, "addresses of ours are URLs"
        self.world.tunnel(address.host, address.port, to=existing.address)

    def _fetch_crds(self) -> None:
        """What the configuration names by URL, once for all clusters of the run."""
        if not self.settings.crd_urls:
            return
        self._say("fetching CustomResourceDefinitions")
        world = self.head.world
        fetched = fetch(
            self.settings.crd_urls,
            download=lambda url: download(url, proxy=world.url, bundle=world.bundle),
            kept=Kept(self.settings.cache / DOWNLOADS),
        )
        self.remote_crds = fetched.definitions
        self.findings += fetched.findings
        self.mark("crds")

    def ensure(self, names: Sequence[str]) -> dict[str, Tool]:
        """The named tools, got if need be. Raises ToolError."""
        settings = self.settings
        return ensure(
            names,
            cache=settings.cache,
            environ=settings.environ,
            explicit=settings.tools,
            mirrors=settings.mirrors,
            report=self._progress,
        )

    def _progress(self, progress: Progress) -> None:
        self._say(f"{progress.tool}: {progress.action} {progress.detail} ({progress.seconds:.0f} s)")

    def _boot_cluster(self, paths: Mapping[str, Path]) -> Cluster:
        self._say("starting the control plane")
        own = self.own = Own(self.settings, self.supervisor, paths)
        own.cluster.start()
        self.findings += own.findings(pinned=self.tools["kube-apiserver"].version)
        self.mark("cluster")
        return own.cluster

    def _boot_opa(self, paths: Mapping[str, Path]) -> Opa:
        rules = RuleSources(self.settings, self.base, self.supervisor.directory)
        folders = rules.folders()
        self.findings += rules.findings
        opa = Opa(
            self.supervisor,
            self.supervisor.directory / "opa",
            paths["opa"],
            folders=folders,
            data={"settings": dict(self.settings.policy_data)},
            data_files=rules.data_files(),
            namespaces=self.settings.policy_namespaces,
            rule_limit=self.settings.policy_timeout,
        )
        opa.start()
        return opa

    @property
    def _admission_parts(self) -> tuple[str, ...]:
        asked = "admit" in self.settings.stages and not self.settings.only_tests
        return parts(self.settings) if asked else ()

    def _boot_admission(self, paths: Mapping[str, Path]) -> None:
        """API servers that are only asked; they come up beside everything else."""
        self.admission = admission(
            self.supervisor,
            self.supervisor.directory / "admission",
            tools=paths,
            settings=self.settings,
            checkout=self.checkout,
            control=self.declarations.control,
            remote=self.remote_crds,
            definitions=self._definitions,
        )
        self.admission.start()

    def _boot_repo_server(self, side: Side) -> None:
        self._say("starting Argo CD")
        side.start_repo_server()

    def furnish(
        self, cluster: Cluster, *, argocd: bool = True, meanwhile: Callable[[Api], None] = lambda _: None
    ) -> Api:
        """What every cluster has before Argo CD acts: CRDs, `argocd`'s own among them or not, and the configuration's
        prerequisites. `meanwhile` runs while the API server still digests the CRDs.
        """
        api = cluster.connect()
        crds = self.checkout.manifests(self.settings.crds, where="pytest-gitops.yaml crds")
        crds += [*self.remote_crds, *self.stubs]
        theirs = [c for c in crds if c.get("kind") == DEFINITION]
        # That of ApplicationSets is by far the largest: an API server computes 0.7 s for it, 3 s for the first time.
        sets = install.APPLICATIONSETS
        kinds = [
            d for d in self._definitions if argocd and (self._with_sets or d["metadata"]["name"] != sets)
        ]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="furnish") as pool:
            # Created, not applied: nobody else owns a field of them.
            made: list[Future[Any]] = [pool.submit(api.define, d) for d in kinds]
            made += [pool.submit(api.define, d, applied=True) for d in theirs]
            made += [pool.submit(api.apply, c) for c in crds if c.get("kind") != DEFINITION]
            meanwhile(api)
            for each in made:
                each.result()
        kinds += theirs
        # Only its own controller needs that one: see `serve_sets`.
        api.wait_established({c["metadata"]["name"] for c in kinds} - {sets}, limit=CRD_SECONDS)
        for manifest in self.checkout.manifests(
            self.settings.prerequisites, where="pytest-gitops.yaml prerequisites"
        ):
            try:
                api.apply(manifest)
            except ApiError as error:
                # What Argo CD reads itself is for its own cluster; another one need not have that namespace.
                namespace = (manifest.get("metadata") or {}).get("namespace")
                if error.status != 404 or namespace != self.declarations.control:
                    raise
        return api

    def serve_sets(self, api: Api) -> None:
        """Return when the API server has ApplicationSets, also where no file of the repository speaks of them: a
        chart from elsewhere may render some. Raises WaitTimeout."""
        if not self._with_sets:
            for each in self._definitions:
                if each["metadata"]["name"] == install.APPLICATIONSETS:
                    api.define(each, applied=True)
        api.wait_established([install.APPLICATIONSETS], limit=CRD_SECONDS)

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

    def fleet_of(self, side: Side, api: Api, *, label: str = "") -> Fleet:
        """The clusters beside that of `api`, where the Argo CD of `side` runs, made known to it."""
        fleet = Fleet(
            side,
            api,
            supervisor=self.supervisor,
            paths=self.paths,
            furnish=self.furnish,
            say=self._say,
            label=label,
        )
        fleet.announce()
        return fleet

    def connect(self, placement: Placement) -> None:
        """Bring up what `placement` says behind the destinations of what is selected."""
        self.placement = placement
        if self.own is not None:
            self.own.settle()
        if self.fleet is not None and placement.planes:
            self.fleet.connect(placement.leaving_out(self.hosts.existing))
            self.mark("destinations")

    @property
    def destinations(self) -> dict[str, Api]:
        """The way to each other cluster, by server URL and by name, as `spec.destination` has them."""
        return self.fleet.apis if self.fleet is not None else {}

    @property
    def own_apis(self) -> list[Api]:
        """The way to each cluster that is the run's own: to the first one, and to what stands in for others."""
        if self.api is None:
            return []
        existing = {id(e.api) for e in self.hosts.existing.values()}
        found = {id(a): a for a in (self.api, *self.destinations.values())}
        return [a for key, a in found.items() if key not in existing]

    @property
    def simulated(self) -> tuple[str, ...]:
        """What the clusters of the run only pretend, one sentence each."""
        own = self.own.simulated if self.own is not None else ()
        return (*self.changed, *own, *self.placement.sentences, *self.pretended)

    def leave(self) -> tuple[Finding, ...]:
        """Take away what was made on clusters that exist, unless it is to be kept. Once; safe to call at any time."""
        if self._supervisor is None or self.settings.keep or not self.hosts.existing:
            return ()
        if self.acting is not None:
            # It would heal what is removed, and make the namespaces anew.
            self.supervisor.stop(self.acting)
        return self.hosts.leave(self._supervisor.run_id)

    def private_file(self, name: str, text: str) -> Path:
        """Leave a file in the run's private directory for our own worker processes."""
        path = self.supervisor.directory / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path

    def close(self) -> None:
        """End everything; safe to call at any time and more than once."""
        keep = self.settings.keep and self.cluster is not None
        if self.admission is not None:
            self.admission.close()
        if self._supervisor is not None:
            self._supervisor.close(keep=keep)
        if self.own is not None:
            self.own.close(keep=keep)
        self.leave()
        for side in () if keep else self.sides:
            side.stop()
