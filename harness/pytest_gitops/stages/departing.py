"""Deleting trees of Applications, as `argocd app delete` does, and waiting until nothing of them moves any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pytest_gitops.argocd.applications import API, Applications, application_path, path_of
from pytest_gitops.changes.effect import FINALIZER, FINALIZERS
from pytest_gitops.clusters.apierror import suppress_gone, suppress_overtaken
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.stages.approving import approve, asked
from pytest_gitops.stages.deadlines import deadline_of
from pytest_gitops.stages.tracks import QUIET, still_of
from pytest_gitops.waiting import now, utc, wait_until

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.stages.context import Context

TICK = 0.1
"""Seconds between two looks at the clock; states come by watch, not by looking."""

LOOK = 2.0
"""Seconds between two looks at all objects while Applications wait for them."""

SOON = 0.5
"""Seconds between two looks while trees end one after the other."""

SEEN = 30.0
"""Seconds within which the Applications must have been listed."""

NUDGE = 1.0
"""Seconds without movement after which an Application that is being deleted is looked at again, then twice as many.
Argo CD itself does so 5 s after each of its objects changed (controller/appcontroller.go, v3.6.1:
appOperationRequeueDelay), and waits for its objects wave by wave."""

LOOKED_AT = "pytest-gitops-looked-at"
"""An annotation that says nothing to anybody: writing it makes Argo CD look at the object."""

Application = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a tree: whether all its Applications had ended before it, how many objects have yet to go, and
    whether what holds them is in plain sight, so that there is nothing to wait for."""

    ended: bool
    remaining: int
    stuck: bool


@dataclass(slots=True, kw_only=True)
class Tree:
    """One root, what an ApplicationSet makes included, that is deleted as a whole: its path on the API server, and
    its Applications. `staying` are the keys of those that the deletion rightly leaves."""

    title: str
    path: str
    is_set: bool
    cases: tuple[Case, ...]
    staying: frozenset[str] = frozenset()
    began: float = 0.0
    moved: float = 0.0
    nudged: float = 0.0  # when Argo CD was last asked to look at what waits
    nudges: int = 0  # how often, since less of it is left
    best: int | None = None  # the fewest things that have yet to go
    look: Look | None = None
    done: bool = False


