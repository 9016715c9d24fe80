"""The clusters that the Applications of one Argo CD deploy to, beside the one that it runs in.

Argo CD knows all of them from the beginning, as generators of ApplicationSets want it; a control plane stands behind
those that Applications are brought to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_gitops.argocd import install
from pytest_gitops.argocd.destinations import Claim, Placement, claims_of, cluster_secret, place, through
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.errors import ConfigError
from pytest_gitops.ground.planes import embedded
from pytest_gitops.ground.side import Side
from pytest_gitops.model import Case, Destination
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.settings.registered import RegisteredCluster, meant
from pytest_gitops.world.urls import parse as parse_url

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.clusters.base import Cluster

AT_ONCE = 2
"""Control planes that come up at the same time: each takes a second of both cores and 700 MB."""

Rendered = Iterable[tuple[Case, Sequence[Mapping[str, Any]]]]
"""Applications, each with the objects that it renders to."""


class Furnish(Protocol):
    """Puts into a new plane what every cluster has, and what Argo CD's own objects need where there are some."""

    def __call__(self, cluster: Cluster, *, argocd: bool) -> Api: ...


class Fleet:
    """The clusters of the Argo CD of `side`, which runs in the cluster of `api`; `label` ends the names of the planes.

    `apis` has the way to each cluster that is connected, by
    server URL and by name, as `spec.destination` has them.
    """

    def __init__(
        self,
        side: Side,
        api: Api,
        *,
        supervisor: Supervisor,
        paths: Mapping[str, Path],
        furnish: Furnish,
        say: Callable[[str], None],
        label: str = "",
    ) -> None:
        self._side, self._api, self._label = side, api, label
        self._supervisor, self._paths, self._furnish, self._say = supervisor, paths, furnish, say
        self._planes: list[Embedded] = []
        self.apis: dict[str, Api] = {}

    @property
    def _known(self) -> tuple[RegisteredCluster, ...]:
        return self._side.settings.clusters

    def announce(self) -> None:
        """Let Argo CD know every cluster of the configuration. Raises ApiError."""
        for cluster in self._known:
            self._register(cluster, None)

    def introduce(self, destination: Destination) -> bool:
        """Let Argo CD know a cluster that only an Application names; False for what is no address of one."""
        cluster = meant(destination, self._known)
        if cluster is not None:
            self._register(cluster, None)
        return cluster is not None

    def connect(self, placement: Placement) -> None:
        """Start the control planes and lead Argo CD to them. Raises ProcessDied, WaitTimeout or ApiError."""
        argocd = [not placement.argocd.isdisjoint(clusters) for clusters in placement.planes]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="destination") as pool:
            list(pool.map(self._stand_in, count(1), placement.planes, argocd))

    def stop(self) -> None:
        """End the control planes, while the run goes on."""
        for plane in self._planes:
            plane.stop()
        self._planes.clear()

    def _stand_in(self, number: int, clusters: Sequence[RegisteredCluster], argocd: bool) -> None:
        self._say(f"starting a control plane for {', '.join(c.name for c in clusters)}")
        plane = embedded(
            self._side.settings,
            self._supervisor,
            self._supervisor.directory / f"cluster-{number}{self._label}",
            self._paths,
            name=f"destination-{number}{self._label}",
        )
        self._planes.append(plane)
        plane.start()
        api = self._furnish(plane, argocd=argocd)
        for cluster in clusters:
            self.apis[cluster.server] = self.apis[cluster.name] = api
            address = parse_url(cluster.server)
            if address is None:
                raise ConfigError(
                    f"{cluster.server!r} is no URL of an API server", where="spec.destination.server"
                )
            self._side.world.tunnel(address.host, address.port, to=plane.address)
            self._register(cluster, through(self._side.world.url, plane.kubeconfig))

    def _register(self, cluster: RegisteredCluster, access: Mapping[str, Any] | None) -> None:
        self._api.apply(cluster_secret(cluster, access, control=self._side.declarations.control))


def placement(rendered: Rendered, known: Sequence[RegisteredCluster], *, api: Api, limit: int) -> Placement:
    """Where the clusters that Applications deploy to stand; `limit` is how many control planes there may be. Kinds
    that `api` does not serve may be of either scope."""
    claims: dict[RegisteredCluster, set[Claim]] = {}
    argocd: set[RegisteredCluster] = set()

    def is_namespaced(version: str, kind: str) -> bool | None:
        try:
            return api.is_namespaced(version, kind)
        except ApiError as error:
            if error.reason != "UnknownKind":
                raise
            return None

    for case, objects in rendered:
        cluster = meant(case.destination, known)
        if cluster is not None:
            namespace = case.destination.namespace
            claims.setdefault(cluster, set()).update(
                claims_of(objects, namespace, is_namespaced=is_namespaced)
            )
            if any(install.is_own(o) for o in objects):
                argocd.add(cluster)
    return replace(place(claims, limit=limit), argocd=frozenset(argocd))
