"""Which drifts an Application is given, and what is left in peace: pure, from its objects and its settings.

A drift is chosen once for each kind of drift and kind of object, up to `KINDS` kinds of object, so that an Application
with hundreds of objects takes as long as a small one. What was not tried is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pytest_gitops.argocd.convergence import is_automated
from pytest_gitops.changes import ignore
from pytest_gitops.changes.identity import group_kind
from pytest_gitops.model import Resource
from pytest_gitops.stages import edits, peace
from pytest_gitops.stages.edits import Edit
from pytest_gitops.stages.live import Ref

Manifest = Mapping[str, Any]

KINDS = 2
"""Kinds of object that get one kind of drift: six drifts for most Applications, each about a healing sync long."""

SCALED = {("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet")}

REPLICAS = ("spec", "replicas")

UNSAID = "the manifest does not say how many"
"""Why a workload that is scaled is left alone: so it is with any field that nobody wants."""

SHOWN = 20
"""Objects that one line of the evidence names; it counts all."""

ORDER = ("Deployment", "DaemonSet", "StatefulSet", "ConfigMap", "Secret", "Service", "Ingress")
"""Kinds that most Applications are made of are tried first."""


class Sort(StrEnum):
    """What is done to an object."""

    EDITED = "field changed"
    SCALED = "replicas scaled"
    ADDED = "label and field added by another manager"
    DELETED = "deleted"


class Expected(StrEnum):
    """What Argo CD has to make of it."""

    UNDONE = "undone"
    SEEN = "seen as OutOfSync"
    LEFT = "left alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One drift of one object. `edits` are the ways to make it, the first that the API server takes is made; empty for
    a deletion. `why` says why it is left alone, where it is."""

    ref: Ref
    sort: Sort
    expected: Expected
    edits: tuple[Edit, ...] = ()
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Choice:
    """`groups` are in the order in which they are made; of each the first that can be made is. `peace` has, by kind of
    drift and reason, the objects that are left in peace."""

    groups: list[tuple[Drift, ...]] = field(default_factory=list)
    peace: dict[tuple[str, str], list[Ref]] = field(default_factory=dict)
    untried: dict[str, list[Ref]] = field(default_factory=dict)

    def leave(self, ref: Ref, reason: str, sort: str = "") -> None:
        self.peace.setdefault((sort, reason), []).append(ref)
        self.note_tried(ref, sort)

    def note_tried(self, ref: Ref, sort: str) -> None:
        """Another object does not stand for this one."""
        left = [r for r in self.untried.pop(sort, ()) if r != ref]
        if left:
            self.untried[sort] = left

    def to_dict(self) -> dict[str, Any]:
        return {
            "leftInPeace": [
                {"drift": sort or "any", "reason": reason, **_named(refs)}
                for (sort, reason), refs in sorted(self.peace.items())
            ],
            "notTried": [
                {"drift": sort, "reason": "another object stands for it", **_named(refs)}
                for sort, refs in sorted(self.untried.items())
            ],
        }


