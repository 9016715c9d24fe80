"""prune: does deleting the Applications leave nothing behind, in time, and touch nothing that was there before.

Whole trees are deleted, roots with `argocd app delete`'s cascade, ApplicationSets as they are; children go with them.
What one tree needs of another goes first: an AppProject and a namespace outlive who lives in them, as a person would
have it. What head no longer has is another question, which `upgrade` answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd import install
from pytest_gitops.argocd.applications import API
from pytest_gitops.argocd.causes import is_ours
from pytest_gitops.changes.effect import FINALIZERS, cascades
from pytest_gitops.clusters.apierror import suppress_gone
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.model import IN_CLUSTER, Case, Outcome, StageResult
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.stages.bystanders import PROJECT, taken_along
from pytest_gitops.stages.departing import Departing, Look, Tree, look_at
from pytest_gitops.stages.finalizers import IN_USE
from pytest_gitops.stages.inventory import Claim, Clusters, Key, Stock, key_of
from pytest_gitops.stages.removal import Going, Judge, Remains, stays
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "prune"
family = Family.VERIFY
question = "Does deleting it leave nothing behind?"
needs = ("converge",)

PRESERVED = "its ApplicationSet leaves the objects of its Applications (preserveResourcesOnDeletion)"
RELEASED = "its ApplicationSet leaves its Applications (applicationsSync)"


def take_stock(context: Context) -> None:
    """Remember what is there before anything of the repository is applied."""
    if context.api is not None and name in context.settings.stages:
        try:
            context.stock = _clusters(context).everything()
        except GitOpsError as error:  # it is the matter of this stage, and of no other
            context.stock = error


def _clusters(context: Context) -> Clusters:
    assert context.api is not None, "prune is not run without a cluster"
    return Clusters(context.api, context.destinations, bounds=context.bounds, mark=context.mark)


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Delete the trees of `cases`, those that need others before those, and judge what is left."""
    if context.stock is None or isinstance(context.stock, GitOpsError):
        raise EngineError(
            f"what was there before the repository was applied could not be read: {context.stock}"
        )
    _Prune(context, context.stock, cases, publish).run()


