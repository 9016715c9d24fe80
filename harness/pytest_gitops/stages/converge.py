"""converge: does the Application become Synced and Healthy within its deadline, from nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import Applications
from pytest_gitops.argocd.causes import cause_of, is_ours
from pytest_gitops.argocd.convergence import Observation, Patience, State, is_automated, observe, was_compared
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.model import Case, Finding, Moment, Outcome, Severity, StageResult
from pytest_gitops.stages.base import Family, Publish
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "converge"
family = Family.VERIFY
question = "Does it become Synced and Healthy within its deadline?"
needs = ("render",)

SETTLE = 1.0
"""Seconds that an Application must stay Synced and Healthy before it counts: two owners of one object take turns
within this time."""

QUIET = 12.0
"""Seconds without any change after which a stuck Application is given up. Argo CD's first retries come after 5 and
10 s more (retry backoff 5 s, factor 2), so one more attempt has been seen by then."""

STILL = 60.0
"""Seconds without any change after which an Application that says Progressing is given up: on the embedded cluster
everything that can come up does so within seconds."""

BUSY = 20.0
"""Seconds for which an Application that is at work counts as moving though nothing is seen of it: a hook's Job."""

TICK = 0.1
"""Seconds between two looks at the clock; states come by watch, not by looking."""

NEVER_HEALTHY = {"progressing", "degraded", "missing", "suspended", "unknown", "syncing"}


NOT_THERE = Observation(state=State.MOVING, code="never-created", message="it was not created")


