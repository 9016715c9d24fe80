"""What is done to one Application on the ground of scenarios, and how it is looked at: sync, drift, expectations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_gitops.acting.journal import Journal
from pytest_gitops.acting.objects import Objects, is_going
from pytest_gitops.argocd.applications import Application, operation_state, version
from pytest_gitops.argocd.convergence import STALE, Observation, State, observe
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError, WaitTimeout
from pytest_gitops.model import Case
from pytest_gitops.scenarios.api import GitOpsFailure, Unmet
from pytest_gitops.scenarios.comparing import MISSING, Difference, differences, shorten
from pytest_gitops.scenarios.running import unmet_absence, unmet_objects, unmet_of
from pytest_gitops.stages.following import Deleted, Following, Late, is_at_work, is_running
from pytest_gitops.stages.live import content
from pytest_gitops.waiting import now, wait_until

if TYPE_CHECKING:
    from pytest_gitops.argocd.appstate import AppState, Key

LOOK = 60.0
"""Seconds that Argo CD may take for one comparison before we say that it does not answer."""

EXPECT = 30.0
"""Seconds that an expectation may take that says no time of its own."""

ASK_AGAIN = 5.0
"""Seconds after which Argo CD is asked for another comparison while an expectation does not hold."""

CONDITION = ("type", "message")


class Hands:
    """Acts on Applications that are there; `limit`, in seconds, is what an Application may take.

    All methods raise GitOpsFailure for what is not as it should be, and EngineError where Argo CD does not answer.
    """

    def __init__(self, following: Following, objects: Objects, app_state: AppState, *, limit: float) -> None:
        self.following, self.objects = following, objects
        self.journal = Journal()
        self._app_state, self._limit = app_state, limit

    # ------------------------------------------------------------------ looking

    def fresh(self, case: Case, *, limit: float = LOOK) -> Application:
        """The Application after a new comparison that has seen all that was done to its objects."""
        deadline = now() + limit
        state = self._refreshed(case, limit)
        marks = self.journal.marks(case.key)
        if not marks:
            return state
        while not self._has_seen(case, marks):
            if now() >= deadline:
                raise EngineError(f"Argo CD has not noticed within {limit:g} s what was done to {case.key}")
            self._refreshed(case, max(deadline - now(), 1.0))
        self.journal.forget_marks(case.key)
        # What it has seen is in the next comparison for certain; the state that there is may be of the one before.
        return self._refreshed(case, limit)

    def _refreshed(self, case: Case, limit: float) -> Application:
        try:
            return self.following.refreshed(case, hard=False, limit=limit)
        except Late as late:
            raise EngineError(
                f"Argo CD has not compared Application {case.key} within {limit:g} s; last seen: {late.seen.summary}"
            ) from late
        except Deleted as error:
            raise _deleted(case) from error

    def _has_seen(self, case: Case, marks: Mapping[Key, int]) -> bool:
        seen = self._app_state.versions(case.key)
        return seen is not None and all(seen.get(k, v) >= v for k, v in marks.items())

    def status(self, case: Case, *, within: float | None) -> dict[str, Any]:
        """The fields of `api.Status`."""
        return status_of(self.fresh(case, limit=within or LOOK))

    def wait(self, case: Case, *, within: float | None) -> dict[str, Any]:
        """Wait until it is Synced and Healthy; one that is stuck is not waited for to the end."""
        limit = within or self._limit
        seen = self._settled(case, since=version(self.fresh(case)) - 1, limit=limit)
        if seen.state is not State.CONVERGED:
            raise GitOpsFailure(
                f"Application {case.key}: expected Synced, Healthy; saw {seen.summary}",
                said=(seen.message, *seen.causes[:3]) if seen.message else (),
                help="look at what Argo CD says",
            )
        return status_of(self.following.state(case, limit=LOOK))

    def _settled(self, case: Case, *, since: int, limit: float) -> Observation:
        try:
            return self.following.settled(case, limit=limit, since=max(since, 0))
        except Deleted as error:
            raise _deleted(case) from error

    def expect(self, case: Case, expected: Mapping[str, Any], *, within: float | None) -> None:
        """Look until everything in `expected` (a scenario's `expect`) is so at once."""
        limit = EXPECT if within is None else within
        deadline = now() + limit
        unmet: list[Unmet] = []
        asked = now()
        # Only what says something of the comparison needs a new one; objects are read as they are.
        if expected.keys() - {"objects", "absent", "events"}:
            self.fresh(case)
            asked = now()

        def holds() -> bool:
            nonlocal unmet, asked
            state = self._state(case)
            if now() >= asked + ASK_AGAIN:
                self.following.applications.refresh(state)
                asked = now()
            unmet = self._unmet(case, expected, state)
            return not unmet

        try:
            wait_until(holds, limit=max(deadline - now(), 0), what="what is expected")
        except WaitTimeout as error:
            state = self._state(case)
            seen = observe(state)
            raise GitOpsFailure(
                f"Application {case.key} ({seen.summary}) is not as expected within {limit:g} s",
                unmet=unmet,
                said=(seen.message, *seen.causes[:3]) if seen.message and seen.state is State.STUCK else (),
            ) from error

    def _state(self, case: Case) -> Application:
        try:
            return self.following.state(case, limit=LOOK)
        except Late as error:
            raise EngineError(f"nothing is seen of Application {case.key}") from error
        except Deleted as error:
            raise _deleted(case) from error

    def _unmet(self, case: Case, expected: Mapping[str, Any], state: Application) -> list[Unmet]:
        status = state.get("status") or {}
        what = f"Application {case.key}"
        values = {
            "sync": _at(status, "sync", "status"),
            "health": _at(status, "health", "status"),
            "operation": _at(status, "operationState"),
            "status": status,
        }
        found: list[Unmet] = []
        for key, seen in values.items():
            if key in expected:
                found += [unmet_of(d, what) for d in differences(expected[key], seen, path=(key,), field=key)]
        if not found and values.keys() & expected.keys() and observe(state).code in STALE:
            difference = Difference(path=(), field="", expected="a comparison since", seen="one of before")
            found.append(unmet_of(difference, what))
        conditions = status.get("conditions") or []
        found += _like(expected.get("conditions", ()), conditions, "conditions", what, CONDITION)
        if "objects" in expected:
            there = self.objects.matching(case, state, expected["objects"])
            there = [o for o in there if not is_going(o)]
            found += unmet_objects(expected["objects"], there, where=f"the cluster of {what}")
        if "absent" in expected:
            there = self.objects.matching(case, state, expected["absent"], known=True)
            found += unmet_absence(expected["absent"], there, where=f"the cluster of {what}")
        if "events" in expected:
            events = self.objects.events(case)
            found += _like(expected["events"], events, "events", what, ("reason", "message"))
        return found

    # ------------------------------------------------------------------ acting

    def sync(self, case: Case, *, prune: bool, within: float | None) -> dict[str, Any]:
        """Sync it, and say how the sync ended: the fields of `api.Synced`."""
        limit = within or self._limit
        self.journal.synced.add(case.key)
        try:
            idle = self.following.wait(case, lambda s: None if is_at_work(s) else s, limit=limit)
            asked = version(self.following.applications.sync(idle, prune=prune))
            ended = self.following.wait(
                case,
                lambda s: None if version(s) <= asked or is_at_work(s) else s,
                limit=limit,
                again=lambda s: None if is_running(s) else self.following.applications.refresh(s),
            )
        except Late as late:
            raise GitOpsFailure(
                f"the sync of Application {case.key} has not ended within {limit:g} s",
                said=[late.seen.message],
            ) from late
        except Deleted as error:
            raise _deleted(case) from error
        state = operation_state(ended)
        failures = [
            f"{r.get('kind')} {r.get('name')}: {r.get('message')}"
            for r in (state.get("syncResult") or {}).get("resources") or ()
            if r.get("status") == "SyncFailed"
        ]
        said = "; ".join([str(state.get("message") or ""), *failures[:3]])
        return {"phase": str(state.get("phase") or ""), "message": said}

    def drift(
        self, case: Case, reference: Mapping[str, Any], how: Mapping[str, Any], *, within: float | None
    ) -> None:
        """Change one object as `how` says: patch, scale or delete."""
        state = self._state(case)
        place = self.objects.place(case, state, reference)
        before = place.read()
        if before is None:
            raise GitOpsFailure(
                f"expected {place.title}, which Application {case.key} manages, to be on the cluster; saw none"
            )
        was = int(before["metadata"]["resourceVersion"])
        self.following.applications.forget_heals(state)
        self.journal.note(case.key, place, before)
        try:
            if how.get("delete"):
                place.delete()
                self._await_end(place, str(before["metadata"]["uid"]), within or self._limit)
                self.journal.mark(case.key, place.key, was + 1)
                return
            written = place.scale(how["scale"]) if "scale" in how else place.patch(how["patch"])
            after = place.read()
        except ApiError as error:
            raise GitOpsFailure(f"the API server refuses the drift of {place.title}: {error}") from error
        # Who writes what is there already becomes one of its managers, and nothing else.
        if after is not None and content(after) == content(before):
            raise GitOpsFailure(
                f"the drift of {place.title} changes nothing: it is so already",
                help="name a value that it does not have",
            )
        self.journal.mark(case.key, place.key, int(written["metadata"]["resourceVersion"]))

    def _await_end(self, place: Any, uid: str, limit: float) -> None:
        def gone() -> bool:
            there = place.read()
            return there is None or there["metadata"]["uid"] != uid

        try:
            wait_until(gone, limit=limit, what="the end of an object")
        except WaitTimeout as error:
            there = place.read() or {}
            held = ", ".join((there.get("metadata") or {}).get("finalizers") or ()) or "nothing that is seen"
            raise GitOpsFailure(
                f"{place.title} was deleted and is still there after {limit:g} s; it is held by {held}"
            ) from error


def status_of(application: Application) -> dict[str, Any]:
    """The fields of `api.Status`."""
    status = application.get("status") or {}
    return {
        "sync": str(_at(status, "sync", "status") or ""),
        "health": str(_at(status, "health", "status") or ""),
        "phase": str(_at(status, "operationState", "phase") or ""),
        "message": str(_at(status, "operationState", "message") or ""),
        "application": dict(application),
    }


def _like(
    expected: Sequence[Any], there: Sequence[Any], key: str, what: str, told: Sequence[str]
) -> list[Unmet]:
    """Which of `expected` none of those that are there is like."""
    found = []
    for index, each in enumerate(expected):
        if not any(not differences(each, t) for t in there):
            seen = "; ".join(dict.fromkeys(": ".join(str(t.get(k, "")) for k in told) for t in there[-5:]))
            found.append(
                Unmet(
                    path=(key, index),
                    what=what,
                    field=key,
                    expected=f"one like {shorten(each)}",
                    seen=seen or "none at all",
                )
            )
    return found


def _deleted(case: Case) -> GitOpsFailure:
    return GitOpsFailure(f"Application {case.key} was deleted")


def _at(value: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(value, Mapping):
            return MISSING
        value = value.get(key, MISSING)
    return value
