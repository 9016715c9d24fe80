"""What stages may ask: the repository as it is served, the plan, the renders, the cluster, Argo CD, OPA."""

from __future__ import annotations

import difflib
import posixpath
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pytest_gitops.model import Case, Finding, Moment
from pytest_gitops.repository import kustomization
from pytest_gitops.repository.inputs import TOOLS, Reader, early
from pytest_gitops.repository.locate import Locator, Place
from pytest_gitops.repository.ours import Ours
from pytest_gitops.repository.tree import Tree
from pytest_gitops.settings.settings import Settings

if TYPE_CHECKING:
    from pytest_gitops.admission.admission import Admission
    from pytest_gitops.argocd.appstate import AppState
    from pytest_gitops.argocd.convergence import Observation
    from pytest_gitops.argocd.render import NotRendered, Rendered
    from pytest_gitops.argocd.schema import CrdSchema
    from pytest_gitops.changes.values import Comparison
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.clusters.bounds import Bounds
    from pytest_gitops.errors import GitOpsError
    from pytest_gitops.planning.plan import Plan
    from pytest_gitops.rego.opa import Opa
    from pytest_gitops.repository.checkout import Checkout
    from pytest_gitops.repository.manifest import Document
    from pytest_gitops.repository.snapshot import Snapshot
    from pytest_gitops.stages.inventory import Stock
    from pytest_gitops.world import Refusal


class UpgradeGround(Protocol):
    """A cluster with an Argo CD of its own in base's world, up; see `upgrading`."""

    @property
    def api(self) -> Api: ...

    @property
    def destinations(self) -> Mapping[str, Api]: ...

    @property
    def app_state(self) -> AppState: ...

    def start(self) -> None: ...

    def move(self, *, to_head: bool) -> None: ...

    def close(self) -> None: ...


def _nothing() -> None:
    pass


