"""Making one Application drift on its cluster, one drift after the other, and seeing what Argo CD makes of each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import heals_of, version
from pytest_gitops.argocd.convergence import Observation, State, observe
from pytest_gitops.changes.identity import group_kind
from pytest_gitops.changes.ignore import at
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Case
from pytest_gitops.stages import live
from pytest_gitops.stages.drifts import Drift, Expected, Sort
from pytest_gitops.stages.edits import MARK, Edit, addition
from pytest_gitops.stages.following import ASK_AGAIN, Application, Following, Late, Sync, is_at_work
from pytest_gitops.stages.live import Manifest, Ref
from pytest_gitops.stages.patience import Patience
from pytest_gitops.stages.tracks import QUIET
from pytest_gitops.waiting import now, wait_until

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

APPLY, JSON_PATCH = "application/apply-patch+yaml", "application/json-patch+json"

DRIFTER = "pytest-gitops-drift"
"""The field manager of our edits: nobody's that a repository would name."""

ANOTHER = "pytest-gitops-another"
"""The field manager of what is added."""

LOOKS = 2
"""Comparisons that are asked for before it counts that Argo CD sees nothing: the second one begins when the first is
answered, so by then it has been told of the object's change."""

TRIES = 3
"""As often it is put back: Argo CD may begin to heal it in the same moment."""

UNSEEN = Observation(
    state=State.STUCK, code="drift-not-seen", message="Argo CD compared it twice and found no difference"
)


@dataclass(slots=True, kw_only=True)
class Tried:
    """A drift that was made. `before` is the object as it was, `syncs` how many the Application had had then; seconds
    count from the write. `how` it was undone, and whether `by_others` than Argo CD; `restored` says whether the
    object is as before."""

    drift: Drift
    expected: Expected
    before: Manifest
    syncs: int
    began: float
    edit: Edit | None = None
    seen: float | None = None
    undone: float | None = None
    how: str = ""
    by_others: bool = False
    restored: bool = True

    @property
    def ref(self) -> Ref:
        return self.drift.ref

    @property
    def field(self) -> str:
        return self.edit.field if self.edit else ""

    def is_undone(self, live: Manifest | None) -> bool:
        """Whether `live`, None if the object is not there, is again what it was in what was changed."""
        if live is None:
            return False
        metadata = live["metadata"]
        if self.drift.sort is Sort.DELETED:
            return metadata["uid"] != self.before["metadata"]["uid"] and "deletionTimestamp" not in metadata
        if self.drift.sort is Sort.ADDED:
            return MARK not in (metadata.get("annotations") or {})
        assert self.edit is not None, "fields are changed by an edit"
        path = self.edit.path
        if at(live, path) != self.edit.old:
            return False
        # What is put in front of what drifted is no repair.
        lists = [path[:n] for n, part in enumerate(path) if isinstance(part, int)]
        return all(len(at(live, each)) == len(at(self.before, each)) for each in lists)

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "object": self.ref.title,
            "drift": self.drift.sort.value,
            "field": self.field or None,
            "expectation": self.expected.value,
            "why": self.drift.why if self.expected is Expected.LEFT else None,
            "seenSeconds": self.seen,
            "undoneSeconds": self.undone,
            "how": self.how or None,
            "restored": self.restored,
        }
        return {k: v for k, v in told.items() if v is not None}


