"""Applications on clusters that exist: who may go there, in which namespaces, and how Argo CD is led there.

Argo CD runs on a control plane of the run's own. The cluster that exists is one more destination of it, under an
address that no manifest has: only what is given that address reaches it, and there only the run's namespaces.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd import rerouting
from pytest_gitops.argocd.applications import API
from pytest_gitops.argocd.beside import Beside, argo_cds_of
from pytest_gitops.argocd.destinations import cluster_secret
from pytest_gitops.argocd.install import default_project
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.bounds import Bounds
from pytest_gitops.clusters.kubeconfig import Existing
from pytest_gitops.clusters.permissions import NAMESPACES, Permission, missing, needed
from pytest_gitops.errors import EngineError
from pytest_gitops.ground.boot import Ground
from pytest_gitops.hosts.isolation import (
    LABEL,
    SHARED,
    Isolation,
    Outside,
    leaving,
    listed,
    makes_argo_cd_objects,
    mark,
    nameless,
    refusal,
    taken,
    unmarked,
)
from pytest_gitops.model import IN_CLUSTER, Case, Outcome, StageResult
from pytest_gitops.settings.registered import RegisteredCluster, label, meant
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.base import NotAsked, Publish
from pytest_gitops.stages.context import Context
from pytest_gitops.waiting import wait_until

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

STAGES = ("converge", "idempotent", "self-heal", "prune")
"""Stages that act on a cluster that exists. `upgrade` has embedded ones of its own, as ever."""

DELAY = "There can be a delay between when CustomResourceDefinitions are created"
"""What a policy says of a kind that it does not know yet (k8s.io/apiserver, policy/mutating/dispatcher.go)."""

POLICY_SECONDS = 30.0
"""How long an API server may take to act by a new admission policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An Application as it goes to a cluster that exists: `case` with its destination there, and what it then renders
    to."""

    case: Case
    original: Case
    host: RegisteredCluster
    existing: Existing
    rendered: Rendered
    shared: tuple[Outside, ...] = ()


@dataclass(slots=True)
class Hosting:
    """The guests of a run, by case id, once `admit` has let them in; `refused` are those that stay out, `parents` those
    that guests come from."""

    ground: Ground
    guests: dict[str, Guest] = field(default_factory=dict)
    refused: dict[str, NotAsked] = field(default_factory=dict)
    parents: frozenset[str] = frozenset()
    _beside: dict[RegisteredCluster, tuple[Beside, ...]] = field(default_factory=dict)
    _view: Context | None = None

    def admit(self, context: Context, selected: Collection[str]) -> None:
        """Sort out who goes to a cluster that exists, and prepare it. Raises EngineError, before anything is changed
        there, if something that is needed is not allowed."""
        ground = self.ground
        if not ground.hosts.existing:
            return
        isolation = Isolation(run=ground.supervisor.run_id)
        self._beside = {host: argo_cds_of(existing.api) for host, existing in ground.hosts.existing.items()}
        cases = context.plan.with_ancestors(c for c in context.plan.cases if c.id in selected)
        unfit = nameless(cases, control=context.control)
        unfit = unfit or rerouting.undone(context.rendered(), control=context.control)
        for case in cases:
            if (host := self._host(case)) is not None:
                if unfit:
                    self.refused[case.id] = NotAsked(code="not-isolated", why=unfit)
                else:
                    self._sort(context, case, host, isolation)
        for host, existing in ground.hosts.existing.items():
            own = [g for g in self.guests.values() if g.host == host]
            if own:
                _check(existing, own, ground.settings.stages)
        for host, existing in ground.hosts.existing.items():
            own = [g for g in self.guests.values() if g.host == host]
            if own:
                self._prepare(context, host, existing, own)
        if self.guests:
            self._reroute(context, isolation)
            origins = [g.original for g in self.guests.values()]
            self.parents = frozenset(p.id for o in origins for p in context.plan.ancestors(o))
        ground.changed = tuple(self._sentences(isolation))

    def _sentences(self, isolation: Isolation) -> Iterator[str]:
        """What is not as in the repository, for the reports."""
        for host, existing in self.ground.hosts.existing.items():
            number = sum(g.host == host for g in self.guests.values())
            shared = sorted({o for g in self.guests.values() if g.host == host for o in g.shared})
            beside = ", ".join(b.title for b in self._beside[host])
            yield (
                f"Changed for {host.name} (context {existing.context}, Kubernetes {existing.version}): "
                f"spec.destination of {number} Applications, whose namespaces begin with {isolation.prefix} there; "
                "projects permit these, Argo CD marks what it makes by a label that no other Argo CD knows, and "
                "everything else is as in the repository. `prune` takes stock of these namespaces, and of nothing else "
                "there."
                + (f" Outside of them it made {listed(shared)}." if shared else "")
                + (f" {beside} is there, and was not used: Argo CD is the run's own." if beside else "")
            )
        yield (
            "Every other cluster, and those of `upgrade` and of scenarios, is an embedded one, of which the following "
            "holds."
        )

    def why_not(self, stage: str, case: Case) -> NotAsked | None:
        """Why a stage is not asked of `case`, None if it may be."""
        if stage in STAGES and case.id in self.refused:
            return self.refused[case.id]
        if case.id in self.guests and stage not in (*STAGES, "upgrade"):
            name = self.guests[case.id].host.name
            why = f"{stage} is proven on embedded clusters only, and it is on {name}"
            return NotAsked(code="existing-cluster", why=why)
        if stage == "idempotent" and case.id in self.parents:
            why = "each sync writes its children's destinations, which are put in their place anew: that is our doing"
            return NotAsked(code="existing-cluster", why=why)
        return None

    def seen(
        self, stage: str, context: Context, cases: Sequence[Case], publish: Publish
    ) -> tuple[Context, Sequence[Case], Publish]:
        """What a stage sees: guests where they are, and a failure that is the cluster's own as such."""
        if stage not in STAGES or not (self.guests or self.refused):
            return context, cases, publish

        if self._view is None:
            # One for all of them: what an earlier stage notes there, a later one goes on with.
            asked = tuple(s for s in context.settings.stages if s in STAGES)
            self._view = replace(
                context,
                settings=replace(context.settings, stages=asked),
                renders={**context.renders, **{key: g.rendered for key, g in self.guests.items()}},
                bounds=self._bounds(),
                kept_out=frozenset(self.refused),
                mark=mark(self.ground.supervisor.run_id) if self.guests else "",
                _plan=replace(context.plan, cases=tuple(map(self._placed, context.plan.cases))),
            )
        return self._view, [*map(self._placed, cases)], self.telling(publish)

    def _bounds(self) -> dict[str, Bounds]:
        """By the address of each cluster that exists, how far the run goes on it."""
        found = {}
        for host in self.ground.hosts.existing:
            own = [g for g in self.guests.values() if g.host == host]
            if own:
                shared = sorted({o for g in own for o in g.shared})
                spaces = {g.case.destination.namespace for g in own}
                spaces |= {o.name for o in shared if (o.api_version, o.kind) == ("v1", "Namespace")}
                found[_address(host).server] = Bounds(namespaces=tuple(sorted(spaces)), objects=tuple(shared))
        return found

    def _placed(self, case: Case) -> Case:
        return self.guests[case.id].case if case.id in self.guests else case

    def telling(self, publish: Publish) -> Publish:
        """`publish`, to which a failure that is the cluster's own comes as an error."""

        def told(case: Case, result: StageResult) -> None:
            guest = self.guests.get(case.id)
            wrong = result.outcome in {Outcome.FAILED, Outcome.ERROR}
            if guest is not None and wrong and not guest.existing.is_there():
                result = _gone(result, guest.existing)
            publish(case, result)

        return told

    def _host(self, case: Case) -> RegisteredCluster | None:
        """The cluster that exists and that a destination means."""
        cluster = meant(case.destination, self.ground.settings.clusters)
        own = cluster is None and case.destination.known == IN_CLUSTER
        return next((c for c in self.ground.hosts.existing if c == cluster or (own and c.is_own)), None)

    def _sort(self, context: Context, case: Case, host: RegisteredCluster, isolation: Isolation) -> None:
        rendered = context.renders.get(case.id)
        if not isinstance(rendered, Rendered) or context.render_again is None:
            return  # the stages before say why it is not tried at all
        if host.is_own and makes_argo_cd_objects(rendered.objects):
            return
        there = isolation.isolated(case, _address(host))
        again = context.render_again(there)
        if not isinstance(again, Rendered):
            why = f"it does not render for the namespace {there.destination.namespace}: {again.message}"
            self.refused[case.id] = NotAsked(code="not-isolated", why=why)
            return
        for each in self._beside[host]:
            if title := each.might_take(again.objects):
                why = (
                    f"{each.title} of {host.name} knows its objects by the label {each.label}, which {title} has: it "
                    "might take that for its own and delete it. Let it go by annotations "
                    "(application.resourceTrackingMethod in its argocd-cm), or test on another cluster"
                )
                self.refused[case.id] = NotAsked(code="not-isolated", why=why)
                return
        existing = self.ground.hosts.existing[host]
        outside = leaving(
            again.objects, there.destination.namespace, is_namespaced=lambda v, k: _scope(existing.api, v, k)
        )
        if outside and not self.ground.settings.allow_shared:
            self.refused[case.id] = NotAsked(code="shared-object", why=refusal(outside, host.name))
            return
        if kinds := unmarked(outside):
            self.refused[case.id] = NotAsked(code="shared-object", why=kinds)
            return
        if there_already := tuple(o for o in outside if not _is_free(existing.api, o)):
            self.refused[case.id] = NotAsked(code="shared-object", why=taken(there_already, host.name))
            return
        self.guests[case.id] = Guest(
            case=there, original=case, host=host, existing=existing, rendered=again, shared=outside
        )

    def _prepare(
        self, context: Context, host: RegisteredCluster, existing: Existing, guests: Sequence[Guest]
    ) -> None:
        """Make the namespaces, and let Argo CD know the way, to them and to nothing else."""
        ground = self.ground
        namespaces = sorted({g.case.destination.namespace for g in guests})
        shared = sorted({o for g in guests for o in g.shared})
        for name in namespaces:
            metadata: dict[str, Any] = {"name": name, "labels": {LABEL: ground.supervisor.run_id}}
            if shared:
                # Written down before any of it is made: whoever cleans up later reads it there.
                metadata["annotations"] = {SHARED: json.dumps(shared)}
            existing.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        address = _address(host)
        ground.lead_to(address, existing)
        secret = cluster_secret(
            address,
            existing.access(proxy=ground.world.url),
            control=context.control,
            namespaces=sorted({*namespaces, *(o.namespace for o in shared if o.namespace)}),
            cluster_resources=any(not o.namespace for o in shared),
        )
        assert ground.api is not None and ground.fleet is not None
        ground.api.apply(secret)
        ground.fleet.apis[address.server] = ground.fleet.apis[address.name] = existing.api

    def _reroute(self, context: Context, isolation: Isolation) -> None:
        """Let every guest have its destination there, whoever creates it."""
        api = self.ground.api
        assert api is not None
        to = {g.case.key: g.case.destination for g in self.guests.values()}
        for policy in rerouting.policies(to, prefix=isolation.prefix):
            api.apply(policy)
        path = f"/api/v1/namespaces/{context.control}/configmaps/argocd-cm"
        settings = rerouting.settings(api.get(path).get("data") or {}, mark=mark(isolation.run))
        api.patch(path, {"data": settings})
        one = next(iter(self.guests.values()))
        manifest = {**one.original.manifest, "metadata": {**one.original.manifest["metadata"]}}
        manifest["metadata"]["namespace"] = one.case.namespace
        manifest.pop("status", None)
        manifest.pop("operation", None)

        project = default_project(context.control)

        def acts() -> bool:
            try:
                stored = api.apply(manifest, dry_run=True)["spec"]["destination"]
                permitted = api.apply(project, dry_run=True)["spec"]["destinations"]
            except ApiError as error:
                # Policies know a new kind some seconds after the API server serves it.
                if DELAY not in str(error):
                    raise
                return False
            return stored.get("namespace") == one.case.destination.namespace and any(
                d.get("namespace") == f"{isolation.prefix}*" for d in permitted
            )

        # Each policy begins to act at its own time.
        wait_until(
            acts, limit=POLICY_SECONDS, what="the admission policies that give Applications their destination"
        )
        for kind in ("applications", "appprojects"):
            # What an ApplicationSet or the repository brought before is written once more, for the policies to see.
            for each in api.get(f"{API}/{kind}")["items"]:
                meta = each["metadata"]
                written = f"{API}/namespaces/{meta['namespace']}/{kind}/{meta['name']}"
                for note in (isolation.run, None):
                    api.patch(written, {"metadata": {"annotations": {LABEL: note}}})


