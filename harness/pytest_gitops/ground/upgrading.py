"""The ground of `upgrade`: a cluster and an Argo CD of its own, in base's world, whose branches can be moved.

Base's world has a repo-server already; a second cluster and a second application-controller are added only when they
are asked for. Of `converge`'s cluster nothing is used, so neither colours the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from pytest_gitops.argocd.applicationsets import bring, refresh
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.errors import GitOpsError
from pytest_gitops.ground.crowd import frugal
from pytest_gitops.ground.delivering import Delivery
from pytest_gitops.ground.installing import Installer
from pytest_gitops.ground.planes import embedded
from pytest_gitops.ground.side import Side
from pytest_gitops.processes.process import Daemon
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.repository.moving import lend, point
from pytest_gitops.settings.settings import Provider

if TYPE_CHECKING:
    from pytest_gitops.argocd.appstate import AppState
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.ground.boot import Ground
    from pytest_gitops.ground.fleet import Fleet
    from pytest_gitops.stages.context import Context


class UpgradeGround:
    """`up`, then `bring` and `start`; `api` and `destinations` (by server URL and by name) come with `up`.

    `sets` says whether ApplicationSets have to be followed; `base_sets` and `head_sets` are those of files, as they
    were planned. `begun` is its control plane, which comes up already.
    """

    api: Api
    destinations: Mapping[str, Api]

    def __init__(
        self,
        ground: Ground,
        begun: Future[Embedded],
        *,
        sets: bool,
        base_sets: Sequence[Declared],
        head_sets: Sequence[Declared],
        delivery: Delivery | None = None,
    ) -> None:
        assert ground.base is not None, "an upgrade begins at a base"
        self._ground, self._sets, self._delivery = ground, sets, delivery
        self._base, self._head = ground.base, ground.head
        self._base_sets, self._head_sets = base_sets, head_sets
        self._begun = begun
        self._plane: Embedded | None = None
        self._fleet: Fleet | None = None
        self._daemons: list[Daemon] = []
        self.refused: list[tuple[Declared, GitOpsError]] = []

    def up(self) -> UpgradeGround:
        """Bring up the cluster with what Argo CD needs there as base has it. Raises EngineError."""
        ground = self._ground
        plane = self._plane = self._begun.result()
        installer = self._installer(self._base)
        self.api = ground.furnish(plane, meanwhile=installer.settings)
        installer.projects(self.api)
        self._fleet = ground.fleet_of(self._base, self.api, label="-upgrade")
        self._fleet.connect(ground.placement)
        self.destinations = self._fleet.apis
        if self._delivery is not None:
            self._delivery.furnish(self._apis, head=False)
        lend(self._head.checkout.snapshot, self._base.checkout.snapshot.bare)
        ground.mark("upgrade ground")
        return self

    def close(self) -> None:
        """End the cluster and its controllers; the run goes on."""
        self._ground.supervisor.stop(*self._daemons)
        self._daemons.clear()
        if self._fleet is not None:
            self._fleet.stop()
        if self._plane is not None:
            self._plane.stop()

    def start(self) -> None:
        """Start the controllers: from here on Argo CD acts."""
        assert self._plane is not None, "the cluster comes first"
        if self._sets:
            self._ground.serve_sets(self.api)
            self._daemons.append(self._base.start_sets(self._plane.kubeconfig, self._head))
            bring(self.api, self._base_sets, control=self._control)
        if self._delivery is not None:
            self._daemons += self._delivery.start(self._apis, self._base)
        self._daemons.append(self._base.start_applications(self._plane.kubeconfig, self._head))

    def move(self, *, to_head: bool) -> None:
        """Let branches and charts mean head, or base again, and bring what whoever runs Argo CD brings: its settings,
        the projects, and the ApplicationSets of files. What the side has no more stays."""
        side = self._head if to_head else self._base
        point(self._base.checkout.snapshot.bare, side.checkout.snapshot.refs)
        side.serve_charts(self._base.world, self._ground.paths["helm"])
        installer = self._installer(side)
        installer.settings(self.api)
        installer.projects(self.api)
        if self._sets:
            bring(self.api, self._head_sets if to_head else self._base_sets, control=self._control)
            refresh(self.api, generates=lambda n: self._base.generates(n) or self._head.generates(n))

    @property
    def app_state(self) -> AppState:
        return self._base.argocd.state

    @property
    def _apis(self) -> list[Api]:
        return [self.api, *self.destinations.values()]

    @property
    def _control(self) -> str:
        return self._base.declarations.control

    def _installer(self, side: Side) -> Installer:
        return Installer(
            side,
            world=self._base.world,
            config=self._ground.paths["argocd-config"],
            refused=lambda d, e: self.refused.append((d, e)),
        )


def begin_plane(ground: Ground, *, crowd: bool = False) -> Future[Embedded] | None:
    """Begin to bring up the control plane of `upgrade`, for a crowd or not; None if the run has no upgrade."""
    settings = ground.settings
    asked = "upgrade" in settings.stages and not settings.only_tests
    if settings.base is None or settings.provider is Provider.NONE or not asked:
        return None
    plane = _plane(ground, frugal(settings) if crowd else {})

    def start() -> Embedded:
        plane.start()
        return plane

    pool = ThreadPoolExecutor(1, thread_name_prefix="plane-upgrade")
    begun = pool.submit(start)
    pool.shutdown(wait=False)
    return begun


def _plane(ground: Ground, environ: Mapping[str, str]) -> Embedded:
    directory = ground.supervisor.directory / "cluster-upgrade"
    return embedded(
        ground.settings, ground.supervisor, directory, ground.paths, name="upgrade", environ=environ
    )


def upgrade_ground(
    ground: Ground, context: Context, delivery: Delivery | None, begun: Future[Embedded] | None
) -> UpgradeGround:
    """The ground for all Applications of `context`, head's, and of its base, up; with Argo Rollouts where there is a
    `delivery`. Raises EngineError."""
    assert context.base is not None and begun is not None, "an upgrade begins at a base"
    base, head = (
        [s for s in plan.file_sets if f"{s.namespace}/{s.name}" not in context.left_out]
        for plan in (context.base.plan, context.plan)
    )
    cases = [*context.base.plan.cases, *context.plan.cases]
    sets = any(c.parent_kind == "ApplicationSet" for c in cases)
    return UpgradeGround(ground, begun, sets=sets, base_sets=base, head_sets=head, delivery=delivery).up()