class Drifting:
    """What is done to the objects of one `case`; every wait ends after `limit` seconds, `still` of them without any
    change.

    What follows an Application raises Deleted, Stopped, Late and EngineError (see `following`), and ApiError where the
    API server itself fails.
    """

    def __init__(self, api: Api, following: Following, case: Case, *, limit: float, still: float) -> None:
        self._api, self._following, self._case, self._limit = api, following, case, limit
        self._still = still
        self._urged = False  # in this round

    # ------------------------------------------------------------------ making it

    def ready(self) -> None:
        """Have the Application ready to heal at once what drifts next (`Applications.forget_heals`)."""
        self._urged = False
        since = version(self._following.applications.forget_heals(self._state()))
        self._following.wait(self._case, lambda s: version(s) >= since, limit=self._limit)

    def make(self, drift: Drift) -> Tried | str:
        """The first way of `drift` that the API server takes, or why none was made. `ready` comes before."""
        before = self._get(drift.ref)
        if before is None:
            return "it is not there any more"
        refused = "somebody else changed it meanwhile"
        for edit in drift.edits or (None,):
            if edit is not None and at(before, edit.path) != edit.old:
                continue
            tried = Tried(
                drift=drift,
                expected=drift.expected,
                before=before,
                syncs=len(self._following.syncs(self._case)),
                began=now(),
                edit=edit,
            )
            try:
                self._write(tried)
            except ApiError as error:
                if not error.refused or error.status == 429:
                    raise
                refused = f"the API server does not take the drift: {error.message}"
            else:
                return tried
        return refused

    def _write(self, tried: Tried) -> None:
        path, edit = self._path(tried.ref), tried.edit
        if tried.drift.sort is Sort.DELETED:
            uid = tried.before["metadata"]["uid"]
            self._api.delete(path, {"propagationPolicy": "Background", "preconditions": {"uid": uid}})
        elif tried.drift.sort is Sort.ADDED:
            body = addition(tried.before)
            self._api.patch(path, body, content_type=APPLY, fieldManager=ANOTHER, force=False)
        elif tried.drift.sort is Sort.SCALED and edit is not None:
            self._scale(tried.ref, edit.new)
        elif edit is not None:
            self._replace(path, edit.path, edit.old, edit.new)

    def _scale(self, ref: Ref, replicas: int) -> None:
        body = {"spec": {"replicas": replicas}}
        self._api.patch(f"{self._path(ref)}/scale", body, fieldManager=DRIFTER)

    def _replace(self, path: str, at_: tuple[str | int, ...], old: Any, new: Any) -> None:
        pointer = "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in at_)
        # Whoever else has changed it since keeps his change.
        body = [
            {"op": "test", "path": pointer, "value": old},
            {"op": "replace", "path": pointer, "value": new},
        ]
        self._api.patch(path, body, content_type=JSON_PATCH, fieldManager=DRIFTER)

    # ------------------------------------------------------------------ what comes of it

    def left_alone(self, tried: Tried) -> bool:
        """Whether Argo CD, asked to compare, leaves it as it is."""
        for _ in range(LOOKS):
            state = self._following.refreshed(self._case, hard=False, limit=self._limit)
            if self._note(tried, state):
                return False
        if not tried.is_undone(self._get(tried.ref)):
            return True
        tried.undone = _since(tried)
        if self._sync_for(tried) is None:
            self._by_others(tried)
            return True
        return False

    def still_left_alone(self, tried: Tried) -> bool:
        """Whether it is as it was left, after Argo CD has worked on other objects of the Application."""
        if not tried.by_others and tried.is_undone(self._get(tried.ref)):
            tried.undone = _since(tried)
            return False
        return True

    def undone(self, tried: Tried) -> Observation:
        """CONVERGED when Argo CD has undone it and the Application is Synced and Healthy again; else what it is stuck
        at."""
        patience = Patience(
            deadline=tried.began + self._limit, quiet=QUIET, still=self._still, moved=tried.began
        )
        looks = 0

        def probe() -> Observation | None:
            nonlocal looks
            state = self._state()
            self._note(tried, state)
            if tried.is_undone(self._get(tried.ref)):
                return Observation(state=State.CONVERGED)
            seen = observe(state)
            patience.note(seen, now=now())
            self._urge(state, seen)
            # That nothing heals it yet is no failure of anybody: a busy controller may take its time.
            failed = seen.code == "sync-failed" and self._sync_for(tried) is not None
            patience.quiet = QUIET if failed else self._still
            if tried.seen is None and seen.state is State.CONVERGED and _since(tried) >= ASK_AGAIN:
                if looks == LOOKS:
                    return UNSEEN
                looks += 1
                self._note(tried, self._following.refreshed(self._case, hard=False, limit=self._limit))
                return None
            return patience.final(seen, now=now(), others_moved=tried.began)

        what = f"{tried.ref.title} as it was"
        final = wait_until(probe, limit=2 * self._limit, what=what)
        if final.state is not State.CONVERGED:
            return final
        tried.undone = _since(tried)
        return self._by_whom(tried, asked=looks > 0)

    def _urge(self, state: Application, seen: Observation) -> None:
        """Have a second heal come at once, where one of this round was not enough: Argo CD may hear of one drift after
        it has begun to heal another. Once only: one that heals in vain has to slow down."""
        if seen.code == "out-of-sync" and heals_of(state) and not self._urged:
            self._urged = True
            self._following.applications.urge(state)

    def _by_whom(self, tried: Tried, *, asked: bool) -> Observation:
        def begun(state: Application) -> tuple[Sync, int] | None:
            sync = self._sync_for(tried)
            return (sync, version(state)) if sync is not None else None

        try:
            sync, at_ = self._following.wait(self._case, begun, limit=ASK_AGAIN)
        except Late:
            self._by_others(tried)
            return self._following.settled(self._case, limit=self._limit)
        tried.how = "self-heal" if sync.heals else "an automated sync"
        if asked:
            tried.how += ", when it was asked to compare"
        return self._following.settled(self._case, limit=self._limit, since=at_ - 1)

    def _sync_for(self, tried: Tried) -> Sync | None:
        """The first sync that Argo CD has begun since for the object, alone or with others."""
        group, kind = group_kind(tried.before)
        since = self._following.syncs(self._case)[tried.syncs :]
        return next((s for s in since if s.is_of(group, kind, tried.ref.name)), None)

    def _by_others(self, tried: Tried) -> None:
        tried.by_others, tried.how = True, "by something else than Argo CD"

    def seen(self, tried: Tried) -> bool:
        """Whether Argo CD says that the object is OutOfSync."""
        try:
            self._following.wait(self._case, lambda state: self._note(tried, state), limit=ASK_AGAIN)
        except Late:
            for _ in range(LOOKS):
                state = self._following.refreshed(self._case, hard=False, limit=self._limit)
                if self._note(tried, state):
                    tried.how = "seen when it was asked to compare"
                    break
        return tried.seen is not None

    def repaired(self, tried: Tried) -> Observation:
        """CONVERGED when a sync of the object alone has put it right; else what the Application is stuck at."""
        ref, state = tried.ref, self._state()
        group = group_kind(tried.before)[0]
        only = {"group": group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
        asked = self._following.applications.sync(state, only=[only])
        final = self._following.settled(self._case, limit=self._limit, since=version(asked))
        if tried.is_undone(self._get(ref)):
            tried.undone = _since(tried)
            tried.how = ", ".join(filter(None, [tried.how, "repaired by a sync of the object"]))
        elif final.state is State.CONVERGED:
            message = "the sync succeeded, and the object is not as it was"
            return Observation(state=State.STUCK, code="out-of-sync", message=message)
        return final

    def settled(self) -> Observation:
        """What becomes of the Application: CONVERGED, or what it is stuck at."""
        return self._following.settled(self._case, limit=self._limit)

    # ------------------------------------------------------------------ and back

    def restore(self, tried: Tried) -> None:
        """Take back what we did; `tried.restored` says whether the object is as it was. A sync that is still being
        tried again is ended."""
        for _ in range(TRIES):
            with suppress(ApiError):  # it is told in `restored`
                self._following.applications.terminate(self._state())
            self._rest()
            with suppress(ApiError):
                self._undo(tried)
            tried.restored = tried.is_undone(self._get(tried.ref))
            if tried.restored:
                return

    def _rest(self) -> None:
        """Wait for the end of the sync that is running: half of what it writes is neither as it was nor as we left it.
        Of a Role Argo CD has the missing rules added first, and only then the others taken away (gitops-engine,
        pkg/utils/kube/resource_ops.go: `auth reconcile` before `apply`)."""
        with suppress(Late):
            self._following.wait(
                self._case,
                lambda state: not is_at_work(state),
                limit=self._still,
                again=self._following.applications.refresh,
            )

    def _undo(self, tried: Tried) -> None:
        found, path, edit = self._get(tried.ref), self._path(tried.ref), tried.edit
        if tried.is_undone(found):
            return
        if tried.drift.sort is Sort.DELETED:
            if found is None:
                metadata = tried.before["metadata"]
                collection = self._api.path_of(tried.ref.api_version, tried.ref.kind, tried.ref.namespace)
                self._api.post(collection, {**live.content(tried.before), "metadata": _bare(metadata)})
        elif tried.drift.sort is Sort.ADDED:
            nothing = {k: tried.before[k] for k in ("apiVersion", "kind")}
            nothing["metadata"] = {"name": tried.ref.name}
            self._api.patch(path, nothing, content_type=APPLY, fieldManager=ANOTHER, force=False)
        elif tried.drift.sort is Sort.SCALED and edit is not None:
            self._scale(tried.ref, edit.old)
        elif edit is not None:
            self._replace(path, edit.path, edit.new, edit.old)

    # ------------------------------------------------------------------ looking

    def _state(self) -> Application:
        return self._following.state(self._case, limit=self._limit)

    def _path(self, ref: Ref) -> str:
        return self._api.path_of(ref.api_version, ref.kind, ref.namespace, ref.name)

    def _get(self, ref: Ref) -> Manifest | None:
        return live.read(self._api, [ref]).get(ref)

    def _note(self, tried: Tried, state: Application) -> bool:
        """Whether Argo CD says that the object is not Synced; the first time is remembered."""
        if tried.seen is None and _differs(state, tried.ref):
            tried.seen = _since(tried)
        return tried.seen is not None


def _bare(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("name", "namespace", "labels", "annotations", "finalizers")
    return {k: metadata[k] for k in kept if metadata.get(k)}


def _since(tried: Tried) -> float:
    return round(now() - tried.began, 2)


def _differs(application: Application, ref: Ref) -> bool:
    for each in (application.get("status") or {}).get("resources") or ():
        version_ = f"{each['group']}/{each.get('version', '')}" if each.get("group") else each.get("version")
        found = (version_, each.get("kind"), each.get("namespace") or "", each.get("name"))
        if found == (ref.api_version, ref.kind, ref.namespace, ref.name):
            return bool(each.get("status") != "Synced")
    return False
