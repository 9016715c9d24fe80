"""upgrade: does what base settled at survive the merge, and is there a way back.

Base is brought up on a ground of its own, the branches move to head there as a merge moves them, then back to base.
Whoever applies roots by hand is stood in for: those that changed are applied, new ones created, and those that are no
more deleted, as they are declared, once everything else of head has settled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import API, Applications, application_path
from pytest_gitops.changes import effect
from pytest_gitops.changes.values import DELETING, ApplicationChange, Effect, Fate
from pytest_gitops.clusters.apierror import suppress_gone
from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.stages.aftermath import Aftermath, Judge
from pytest_gitops.stages.approving import Approving
from pytest_gitops.stages.base import Answer, Family, Publish
from pytest_gitops.stages.crossing import Crossing, Held, Phase
from pytest_gitops.stages.drive import Drive
from pytest_gitops.stages.finalizers import foreign
from pytest_gitops.stages.inventory import Claim, Clusters, Key, key_of
from pytest_gitops.stages.promoted import with_rollouts
from pytest_gitops.stages.promoting import Promoting
from pytest_gitops.waiting import now, wait_until

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context, UpgradeGround

name = "upgrade"
family = Family.VERIFY
question = "Does base upgrade to head, and go back?"
needs = ("converge",)
ahead_needs = ("render",)

GOING = 24.0
"""Seconds without a further end after which deletions are given up: finalizers, and what the garbage collector does."""

LOOK = 1.0
"""Seconds between two looks at what goes: each lists all there is of what is rendered, on every cluster."""

PARALLEL = 8


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Answer for all `cases` together: they settle, move and go back at once."""
    ahead(context, cases)(cases, publish)


def ahead(context: Context, cases: Sequence[Case]) -> Answer:
    """Let the base of `cases` settle, which says nothing of head yet. Raises EngineError."""
    if context.base is None or context.upgrade_ground is None:
        return _without_a_base
    ground = context.upgrade_ground()
    try:
        upgrade = _Upgrade(context, context.base, ground, cases)
        base = upgrade.settled()
    except BaseException:
        ground.close()
        raise

    def answer(cases: Sequence[Case], publish: Publish) -> None:
        try:
            upgrade.run(cases, base, publish)
        finally:
            ground.close()

    return answer


def _without_a_base(cases: Sequence[Case], publish: Publish) -> None:
    message = "not asked: there is no base to upgrade from (--gitops-base)"
    for case in cases:
        publish(case, StageResult(stage=name, outcome=Outcome.SKIPPED, code="no-base", message=message))