def _address(host: RegisteredCluster) -> RegisteredCluster:
    """`host` under a name and an address that no manifest has."""
    name = f"{host.name} ({host.context})"
    return RegisteredCluster(name=name, server=f"https://{label(name)}.existing.invalid:6443")


def _is_free(api: Api, outside: Outside) -> bool:
    """Whether there is no such object; one without a name of its own, or that may not be looked at, counts as there."""
    if not outside.name:
        return False
    try:
        api.get(api.path_of(outside.api_version, outside.kind, outside.namespace, outside.name))
    except ApiError as error:
        if error.status in {401, 403, 404}:
            return error.status == 404
        raise
    return False


def _scope(api: Api, version: str, kind: str) -> bool | None:
    try:
        return api.is_namespaced(version, kind)
    except ApiError as error:
        if error.reason != "UnknownKind":
            raise
        return None


def _check(existing: Existing, guests: Sequence[Guest], stages: Collection[str]) -> None:
    """See that everything is allowed that the guests need for `stages`. Raises EngineError with what is not."""
    api = existing.api
    wanted = [Permission(verb, "", "namespaces", "") for verb in NAMESPACES]
    for guest in guests:
        for each in guest.rendered.objects:
            version, kind = str(each.get("apiVersion", "")), str(each.get("kind", ""))
            if _scope(api, version, kind) is None:
                continue  # the cluster has no such kind; Argo CD will say so
            plural = api.path_of(version, kind, "any").rsplit("/", 1)[-1]
            group = version.rpartition("/")[0]
            within = str(mapping(each, "metadata").get("namespace") or guest.case.destination.namespace)
            within = within if api.is_namespaced(version, kind) else ""
            wanted += needed(group, plural, within, stages)
    lacking = missing(api, wanted)
    if lacking:
        told = "\n".join(f"  {p.title}{f' in {p.namespace}' if p.namespace else ''}" for p in lacking)
        raise EngineError(
            f"context {existing.context} may not do what is needed, and nothing was changed there. Missing:\n{told}\n"
            "Grant it (namespaces begin anew with each run, so by a ClusterRole), or use a context that may"
        )


def _gone(result: StageResult, existing: Existing) -> StageResult:
    host, port = existing.address
    return replace(
        result,
        outcome=Outcome.ERROR,
        code="cluster-gone",
        message=f"context {existing.context}: {host}:{port} does not answer any more, so the Application was not "
        f"judged. What Argo CD said:\n{result.message}",
        findings=(),
    )
