"""Drives Applications until each is Synced and Healthy, or never will be: shared by the stages that ask for that."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import Application, Applications, version
from pytest_gitops.argocd.causes import is_ours
from pytest_gitops.argocd.convergence import (
    ASKED,
    STALE,
    Observation,
    State,
    is_automated,
    observe,
    shared_warnings,
    was_compared,
)
from pytest_gitops.argocd.pruning import is_as_declared, of_now, to_prune, unpruned
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.model import Case, Finding, Outcome, StageResult
from pytest_gitops.stages import telling, windows
from pytest_gitops.stages.base import Publish
from pytest_gitops.stages.containers import telling_of
from pytest_gitops.stages.echoes import Echoes
from pytest_gitops.stages.evidence import bounded, differences_of, seen_of
from pytest_gitops.stages.patience import Progress
from pytest_gitops.stages.placing import written
from pytest_gitops.stages.tracks import ASK_AGAIN, NUDGES, Track, last_two, of_others, tracks_of
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

TICK = 0.1
"""Seconds between two looks at the clock; states come by watch, not by looking."""

ALIGNED = {"", "progressing", "degraded", "missing", "suspended"}
"""Codes of an Application that has applied all that it renders to."""

Ask = Callable[[Application], Application]
Begin = Callable[[Callable[[Case, Exception], None]], None]
"""What sets the Applications off; it tells the given function which the API server refuses, and why."""


class Drive:
    """One way of `cases`, and of all that must be there for them, to where `context` wants them.

    `stage` is whose verdict is published. `begin` sets everything off, None: the roots are created and the controller
    is started. `again` says that the Applications have been through it before, in another revision: then what they
    are at the beginning does not count, a child counts when its parent has given it its present form, and what
    Argo CD rightly leaves unpruned is no difference. `moved` tells when what is not seen of an Application, by its key,
    last moved.
    """

    def __init__(
        self,
        context: Context,
        cases: Sequence[Case],
        publish: Publish,
        *,
        stage: str,
        begin: Begin | None = None,
        again: bool = False,
        moved: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        assert context.api is not None, f"{stage} is not run without a cluster"
        self.context, self.publish = context, telling_of(context, publish)
        self.stage, self.again, self.moved = stage, again, moved
        self.begin = begin or self._create
        self.applications = Applications(context.api)
        self.echoes = Echoes(context)
        self.lock, self.stop = threading.RLock(), threading.Event()
        self.blind: Exception | None = None  # why we see nothing any more
        self.nudged = 0  # how many are asked about once more just now
        context.applied_at = now()
        self.tracks = tracks_of(context, cases, began=context.applied_at)

    def run(self) -> None:
        if self.again:
            # What is asked for before anything is looked at cannot be overlooked.
            self.begin(self._refused)
        watcher = threading.Thread(target=self._watch, daemon=True, name="watch-applications")
        watcher.start()
        try:
            if not self.again:
                self.begin(self._refused)
            while not self.context.stopping.is_set() and any(
                t.wanted and not t.done for t in self.tracks.values()
            ):
                self.context.stopping.wait(TICK)
                if self.blind is not None:
                    # States of before say nothing of now: no Application can be blamed for it.
                    raise EngineError(f"the Applications cannot be watched: {self.blind}") from self.blind
                self._judge()
        finally:
            self.stop.set()
            self.echoes.close()

    def _create(self, refused: Callable[[Case, Exception], None]) -> None:
        self.applications.create([t.case for t in self.tracks.values() if not t.case.parent], refused)
        self.context.start_controller()

    def _watch(self) -> None:
        def act(key: str, application: Mapping[str, Any]) -> None:
            track = self.tracks.get(key)
            if track is None:
                return
            with self.lock:
                self._observe(track, application)

        try:
            self.applications.watch(act, stop=self.stop)
        except Exception as error:  # whatever it is: without it nothing would ever be judged
            self.blind = error

    def _observe(self, track: Track, application: Mapping[str, Any]) -> None:
        at, before = now(), track.seen.phase
        track.state = application
        if application:
            counts = of_now(application) if self.again else application
            track.seen = observe(counts, revisions=track.revisions)
        else:
            track.seen = Observation(
                state=State.STUCK, code="deleted", message="it was deleted during the run"
            )
        if self.again and application:
            self._look_again(track, application, at)
        seen = track.seen
        track.patience.note(seen, now=at)
        for warning in shared_warnings(application):
            for each in (s for s in track.shared if s.is_meant(warning)):
                # Said to the one that does not have the object just now; the defect is of all that claim it.
                for key in each.keys:
                    self.tracks[key].dispute = self.tracks[key].dispute or (each, warning)
        track.note_steps(application, at)
        track.note_success(before, at)
        if seen.code == "out-of-sync":  # in a loop the next state may be in order again
            found = differences_of(self.context, track.case, application)
            track.differences = found or track.differences
        self.context.note_moment(track.case.id, seen, at=at - track.began)
        if seen.sync == "Synced" and track.synced_at is None:
            track.synced_at = at - track.began
        if self._is_formed(track):
            track.apply(at)
        track.note_good(at)
        self.context.applications[track.case.id] = application

    def _look_again(self, track: Track, application: Mapping[str, Any], at: float) -> None:
        """What a state means of an Application that has been here before."""
        seen = track.seen
        if seen.code in {"out-of-sync", "not-synced"}:
            track.kept = unpruned(application)
        elif seen.code not in {"syncing", "stale-comparison"} or to_prune(application) != track.kept:
            track.kept = ()
        # During a sync, and until the look after it, they still count: with selfHeal Argo CD tries again and again, and
        # nothing comes of it.
        if track.kept and seen.health == "Healthy":
            track.seen = replace(seen, state=State.CONVERGED, code="", message="", causes=())
        if track.case.parent_kind == "ApplicationSet" and not is_as_declared(
            application, track.case.manifest
        ):
            why = "its ApplicationSet has not given it its present form yet"
            track.seen = replace(seen, state=State.MOVING, code="stale-revision", message=why, causes=())
        if track.seen.code in ALIGNED:
            track.aligned = track.aligned if track.aligned is not None else at
        else:
            track.aligned = None

    def _parent(self, track: Track) -> Track | None:
        """The track of the Application that creates it."""
        return self.tracks.get(track.case.parent) if track.case.parent_kind == "Application" else None

    def _fixed(self, track: Track | None) -> Track | None:
        """Which of it and those that create it stays as it was made, whatever head says."""
        while track is not None and not track.is_fixed:
            track = self._parent(track)
        return track

    def _is_formed(self, track: Track) -> bool:
        """Whether it is there as its parent means it, or its parent is through."""
        parent = self._parent(track)
        if parent is None or parent.done:
            return True
        return bool(track.state) and (not self.again or parent.aligned is not None)

    def _judge(self) -> None:
        with self.lock:
            at = now()
            self.nudged = sum(t.is_nudged(at) for t in self.tracks.values())
            moved = last_two({key: max(t.moved(at), self.moved(key)) for key, t in self.tracks.items()})
            brought = last_two({key: t.brought for key, t in self.tracks.items()})
            # Who was asked about longest ago comes first: there is not room for all.
            for key, track in sorted(self.tracks.items(), key=lambda each: each[1].nudged):
                if not track.done:
                    self._one(track, at, others=of_others(key, moved), brought=of_others(key, brought))

    def _one(self, track: Track, at: float, *, others: float, brought: float) -> None:
        if track.left_alone is not None:
            track.done = True
            text = telling.left_alone(track.case, track.left_alone)
            self._publish(track, Outcome.SKIPPED, "reconcile-skipped", text)
            return
        if self.again and (fixed := self._fixed(track)) is not None:
            track.done = True
            text = telling.not_updated(track.case, fixed.case, fixed.fixed_by)
            self._publish(track, Outcome.SKIPPED, "not-updated", text)
            return
        if self._is_formed(track):
            track.apply(at)
        if track.dispute is not None:
            track.done = True
            self._red(track, telling.disputed(track.case, *track.dispute))
            return
        if windows.is_closed(self.applications, track, at, control=self.context.control):
            track.done = True
            text = windows.give_up(self.applications, track, control=self.context.control)
            self._publish(track, Outcome.SKIPPED, "sync-window", text)
            return
        if track.state and not is_automated(track.state) and not track.rolled:
            self._sync(track, at, others)
        elif windows.is_suspect(track, at):
            windows.ask(self.applications, track, control=self.context.control)
        # What we sync ourselves has to have been synced, also where nothing but hooks was left to do.
        if track.good_since is not None and (track.asked is None or track.seen.phase):
            self._good(track, at)
            if track.done or at < track.patience.deadline + track.settle + ASK_AGAIN:
                return
        seen = track.seen
        if track.is_overlooked(at):
            track.looked = at
            self._ask(track, self.applications.urge)
        elif self.again and self.nudged < NUDGES and track.is_forgotten(at):
            track.looked = at
            self._ask_again(track, at, self.applications.urge)
        elif self.nudged < NUDGES and track.wants_nudge(at):
            self._ask_again(track, at, self.applications.refresh)
        if seen.code == "never-created" and (parent := self._parent(track)) is not None:
            if not parent.done:
                return  # its own time has not begun
            # What its parent has not created by now it never will.
            seen = Observation(state=State.STUCK, code=seen.code, message=seen.message)
        final = track.final(seen, at, others=max(others, self.moved(track.case.key)), brought=brought)
        if final is not None and not windows.is_open_by_hand(track):
            self._failed(track, final, late=at >= track.patience.deadline)

    def _good(self, track: Track, at: float) -> None:
        """Let one count that is Synced and Healthy, once it has stayed so and Argo CD says so again."""
        if not self._is_formed(track):
            track.count_from(at)
        others_claim = (self.tracks[key] for s in track.shared for key in s.keys if key != track.case.key)
        track.unheard = self.echoes.silent(track.case, track.good_since or at, at)
        if track.unheard or not track.settled(at) or not all(t.done or t.settled(at) for t in others_claim):
            return
        if track.is_confirmed or not track.wanted:
            self._passed(track)
        elif track.inquired is None:
            track.inquired = at
            track.inquiry = self._ask(track, self.applications.refresh)
        elif self.nudged < NUDGES and track.is_unanswered(at):
            # The first answer counts: where there are many, each comes after the next request.
            track.inquired = at
            track.inquiry = min(track.inquiry, self._ask_again(track, at, self.applications.refresh))

    def _ask(self, track: Track, ask: Ask) -> float:
        """Ask Argo CD to look at it; the resourceVersion after which its answer comes, never if that failed."""
        with suppress(GitOpsError):  # it is judged as it is then
            return version(ask(track.state))
        return math.inf

    def _ask_again(self, track: Track, at: float, ask: Ask) -> float:
        """Do so once more, for as few at a time as there is room for; who was asked about longest ago comes first."""
        self.nudged += 1
        track.nudged, track.nudge = at, self._ask(track, ask)
        return track.nudge

    def _sync(self, track: Track, at: float, others: float) -> None:
        """Sync an Application without automation: once when it has been compared, and again when a sync failed and
        another Application has moved since, as a person would who sees what was missing arrive."""
        seen = track.seen
        if self.again:
            # What is not affected, nobody syncs again.
            differs = seen.code in {"out-of-sync", "not-synced", "sync-failed"}
            first = track.asked is None and differs and self._is_formed(track)
        else:
            first = track.asked is None and was_compared(track.state) and not seen.phase
        again = (
            track.asked is not None
            and seen.state is State.STUCK
            and seen.code == "sync-failed"
            and seen.phase in {"Failed", "Error"}
            and others > track.asked
        )
        if (first or again) and "operation" not in track.state:
            track.asked = at
            try:
                self.applications.sync(track.state)
            except GitOpsError as error:
                track.done = True
                text = f"the sync could not be started: {error}"
                self._publish(track, Outcome.ERROR, "sync-not-started", text)

    def _refused(self, case: Case, error: Exception) -> None:
        track = self.tracks.get(case.key)
        if track is None:
            return  # it moves along, and nobody asks about it
        with self.lock:
            track.done = True
            if isinstance(error, GitOpsError) and 400 <= getattr(error, "status", 0) < 500:
                self._red(track, telling.refused(case, error))
            else:
                self._publish(track, Outcome.ERROR, "not-created", f"it could not be created: {error}")

    def _passed(self, track: Track) -> None:
        track.done = True
        if not self.again and track.is_never_synced:
            self._red(track, telling.never_run(track.case, track.hooks, saw=track.seen.summary))
            return
        assert track.good_since is not None
        healthy = track.good_since - track.began
        self._publish(track, Outcome.PASSED, "", "", evidence={"healthyAtSeconds": round(healthy, 2)})

    def _failed(self, track: Track, seen: Observation, *, late: bool) -> None:
        track.done = True
        case = track.case
        if not track.wanted:
            return
        # Roots, and what an ApplicationSet made, were there before: if they are not seen it is our fault.
        unseen = seen.code == "never-created" and case.parent_kind != "Application"
        unanswered = seen.state is State.CONVERGED and (track.unheard or track.inquired is not None)
        if unseen or unanswered or seen.code in {"not-compared", *STALE}:
            said = "" if track.unheard else ASKED if unanswered else seen.message
            text = telling.not_reconciled(track.unheard, said, waited=track.waited(now()))
            self._publish(track, Outcome.ERROR, "not-reconciled", text)
            return
        if track.rolled and seen.code == "not-synced":
            self._publish(track, Outcome.SKIPPED, "step-not-reached", telling.not_reached(case))
            return
        if is_ours(seen.message):
            text = f"Argo CD itself could not go on, so the Application was not judged: {seen.message}"
            self._publish(track, Outcome.ERROR, "not-reconciled", text)
            return
        if seen.state is State.CONVERGED:
            seen = replace(seen, code="progressing", message=telling.never_stayed(track.settle))
        at = now()
        progress, still = track.patience.progress(at), at - track.patience.moved
        told = telling.stuck(
            case,
            seen,
            why=telling.given_up(progress, limit=track.limit, late=late, still=still),
            waited=track.waited(at),
            events=lambda titles: (
                *telling.events(self.applications, case, titles),
                *telling.unlisted(self.context.api_of(case), track.state),
            ),
            slow=progress is Progress.SLOW,
            differences=track.differences,
        )
        self._red(track, told, {"progress": progress.value})

    def _red(self, track: Track, told: telling.Told, evidence: Mapping[str, Any] | None = None) -> None:
        told = told.at(written(self.context, track.case, told.finding.resource))
        seen = {**told.evidence(), **(evidence or {})}
        self._publish(track, Outcome.FAILED, told.finding.rule, told.text, told.finding, seen)

    def _publish(
        self,
        track: Track,
        outcome: Outcome,
        code: str,
        message: str,
        finding: Finding | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        if not track.wanted:
            return
        differ = track.differences if outcome is Outcome.FAILED else ()
        facts: dict[str, Any] = {
            **track.facts(),
            **(evidence or {}),
            **bounded("differences", [d.to_dict() for d in differ]),
            **seen_of(self.context, track.case, track.state),
        }
        self.publish(
            track.case,
            StageResult(
                stage=self.stage,
                outcome=outcome,
                code=code,
                message=message,
                duration=now() - track.began,
                findings=(finding,) if finding else (),
                evidence=facts,
            ),
        )