@dataclass(slots=True)
class _Track:
    """One Application on its way."""

    case: Case
    patience: Patience
    began: float
    wanted: bool  # it is judged; otherwise it is only there because others need it
    revisions: tuple[str, ...]
    state: Mapping[str, Any] = field(default_factory=dict)
    seen: Observation = NOT_THERE
    good_since: float | None = None
    synced_at: float | None = None
    asked: float | None = None  # when we last started a sync
    done: bool = False


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Create the roots, sync what nobody else syncs, and judge each Application as its states come in."""
    _Drive(context, cases, publish).run()


class _Drive:
    def __init__(self, context: Context, cases: Sequence[Case], publish: Publish) -> None:
        assert context.api is not None, "converge is not run without a cluster"
        self.context, self.publish = context, publish
        self.applications = Applications(context.api)
        self.lock = threading.RLock()
        self.stop = threading.Event()
        self.blind: Exception | None = None  # why we see nothing any more
        began, limit = now(), context.settings.timeout
        ids = {c.id for c in cases}
        self.tracks = {
            c.key: _Track(
                case=c,
                patience=Patience(deadline=began + limit, quiet=QUIET, still=STILL, moved=began),
                began=began,
                wanted=c.id in ids,
                revisions=_expected(context, c),
            )
            for c in context.plan.with_ancestors(cases)
        }

    def run(self) -> None:
        watcher = threading.Thread(target=self._watch, daemon=True, name="watch-applications")
        watcher.start()
        try:
            roots = [t.case for t in self.tracks.values() if not t.case.parent]
            self.applications.create(roots, self._refused)
            self.context.start_controller()
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

    def _observe(self, track: _Track, application: Mapping[str, Any]) -> None:
        at = now()
        track.state = application
        if application:
            track.seen = observe(application, revisions=track.revisions)
        else:
            track.seen = Observation(
                state=State.STUCK, code="deleted", message="it was deleted during the run"
            )
        seen = track.seen
        track.patience.note(seen, now=at)
        moment = Moment(at=at - track.began, sync=seen.sync, health=seen.health, phase=seen.phase)
        line = self.context.timelines.setdefault(track.case.id, [])
        if not line or (line[-1].sync, line[-1].health, line[-1].phase) != (
            seen.sync,
            seen.health,
            seen.phase,
        ):
            line.append(moment)
        if seen.sync == "Synced" and track.synced_at is None:
            track.synced_at = at - track.began
        if seen.state is State.CONVERGED:
            track.good_since = track.good_since if track.good_since is not None else at
        else:
            track.good_since = None
        self.context.applications[track.case.id] = application

    def _judge(self) -> None:
        with self.lock:
            at = now()
            # Of hundreds each wants to know when any other moved last: the last two movers answer for all.
            last = sorted(((_moved(t, at), key) for key, t in self.tracks.items()), reverse=True)[:2]
            for key, track in self.tracks.items():
                if not track.done:
                    self._one(track, at, others=next((m for m, who in last if who != key), 0.0))

    def _one(self, track: _Track, at: float, *, others: float) -> None:
        if track.state and not is_automated(track.state):
            self._sync(track, at, others)
        # What we sync ourselves has to have been synced, also where nothing but hooks was left to do.
        if track.seen.state is State.CONVERGED and (track.asked is None or track.seen.phase):
            if track.good_since is not None and at - track.good_since >= SETTLE:
                self._passed(track)
            elif at < track.patience.deadline + SETTLE:
                return
        if track.done:
            return
        seen = track.seen
        if seen.code == "never-created" and (parent := self.tracks.get(track.case.parent)) and parent.done:
            # Its parent is through; what it has not created by now it never will.
            seen = Observation(state=State.STUCK, code=seen.code, message=seen.message)
        final = track.patience.final(seen, now=at, others_moved=others)
        if final is not None:
            self._failed(track, final, late=at >= track.patience.deadline)

    def _sync(self, track: _Track, at: float, others: float) -> None:
        """Sync an Application without automation: once when it has been compared, and again when a sync failed and
        another Application has moved since, as a person would who sees what was missing arrive."""
        seen = track.seen
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
                self._publish(
                    track, Outcome.ERROR, "sync-not-started", f"the sync could not be started: {error}"
                )

    def _refused(self, case: Case, error: Exception) -> None:
        track = self.tracks[case.key]
        with self.lock:
            track.done = True
            if isinstance(error, GitOpsError) and 400 <= getattr(error, "status", 0) < 500:
                finding = Finding(
                    rule="not-accepted",
                    severity=Severity.ERROR,
                    message=f"the API server does not accept Application {case.key}: {error}",
                    file=case.file,
                    line=case.line,
                    help="correct the manifest",
                )
                self._publish(
                    track, Outcome.FAILED, finding.rule, f"{finding.where}: {finding.message}", (finding,)
                )
            else:
                self._publish(track, Outcome.ERROR, "not-created", f"it could not be created: {error}")

    def _passed(self, track: _Track) -> None:
        track.done = True
        assert track.good_since is not None
        healthy = track.good_since - track.began
        self._publish(track, Outcome.PASSED, "", "", evidence={"healthyAtSeconds": round(healthy, 2)})

    def _failed(self, track: _Track, seen: Observation, *, late: bool) -> None:
        track.done = True
        case = track.case
        if not track.wanted:
            return
        # Roots, and what an ApplicationSet made, were there before: if they are not seen it is our fault.
        unseen = seen.code == "never-created" and case.parent_kind != "Application"
        if unseen or seen.code in {"not-compared", "stale-revision"}:
            waited = now() - track.began
            text = f"Argo CD has not got to it within {waited:.0f} s: {seen.message}"
            self._publish(track, Outcome.ERROR, "not-reconciled", text)
            return
        if is_ours(seen.message):
            text = f"Argo CD itself could not go on, so the Application was not judged: {seen.message}"
            self._publish(track, Outcome.ERROR, "not-reconciled", text)
            return
        if seen.state is State.CONVERGED:
            message = f"it became Synced and Healthy again and again, and never stayed so for {SETTLE:g} s"
            seen = replace(seen, code="progressing", message=message)
        code = "never-healthy" if seen.code in NEVER_HEALTHY else seen.code
        text, hint, resource = self._told(track, seen, late=late)
        finding = Finding(
            rule=code,
            severity=Severity.ERROR,
            message=seen.message or seen.summary,
            file=case.file,
            line=case.line,
            resource=resource,
            help=hint,
        )
        self._publish(track, Outcome.FAILED, code, text, (finding,))

    def _told(self, track: _Track, seen: Observation, *, late: bool) -> tuple[str, str, str]:
        """The failure's text, what to do next, and the first object to blame."""
        case, waited = track.case, now() - track.began
        why = f"within {self.context.settings.timeout:g} s" if late else "and nothing moves any more"
        lines = [f"{case.file}:{case.line}: Application {case.key} did not become Synced and Healthy {why}"]
        tried = f" (tried {seen.retries + 1} times)" if seen.retries else ""
        lines.append(f"  Argo CD  {seen.message or seen.code}{tried}")
        lines += [f"  object   {cause}" for cause in seen.causes[:8]]
        if len(seen.causes) > 8:
            lines.append(f"           and {len(seen.causes) - 8} more")
        lines.append(f"  expected Synced, Healthy; saw {seen.summary} after {waited:.1f} s")
        titles = [c.split(": ", 1)[0] for c in seen.causes]
        lines += [f"  event    {e}" for e in self._events(case, titles)]
        known = cause_of(seen.code, " ".join([seen.message, *seen.causes]))
        if known:
            lines += [f"  cause    {known.name}", f"  next     {known.next}"]
        return "\n".join(lines), known.next if known else "", titles[0] if titles else ""

    def _events(self, case: Case, titles: Sequence[str]) -> tuple[str, ...]:
        names = [t.rsplit("/", 1)[-1].rsplit(" ", 1)[-1] for t in titles]
        if not names or not case.destination.namespace:
            return ()
        try:
            return self.applications.warnings(case.destination.namespace, names)
        except GitOpsError:
            return ()  # an event is a bonus; its absence must not hide the cause

    def _publish(
        self,
        track: _Track,
        outcome: Outcome,
        code: str,
        message: str,
        findings: tuple[Finding, ...] = (),
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        if not track.wanted:
            return
        facts: dict[str, Any] = {
            "sync": track.seen.sync,
            "health": track.seen.health,
            "retries": track.seen.retries,
            **({"syncedAtSeconds": round(track.synced_at, 2)} if track.synced_at is not None else {}),
            **(evidence or {}),
        }
        self.publish(
            track.case,
            StageResult(
                stage=name,
                outcome=outcome,
                code=code,
                message=message,
                duration=now() - track.began,
                findings=findings,
                evidence=facts,
            ),
        )


def _moved(track: _Track, at: float) -> float:
    """When an Application last moved, as others see it."""
    busy = track.state and not track.done and track.seen.state is State.MOVING
    return min(at, track.patience.moved + BUSY) if busy else track.patience.moved


def _expected(context: Context, case: Case) -> tuple[str, ...]:
    """The commit of each source that is of this repository; what others are at is not ours to say."""
    return tuple(
        (context.snapshot.resolve(s.target_revision or "HEAD") or "")
        if context.is_ours(s.repo_url) and not s.chart
        else ""
        for s in case.sources
    )
