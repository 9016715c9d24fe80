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

from pytest_gitops.argocd import namespaces, parameters, progressive, scm
from pytest_gitops.argocd.confinement import Confinement, is_possible
from pytest_gitops.argocd.processes import EXEC_SECONDS, ArgoCD, Surroundings
from pytest_gitops.argocd.untrusted import tame
from pytest_gitops.ground.outside import Outside
from pytest_gitops.model import Finding
from pytest_gitops.processes.process import Daemon, Supervisor
from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.repository.discovery import Declarations, Declared
from pytest_gitops.repository.git import Repository
from pytest_gitops.settings.settings import Settings
from pytest_gitops.world.loopback import World


class Side:
    """`name` is "head" or "base". `take`, then `build`, then `start_repo_server`; the attributes come with them.

    `sets` has its ApplicationSets by "namespace/name", `homes` where its Applications live: those of files, and what
    `note` is told of once it is planned.
    """

    world: World
    argocd: ArgoCD
    charts: Path
    confinement: Confinement | None
    brought: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]
    sets: dict[str, Declared]
    homes: set[str]
    _spaces: set[str]

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
        self.sets, self.homes, self._spaces = {}, set(), set()
        declared = self.declarations
        self.note(sets=declared.application_sets, homes=[d.namespace for d in declared.applications])

    def note(
        self, *, sets: Iterable[Declared] = (), homes: Iterable[str] = (), brought: Iterable[str] = ()
    ) -> None:
        """Take in ApplicationSets, and namespaces of Applications; those that are `brought` the repository makes."""
        control = self.declarations.control
        self.sets |= {f"{s.namespace or control}/{s.name}": s for s in sets}
        found = {n or control for n in homes}
        self.homes |= found
        self._spaces |= found - set(brought)

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces beside Argo CD's own that are there before it acts, for Applications and ApplicationSets to
        live in: whoever lets it look there has made them."""
        return frozenset((self._spaces | self._homes_of_sets) - {self.declarations.control})

    @property
    def _homes_of_sets(self) -> set[str]:
        return {key.partition("/")[0] for key in self.sets}

    def take_over(self, other: Side, directory: Path) -> None:
        """Have what `other` has, in a bare repository of its own whose branches can be moved."""
        bare = directory / f"{self.name}.git"
        shutil.copytree(other.checkout.snapshot.bare, bare, symlinks=True)
        self.checkout.snapshot = replace(other.checkout.snapshot, bare=bare)
        self.checkout.declarations = other.declarations
        self.brought, self.findings = other.brought, ()
        self.sets, self.homes, self._spaces = dict(other.sets), set(other.homes), set(other._spaces)

    def build(
        self,
        supervisor: Supervisor,
        paths: Mapping[str, Path],
        *,
        outside: Outside,
        shares: Iterable[Path] = (),
    ) -> None:
        """The world, answering, and Argo CD, not yet started. `shares` are bare repositories whose objects its own may
        borrow."""
        settings, checkout, directory = self.settings, self.checkout, supervisor.directory
        world = self.world = World(
            directory / f"{self.name}-world",
            environ=settings.environ,
            network=settings.network,
            private=outside.private,
            spoken=checkout.source_urls(),
        )
        if checkout.urls:
            world.serve_repository((*checkout.urls, *checkout.spellings), checkout.snapshot.bare)
        self.lay_out_charts(directory)
        self.serve_charts(world, paths["helm"])
        world.allow(settings.allowed_hosts)
        world.allow_named(outside.hosts)
        world.trust(outside.certificates)
        world.start()
        shares = (*shares, outside.private.mirrors.directory)
        self.confinement = self._confinement(directory, paths, shares) if self.confined else None
        around = Surroundings(
            tools=paths,
            environ=settings.environ,
            world=world.env,
            path=(world.bin,),
            control=self.declarations.control,
            # What may take no longer as a whole may take no longer in a part of it.
            exec_limit=min(EXEC_SECONDS, settings.timeout),
            confinement=self.confinement,
            side="" if self.name == "head" else f"-{self.name}",
            parameters=self.parameters,
            certificates=outside.certificates,
            authority=world.certificate,
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
    def parameters(self) -> Mapping[str, Any]:
        """What the repository says to Argo CD's processes: the data of argocd-cmd-params-cm."""
        return parameters.of(self.brought)

    @property
    def _progressive(self) -> bool:
        """Whether its ApplicationSets may sync step by step."""
        return progressive.is_enabled(self.parameters, [s.manifest for s in self.sets.values()])

    def _listed(self, key: str) -> tuple[str, ...]:
        return namespaces.listed(self.parameters, key)

    def generates(self, namespace: str) -> bool:
        """Whether its applicationset-controller looks at ApplicationSets there."""
        listed = self._listed(namespaces.SETS)
        return namespaces.is_enabled(namespace, listed, control=self.declarations.control)

    def flags_for_sets(self, *others: Side) -> tuple[str, ...]:
        """How the applicationset-controller is told of its ApplicationSets, as far as they are known, and of those of
        `others`."""
        sides = (self, *others)
        flags = ["--enable-progressive-syncs"] if any(s._progressive for s in sides) else []
        if elsewhere := self._elsewhere(namespaces.SETS, sides):
            flags.append(f"--applicationset-namespaces={elsewhere}")
            flags += scm.flags(self.parameters, [d.manifest for s in sides for d in s.sets.values()])
        return tuple(flags)

    def start_sets(self, kubeconfig: Path, *others: Side) -> Daemon:
        """The applicationset-controller, for its ApplicationSets and those of `others`."""
        return self.argocd.start_applicationset_controller(kubeconfig, *self.flags_for_sets(*others))

    def start_applications(self, kubeconfig: Path, *others: Side) -> Daemon:
        """The application-controller, for its Applications and those of `others`: from here on Argo CD acts."""
        elsewhere = self._elsewhere(namespaces.APPLICATIONS, (self, *others))
        return self.argocd.start_application_controller(kubeconfig, namespaces=elsewhere)

    def _elsewhere(self, key: str, sides: Iterable[Side]) -> str:
        """The namespaces beside Argo CD's own of what `sides` have, as its flags want them: those that each lists under
        `key`, else those that are known."""
        found: set[str] = set()
        for side in sides:
            known = side._homes_of_sets if key == namespaces.SETS else side.homes | side._homes_of_sets
            found |= set(side._listed(key)) or known
        return ",".join(sorted(found - {self.declarations.control}))

    def start_repo_server(self) -> None:
        """What renders, and its cache."""
        self.argocd.start_redis()
        self.argocd.start_repo_server()

    def credentials(self, url: str) -> dict[str, str]:
        """What Argo CD's own database would add to a repository: the key of our stand-in, for ssh."""
        return self.world.credentials(url)

    def stop(self) -> None:
        """End the world; the processes are the supervisor's."""
        if hasattr(self, "world"):
            self.world.stop()
