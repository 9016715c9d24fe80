"""Progressive delivery of one run: whether it is asked for, what clusters get for it, and its controllers.

They run for whatever an embedded cluster holds: the one of `converge`, that of `upgrade`, and each destination's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.ground.boot import CRD_SECONDS
from pytest_gitops.ground.side import Side
from pytest_gitops.model import VERIFY_STAGES
from pytest_gitops.processes.process import Daemon
from pytest_gitops.rollouts import controller, kinds
from pytest_gitops.rollouts.analysis import local_ports
from pytest_gitops.tools import ROLLOUTS_PARTS

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.ground.boot import Ground
    from pytest_gitops.settings.settings import Settings
    from pytest_gitops.stages.context import Context

PARALLEL = 8

Manifest = Mapping[str, Any]


def is_asked(settings: Settings, contexts: Iterable[Context]) -> bool:
    """Whether Argo Rollouts takes part: as `argo-rollouts` says, else if one of the sides renders an object of its."""
    if settings.argo_rollouts is not None:
        return settings.argo_rollouts
    return any(kinds.is_ours(o) for o in _rendered(contexts))


def _rendered(contexts: Iterable[Context]) -> list[Manifest]:
    return [
        o
        for context in contexts
        for rendered in context.renders.values()
        if isinstance(rendered, Rendered)
        for o in rendered.objects
    ]


class Delivery:
    """Argo Rollouts for clusters that are given what the side that begins there does not bring itself: `context`, head,
    or its base. Raises ToolError if it cannot be had; the controller only where something is applied."""

    def __init__(self, ground: Ground, context: Context) -> None:
        self._ground, settings = ground, ground.settings
        self.runs = ground.api is not None and not set(VERIFY_STAGES).isdisjoint(settings.stages)
        self._tools = ground.ensure(ROLLOUTS_PARTS if self.runs else ROLLOUTS_PARTS[:1])
        crds = self._tools["argo-rollouts-crds"]
        self.version = crds.version
        self.definitions = kinds.definitions(crds.path, settings.cache)
        own = [
            *ground.checkout.manifests(settings.crds, where="pytest-gitops.yaml crds"),
            *ground.remote_crds,
        ]
        self._bring = {
            side is context: kinds.to_bring(self.definitions, [*own, *_rendered([side])])
            for side in (context.base, context)
            if side is not None
        }
        self._lock = threading.Lock()
        # Two at a time, as control planes come up: each takes a second of both cores.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="furnish-rollouts")
        self._furnished: dict[int, Future[None]] = {}
        self._started = 0

    @property
    def simulated(self) -> str:
        """What a report says of it."""
        ours = "its definitions are there before Argo CD acts"
        there = ours if self._bring[True] else "its definitions are yours"
        return (
            f"Argo Rollouts {self.version} runs beside the cluster, and {there}; no traffic flows, an analysis by a "
            "Job succeeds whatever it would run, and one that asks a host outside is not asked"
        )

    def furnish(self, apis: Iterable[Api], *, head: bool) -> None:
        """Begin to bring the definitions that head, or else base, does not bring itself to each cluster, and return at
        once: an API server takes seconds to serve them, and only `start` needs that."""
        with self._lock:
            for api in apis:
                if id(api) not in self._furnished:
                    self._furnished[id(api)] = self._pool.submit(self._furnish, api, self._bring[head])

    def _furnish(self, api: Api, definitions: Sequence[Manifest]) -> None:
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="rollouts") as pool:
            for each in [pool.submit(api.define, d) for d in definitions]:
                each.result()
        api.wait_established([d["metadata"]["name"] for d in definitions], limit=CRD_SECONDS)

    def start(self, apis: Iterable[Api], side: Side) -> list[Daemon]:
        """Start a controller for each cluster, in the world of `side`, once all have what it needs. Raises
        EngineError."""
        clusters = {id(a): a for a in apis}
        for key in clusters:
            self._furnished[key].result()
        settings = self._ground.settings
        around = controller.Surroundings(
            program=self._tools["argo-rollouts"].path,
            world=side.world.env,
            confinement=side.confinement,
            ports=local_ports(settings.allowed_hosts),
        )
        return [self._one(api, around) for api in clusters.values()]

    def _one(self, api: Api, around: controller.Surroundings) -> Daemon:
        with self._lock:
            self._started += 1
            label = f"argo-rollouts-{self._started}"
        supervisor = self._ground.supervisor
        return controller.start(supervisor, supervisor.directory / label, around, api.kubeconfig, label=label)


def delivery(ground: Ground, context: Context) -> Delivery | None:
    """The delivery of a run whose plan is made, None where none is asked for.

    The clusters that are up are then being given what it needs. Raises EngineError.
    """
    contexts = [c for c in (context.base, context) if c is not None]
    if not is_asked(ground.settings, contexts):
        return None
    found = Delivery(ground, context)
    if ground.admission is not None:
        ground.admission.know(found.definitions)
    if ground.api is not None and found.runs:
        found.furnish(ground.own_apis, head=True)
        ground.pretended.append(found.simulated)
        ground.mark("argo-rollouts")
    return found
