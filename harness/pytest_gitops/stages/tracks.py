"""What a drive knows of one Application on its way, and how long it waits for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import is_answered, is_left_alone
from pytest_gitops.argocd.causes import is_ours
from pytest_gitops.argocd.convergence import ASKED, STALE, Observation, State, is_automated
from pytest_gitops.argocd.parameters import policy
from pytest_gitops.argocd.progressive import is_enabled, rolls
from pytest_gitops.argocd.pruning import is_as_declared
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.argocd.sharing import Shared, shared
from pytest_gitops.changes.applications import FIXING, policy_of
from pytest_gitops.changes.identity import hook_of
from pytest_gitops.model import Case
from pytest_gitops.repository.sources import synced_of
from pytest_gitops.settings.settings import Provider, Settings
from pytest_gitops.shapes import title
from pytest_gitops.stages.deadlines import Deadline, deadline_of
from pytest_gitops.stages.evidence import Difference, steps
from pytest_gitops.stages.patience import Patience

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

SETTLE = 1.0
"""Seconds that an Application must stay Synced and Healthy before Argo CD is asked once more. What it compared may have
been the cluster of before a controller wrote, and it hears of that when it gets to it: only what it says of a
comparison that began after this counts."""

QUIET = 12.0
"""Seconds without any change after which a stuck Application is given up. Argo CD's first retry comes after 10 s at
most (retry backoff 5 s, factor 2), so one more attempt has been seen by then. As long must those stay Synced and
Healthy that claim one object: Argo CD warns the one that does not have it, when it gets to comparing that one."""

STILL = 60.0
"""Seconds without any change after which an Application that says Progressing is given up: on the embedded cluster
everything that can come up does so within seconds."""

BUSY = 20.0
"""Seconds for which an Application that is at work counts as moving though nothing is seen of it: a hook's Job."""

NUDGE = 2.0
"""Seconds after which a sync that stands is asked about, twice as many each time. Argo CD looks at a running sync when
an object of the Application changes, or 30 s after it last did (controller/appcontroller.go, v3.6.1:
appOperationMaxRequeueInterval): a namespace that it makes itself is none of the objects, and costs those 30 s."""

NUDGES = 2
"""As many are asked about once more at a time: where Argo CD has its hands full, more requests only keep it from those
that it has. With 100 Applications, 500 requests were a sixth of all computing; with 60, on a machine with ten times the
load that it can bear, 1,400 of them kept it from ever coming to an end."""

ASK_AGAIN = 5.0
"""Seconds after which a comparison that has not been made may be asked for again: Argo CD forgets a request that comes
in the moment after a write of its own."""

WAITS = ("waiting for ", "Sync operation blocked")
"""How Argo CD's words begin for a sync that waits for something (gitops-engine sync_context.go, controller/sync.go)."""

RUN_BY_SYNC = frozenset({"PreSync", "Sync", "PostSync"})
"""Hooks that every sync runs which succeeds (gitops-engine pkg/sync/common: HookType)."""

STEPS = 100
"""As many steps of a sync as are kept."""

NOT_THERE = Observation(state=State.MOVING, code="never-created", message="it was not created")


def still_of(settings: Settings, limit: float) -> float:
    """Seconds without any change after which one is given up that has `limit` seconds: all of them where containers
    run, for nobody hears how far an image is that is pulled, or when a patient probe is to begin."""
    return limit if settings.provider in {Provider.KIND, Provider.KUBECONFIG} else STILL


def patience_of(settings: Settings, limit: float, *, began: float) -> Patience:
    """How long one Application is waited for that has `limit` seconds, which have not begun yet."""
    still = still_of(settings, limit)
    return Patience(deadline=math.inf, quiet=QUIET, still=still, busy=BUSY, moved=began)