def _named(refs: Sequence[Ref]) -> dict[str, Any]:
    titles = sorted(r.title for r in refs)
    return {"objects": titles[:SHOWN], "count": len(titles)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An object of the Application: what it renders to, and what is live."""

    ref: Ref
    manifest: Manifest
    live: Manifest


def heals(application: Manifest) -> bool:
    """Whether Argo CD undoes drift by itself (spec.syncPolicy.automated.selfHeal)."""
    if not is_automated(application):
        return False
    return application["spec"]["syncPolicy"]["automated"].get("selfHeal") is True


def choose(
    subjects: Iterable[Subject],
    application: Manifest,
    *,
    control: str,
    argocd_cm: Mapping[str, Any],
    scalers: Mapping[tuple[str, str, str], str],
) -> Choice:
    """The drifts for `application`, as it is on the cluster; `scalers` as in `peace.from_scaling`."""
    return _Chooser(application, control, argocd_cm, scalers).choose(subjects)


class _Chooser:
    def __init__(
        self,
        application: Manifest,
        control: str,
        argocd_cm: Mapping[str, Any],
        scalers: Mapping[tuple[str, str, str], str],
    ) -> None:
        self.control, self.cm, self.scalers = control, argocd_cm, scalers
        self.spec = application.get("spec") or {}
        self.rules = (*ignore.of_application(application)[0], *ignore.of_config(argocd_cm)[0])
        self.wanted = Expected.UNDONE if heals(application) else Expected.SEEN
        self.found: dict[tuple[Sort, Expected, str], list[Drift]] = {}
        self.choice = Choice()

    def choose(self, subjects: Iterable[Subject]) -> Choice:
        for subject in sorted(subjects, key=_order):
            reason = peace.from_everything(subject.live, control=self.control)
            if reason:
                self.choice.leave(subject.ref, reason)
            else:
                self._edit(subject)
                self._scale(subject)
                self._add(subject)
                self._delete(subject)
        self._gather()
        return self.choice

    def _gather(self) -> None:
        # What Argo CD leaves alone stays while it is busy with the rest: so it has looked at it more than once.
        kinds: dict[tuple[Sort, Expected], int] = {}
        last: dict[tuple[Sort, Expected], int] = {}
        expected = (Expected.LEFT, self.wanted)
        order = [(s, e) for e in expected for s in Sort]
        for (sort, wants, _), drifts in sorted(self.found.items(), key=lambda i: order.index(i[0][:2])):
            most = 1 if sort is Sort.ADDED else KINDS
            kinds[sort, wants] = kinds.get((sort, wants), 0) + 1
            rest = drifts
            if kinds[sort, wants] <= most:
                last[sort, wants] = len(self.choice.groups)
                self.choice.groups.append(tuple(drifts))
                rest = drifts[1:]
            else:  # one of these is made where the API server takes none of that kind
                self.choice.groups[last[sort, wants]] += tuple(drifts)
            if rest:
                self.choice.untried.setdefault(sort, []).extend(d.ref for d in rest)

    def _take(self, drift: Drift) -> None:
        self.found.setdefault((drift.sort, drift.expected, drift.ref.kind), []).append(drift)

    def _ignored(self, subject: Subject) -> tuple[set[tuple[Any, ...]], str]:
        """The paths that are not compared, and why it cannot be known, if so."""
        ignoring = ignore.Ignoring()
        ref = subject.ref
        resource = Resource(
            api_version=ref.api_version, kind=ref.kind, namespace=ref.namespace, name=ref.name
        )
        found = ignoring.paths(self.rules, subject.live, resource)
        unclear = next((n.message for n in ignoring.notes.values()), "")
        return {tuple(p) for p in found}, unclear

    def _edit(self, subject: Subject) -> None:
        ref, (hidden, unclear) = subject.ref, self._ignored(subject)
        if unclear:
            self.choice.leave(ref, f"what Argo CD compares of it is not known: {unclear}", Sort.EDITED)
            return
        reason = peace.from_edits(subject.live)
        managers = self._managers(subject)
        every = [
            e
            for e in edits.candidates(subject.manifest, subject.live, metadata_only=bool(reason))
            if e.path != REPLICAS
            and e.path[-1] != self.cm.get("application.instanceLabelKey")
            and not edits.is_managed(subject.live, managers, e.path)
        ]
        plain = [e for e in every if not _covered(e.path, hidden)][: edits.CANDIDATES]
        if plain:
            self._take(Drift(ref=ref, sort=Sort.EDITED, expected=self.wanted, edits=tuple(plain)))
        else:
            why = "no field of its manifest is compared" if every else "its manifest has no field to change"
            self.choice.leave(ref, reason or why, Sort.EDITED)
        if reason or not hidden:
            return
        covered = [
            e
            for e in edits.below(subject.live, sorted(hidden, key=str))
            if e.path != REPLICAS and not edits.is_managed(subject.live, managers, e.path)
        ]
        if covered:
            self._take(
                Drift(
                    ref=ref,
                    sort=Sort.EDITED,
                    expected=Expected.LEFT,
                    edits=tuple(covered[: edits.CANDIDATES]),
                    why="ignoreDifferences",
                )
            )

    def _scale(self, subject: Subject) -> None:
        ref, live = subject.ref, subject.live
        replicas = ignore.at(live, REPLICAS)
        if group_kind(live) not in SCALED or not isinstance(replicas, int):
            return
        hidden, unclear = self._ignored(subject)
        reason = peace.from_scaling(live, scalers=self.scalers)
        if not reason and unclear:
            reason = f"what Argo CD compares of it is not known: {unclear}"
        if not reason and edits.is_managed(live, self._managers(subject), REPLICAS):
            reason = "ignoreDifferences leaves it to the field manager that scales it"
        if reason:
            self.choice.leave(ref, reason, Sort.SCALED)
            return
        ignored = _covered(REPLICAS, hidden)
        declared = ignore.at(subject.manifest, REPLICAS) == replicas
        edit = Edit(path=REPLICAS, old=replicas, new=replicas - 1 if replicas > 1 else replicas + 1)
        why = "ignoreDifferences" if ignored else "" if declared else UNSAID
        self._take(
            Drift(
                ref=ref,
                sort=Sort.SCALED,
                expected=Expected.LEFT if why else self.wanted,
                edits=(edit,),
                why=why,
            )
        )

    def _add(self, subject: Subject) -> None:
        why = "another manager's field is no difference to Argo CD"
        self._take(Drift(ref=subject.ref, sort=Sort.ADDED, expected=Expected.LEFT, why=why))

    def _delete(self, subject: Subject) -> None:
        reason = peace.from_deletion(subject.live)
        if reason:
            self.choice.leave(subject.ref, reason, Sort.DELETED)
        else:
            self._take(Drift(ref=subject.ref, sort=Sort.DELETED, expected=self.wanted))

    def _managers(self, subject: Subject) -> list[str]:
        """Field managers whose fields may not be compared (managedFieldsManagers)."""
        entries = self.spec.get("ignoreDifferences") or ()
        named = {str(m) for e in entries for m in e.get("managedFieldsManagers") or ()}
        told = " ".join(str(v) for k, v in self.cm.items() if k.startswith("resource.customizations"))
        there = [
            str(e.get("manager")) for e in (subject.live.get("metadata") or {}).get("managedFields") or ()
        ]
        # In argocd-cm they are in a text: a name that stands there at all is taken to be meant.
        return [m for m in there if m in named or ("managedFieldsManagers" in told and m in told)]


def _covered(path: tuple[Any, ...], hidden: Iterable[tuple[Any, ...]]) -> bool:
    return any(path[: len(h)] == h for h in hidden)


def _order(subject: Subject) -> tuple[int, Ref]:
    kind = subject.ref.kind
    return (ORDER.index(kind) if kind in ORDER else len(ORDER), subject.ref)
