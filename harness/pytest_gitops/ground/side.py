"""One side of a comparison: a revision of the repository in a loopback world of its own, with a repo-server in it.

Head and base name the same URLs and branches in the same, untouched manifests; each means its own content by them, so
each needs a world, and a repo-server that has never seen the other's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_gitops.argocd import install, progressive, scm
from pytest_gitops.argocd.confinement import Confinement, is_possible
from pytest_gitops.argocd.processes import EXEC_SECONDS, ArgoCD, Surroundings
from pytest_gitops.argocd.untrusted import tame
from pytest_gitops.model import Finding
from pytest_gitops.processes.process import Daemon, Supervisor
from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.repository.discovery import Declarations, Declared
from pytest_gitops.repository.git import Repository
from pytest_gitops.settings.settings import Settings
from pytest_gitops.world.loopback import World


class Side:
    """`name` is "head" or "base". `take`, then `build`, then `start_repo_server`; the attributes come with them."""

    world: World
    argocd: ArgoCD
    charts: Path
    confinement: Confinement | None
    brought: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]

    def __init__(
        self, settings: Settings, name: str, *, revision: str = "", repository: Repository | None = None
    ) -> None:
        self.settings, self.name = settings, name
        self.checkout = Checkout(settings, revision=revision, repository=repository)

    @property
    def declarations(self) -> Declarations:
        return self.checkout.declarations

    @property
    def confined(self) -> bool:
        """Whether Argo CD's processes are kept from this machine's files and services by its kernel."""
        return is_possible(shutil.which("git", path=self.settings.environ.get("PATH")))

    def take(self, directory: Path) -> None:
        """Read the repository; `directory` is the run's. Raises ConfigError if it cannot be used."""
        self.checkout.take(directory / f"{self.name}.git")
        tamed = tame(self.declarations.settings, confined=self.confined)
        self.brought, self.findings = tamed.manifests, tamed.findings

    def take_over(self, other: Side, directory: Path) -> None:
        """Have what `other` has, in a bare repository of its own whose branches can be moved."""
        bare = directory / f"{self.name}.git"
        shutil.copytree(other.checkout.snapshot.bare, bare, symlinks=True)
        self.checkout.snapshot = replace(other.checkout.snapshot, bare=bare)
        self.checkout.declarations = other.declarations
        self.brought, self.findings = other.brought, ()

    def build(
        self,
        supervisor: Supervisor,
        paths: Mapping[str, Path],
        *,
        hosts: Iterable[str],
        control: str,
        shares: Iterable[Path] = (),
    ) -> None:
        """The world, answering, and Argo CD, not yet started. `hosts` are those that may be reached outside;
        `control` is the namespace Argo CD lives in; `shares` are bare repositories whose objects its own may
        borrow."""
        settings, checkout, directory = self.settings, self.checkout, supervisor.directory
        world = self.world = World(
            directory / f"{self.name}-world", environ=settings.environ, network=settings.network
        )
        if checkout.urls:
            world.serve_repository((*checkout.urls, *checkout.spellings), checkout.snapshot.bare)
        self.lay_out_charts(directory)
        self.serve_charts(world, paths["helm"])
        world.allow(settings.allowed_hosts)
        world.allow_named(hosts)
        world.start()
        self.confinement = self._confinement(directory, paths, shares) if self.confined else None
        around = Surroundings(
            tools=paths,
            environ=settings.environ,
            world=world.env,
            path=(world.bin,),
            control=control,
            # What may take no longer as a whole may take no longer in a part of it.
            exec_limit=min(EXEC_SECONDS, settings.timeout),
            confinement=self.confinement,
            side="" if self.name == "head" else f"-{self.name}",
        )
        self.argocd = ArgoCD(supervisor, directory / f"{self.name}-argocd", around)

    def lay_out_charts(self, directory: Path) -> None:
        """Write out the folders that chart repositories are served from; `directory` is the run's. Raises
        ConfigError."""
        self.charts = directory / "folders" / self.name
        for number, chart in enumerate(self.settings.charts):
            where = f"pytest-gitops.yaml charts: {chart.url}"
            self.checkout.write_out(chart.path, self.charts / str(number), where=where)

    def serve_charts(self, world: World, helm: Path) -> None:
        """Let `world` have this side's charts from folders. Raises ConfigError as World.serve_charts does."""
        for number, chart in enumerate(self.settings.charts):
            world.serve_charts(chart.url, self.charts / str(number), helm=helm)

    def _confinement(self, directory: Path, paths: Mapping[str, Path], shares: Iterable[Path]) -> Confinement:
        return Confinement(
            # Over ssh the repository is read right there, where its snapshot borrows the clone's objects.
            reads=(
                directory / f"{self.name}-world",
                self.checkout.snapshot.bare,
                *shares,
                *self.checkout.repository.object_stores,
            ),
            programs=(
                self.world.bin,
                *self.world.programs,
                *(paths[name] for name in ("argocd", "helm", "kustomize")),
            ),
            ports=self.world.ports,
        )

    @property
    def _parameters(self) -> Mapping[str, Any]:
        return install.data_of(self.brought, "argocd-cmd-params-cm")

    @property
    def _progressive(self) -> bool:
        """Whether its ApplicationSets may sync step by step."""
        sets = [d.manifest for d in self.declarations.application_sets]
        return progressive.is_enabled(self._parameters, sets)

    def start_sets(self, kubeconfig: Path, *others: Side) -> Daemon:
        """The applicationset-controller, for its ApplicationSets and those of `others`."""
        sides = (self, *others)
        sets = [d for s in sides for d in s.declarations.application_sets]
        flags = ["--enable-progressive-syncs"] if any(s._progressive for s in sides) else []
        if elsewhere := self._elsewhere(sets):
            flags.append(f"--applicationset-namespaces={elsewhere}")
            flags += scm.flags(self._parameters, [d.manifest for d in sets])
        return self.argocd.start_applicationset_controller(kubeconfig, *flags)

    def start_applications(self, kubeconfig: Path, *others: Side) -> Daemon:
        """The application-controller, for its Applications and those of `others`: from here on Argo CD acts."""
        declared = [
            d
            for s in (self, *others)
            for d in (*s.declarations.applications, *s.declarations.application_sets)
        ]
        return self.argocd.start_application_controller(kubeconfig, namespaces=self._elsewhere(declared))

    def _elsewhere(self, declared: Iterable[Declared]) -> str:
        """The namespaces of these beside the control namespace, as Argo CD's flags want them."""
        return install.other_namespaces([d.namespace for d in declared], control=self.declarations.control)

    def start_repo_server(self) -> None:
        """What renders, and its cache."""
        self.argocd.start_redis()
        self.argocd.start_repo_server()

    def credentials(self, url: str) -> dict[str, str]:
        """What Argo CD's own database would add to a repository: the key of our stand-in, for ssh."""
        return self.world.credentials(url) if self.checkout.is_ours(url) else {}

    def stop(self) -> None:
        """End the world; the processes are the supervisor's."""
        if hasattr(self, "world"):
            self.world.stop()
