"""The ground of scenarios: a cluster and an Argo CD of its own, in a world whose branches can be moved.

It has head's content. Of the world of `converge` nothing is used, and its cluster only where no stage acts on that, so
neither colours the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pytest_gitops.argocd.applicationsets import bring, refresh
from pytest_gitops.argocd.appstate import AppState
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.errors import GitOpsError
from pytest_gitops.ground.fleet import placement
from pytest_gitops.ground.installing import Installer
from pytest_gitops.ground.planes import embedded
from pytest_gitops.ground.side import Side
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.repository.moving import point

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.ground.boot import Ground
    from pytest_gitops.ground.delivering import Delivery
    from pytest_gitops.stages.context import Context

NAME = "scenarios"


class ActingGround:
    """`up`, then `start`; `api`, `app_state` and `destinations` (by server URL and by name) come with `up`.

    `lent` is a cluster that has what Argo CD's objects need there; without one another is started.
    """

    api: Api
    app_state: AppState
    destinations: Mapping[str, Api]

    def __init__(
        self,
        ground: Ground,
        context: Context,
        delivery: Delivery | None,
        *,
        lent: tuple[Embedded, Api] | None = None,
    ) -> None:
        self._ground, self._context, self._delivery, self._lent = ground, context, delivery, lent
        self._head = Side(ground.settings, NAME)
        self._sets = bool(ground.declarations.application_sets) or any(
            c.parent_kind == "ApplicationSet" for c in context.plan.cases
        )
        self._plane: Embedded | None = None
        self._others: dict[str, Side] = {}
        self.refused: list[tuple[Declared, GitOpsError]] = []

    @property
    def side(self) -> Side:
        return self._head

    def up(self) -> ActingGround:
        """Bring up the cluster, with what Argo CD needs there, and the world. Raises EngineError."""
        ground, directory = self._ground, self._ground.supervisor.directory
        head = self._head
        with ThreadPoolExecutor(1, thread_name_prefix=NAME) as pool:
            started = pool.submit(self._start_plane) if self._lent is None else None
            head.take_over(ground.head, directory)
            head.build(ground.supervisor, ground.paths, outside=ground.outside)
            head.start_repo_server()
            own = started.result() if started is not None else None
        installer = self._installer(head)
        if own is not None:
            self._plane, self.api = own, ground.furnish(own, meanwhile=installer.settings)
        else:
            assert self._lent is not None, "a plane is started where none is lent"
            self._plane, self.api = self._lent
            installer.settings(self.api)
        installer.projects(self.api)
        fleet = ground.fleet_of(head, self.api, label=f"-{NAME}")
        settings = ground.settings
        fleet.connect(
            placement(self._context.rendered(), settings.clusters, api=self.api, limit=settings.cluster_limit)
        )
        self.destinations = fleet.apis
        if self._delivery is not None:
            self._delivery.furnish(self._apis, head=True)
        self.app_state = head.argocd.state
        ground.mark("scenario ground")
        return self

    def _start_plane(self) -> Embedded:
        ground = self._ground
        directory = ground.supervisor.directory / f"cluster-{NAME}"
        plane = embedded(ground.settings, ground.supervisor, directory, ground.paths, name=NAME)
        plane.start()
        return plane

    def start(self) -> None:
        """Start the controllers: from here on Argo CD acts."""
        assert self._plane is not None, "the cluster comes first"
        head = self._head
        if self._sets:
            self._ground.serve_sets(self.api)
            head.start_sets(self._plane.kubeconfig)
            bring(self.api, self._sets_of(head), control=head.declarations.control)
        if self._delivery is not None:
            self._delivery.start(self._apis, head)
        head.start_applications(self._plane.kubeconfig)

    def commit_of(self, revision: str) -> str | None:
        """The commit that a scenario calls `revision`: `head`, `base`, or as Argo CD has it; None if there is none."""
        snapshot = self._ground.head.checkout.snapshot
        if revision == "head":
            return snapshot.commit
        if revision == "base":
            return self._ground.settings.base.commit if self._ground.settings.base else None
        return snapshot.resolve(revision)

    def move(self, commit: str) -> Side:
        """Let branches and charts mean a commit, and bring what whoever runs Argo CD brings: its settings, the projects
        and the ApplicationSets of files. What the commit has no more stays. Raises ConfigError and EngineError."""
        side = self._at(commit)
        point(self._head.checkout.snapshot.bare, side.checkout.snapshot.refs)
        side.serve_charts(self._head.world, self._ground.paths["helm"])
        installer = self._installer(side)
        installer.settings(self.api)
        installer.projects(self.api)
        if self._sets:
            bring(self.api, self._sets_of(side), control=side.declarations.control)
            refresh(self.api, generates=self._head.generates)
        return side

    def _sets_of(self, side: Side) -> Sequence[Declared]:
        """The ApplicationSets of files: of head and base in the form that was planned, of any other commit as they are
        written."""
        planned = (c for c in (self._context, self._context.base) if c is not None)
        plans = {c.snapshot.commit: c.plan for c in planned}
        plan = plans.get(side.checkout.snapshot.commit)
        return side.declarations.application_sets if plan is None else plan.file_sets

    def _at(self, commit: str) -> Side:
        if commit == self._ground.head.checkout.snapshot.commit:
            return self._head
        if commit not in self._others:
            side = Side(self._ground.settings, f"{NAME}-{commit[:12]}", revision=commit)
            side.take(self._ground.supervisor.directory)
            side.lay_out_charts(self._ground.supervisor.directory)
            self._others[commit] = side
        return self._others[commit]

    @property
    def _apis(self) -> list[Api]:
        return [self.api, *self.destinations.values()]

    def _installer(self, side: Side) -> Installer:
        return Installer(
            side,
            world=self._head.world,
            config=self._ground.paths["argocd-config"],
            refused=lambda d, e: self.refused.append((d, e)),
        )

    def close(self) -> None:
        """End the world; processes are the supervisor's."""
        for side in self._sides():
            side.stop()

    def _sides(self) -> Iterable[Side]:
        return (self._head, *self._others.values())