class _Prune:
    def __init__(self, context: Context, before: Stock, cases: Sequence[Case], publish: Publish) -> None:
        assert context.api is not None, "prune is not run without a cluster"
        self.context, self.api, self.publish = context, context.api, publish
        self.asked = {c.key: c for c in cases}
        self.before = before
        self.clusters = _clusters(context)
        self.claims = self.clusters.claims(context.rendered(), hooks=True)
        self.plan = {c.key: c for c in context.plan.cases}
        self.tops = {c.key: self._top(c) for c in context.plan.cases}
        self.shared = list(taken_along(self.claims, context.plan.cases, lambda c: self.tops[c.key]))
        # The Applications that are deleted, each with its cluster.
        self.deployed: tuple[tuple[str, Case], ...] = ()

    # ------------------------------------------------------------------ which trees, and in what order

    def _top(self, case: Case) -> str:
        """What has to be deleted for `case` to be: "Application KEY" or "ApplicationSet KEY"."""
        seen: set[str] = set()
        while case.id not in seen:
            seen.add(case.id)
            if case.parent_kind == "ApplicationSet":
                claim = self.claims.get(key_of("ApplicationSet", case.parent))
                if claim is None:
                    return f"ApplicationSet {case.parent}"
                case = claim.case
            else:
                case = self.context.plan.parent_of(case) or case
        return f"Application {case.key}"

    def _tree(self, top: str) -> Tree:
        kind, _, key = top.partition(" ")
        namespace, _, own = key.partition("/")
        cases = tuple(c for c in self.plan.values() if self.tops[c.key] == top)
        return Tree(
            title=top,
            path=f"{API}/namespaces/{namespace}/{kind.lower()}s/{own}",
            is_set=any(c.parent_kind == "ApplicationSet" for c in cases),
            cases=cases,
            staying=frozenset(c.key for c in cases if self._kept(c)),
        )

    def _kept(self, case: Case) -> str:
        """Why an Application stays when what made it is deleted, or nothing: Delete=false, of it or one above it."""
        for child in (case, *self.context.plan.ancestors(case)):
            parent = self.context.plan.parent_of(child)
            if parent is None:
                continue
            if why := stays(child.manifest, parent):
                return why
        return ""

    def _rounds(self, tops: Sequence[str]) -> list[list[str]]:
        """Trees that need what another one brings come before it; all that do not go at once."""
        later: dict[str, set[str]] = {t: set() for t in tops}  # top → those that must have gone before
        for each in self.shared:
            owner = self.tops[each.claim.case.key]
            if owner in later:
                later[owner] |= {self.tops[o] for o in each.others} & later.keys()
        rounds: list[list[str]] = []
        while later:
            free = [t for t, waits in later.items() if not waits & later.keys()] or list(later)
            rounds.append(free)
            for top in free:
                del later[top]
        return rounds

    def _own_argocd(self, tree: Tree) -> Key | None:
        """The object of Argo CD itself, if one is in the tree: it is what deletes the rest."""
        keys = {c.key for c in tree.cases}
        control = self.context.control
        own = {Key(IN_CLUSTER, "", "Namespace", "", control)}
        own |= {Key(IN_CLUSTER, "", "ConfigMap", control, n) for n in install.CONFIG_MAPS}
        own |= {Key(IN_CLUSTER, "", "Secret", control, "argocd-secret")}
        claims = ((k, self.claims[k]) for k in sorted(own) if k in self.claims)
        return next((k for k, c in claims if c.case.key in keys and not stays(c.manifest, c.case)), None)

    def _is_circle(self, case: Case) -> bool:
        """Whether it is among what it renders itself, or its children do."""
        above: set[str] = set()
        each = case
        while each.key not in above:
            above.add(each.key)
            claim = self.claims.get(key_of("Application", each.key))
            if claim is None:
                return False
            each = claim.case
        return each.key == case.key

    # ------------------------------------------------------------------ run

    def run(self) -> None:
        tops = dict.fromkeys(self.tops[key] for key in self.asked)
        trees = {t: self._tree(t) for t in tops}
        for top, tree in list(trees.items()):
            if (key := self._own_argocd(tree)) is not None:
                message = (
                    f"not asked: {key.title} is Argo CD's own, and {top} brings it: deleting that would delete what "
                    "has to do the rest"
                )
                self._skip(trees.pop(top), code="manages-argocd", message=message)
            elif circle := next((c for c in tree.cases if self._is_circle(c)), None):
                # It waits for each of its objects that is being deleted, itself too; but if the controller has not seen
                # its deletion among them yet, it goes (controller/appcontroller.go: finalizeApplicationDeletion).
                message = (
                    f"not asked: Application {circle.key} contains itself: whether Argo CD can delete it, or waits for "
                    "itself for ever, is a matter of luck"
                )
                self._skip(trees.pop(top), code="contains-itself", message=message)
        cases = [c for t in trees.values() for c in t.cases]
        self.deployed = tuple((self.clusters.of(c)[0], c) for c in cases)
        with Departing(self.context, self.api, cases) as departing:
            for together in self._rounds(list(trees)):
                if self.context.stopping.is_set():
                    return  # whoever stopped the run answers what is open
                self._round(departing, [trees[t] for t in together])

    def _skip(self, tree: Tree, *, code: str, message: str) -> None:
        for case in tree.cases:
            if case.key in self.asked:
                result = StageResult(stage=name, outcome=Outcome.SKIPPED, code=code, message=message)
                self.publish(self.asked[case.key], result)

    def _round(self, departing: Departing, trees: Sequence[Tree]) -> None:
        began = now()
        there = self.clusters.everything()
        kinds = {(k.group, k.kind) for k in (*self.before, *there, *self.claims)}
        judge = Judge(
            before=self.before,
            there=there,
            after=there,
            claims=self.claims,
            going={},
            deployed=self.deployed,
            place=self._place,
        )

        found: dict[str, Remains] = {}

        def look() -> Mapping[str, Look]:
            nonlocal judge, found
            # The Applications first: what ended after the look at its objects has not been looked at.
            going = {c.key: self._going(departing, t, c) for t in trees for c in t.cases}
            judge = replace(
                judge, going=going, after=self.clusters.everything(within=kinds), waited=now() - began
            )
            judge = replace(judge, users=self.clusters.users(in_use(judge)))
            remaining, found = judge.remaining(), {}
            self._look_again(judge, [key for key, _ in remaining])
            return {t.title: self._look(judge, t, remaining) for t in trees}

        def through(tree: Tree) -> None:
            nonlocal found
            if not found:
                ending = [
                    k for k, _ in judge.remaining() if k.kind == "Namespace" and judge.after[k].deleting
                ]
                found = replace(judge, kept_open=self.clusters.kept_open(ending)).judge()
            for case in tree.cases:
                if case.key in self.asked:
                    self.publish(self.asked[case.key], self._result(departing, tree, case, found[case.key]))

        departing.delete(trees)
        departing.wait(trees, look, through)

    def _look_again(self, judge: Judge, remaining: Sequence[Key]) -> None:
        """Let Argo CD look at each AppProject that waits for Applications that have ended: by itself it does so minutes
        later, at its next resync, for the last Application of a project goes before the project is looked at
        (appcontroller.go: finalizeApplicationDeletion, projectRefreshQueue)."""
        needed = {g.case.project for g in judge.going.values() if g.state is not None}
        for key in remaining:
            thing = judge.after[key]
            if (key.group, key.kind) != PROJECT or key.cluster != IN_CLUSTER or key.name in needed:
                continue
            if thing.deleting and FINALIZERS & set(thing.finalizers):
                path = f"{API}/namespaces/{key.namespace}/appprojects/{key.name}"
                with suppress_gone():
                    look_at(self.api, path)

    def _gone(self, tree: Tree) -> tuple[str, ...]:
        """The clusters of its Applications that do not answer."""
        return tuple(sorted({self.clusters.of(c)[0] for c in tree.cases} & self.clusters.gone))

    def _look(self, judge: Judge, tree: Tree, remaining: Sequence[tuple[Key, Claim]]) -> Look:
        keys = {c.key for c in tree.cases}
        if self._gone(tree):
            return Look(ended=False, remaining=0, stuck=True)
        own = [(k, claim) for k, claim in remaining if claim.case.key in keys]
        stuck = any(judge.is_stuck(judge.going[k]) for k in keys) or any(
            judge.held(k)
            or k in judge.users
            or (k.kind == "Namespace" and judge.stuck_in(k))
            or (
                k in self.claims and not judge.after[k].deleting and judge.going[claim.case.key].state is None
            )
            for k, claim in own
        )
        ended = all(judge.going[k].state is None for k in keys - tree.staying)
        return Look(ended=ended, remaining=len(own), stuck=stuck)

    def _going(self, departing: Departing, tree: Tree, case: Case) -> Going:
        declared = cascades(case)
        preserved = ""
        if case.parent_kind == "ApplicationSet" and not declared:
            preserved = PRESERVED
        if case.key in tree.staying:
            preserved = self._kept(case) or RELEASED
        return Going(
            case=case,
            cluster=self.clusters.of(case)[0],
            state=departing.state(case),
            declared=declared,
            preserved=preserved,
            stays=case.key in tree.staying,
        )

    def _result(self, departing: Departing, tree: Tree, case: Case, remains: Remains) -> StageResult:
        ended, going = departing.seconds(tree, case), self._going(departing, tree, case)
        notes = [
            each.finding(self._place(case, each.claim.manifest))
            for each in self.shared
            if each.claim.case.key == case.key
        ]
        evidence: dict[str, Any] = {
            "deletedSeconds": round(ended, 2) if ended is not None else None,
            "with": None if tree.title == f"Application {case.key}" else tree.title,
            "finalizer": cascades(case),
            "confirmed": case.key in departing.confirmed,
            **remains.to_dict(),
        }
        if (bounds := self.context.bounds_of(case)) is not None:
            evidence["lookedAt"] = list(bounds.namespaces)
        if bounds is not None or self.clusters.unseen:
            evidence["notListed"] = sorted(self.clusters.unseen)

        def unjudged(*, code: str, message: str) -> StageResult:
            return StageResult(
                stage=name,
                outcome=Outcome.ERROR,
                code=code,
                message=message,
                duration=now() - tree.began,
                evidence=evidence,
            )

        if gone := self._gone(tree):
            message = f"{', '.join(gone)} did not answer, so what is left there of {tree.title} is not known"
            return unjudged(code="cluster-gone", message=message)
        if is_ours(going.error):
            message = f"Argo CD itself could not go on, so the deletion was not judged: {going.error}"
            return unjudged(code="not-reconciled", message=message)
        return judged(
            name,
            [*remains.findings, *notes],
            duration=now() - tree.began,
            evidence=evidence,
        )

    def _place(self, case: Case, manifest: Mapping[str, Any]) -> tuple[str, int]:
        return self.context.locate(case, manifest) or (case.file, case.line)


def in_use(judge: Judge) -> list[Key]:
    """The claims of volumes that are on their way out and that Kubernetes keeps for as long as Pods use them."""
    claims = [k for k, _ in judge.remaining() if (k.group, k.kind) == ("", "PersistentVolumeClaim")]
    return [k for k in claims if judge.after[k].deleting and IN_USE in judge.after[k].finalizers]