class Departing:
    """Deletes trees and follows their Applications. Use it in a `with`, which raises WaitTimeout if they cannot be
    seen; `confirmed` has the keys of those of which somebody's confirmation was asked, and given."""

    def __init__(self, context: Context, api: Api, cases: Sequence[Case]) -> None:
        self.confirmed: set[str] = set()
        self._context, self._api = context, api
        self._applications = Applications(api)
        self._keys = {c.key for c in cases}
        self._states: dict[str, Application] = {}
        self._ended: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._blind: Exception | None = None

    def __enter__(self) -> Self:
        there = {
            f"{m['namespace']}/{m['name']}" for m in self._api.metadata(f"{API}/applications")
        } & self._keys
        threading.Thread(target=self._watch, daemon=True, name="follow-departing").start()
        # What goes before it was ever seen would never be seen to go.
        wait_until(
            lambda: self._blind or there <= self._states.keys(), limit=SEEN, what="the Applications' states"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def _watch(self) -> None:
        def note(key: str, application: Application) -> None:
            if key in self._keys:
                with self._lock:
                    self._states[key] = application
                    if application:
                        self._ended.pop(key, None)
                    else:
                        self._ended[key] = now()

        try:
            self._applications.watch(note, stop=self._stop)
        except Exception as error:  # whatever it is: without it nothing would ever be judged
            self._blind = error

    def state(self, case: Case) -> Application | None:
        """The Application as it was seen last; None if it is not there."""
        with self._lock:
            return self._states.get(case.key) or None

    def seconds(self, tree: Tree, case: Case) -> float | None:
        """How long after its tree's deletion began the Application ended; None if it is there."""
        with self._lock:
            ended = self._ended.get(case.key)
        return max(0.0, ended - tree.began) if ended is not None else None

    # ------------------------------------------------------------------ deleting

    def delete(self, trees: Sequence[Tree]) -> None:
        """Ask for the end of each tree. Raises ApiError."""
        for tree in trees:
            tree.began = tree.moved = now()
            for case in tree.cases:
                if case.key not in tree.staying and case.parent_kind != "ApplicationSet":
                    self._prepare(case)
            with suppress_gone():
                self._api.delete(tree.path)

    def _prepare(self, case: Case) -> None:
        """What `argocd app delete` does first: the finalizer that deletes the objects; and the end of a sync that
        fails again and again, for Argo CD deletes nothing while it goes on."""
        path = application_path(case)
        with suppress_gone():
            application = self._api.get(path)
            meta = application["metadata"]
            finalizers = meta.get("finalizers") or []
            # What is on its way out already takes no further finalizer.
            wanted = not meta.get("deletionTimestamp") and case.id not in self._context.kept_out
            if wanted and not FINALIZERS & set(finalizers):
                self._api.patch(path, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
            self._applications.terminate(application)

    # ------------------------------------------------------------------ waiting

    def wait(
        self, trees: Sequence[Tree], look: Callable[[], Mapping[str, Look]], through: Callable[[Tree], None]
    ) -> None:
        """Until each tree is gone, or nothing of it moves any more, or its time is over; `look` says, by the trees'
        titles, what is left of their objects, and `through` is told of each tree after the look that ended it. Raises
        EngineError, and what those two raise."""
        looked = now()
        while not self._context.stopping.is_set() and (waiting := [t for t in trees if not t.done]):
            if self._blind is not None:
                raise EngineError(f"the Applications cannot be watched: {self._blind}") from self._blind
            at = now()
            for tree in waiting:
                self._follow(tree, at)
            # Where no Application is left to wait for, only a look tells whether all is gone.
            ended = any(not self._left(t) and not (t.look and t.look.ended) for t in waiting)
            if at - looked >= (SOON if ended else LOOK):
                seen, looked = look(), now()
                for tree in waiting:
                    self._note(tree, seen[tree.title])
                # Argo CD has ten workers: while it gets on with others, a tree may only be waiting for its turn.
                moved = max(t.moved for t in trees)
                for tree in waiting:
                    tree.done = self._is_through(tree, moved)
                    if tree.done:
                        through(tree)
            self._context.stopping.wait(TICK)

    def _left(self, tree: Tree) -> list[Application]:
        """The Applications of a tree that have yet to end."""
        found = (self.state(c) for c in tree.cases if c.key not in tree.staying)
        return [s for s in found if s is not None]

    def _follow(self, tree: Tree, at: float) -> None:
        for case in tree.cases:
            state = self.state(case)
            deleted = state is not None and state["metadata"].get("deletionTimestamp")
            if state is not None and deleted and asked(state) and case.key not in self.confirmed:
                self.confirmed.add(case.key)
                approve(self._api, state)
            if state is not None and case.id in self._context.kept_out:
                self._let_go(state)
        if tree.is_set:
            self._release(tree)
        self._count(tree, at)
        self._nudge(tree, at)

    def _let_go(self, state: Application) -> None:
        """Of one that is kept out nothing is anywhere, and Argo CD could not reach the cluster to find that out."""
        meta = state["metadata"]
        finalizers = meta.get("finalizers") or []
        kept = [f for f in finalizers if f not in FINALIZERS]
        if meta.get("deletionTimestamp") and kept != finalizers:
            # Kubernetes takes its own finalizers away meanwhile, and what is on its way out gets none back.
            patch = {"metadata": {"finalizers": kept, "resourceVersion": meta["resourceVersion"]}}
            with suppress_overtaken():
                self._api.patch(path_of(state), patch)

    def _nudge(self, tree: Tree, at: float) -> None:
        """Let Argo CD look at what is being deleted; ever more rarely while nothing moves."""
        if tree.moved > tree.nudged:
            tree.nudges = 0
        if at - max(tree.moved, tree.nudged) < NUDGE * 2**tree.nudges:
            return
        tree.nudged, tree.nudges = at, tree.nudges + 1
        for state in self._left(tree):
            if state["metadata"].get("deletionTimestamp"):
                with suppress_gone():
                    look_at(self._api, path_of(state))

    def _release(self, tree: Tree) -> None:
        """An Application that nobody owns any more though its ApplicationSet is being deleted stays: the set's policy
        says so (applicationsSync)."""
        free = {
            case.key
            for case in tree.cases
            if (state := self.state(case)) is not None
            and case.parent_kind == "ApplicationSet"
            and not state["metadata"].get("deletionTimestamp")
            and not state["metadata"].get("ownerReferences")
        }
        tree.staying |= free

    def _count(self, tree: Tree, at: float) -> None:
        """Count what has yet to go: only less of it is movement, for a hook that fails is tried again for ever."""
        left = self._left(tree)
        count = len(left) + sum(len(s["metadata"].get("finalizers") or ()) for s in left)
        count += tree.look.remaining if tree.look is not None else 0
        if tree.best is None or count < tree.best:
            tree.best, tree.moved = count, at

    def _note(self, tree: Tree, look: Look) -> None:
        # The first look counts what was not counted before.
        if tree.look is None and tree.best is not None:
            tree.best += look.remaining
        tree.look = look
        self._count(tree, now())

    def _is_through(self, tree: Tree, moved: float) -> bool:
        """Whether all of a tree is gone, or will not go any more; `moved` is when any tree moved last."""
        look, at = tree.look, now()
        if look is None or (look.ended and not look.remaining):
            return look is not None
        settings = self._context.settings
        limit = max(deadline_of(settings, c).seconds for c in tree.cases)
        still = at - tree.moved >= QUIET if look.stuck else at - moved >= still_of(settings, limit)
        return still or at - tree.began >= limit


def look_at(api: Api, path: str) -> None:
    """Make Argo CD look at the object at `path`. Raises ApiError."""
    api.patch(path, {"metadata": {"annotations": {LOOKED_AT: utc().isoformat()}}})
