"""Judges the objects of a whole run: on which API servers, in which order, and what several versions say together."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pytest_gitops.admission.definitions import Definitions, definitions_in
from pytest_gitops.admission.furniture import CRD, Scene, scenes
from pytest_gitops.admission.items import items_of
from pytest_gitops.admission.plane import Plane
from pytest_gitops.admission.room import Room
from pytest_gitops.admission.values import Hit, Item, Judgement, Manifest, Request, kind_of
from pytest_gitops.admission.versions import merged
from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Severity
from pytest_gitops.processes.process import Supervisor

AT_ONCE = 2
"""Planes that are started or judged on at the same time: two cores are full with this many."""

PREREQUISITES = ""
"""The id under which the prerequisites are judged."""


class Admission:
    """What kube-apiserver says of objects, on planes below `directory` that nothing else uses.

    `servers` maps each version that is asked ("1.37") to its kube-apiserver, `etcd` is a file too. `known` are
    CustomResourceDefinitions that need not be rendered, `prerequisites` objects that every cluster has, `present`
    namespaces that a cluster has anyway, by the cluster's name. `stub` takes objects of unknown kinds as they are.
    `cache` is the folder where definitions are kept.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        directory: Path,
        *,
        etcd: Path,
        servers: Mapping[str, Path],
        known: Sequence[Manifest] = (),
        prerequisites: Sequence[Manifest] = (),
        present: Mapping[str, set[str]] | None = None,
        stub: bool = False,
        cache: Path | None = None,
    ) -> None:
        self._supervisor, self._directory = supervisor, directory
        self._etcd, self._servers = etcd, dict(servers)
        self._known = [*definitions_in(prerequisites), *known]
        self._prerequisites = [m for m in prerequisites if kind_of(m) != CRD]
        self._present, self._stub, self._cache = present or {}, stub, cache
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="admission")
        self._first: dict[str, Future[Plane]] = {}
        self._open: list[Plane] = []
        self._lock = threading.Lock()
        self._made = 0

    def know(self, definitions: Sequence[Manifest]) -> None:
        """Add definitions that need not be rendered; those that are known already count more."""
        self._known += definitions

    def start(self) -> None:
        """Begin to start the first plane of each version, and return at once: they come up while others work."""
        for version in self._servers:
            self._first[version] = self._pool.submit(self._plane, version)

    def judge(
        self,
        requests: Sequence[Request],
        base: Sequence[Request] = (),
        *,
        judged: Callable[[str], None] = lambda _: None,
    ) -> dict[str, Judgement]:
        """The judgement of each request, by its id; `base` is the same of what head is compared with.

        `judged` is told what is done next, in a few words. Once for each Admission. Raises EngineError (ApiError,
        ProcessDied, WaitTimeout) if a plane fails, ConfigError if a prerequisite is refused.
        """
        items, wrong = self._items(requests)
        before, _ = self._items(base)
        _acceptable(wrong.get(PREREQUISITES, ()))
        found: dict[str, list[Judgement]] = {r.id: [] for r in requests}
        work = [
            (version, scene)
            for scene in scenes(requests, items, before, present=self._present)
            for version in self._servers
        ]
        for each in self._pool.map(lambda job: self._judge(job[0], job[1], judged), work):
            for case, judgement in each.items():
                if case == PREREQUISITES:
                    _acceptable(judgement.hits)
                else:
                    found[case].append(judgement)
        return {r.id: merged(found[r.id], wrong=wrong.get(r.id, ()), objects=r.objects) for r in requests}

    def close(self) -> None:
        """End every plane that is left; safe to call at any time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for plane in tuple(self._open):
            self._end(plane)

    def _end(self, plane: Plane) -> None:
        with self._lock:
            if plane not in self._open:
                return
            self._open.remove(plane)
        plane.close()

    def _items(self, requests: Sequence[Request]) -> tuple[list[Item], dict[str, list[Hit]]]:
        items: list[Item] = []
        wrong: dict[str, list[Hit]] = {}
        clusters = dict.fromkeys(r.cluster for r in requests)
        ours = [
            Request(id=PREREQUISITES, cluster=cluster, namespace="default", objects=self._prerequisites)
            for cluster in clusters
            if self._prerequisites
        ]
        for request in (*ours, *requests):
            for each in items_of(request):
                if isinstance(each, Item):
                    items.append(each)
                else:
                    wrong.setdefault(request.id, []).append(each)
        return items, wrong

    def _judge(self, version: str, scene: Scene, say: Callable[[str], None]) -> dict[str, Judgement]:
        with self._lock:
            first = self._first.pop(version, None)
        plane = first.result() if first is not None else self._plane(version)
        try:
            say(f"asking Kubernetes {plane.version} about {len(scene.items)} objects")
            definitions = Definitions(plane.api, known=self._known, stub=self._stub)
            return Room(plane.api, definitions, version=plane.version).judge(scene)
        finally:
            with contextlib.suppress(RuntimeError):  # it is over: `close` ends this one as well
                self._pool.submit(self._end, plane)  # which nobody waits for

    def _plane(self, version: str) -> Plane:
        with self._lock:
            self._made += 1
            number = self._made
            plane = Plane(
                self._supervisor,
                self._directory / str(number),
                {"etcd": self._etcd, "kube-apiserver": self._servers[version]},
                name=f"admission-{number}",
                cache=self._cache,
            )
            self._open.append(plane)
        plane.start()
        return plane


def _acceptable(hits: Sequence[Hit]) -> None:
    """Raises ConfigError for a prerequisite that no cluster would take."""
    for hit in hits:
        if hit.severity is Severity.ERROR:
            raise ConfigError(
                f"{hit.resource} is refused: {hit.message}", where="pytest-gitops.yaml prerequisites"
            )