class _Upgrade:
    """`cases` are all that may be asked; `run` is told which are."""

    def __init__(self, context: Context, base: Context, ground: UpgradeGround, cases: Sequence[Case]) -> None:
        self.context, self.ground = context, ground
        self.applications = Applications(ground.api)
        self.clusters = Clusters(ground.api, ground.destinations)
        self.head, self.base = self._on_ground(context), self._on_ground(base)
        self.changes = {c.id: self._change(c) for c in cases}
        gone = {c.id for c in context.plan.removed}
        self.stays = [c for c in cases if c.id not in gone]
        self.removed = [c for c in cases if c.id in gone]
        involved = [c.key for c in context.plan.with_ancestors(self.stays)]
        earlier = [
            change.old for change in self.changes.values() if change is not None and change.old is not None
        ]
        known = {c.key: c for c in base.plan.cases}
        asked = [*(known[k] for k in involved if k in known), *(c for c in earlier if c.key in known)]
        self.before = list({c.id: c for c in asked}.values())
        self.held: dict[str, Held] = {}  # removed roots that do not go, by key

    def _on_ground(self, context: Context) -> Context:
        return replace(
            context,
            api=self.ground.api,
            app_state=self.ground.app_state,
            timelines={},
            applications={},
            upgrade_ground=None,
        )

    def _change(self, case: Case) -> ApplicationChange | None:
        return self.context.comparison.of(case) if self.context.comparison else None

    def _old(self, case: Case) -> Case | None:
        """What an Application of head was at base, or a removed one itself."""
        change = self.changes[case.id]
        return change.old if change is not None else None

    # ------------------------------------------------------------------ phases

    def settled(self) -> Phase:
        """Base, brought up from nothing."""
        return self._phase(self.base, self.before, self._settle, again=False)

    def run(self, cases: Sequence[Case], base: Phase, publish: Publish) -> None:
        """Move what is there at `base` to head and back, and answer for `cases`. What is not asked moves along, as
        the merge would have it, and is not waited for. What Argo CD asks a person to confirm is confirmed."""
        if self.context.stopping.is_set() or not cases:
            return  # whoever stopped the run answers what is open
        with Approving(self.ground.api) as approving:
            self._run(cases, base, publish, approving)

    def _run(self, cases: Sequence[Case], base: Phase, publish: Publish, approving: Approving) -> None:
        ids = {c.id for c in cases}
        crossing = self.crossing = Crossing(self.base, self.head, waited=GOING)
        broken = {k for k, r in base.results.items() if r.outcome is not Outcome.PASSED}
        going = [
            c for c in self.stays if c.id in ids and ((old := self._old(c)) is None or old.key not in broken)
        ]
        leaving = [c for c in self.removed if c.id in ids and c.key not in broken]
        answered = {c.id for c in (*going, *leaving)}
        for case in cases:
            if case.id not in answered and (old := self._old(case)) is not None:
                publish(case, crossing.broken(old, base))
        manifests = [m for side in (self.base, self.head) for _, objects in side.rendered() for m in objects]
        live = self.clusters.live(manifests)
        head = self._phase(self.head, going, lambda refused: self._move(to_head=True, refused=refused))
        if self.context.stopping.is_set():
            return
        judge = self._depart([c for c in leaving if not c.parent], self._judge(live), manifests)
        after = judge.judge()
        # Also those that the comparison takes for renamed: for Argo CD the old one is there beside the new one.
        named = {c.key for c in self.head.plan.cases}
        alone = {c.key for c in self.before if not c.parent and c.key not in named and c.key not in broken}
        for key, claim in judge.head.items():
            was = judge.base.get(key)
            # Argo CD warns of it when it gets to it; that both were there at once is certain before.
            if was is not None and was.case.key in alone:
                told = after.setdefault(claim.case.key, Aftermath())
                told.findings.append(crossing.double_owner(key.title, claim, was))
        # What has not ended cannot come back.
        returning = (c for c in (*going, *leaving) if c.key not in self.held)
        olds = [o for c in returning if (o := self._old(c)) is not None]
        rollback = self._phase(self.base, olds, lambda refused: self._move(to_head=False, refused=refused))
        if self.context.stopping.is_set():
            return
        for case in (*going, *leaving):
            became, held = after.get(case.key, Aftermath()), self.held.get(case.key)
            became.confirmed = case.key in approving.confirmed
            if held is not None:
                on_its_way = {key.title for key in held.objects}
                became.pruned = [title for title in became.pruned if title not in on_its_way]
            result = crossing.result(case, self._old(case), (base, head, rollback), became, held=held)
            publish(case, with_rollouts(result, case, (head, rollback), self.crossing.place))

    def _phase(
        self,
        context: Context,
        cases: Sequence[Case],
        begin: Callable[[Callable[[Case, Exception], None]], None],
        *,
        again: bool = True,
    ) -> Phase:
        context = replace(context, timelines={}, applications={})
        results: dict[str, StageResult] = {}

        def note(case: Case, result: StageResult) -> None:
            results[case.key] = result

        with self._promoting(context, first=not again) as promoting:
            Drive(context, cases, note, stage=name, begin=begin, again=again, moved=promoting.moved).run()
        return Phase(context=context, results=results, stories=promoting.stories())

    def _promoting(self, context: Context, *, first: bool) -> Promoting:
        """Who walks Rollouts through their steps; a first deployment has none, and whoever goes back does not abort."""
        claims = {} if first else self.clusters.claims(context.rendered())
        to_head = context.plan is self.head.plan
        return Promoting(context, self.clusters.by_name, claims, try_abort=to_head)

    def _settle(self, refused: Callable[[Case, Exception], None]) -> None:
        self.applications.create(_roots(self.base, self.before), refused)
        self.ground.start()

    def _move(self, *, to_head: bool, refused: Callable[[Case, Exception], None]) -> None:
        """Everything that happens at once when the branch moves, and a look of Argo CD's at all of it."""
        self.ground.move(to_head=to_head)
        side, cases = (self.head, self.stays) if to_head else (self.base, self.before)
        self.applications.create([c for c in _roots(side, cases) if c.key not in self.held], refused)
        if not to_head:
            then = {c.key for c in self.base.plan.cases}
            self._delete([c for c in _roots(self.head, self.stays) if c.key not in then])
        every = self.ground.api.get(f"{API}/applications")["items"]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="refresh") as pool:
            list(pool.map(lambda a: self._refresh(a, terminate=not to_head), every))

    def _refresh(self, application: Mapping[str, Any], *, terminate: bool) -> None:
        with suppress_gone():  # its parent may have been faster
            if terminate:
                # A sync that fails goes on with head's revision: whoever goes back ends it first.
                self.applications.terminate(application)
            self.applications.refresh(application)

    def _delete(self, cases: Sequence[Case]) -> None:
        for case in cases:
            with suppress_gone():
                self.ground.api.delete(application_path(case))

    def _depart(self, cases: Sequence[Case], judge: Judge, manifests: Sequence[Mapping[str, Any]]) -> Judge:
        """Delete removed roots as `kubectl delete` does, and wait for their end and for that of what head does not
        have. Returns `judge` with what is live then; what does not go is noted in `held`."""
        self._delete(cases)
        left: list[Case] = []
        fewest, went = math.inf, now()

        def ended() -> bool:
            nonlocal judge, fewest, went
            left[:] = [c for c in cases if self._is_there(c)]
            judge = replace(judge, after=self.clusters.live(manifests))
            many = len(left) + len(judge.remaining())
            if many < fewest:
                fewest, went = many, now()
            over = not many or self.context.stopping.is_set()
            return over or now() - went >= GOING  # each that remains has a verdict of its own

        # Every one of them may take its time; it ends long before, for only so many can go.
        limit = GOING * (2 + len(cases) + len(judge.before))
        what = "the end of removed Applications and their objects"
        wait_until(ended, limit=limit, what=what, pause=LOOK)
        self.held = {c.key: self._held(c, judge.base) for c in left}
        return judge

    def _is_there(self, case: Case) -> bool:
        with suppress_gone():
            self.ground.api.get(application_path(case))
            return True
        return False

    def _held(self, case: Case, claims: Mapping[Key, Claim]) -> Held:
        """What keeps a removed root from its end: its own finalizers, and objects of it that nobody lets go."""
        own: tuple[str, ...] = ()
        with suppress_gone():
            own = tuple(self.ground.api.get(application_path(case))["metadata"].get("finalizers") or ())
        objects, spaces = {}, []
        for key, claim in claims.items():
            if claim.case.key != case.key:
                continue
            api, version = self.clusters.by_name[key.cluster], str(claim.manifest.get("apiVersion", ""))
            with suppress_gone():
                meta = api.get(api.path_of(version, key.kind, key.namespace, key.name))["metadata"]
                names = foreign(meta.get("finalizers") or ())
                if meta.get("deletionTimestamp") and names:
                    objects[key] = names
                elif meta.get("deletionTimestamp") and key.kind == "Namespace":
                    spaces.append(key)
        kept_open = self.clusters.kept_open(spaces)
        return Held(finalizers=own, objects=objects, claims=claims, kept_open=kept_open)

    # ------------------------------------------------------------------ judgement

    def _judge(self, before: Mapping[Key, str]) -> Judge:
        """Judges what became of objects, as soon as it is known what is live `after`."""
        base = self.clusters.claims(self.base.rendered())
        return Judge(
            before=before,
            after={},
            base=base,
            head=self.clusters.claims(self.head.rendered()),
            heads={old.key: c for c in self.stays if (old := self._old(c)) is not None},
            fate_of=lambda key, claim: self._fate(key, claim, base),
            place=self.crossing.place,
        )

    def _fate(self, key: Key, claim: Claim, claims: Mapping[Key, Claim]) -> Fate | None:
        """What is expected of an object of base, which has `claims`, that head does not have."""
        case = claim.case
        if (going := self._going(case, claims)) is not None:
            return self._with(claim, going, claims)
        now_at = next(
            (c for c in self.stays if (was := self._old(c)) is not None and was.key == case.key), None
        )
        if now_at is not None and self.clusters.of(now_at)[0] != key.cluster:
            return Fate(effect=Effect.LEFT_BEHIND, text=f"{now_at.key} deploys to another cluster now.")
        comparison = self.context.comparison
        for change in comparison.applications if comparison else ():
            for each in change.objects:
                old = each.old
                if (
                    each.fate is not None
                    and old is not None
                    and change.old is not None
                    and change.old.key == case.key
                    and (old.kind, old.name) == (key.kind, key.name)
                    and old.namespace in {"", key.namespace}
                ):
                    return each.fate
        if now_at is not None and now_at.key == case.key:
            # One whose name comes from what is in it (Kustomize) is to a comparison the same as the next.
            return effect.pruned(claim.manifest, now_at, effect.Volumes(()))
        return None

    def _going(
        self, case: Case, claims: Mapping[Key, Claim], seen: frozenset[str] = frozenset()
    ) -> Fate | None:
        """What happens to a removed Application whose root is deleted here, which the comparison knows nobody to do.
        None for any other."""
        if case.key in seen or case.key not in {c.key for c in self.removed}:
            return None
        if not case.parent:
            return Fate(effect=Effect.DELETED_WITH_APPLICATION, text="")
        made_by = self._set_of(case, claims)
        owned = made_by or claims.get(key_of("Application", case.key))
        going = self._going(owned.case, claims, seen | {case.key}) if owned is not None else None
        if owned is None or going is None:
            return None
        fate = self._with(owned, going, claims)
        return effect.generated(case, "", case.parent) if made_by and fate.effect in DELETING else fate

    def _with(self, claim: Claim, going: Fate, claims: Mapping[Key, Claim]) -> Fate:
        """What happens to an object when `going` happens to its Application."""
        made_by = self._set_of(claim.case, claims)
        return effect.with_application(
            claim.manifest,
            claim.case,
            going,
            effect.Volumes(()),
            made_by=made_by.manifest if made_by else None,
        )

    def _set_of(self, case: Case, claims: Mapping[Key, Claim]) -> Claim | None:
        """The ApplicationSet that generates an Application, as another Application renders it."""
        if case.parent_kind != "ApplicationSet":
            return None
        return claims.get(key_of("ApplicationSet", case.parent))


def _roots(side: Context, cases: Sequence[Case]) -> list[Case]:
    """What nobody creates but whoever runs Argo CD."""
    return [c for c in side.plan.with_ancestors(cases) if not c.parent]