@dataclass(slots=True)
class Track:
    """One Application on its way."""

    case: Case
    patience: Patience
    began: float
    deadline: Deadline
    wanted: bool  # it is judged; otherwise it is only there because others need it
    revisions: tuple[str, ...]
    nudged: float = 0.0  # when Argo CD was last asked about it once more
    nudge: float | None = None  # the resourceVersion after which its answer comes
    nudges: int = 0  # how often, since it last moved
    left_alone: Case | None = None  # what Argo CD is told not to reconcile: it, or one that would create it
    hooks: tuple[str, ...] = ()  # those that a sync of it runs, as "Kind namespace/name"
    rolled: bool = False  # its ApplicationSet's controller syncs it, step by step
    fixed_by: str = ""  # the policy by which that one changes no Application that is there
    applied: float | None = None  # since when it is there, in the form that is meant
    begun: float | None = None  # when its time began
    state: Mapping[str, Any] = field(default_factory=dict)
    seen: Observation = NOT_THERE
    good_since: float | None = None  # since when it is Synced and Healthy
    inquired: float | None = None  # when Argo CD was asked whether it still is
    unheard: str = ""  # whose answer that it has been there is waited for, of Kubernetes' controllers
    inquiry: float = math.inf  # the resourceVersion after which its answer comes, that to the first request
    synced_at: float | None = None
    brought: float = 0.0  # when a sync of it last came to a step or succeeded, so put something there
    asked: float | None = None  # when we last started a sync
    shared: tuple[Shared, ...] = ()  # what it claims and others claim too
    dispute: tuple[Shared, str] | None = None  # one of those, and what Argo CD says of it, to whomever
    looked: float | None = None  # when it was last asked for a comparison because it stood still
    aligned: float | None = None  # since when what it renders to is applied, children included
    kept: tuple[str, ...] = ()  # what Argo CD rightly leaves unpruned
    steps: list[dict[str, Any]] = field(default_factory=list)  # what its sync came to, and when
    differences: tuple[Difference, ...] = ()  # what last kept it OutOfSync after a sync
    windows: tuple[Mapping[str, Any], ...] | None = (
        None  # its project's sync windows, once they were asked for
    )
    done: bool = False

    def apply(self, at: float) -> None:
        """Take in that it is there, in the form that is meant: its time begins when Argo CD begins with it."""
        if self.applied is None:
            self.applied, self.patience.deadline = at, at + self.deadline.before
        if self.begun is None and self.seen.is_begun:
            self.begun, self.patience.deadline = at, at + self.deadline.seconds

    def waited(self, at: float) -> float:
        """Seconds of its time that are over; where it has not begun, since it is there, or of the drive."""
        since = self.applied if self.begun is None else self.begun
        return at - (self.began if since is None else since)

    @property
    def limit(self) -> float:
        """Seconds that it has, from when `waited` counts."""
        return self.deadline.before if self.begun is None else self.deadline.seconds

    @property
    def is_fixed(self) -> bool:
        """Whether its ApplicationSet means it otherwise than it is, and may not change it."""
        return bool(self.fixed_by and self.state) and not is_as_declared(self.state, self.case.manifest)

    @property
    def is_never_synced(self) -> bool:
        """Whether it has hooks that never run: they are not compared, so it is Synced, and automation syncs only what
        is OutOfSync (controller/appcontroller.go: autoSync)."""
        return bool(self.hooks) and not self.seen.phase and is_automated(self.state)

    @property
    def settle(self) -> float:
        """Seconds that it must stay Synced and Healthy; longer where it only seems to, until Argo CD looks again."""
        return QUIET if self.shared else SETTLE

    def note_steps(self, application: Mapping[str, Any], at: float) -> None:
        """Take in how far its sync has come; a step that comes again is the same step."""
        known = {(s["kind"], s["step"]) for s in self.steps}
        for kind, step in steps(application):
            if (kind, step) not in known and len(self.steps) < STEPS:
                self.steps.append({"at": round(at - self.began, 2), "kind": kind, "step": step})
                self.brought = self.brought if kind == "wait" else at

    def note_success(self, before: str, at: float) -> None:
        """Take in whether its sync has just succeeded, whose phase was `before`: it brought something, but for one that
        is healed again and again, for that has been where it is now."""
        if self.seen.phase == "Succeeded" and before != "Succeeded" and self.patience.moved == at:
            self.brought = at

    def moved(self, at: float) -> float:
        """When it last moved, as others see it."""
        busy = self.state and not self.done and self.seen.state is State.MOVING
        return min(at, self.patience.moved + BUSY) if busy else self.patience.moved

    def final(self, seen: Observation, at: float, *, others: float, brought: float) -> Observation | None:
        """What to judge of it if this is where it ends, None to wait on; `others` is when another one last moved,
        `brought` when one last brought something."""
        self.patience.quiet = STILL if self.is_let_down else QUIET
        return self.patience.final(seen, now=at, others_moved=others, others_brought=brought)

    def facts(self) -> dict[str, Any]:
        """What was seen of it on its way, as evidence."""
        return {
            "sync": self.seen.sync,
            "health": self.seen.health,
            "retries": self.seen.retries,
            **self.deadline.to_dict(),
            **({"notPruned": list(self.kept)} if self.kept else {}),
            **({"syncedAtSeconds": round(self.synced_at, 2)} if self.synced_at is not None else {}),
            **({"steps": self.steps} if self.steps else {}),
        }

    def is_nudged(self, at: float) -> bool:
        """Whether Argo CD was asked once more and has not come to it; what takes long may be forgotten."""
        if self.nudge is None or self.done or not self.state or at - self.nudged >= ASK_AGAIN:
            return False
        return not is_answered(self.state, self.nudge)

    def wants_nudge(self, at: float) -> bool:
        """Whether its sync waits, and Argo CD would look at it again only after long; says so ever more rarely."""
        if self.patience.moved > self.nudged:
            self.nudges = 0
        since = at - max(self.patience.moved, self.nudged)
        # One that is asked for in the moment after a write of Argo CD's own is not begun.
        begun = "operation" not in self.state or self.seen.phase in {"Running", "Terminating"}
        waits = self.seen.code == "syncing" and (self.seen.message.startswith(WAITS) or not begun)
        if not waits or since < NUDGE * 2**self.nudges:
            return False
        self.nudged, self.nudges = at, self.nudges + 1
        return True

    def _stood(self, at: float) -> float:
        """Seconds since it last moved, or since Argo CD was asked to look because it did not."""
        return at - max(self.looked or 0.0, self.patience.moved, self.began)

    def is_overlooked(self, at: float) -> bool:
        """Whether Argo CD has to be asked to look, as it does by itself after three minutes (timeout.reconciliation),
        and after ever longer when it has healed before: it overlooks the first status of a CustomResourceDefinition."""
        if self.seen.code == "progressing":
            return self._stood(at) >= QUIET
        # What is stuck is given up after QUIET: before that it is looked at more than once. Of an object that another
        # one had, Argo CD warns until the next comparison, though that one is gone.
        stuck = self.seen.code in {"out-of-sync", "shared-resource"} or self.is_let_down
        return stuck and self._stood(at) >= ASK_AGAIN

    @property
    def is_let_down(self) -> bool:
        """Whether it is Argo CD itself that could not go on: it may when it tries again."""
        return self.seen.state is State.STUCK and is_ours(self.seen.message)

    def is_forgotten(self, at: float) -> bool:
        """Whether Argo CD was to look at another revision and may have forgotten it, or has not come to it."""
        return self.seen.code in STALE and self._stood(at) >= ASK_AGAIN

    def note_good(self, at: float) -> None:
        """Take in whether it is Synced and Healthy; to be asked whether it still is takes nothing away."""
        if self.seen.state is State.CONVERGED:
            self.good_since = self.good_since if self.good_since is not None else at
        elif self.seen.message != ASKED:
            self.count_from(None)

    def count_from(self, at: float | None) -> None:
        """Let it be good only since `at`, if at all: what was said before does not count."""
        self.good_since, self.unheard, self.inquired, self.inquiry = at, "", None, math.inf

    def settled(self, at: float) -> bool:
        """Whether it has stayed Synced and Healthy, by what Argo CD has said of itself."""
        return self.good_since is not None and at - self.good_since >= self.settle

    @property
    def is_confirmed(self) -> bool:
        """Whether Argo CD has looked once more, and says so again."""
        return self.seen.state is State.CONVERGED and is_answered(self.state, self.inquiry)

    def is_unanswered(self, at: float) -> bool:
        """Whether Argo CD was asked to look once more and may have forgotten it, or has not come to it."""
        return self.inquired is not None and at - self.inquired >= ASK_AGAIN


