"""The controllers of a run's first cluster, Argo CD's and Argo Rollouts', started when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

from pytest_gitops.argocd.applicationsets import remove
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.ground.boot import Ground
from pytest_gitops.ground.delivering import Delivery
from pytest_gitops.ground.installing import make_namespaces
from pytest_gitops.ground.side import Side
from pytest_gitops.processes.process import Daemon
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.settings.settings import Provider


class Controllers:
    """Starts controllers when they are first needed; Argo Rollouts' where there is a `delivery`."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._lock = ground, threading.Lock()
        self._sets: Daemon | None = None
        self._told: tuple[str, ...] = ()  # its flags
        self._rollouts: list[Daemon] = []
        self.delivery: Delivery | None = None

    @property
    def may_end(self) -> bool:
        """Whether the first cluster is an embedded one that the user does not want to have afterwards."""
        settings = self._ground.settings
        return settings.provider is Provider.EMBEDDED and not settings.keep

    def make_namespaces(self, side: Side) -> None:
        """Let the namespaces be there in which Argo CD finds what `side` has, now that it is planned."""
        if self._ground.api is not None:
            make_namespaces(self._ground.api, side.namespaces)

    def start_sets(self, side: Side, sets: Iterable[Declared] = ()) -> None:
        """The applicationset-controller of a side alone, for `sets` too: nothing is synced yet. One that runs is
        started anew where those that an Application renders want what it was not told of."""
        with self._lock:
            side.note(sets=sets)
            flags = side.flags_for_sets()
            self.make_namespaces(side)
            if self._sets is not None and flags != self._told:
                self._ground.supervisor.stop(self._sets)
                self._sets = None
            if self._sets is None:
                assert self._ground.cluster is not None and self._ground.api is not None
                self._ground.serve_sets(self._ground.api)
                self._sets, self._told = side.start_sets(self._ground.cluster.kubeconfig), flags

    def forget(self) -> None:
        """Stop the applicationset-controller, and remove the sets and what they made: the other side's are to
        come."""
        with self._lock:
            if self._sets is not None:
                self._ground.supervisor.stop(self._sets)
                self._sets = None
                assert self._ground.api is not None
                remove(self._ground.api)

    def lend(self) -> tuple[Embedded, Api] | None:
        """The first cluster, as it was before ApplicationSets were expanded there, for somebody else to act on; None
        where it may not end."""
        ground = self._ground
        if not self.may_end:
            return None
        assert isinstance(ground.cluster, Embedded) and ground.api is not None
        self.forget()
        return ground.cluster, ground.api

    def start_applications(self, *, without: Collection[str] = ()) -> None:
        """The application-controller: from here on Argo CD acts, and Argo Rollouts beside it. ApplicationSets, if any,
        have theirs already; those `without` which the run does are taken away first."""
        assert self._ground.cluster is not None and self._ground.api is not None
        if without:
            remove(self._ground.api, without)
        head = self._ground.head
        if self.delivery is not None:
            own = self._ground.own_apis
            self.delivery.furnish(own, head=True)  # the clusters that came up since
            self._rollouts = self.delivery.start(own, head)
        self._ground.acting = head.start_applications(self._ground.cluster.kubeconfig)

    def end(self) -> None:
        """End the first cluster, those beside it and all that acts on them, while the run goes on."""
        ground = self._ground
        assert isinstance(ground.cluster, Embedded) and ground.fleet is not None
        with self._lock:
            acting = [d for d in (self._sets, *self._rollouts, ground.acting) if d is not None]
            self._sets, self._rollouts, ground.acting = None, [], None
        ground.supervisor.stop(*acting)
        ground.fleet.stop()
        ground.cluster.stop()