@dataclass(kw_only=True)
class Context:
    """The run, as stages see it, `base` being the same for what head is compared with, None without one. The
    engine fills it; of it, stages write `applications`, `timelines`, `surveyed` and `stock` only."""

    settings: Settings
    checkout: Checkout
    schema: CrdSchema
    control: str
    stopping: threading.Event
    refusals: Callable[[], Sequence[Refusal]] = tuple
    api: Api | None = None
    opa: Opa | None = None
    admission: Admission | None = None
    remote_crds: Sequence[Mapping[str, Any]] = ()  # those that the configuration names by URL
    base: Context | None = None
    comparison: Comparison | None = None
    render_again: Callable[[Case], Rendered | NotRendered] | None = None
    upgrade_ground: Callable[[], UpgradeGround] | None = None
    destinations: Mapping[str, Api] = field(default_factory=dict)  # by server URL and by name
    bounds: Mapping[str, Bounds] = field(default_factory=dict)  # of destinations that others use too
    kept_out: frozenset[str] = frozenset()  # ids of cases of which nothing is made on a cluster that exists
    mark: str = ""  # the label by which Argo CD marks what it makes, where that is not its tracking id
    app_state: AppState | None = None  # None without a cluster
    applied_at: float = 0.0
    start_controller: Callable[[], None] = _nothing
    argocd_cm: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of argocd-cmd-params-cm
    left_out: frozenset[str] = frozenset()  # ApplicationSets, by key, that only other shards need
    unexpanded: dict[str, str] = field(default_factory=dict)  # ApplicationSets, by key, and why
    documents: dict[str, Document] = field(default_factory=dict)
    source_findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    renders: dict[str, Rendered | NotRendered] = field(default_factory=dict)
    render_seconds: dict[str, float] = field(default_factory=dict)
    spared: set[str] = field(default_factory=set)  # cases that need not be rendered: see `sparing`
    applications: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    timelines: dict[str, list[Moment]] = field(default_factory=dict)
    surveyed: dict[str, list[Finding]] = field(default_factory=dict)
    stock: Stock | GitOpsError | None = (
        None  # what was there before anything was applied, or why it is not known
    )
    repository_findings: list[Finding] = field(default_factory=list)
    _plan: Plan | None = None
    _resolved: dict[tuple[str, str], str | None] = field(default_factory=dict)

    @property
    def snapshot(self) -> Snapshot:
        return self.checkout.snapshot

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that the working tree stands for."""
        return self.checkout.branches

    @property
    def shallow(self) -> bool:
        return self.checkout.repository.shallow

    def is_ours(self, url: str) -> bool:
        """Whether `url`, in any spelling, means the repository under test."""
        return self.checkout.is_ours(url)

    @property
    def has_plan(self) -> bool:
        return self._plan is not None

    @property
    def plan(self) -> Plan:
        assert self._plan is not None, "the plan is made before any stage runs"
        return self._plan

    @plan.setter
    def plan(self, plan: Plan) -> None:
        self._plan = plan

    def note_moment(self, case_id: str, seen: Observation, *, at: float) -> None:
        """Add what is `seen` of a case, `at` seconds after it was applied, to its timeline, if that is news."""
        moment = Moment(at=at, sync=seen.sync, health=seen.health, phase=seen.phase)
        line = self.timelines.setdefault(case_id, [])
        if not line or replace(line[-1], at=at) != moment:
            line.append(moment)

    def rendered(self) -> list[tuple[Case, Sequence[Mapping[str, Any]]]]:
        """The Applications that could be rendered, with their objects."""
        from pytest_gitops.argocd.render import Rendered

        found = ((c, self.renders.get(c.id)) for c in self.plan.cases)
        return [(c, r.objects) for c, r in found if isinstance(r, Rendered)]

    def api_of(self, case: Case) -> Api:
        """The cluster that `case` deploys to; the one that Argo CD runs in where nothing else is known."""
        assert self.api is not None, "nothing is deployed without a cluster"
        by_name = self.destinations.get(case.destination.name, self.api)
        return self.destinations.get(case.destination.server.rstrip("/"), by_name)

    def bounds_of(self, case: Case) -> Bounds | None:
        """What may be touched on the cluster that `case` deploys to; None where all of it is the run's."""
        return self.bounds.get(case.destination.server.rstrip("/"))

    def line(self, case: Case, *path: str | int) -> int:
        """The line in `case.file` of what `path` leads to; where the Application begins if it is not written there."""
        document = self.documents.get(case.id)
        return document.line_of(*path) if document is not None else case.line

    def resolve(self, revision: str, tag_prefix: str = "") -> str | None:
        """The commit of this repository that `revision` names (see Snapshot.resolve), remembered."""
        asked = (revision or "HEAD", tag_prefix)
        if asked not in self._resolved:
            self._resolved[asked] = self.snapshot.resolve(*asked)
        return self._resolved[asked]

    def has_path(self, commit: str, path: str) -> bool:
        """Whether a file or folder is in `commit`; for the tree under test without asking git."""
        if commit == self.snapshot.commit:
            return path in {"", "."} or path in self._paths or self._leads_elsewhere(path)
        return self.snapshot.has_path(commit, path)

    def _leads_elsewhere(self, path: str) -> bool:
        """Whether a folder on the way to `path` is a link or a submodule: only the repo-server knows where to."""
        parts = path.split("/")
        return any("/".join(parts[:i]) in self._elsewhere for i in range(1, len(parts)))

    def nearest(self, commit: str, path: str) -> str:
        """A hint at a path that exists and is spelled alike, or nothing."""
        known = sorted(self._paths) if commit == self.snapshot.commit else ()
        close = difflib.get_close_matches(path, known, n=1, cutoff=0.75)
        return f"; did you mean {close[0]!r}?" if close else ""

    def reads(self, case: Case) -> tuple[str, ...]:
        """The folders and files of this repository, as it is under test, that the sources of `case` lie in: its
        paths, and what kustomizations there lead to."""
        folders = (
            posixpath.normpath(s.path) if s.path else ""
            for s in case.sources
            if self.is_ours(s.repo_url)
            and not s.chart
            and not (s.ref and not s.path)
            and self.resolve(s.target_revision, s.tag_prefix) == self.snapshot.commit
        )
        return tuple(dict.fromkeys(place for f in folders for place in self.kustomizations.of(f)))

    @cached_property
    def reader(self) -> Reader:
        """Tells what cases read of this side's files."""
        snapshot, settings = self.snapshot, self.settings

        def tree_at(commit: str) -> Tree:
            one = snapshot if commit == snapshot.commit else snapshot.at(commit)
            return Tree(one.files(), one.read_many, early=early)

        ours = Ours(
            commit=snapshot.commit,
            urls=self.checkout.urls,
            refs=snapshot.refs,
            resolve=self.resolve,
            tree_at=tree_at,
        )
        from pytest_gitops.argocd.options import from_config_map

        enabled = from_config_map(self.argocd_cm).enabled_source_types
        tools = tuple(tool for tool in TOOLS if enabled[tool])
        return Reader(ours, charts=settings.charts, control=self.control, tools=tools)

    def chart_hosts(self, case: Case) -> set[str]:
        """The hosts that the charts of `case` in this repository depend on."""
        folders = [f"{folder}/" if folder else "" for folder in self.reads(case)]
        return self.checkout.chart_hosts(
            f"{f}{name}" for f in folders for name in ("Chart.yaml", "requirements.yaml")
        )

    def locate(self, case: Case, manifest: Mapping[str, Any]) -> Place | None:
        """Where a rendered object is written as it is, if it is."""
        for folder in self.reads(case):
            if folder != "" and (place := self._locator.find(folder, manifest)):
                return place
        return None

    @cached_property
    def _elsewhere(self) -> frozenset[str]:
        return frozenset(e.path for e in self.snapshot.files() if not e.mode.startswith("100"))

    @cached_property
    def _paths(self) -> frozenset[str]:
        found: set[str] = set()
        for entry in self.snapshot.files():
            path = entry.path
            while path and path not in found:
                found.add(path)
                path = posixpath.dirname(path)
        return frozenset(found)

    @cached_property
    def kustomizations(self) -> kustomization.Reading:
        """Where the kustomizations of this side lead to."""
        paths = [e.path for e in self.checkout.files() if posixpath.basename(e.path) in kustomization.NAMES]
        return kustomization.Reading(self.snapshot.read_many(paths))

    @cached_property
    def _locator(self) -> Locator:
        return Locator([e.path for e in self.snapshot.files()], self.snapshot.read_many)