def last_two(times: Mapping[str, float]) -> list[tuple[float, str]]:
    """The last of `times`, by key, and the last but one: of hundreds of Applications each wants to know when any other
    last did something, and they answer for all."""
    return sorted(((at, key) for key, at in times.items()), reverse=True)[:2]


def of_others(key: str, last: Sequence[tuple[float, str]]) -> float:
    """The last time of any but `key`; without any, 0."""
    return next((at for at, who in last if who != key), 0.0)


def tracks_of(context: Context, cases: Sequence[Case], *, began: float) -> dict[str, Track]:
    """One for each of `cases`, and for each Application that must be there for them, by key; the drive begins at
    `began`."""
    assert context.api is not None, "nothing is driven without a cluster"
    wanted, rolling, fixing = {c.id for c in cases}, rolling_sets(context), fixing_sets(context)
    tracks: dict[str, Track] = {}
    for case in context.plan.with_ancestors(cases):
        deadline, lineage = deadline_of(context.settings, case), (case, *context.plan.ancestors(case))
        track = tracks[case.key] = Track(
            case=case,
            patience=patience_of(context.settings, deadline.seconds, began=began),
            began=began,
            deadline=deadline,
            wanted=case.id in wanted,
            revisions=expected(context, case),
            left_alone=next((c for c in lineage if is_left_alone(c.manifest)), None),
            hooks=run_by_sync(context, case),
            rolled=case.parent_kind == "ApplicationSet" and case.parent in rolling,
            fixed_by=fixing.get(case.parent, "") if case.parent_kind == "ApplicationSet" else "",
        )
        if case.parent_kind != "Application":  # what another one creates is there when that has come to it
            track.apply(began)
    ids = {t.case.id for t in tracks.values()}
    rendered = [(c, objects) for c, objects in context.rendered() if c.id in ids]
    for each in shared(rendered, is_namespaced=context.api.is_namespaced):
        for key in each.keys:
            tracks[key].shared += (each,)
    return tracks


