"""Follows the Rollouts of an upgrade, and does what a person does: promotes, and once tries an abort and a retry.

While Applications are driven from one revision to the other, Argo Rollouts' controller walks the steps. What waits for
a person is promoted after it has been seen to wait; at the first such place the update is aborted, the stable version
must serve by itself, and the update is taken up again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pytest_gitops.argocd.applications import Applications, operation_state
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.rollouts import analysis, reading, steering
from pytest_gitops.rollouts.kinds import API, is_rollout
from pytest_gitops.rollouts.steering import Deed
from pytest_gitops.rollouts.story import Happening, Story
from pytest_gitops.stages.inventory import Claim, Key
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.stages.context import Context

TICK = 0.2
"""Seconds between two looks at what is to be done; states come by watch, not by looking."""

AGAIN = 1.0
"""Seconds until a cluster that does not know Rollouts yet is asked again."""

LAG = 20.0
"""Seconds that Argo CD may take to see what a Rollout says: on an idle machine it takes 0.1 s."""

SERVING = 60.0
"""Seconds that the stable version may take to serve by itself after an abort: a few on an idle machine. On one that had
ten times the load it can bear, 20 were too few, and the manifest was blamed."""

JOIN_SECONDS = 5.0

Manifest = Mapping[str, Any]
Note = Callable[[str, "Api", Manifest], None]


@dataclass(slots=True, kw_only=True)
class _Followed:
    """One Rollout while it is followed. `aborting` is since when, `stable` the version that has to serve then."""

    api: Api
    key: Key
    case: Case
    story: Story
    state: Manifest
    seen: reading.Look
    acted: int = 0  # the resourceVersion that the last patch made: what is older says nothing
    aborting: float | None = None
    stable: str = ""


class Promoting:
    """The Rollouts among `claims`, objects of the Applications of `context` by their keys, on the clusters `apis`, by
    name. `try_abort` says whether the abort is tried. Use it in a `with`."""

    def __init__(
        self,
        context: Context,
        apis: Mapping[str, Api],
        claims: Mapping[Key, Claim],
        *,
        try_abort: bool,
    ) -> None:
        self._context, self._apis, self._try_abort = context, apis, try_abort
        self._claims = {k: c for k, c in claims.items() if is_rollout(c.manifest)}
        settings = context.settings
        self._allows = analysis.allows(settings.allowed_hosts, everything=settings.network == "allow")
        self._followed: dict[Key, _Followed] = {}
        self._moved: dict[str, float] = {}
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._worker: threading.Thread | None = None
        self._error: Exception | None = None
        self._began = now()

    def __enter__(self) -> Self:
        if self._claims:
            clusters = {k.cluster for k in self._claims}
            threads = [
                threading.Thread(target=self._watch, args=(name, api, plural, act), daemon=True)
                for name, api in self._apis.items()
                if name in clusters
                for plural, act in (("rollouts", self._rollout), ("analysisruns", self._analysis))
            ]
            self._worker = threading.Thread(target=self._work, daemon=True)
            for thread in (*threads, self._worker):
                thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._worker is not None:
            self._worker.join(JOIN_SECONDS)  # watches end by themselves; nothing is done after this
        if self._error is not None and error is None:
            raise EngineError(f"the Rollouts cannot be followed: {self._error}") from self._error

    def moved(self, key: str) -> float:
        """When a Rollout of the Application "namespace/name" last moved, as the Application sees it; 0 if none did."""
        with self._lock:
            at = self._moved.get(key)
        return min(now(), at + LAG) if at is not None else 0.0

    def stories(self) -> Mapping[Key, Story]:
        """What happened, to those Rollouts that a new version came to; to be asked at the end."""
        with self._lock:
            found = {k: f.story for k, f in self._followed.items() if f.story.moved}
        for story in found.values():
            if self._try_abort and story.aborted is None and not story.why:
                story.why = "nothing of it waited for anybody"
        return found

    # ------------------------------------------------------------------ seeing

    def _watch(self, cluster: str, api: Api, plural: str, note: Note) -> None:
        def act(word: str, state: dict[str, Any]) -> None:
            if word != "DELETED":
                with self._lock:
                    note(cluster, api, state)

        while not self._stop.is_set():
            try:
                api.watch(f"{API}/{plural}", act, stop=self._stop)
            except ApiError as error:
                if error.status != 404:
                    self._error = self._error or error
                    return
            except Exception as error:  # whatever it is: what is not seen cannot be promoted
                self._error = self._error or error
                return
            self._stop.wait(AGAIN)

    def _rollout(self, cluster: str, api: Api, state: Manifest) -> None:
        meta = state["metadata"]
        key = Key(cluster, "argoproj.io", "Rollout", meta["namespace"], meta["name"])
        claim = self._claims.get(key)
        if claim is None:
            return
        seen = reading.look(state)
        followed = self._followed.get(key)
        if followed is None:
            story = Story(title=key.title, owner=claim.case.key)
            followed = _Followed(api=api, key=key, case=claim.case, story=story, state=state, seen=seen)
            self._followed[key] = followed
        followed.state, followed.seen = state, seen
        happenings = followed.story.happenings
        if not happenings or happenings[-1].seen.words != seen.words:
            self._note(followed)

    def _note(self, followed: _Followed, did: str = "") -> None:
        at = now()
        self._moved[followed.case.key] = at
        followed.story.happenings.append(Happening(at=at - self._began, seen=followed.seen, did=did))

    def _analysis(self, cluster: str, api: Api, state: Manifest) -> None:
        found = analysis.read(state, self._allows)
        kind, name = found.owner
        namespace = state["metadata"]["namespace"]
        for key, followed in self._followed.items():
            owned = key.name == name if kind == "Rollout" else followed.seen.experiment == name
            known = followed.story.analyses
            # One that is over when it is first seen is of an earlier way.
            if (
                owned
                and (key.cluster, key.namespace) == (cluster, namespace)
                and (found.name in known or found.phase not in analysis.FINISHED)
            ):
                known[found.name] = found
                self._moved[followed.case.key] = now()

    # ------------------------------------------------------------------ doing

    def _work(self) -> None:
        while not self._stop.wait(TICK):
            with self._lock:
                followed = list(self._followed.values())
            try:
                for each in followed:
                    with suppress(_Gone):
                        self._one(each)
            except Exception as error:  # whatever it is: what waits for us would wait for ever
                self._error = self._error or error
                return

    def _one(self, followed: _Followed) -> None:
        with self._lock:
            if int(followed.state["metadata"]["resourceVersion"]) < followed.acted:
                return
            seen, story = followed.seen, followed.story
            last = self._began + story.happenings[-1].at
            hindered = bool(story.unasked)
            unmeasured = bool(seen.running) and story.is_unmeasured(seen.running)
        if followed.aborting is not None:
            self._look_at_abort(followed)
            return
        application = self._context.applications.get(followed.case.id, {})
        decision = steering.decide(
            steering.Situation(
                seen=seen,
                since=now() - last,
                syncing=_is_syncing(application),
                awaited=_awaits(application, followed.key.name),
                try_abort=self._try_abort and story.aborted is None and not story.why,
                hindered=hindered,
                erring=story.erring,
                unmeasured=unmeasured,
            )
        )
        story.why = story.why or decision.no_abort
        if decision.deed is Deed.ABORT:
            followed.aborting, followed.stable = now(), seen.stable
            self._patch(followed, reading.ABORT, f"aborted, {decision.why}")
        elif decision.deed is not Deed.NOTHING:
            full = decision.deed is Deed.FULL
            self._leave_analysis(followed, seen)
            patch = reading.promote_full() if full else reading.promote(seen)
            self._patch(followed, patch, f"promoted{' to the end' if full else ''}, {decision.why}")

    def _leave_analysis(self, followed: _Followed, seen: reading.Look) -> None:
        """Remember what is left behind unfinished."""
        for each in followed.story.analyses.values():
            if seen.pause is None and each.phase not in analysis.FINISHED and not each.hindered:
                made = sum(m.made for m in each.metrics)
                followed.story.unwaited[each.name] = made

    def _look_at_abort(self, followed: _Followed) -> None:
        assert followed.aborting is not None
        story, waited = followed.story, now() - followed.aborting
        with self._lock:
            self._moved[followed.case.key] = now()
        if followed.seen.promoted:
            story.why, followed.aborting = "the update was through before the abort came", None
            return
        missing = self._not_serving(followed)
        if missing and waited < SERVING:
            return
        story.aborted, story.why, followed.aborting = not missing, missing, None
        if missing:
            with suppress(ApiError):  # an event is a bonus
                story.events = Applications(followed.api).warnings(
                    followed.key.namespace, [followed.key.name]
                )
        served = (
            "the stable version did not serve by itself" if missing else "the stable version served by itself"
        )
        self._patch(followed, reading.RETRY, f"retried: {served}")

    def _not_serving(self, followed: _Followed) -> str:
        api, namespace = followed.api, followed.key.namespace
        sets = api.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets", labelSelector=reading.HASH)[
            "items"
        ]
        service = None
        if name := reading.service_of(followed.state):
            try:
                service = api.get(f"/api/v1/namespaces/{namespace}/services/{name}")
            except ApiError as error:
                if error.status != 404:
                    raise
                return f"its Service {name} is not there"
        with self._lock:
            return reading.not_serving(followed.state, followed.stable, sets, service)

    def _patch(self, followed: _Followed, patch: Manifest, did: str) -> None:
        key = followed.key
        path = f"{API}/namespaces/{key.namespace}/rollouts/{key.name}/status"
        with self._lock:
            self._note(followed, did)
        try:
            made = followed.api.patch(path, dict(patch))
        except ApiError as error:
            if error.status == 404:
                raise _Gone from error
            raise
        with self._lock:
            followed.acted = int(made["metadata"]["resourceVersion"])


def _is_syncing(application: Mapping[str, Any]) -> bool:
    return bool(application.get("operation")) or operation_state(application).get("phase") == "Running"


def _awaits(application: Mapping[str, Any], rollout: str) -> bool:
    """Whether the sync waits for the health of `rollout`; of several that it waits for, Argo CD names the first."""
    said = str(operation_state(application).get("message") or "")
    named = said.partition(" and ")[0].endswith(f"/Rollout/{rollout}")
    return said.startswith("waiting for healthy state of ") and (named or " more " in said)


class _Gone(Exception):
    """The Rollout is no more."""
