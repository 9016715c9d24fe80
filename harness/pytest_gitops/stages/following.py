"""Following the Applications that converged: their newest states, for stages that act on each one step by step."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pytest_gitops.argocd.applications import Applications, heals_of, is_answered, operation_state, version
from pytest_gitops.argocd.convergence import Observation, State, observe
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.patience import Patience
from pytest_gitops.stages.tracks import QUIET, still_of
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.stages.context import Context

T = TypeVar("T")
Application = Mapping[str, Any]

TICK = 0.5
"""Seconds between two looks at the clock; states come by watch, not by looking."""

ASK_AGAIN = 5.0
"""Seconds after which what was asked and not begun is asked again, twice as many each time. After each patch of its own
the controller puts the answer into its store (appcontroller.go: writeBackToInformer), and if a request has come in
between, it forgets that one until its next resync, minutes later."""


class Stopped(Exception):
    """The run is over: nobody waits for an answer any more."""


class Deleted(Exception):
    """The Application went away while it was looked at."""


class Late(Exception):
    """Argo CD did not do what was asked of it in time; `seen` is what the Application said last."""

    def __init__(self, seen: Observation) -> None:
        super().__init__(seen.summary)
        self.seen = seen


class Following:
    """The newest state of each of `cases`, and the way to act on it. Use it in a `with`; safe from many threads.

    What it sees is added to the timelines and becomes the Applications' reported state.
    """

    def __init__(self, context: Context, api: Api, cases: Sequence[Case]) -> None:
        self.applications = Applications(api)
        self._context = context
        self._ids = {c.key: c.id for c in cases}
        self._states: dict[str, Application] = {}
        self._syncs: dict[str, list[Sync]] = {c.key: [] for c in cases}
        self._lock = threading.RLock()
        self._changed = {c.key: threading.Condition(self._lock) for c in cases}
        self._stop = threading.Event()
        self._blind: Exception | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True, name="follow-applications").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()

    def _watch(self) -> None:
        try:
            self.applications.watch(self._note, stop=self._stop)
        except Exception as error:  # whatever it is: without it nothing would ever be judged
            with self._lock:
                self._blind = error
                for changed in self._changed.values():
                    changed.notify_all()

    def _note(self, key: str, application: Application) -> None:
        case_id = self._ids.get(key)
        if case_id is None:
            return
        with self._lock:
            self._states[key] = application
            sync = sync_of(application)
            # Like only to the last: two heals of one second look alike, but for the count that is taken back between.
            if sync is not None and sync not in self._syncs[key][-1:]:
                self._syncs[key].append(sync)
            self._context.applications[case_id] = application
            at = now() - self._context.applied_at
            self._context.note_moment(case_id, observe(application), at=at)
            self._changed[key].notify_all()

    def wait(
        self,
        case: Case,
        found: Callable[[Application], T | None],
        *,
        limit: float,
        again: Callable[[Application], object] | None = None,
    ) -> T:
        """What `found` makes of the first state for which it returns something truthy; `again` is called with the
        state that there is after `ASK_AGAIN` seconds, and ever more rarely.

        Raises Late after `limit` seconds, Deleted when the Application goes, Stopped when the run ends, EngineError
        when the Applications cannot be watched.
        """
        began, changed = now(), self._changed[case.key]
        deadline, asked, pause = began + limit, began, ASK_AGAIN
        with changed:
            while True:
                state = self._states.get(case.key)
                if self._context.stopping.is_set():
                    raise Stopped
                if self._blind is not None:
                    raise EngineError(f"the Applications cannot be watched: {self._blind}") from self._blind
                if state is not None:
                    if not state:
                        raise Deleted
                    if value := found(state):
                        return value
                if now() >= deadline:
                    raise Late(observe(state or {}))
                if again is not None and state is not None and now() >= asked + pause:
                    asked, pause = now(), 2 * pause
                    changed.release()
                    try:
                        again(state)
                    finally:
                        changed.acquire()
                else:
                    changed.wait(TICK)

    def state(self, case: Case, *, limit: float) -> Application:
        """The newest state of `case`. Raises like `wait`."""
        return self.wait(case, lambda state: state, limit=limit)

    def syncs(self, case: Case) -> list[Sync]:
        """The syncs of `case` that were seen, the first first; to be asked in `wait`'s `found` too."""
        with self._lock:
            return list(self._syncs[case.key])

    def refreshed(self, case: Case, *, hard: bool, limit: float) -> Application:
        """Ask for a comparison, and return the state that has its result. Raises like `wait`, and ApiError."""

        def ask(state: Application) -> int:
            return version(self.applications.refresh(state, hard=hard))

        asked = ask(self.state(case, limit=limit))
        return self.wait(case, lambda s: s if is_answered(s, asked) else None, limit=limit, again=ask)

    def synced(self, case: Case, *, limit: float) -> Observation:
        """Start a sync, and say what came of it, CONVERGED or why not. Raises like `wait`, and ApiError."""
        asked = version(self.applications.sync(self.state(case, limit=limit)))
        return self.settled(case, limit=limit, since=asked)

    def settled(self, case: Case, *, limit: float, since: int = 0) -> Observation:
        """What becomes of `case` after the resourceVersion `since`: CONVERGED, or what it is stuck at. Raises
        Deleted, Stopped and EngineError like `wait`."""
        began = now()
        still = still_of(self._context.settings, limit)
        patience = Patience(deadline=began + limit, quiet=QUIET, still=still, moved=began)

        def found(state: Application) -> Observation | None:
            seen = observe(state)
            if version(state) <= since or ("operation" in state and not seen.retrying):
                return None
            patience.note(seen, now=now())
            # The sync that was asked for is over: whatever Argo CD tries next is not what was asked.
            failed = since and "operation" not in state and seen.phase in {"Failed", "Error"}
            if failed or seen.state is State.CONVERGED:
                return seen
            return patience.final(seen, now=now(), others_moved=began)

        def again(state: Application) -> None:
            # Of a sync that stands Argo CD would think again after 30 s only (`tracks.NUDGE`).
            if "operation" in state:
                self.applications.refresh(state)

        try:
            return self.wait(case, found, limit=limit, again=again)
        except Late as late:
            return late.seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A sync of an Application: when it began, to the second, how many heals it makes since the sync to its revision,
    and the objects that it is of, as (group, kind, name): none, all of them."""

    began: str
    heals: int
    objects: frozenset[tuple[str, str, str]] = frozenset()

    def is_of(self, group: str, kind: str, name: str) -> bool:
        return not self.objects or (group, kind, name) in self.objects


def sync_of(application: Application) -> Sync | None:
    """The last sync of `application`, or the one that is running; None before the first, and in the moment in which one
    is asked for (util/argo/argo.go: SetAppOperation)."""
    state = operation_state(application)
    if not state.get("startedAt"):
        return None
    asked = mapping(state, "operation", "sync")
    return Sync(
        began=str(state["startedAt"]),
        heals=heals_of(application),
        objects=frozenset(
            (str(r.get("group") or ""), str(r.get("kind")), str(r.get("name")))
            for r in asked.get("resources") or ()
        ),
    )


def is_at_work(application: Application) -> bool:
    """Whether a sync of it has been asked for or is running."""
    return "operation" in application or is_running(application)


def is_running(application: Application) -> bool:
    """Whether a sync of it is running."""
    return operation_state(application).get("phase") in {"Running", "Terminating"}