def run_by_sync(context: Context, case: Case) -> tuple[str, ...]:
    """The hooks that each sync of an Application runs, as "Kind namespace/name"; one without a name by what its name
    begins with."""
    rendered = context.renders.get(case.id)
    found = []
    for each in rendered.objects if isinstance(rendered, Rendered) else ():
        if not RUN_BY_SYNC.isdisjoint(hook_of(each).split(",")):
            metadata = each["metadata"]
            name = metadata.get("name") or metadata.get("generateName")
            found.append(title(each.get("kind"), name, metadata.get("namespace")))
    return tuple(found)


def rolling_sets(context: Context) -> frozenset[str]:
    """The ApplicationSets, by "namespace/name", whose controller syncs their Applications: where it does so at all."""
    sets = {key: s.manifest for key, s in context.plan.sets.items()}
    enabled = is_enabled(context.parameters, sets.values())
    return frozenset(key for key, s in sets.items() if enabled and rolls(s))


def fixing_sets(context: Context) -> dict[str, str]:
    """The ApplicationSets, by "namespace/name", that change no Application that is there, and their policy."""
    general, may_override = policy(context.parameters)
    said = {key: policy_of(s.manifest, general, may_override) for key, s in context.plan.sets.items()}
    return {key: each for key, each in said.items() if each in FIXING}


def expected(context: Context, case: Case) -> tuple[str, ...]:
    """The commit of each source that is of this repository; what others are at is not ours to say.

    As it was when this side was first looked at: on the ground of an upgrade its branches and HEAD may be moved by now.
    """
    return tuple(
        (context.resolve(s.target_revision, s.tag_prefix) or "")
        if context.is_ours(s.repo_url) and not s.chart
        else ""
        for s in synced_of(case.manifest)
    )
