"""Base against head, put together: Applications are matched, then their objects, then each pair is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import chain
from typing import Any

from pytest_gitops.changes import ignore
from pytest_gitops.changes.applications import FIXING, Match, Rendition, Side, match, moved_file
from pytest_gitops.changes.effect import Volumes
from pytest_gitops.changes.fates import Fates
from pytest_gitops.changes.identity import Identity, Scopes
from pytest_gitops.changes.images import ImageTable
from pytest_gitops.changes.matching import Entry, Why, by_key, within_application
from pytest_gitops.changes.pairing import Comparing
from pytest_gitops.changes.values import (
    ApplicationChange,
    ChangeKind,
    Comparison,
    Effect,
    Fate,
    FieldChange,
    Note,
    ObjectChange,
    Radius,
)
from pytest_gitops.model import Case

Found = tuple[Why, Entry, Entry]


def compare(
    old: Side,
    new: Side,
    *,
    cluster_scoped: Collection[tuple[str, str]] = (),
    show_noise: bool = False,
) -> Comparison:
    """What head (`new`) changes of base (`old`).

    `cluster_scoped` names (group, kind)s in no namespace beside those that are known; with `show_noise`, what is
    filtered as noise is among the fields and in the diffs. Rules of `ignoreDifferences` count if both sides have them.
    """
    return _Run(old, new, cluster_scoped, show_noise).comparison()


class _Run:
    def __init__(
        self, old: Side, new: Side, cluster_scoped: Collection[tuple[str, str]], show_noise: bool
    ) -> None:
        everything = [
            o for side in (old, new) for o in chain(side.others, *(r.objects or () for r in side.renditions))
        ]
        self.old, self.new = old, new
        self.scopes = Scopes(everything, cluster_scoped)
        self.matches = match(old, new)
        self.fates = Fates(old, new, self.matches, Volumes(everything), self.scopes)
        self.notes: list[Note] = []
        sides = [ignore.of_config(side.settings) for side in (old, new)]
        self.notes.extend(dict.fromkeys(sides[0][1] + sides[1][1]))
        self.comparing = Comparing(
            rules=ignore.common(sides[0][0], sides[1][0]),
            label_key=str(old.settings.get("application.instanceLabelKey") or "app.kubernetes.io/instance"),
            show_noise=show_noise,
        )
        self.images = ImageTable()
        self.old_entries: dict[int, list[Entry]] = {}
        self.new_entries: dict[int, list[Entry]] = {}
        self.found: dict[int, list[Found]] = {}
        self.moved: list[tuple[int, int, Entry, Entry]] = []
        self.moves: dict[int, ObjectChange] = {}

    def comparison(self) -> Comparison:
        for index, each in enumerate(self.matches):
            known = _is_known(each)
            self.old_entries[index] = self._entries(self.old, each.old) if known else []
            self.new_entries[index] = self._entries(self.new, each.new) if known else []
            self.found[index] = []
        self._same()
        self._moved()
        for index in self.found:
            pairs = list(within_application(self.old_entries[index], self.new_entries[index]))
            self._take(index, pairs)
        changes = tuple(self._application(i, each) for i, each in enumerate(self.matches))
        notes = dict.fromkeys((*self.notes, *self.comparing.notes))
        return Comparison(
            applications=changes,
            images=self.images.changes(),
            radius=self._radius(changes),
            notes=tuple(sorted(notes, key=lambda n: (n.code, n.application, n.message))),
        )

    def _entries(self, side: Side, rendition: Rendition | None) -> list[Entry]:
        """The objects of one Application by identity. Of two that are the same, Argo CD takes the last."""
        if rendition is None or rendition.objects is None:
            return []
        case, found = rendition.case, dict[Identity, Entry]()
        twice: Counter[Identity] = Counter()
        for manifest in rendition.objects:
            identity = self.scopes.identity(manifest, case.destination.namespace)
            if identity.name.endswith("*"):  # generateName: each is an object of its own
                twice[identity] += 1
                if twice[identity] > 1:
                    identity = identity._replace(name=f"{identity.name}{twice[identity]}")
            found[identity] = Entry(
                case,
                identity,
                self.scopes.resource(manifest, case.destination.namespace),
                manifest,
                side.cluster(case),
            )
        return [*found.values()]

    def _take(self, index: int, pairs: Collection[Found]) -> None:
        """These objects of one Application belong together."""
        self.found[index].extend(pairs)
        taken = {id(e) for _, a, b in pairs for e in (a, b)}
        self.old_entries[index] = [e for e in self.old_entries[index] if id(e) not in taken]
        self.new_entries[index] = [e for e in self.new_entries[index] if id(e) not in taken]

    def _same(self) -> None:
        for index in self.found:
            pairs = by_key(self.old_entries[index], self.new_entries[index], lambda e: e.identity)
            self._take(index, [(Why.SAME, a, b) for a, b in pairs])

    def _moved(self) -> None:
        """Objects that one Application gives up and another takes over."""
        whose = {
            id(e): i
            for entries in (self.old_entries, self.new_entries)
            for i, es in entries.items()
            for e in es
        }
        pairs = list(
            by_key(
                chain.from_iterable(self.old_entries.values()),
                chain.from_iterable(self.new_entries.values()),
                lambda e: e.at,
            )
        )
        self.moved = [(whose[id(a)], whose[id(b)], a, b) for a, b in pairs]
        taken = {id(e) for pair in pairs for e in pair}
        for entries in (self.old_entries, self.new_entries):
            for index in entries:
                entries[index] = [e for e in entries[index] if id(e) not in taken]

    def _application(self, index: int, each: Match) -> ApplicationChange:
        old = each.old.case if each.old else None
        new = each.new.case if each.new else None
        fields, noise = self.comparing.application(old, new) if old and new else ((), {})
        if old and new and old.key == new.key and any(not f.noise for f in fields):
            self._note_fixed(new)
        unknown = "" if _is_known(each) else _why_unknown(each)
        if unknown:
            kind = None if each.unknown or (old and new) else ChangeKind.ADDED if new else ChangeKind.REMOVED
            return ApplicationChange(
                kind=kind,
                old=old,
                new=new,
                fields=fields,
                noise=noise,
                fate=self.fates.of_application(old) if kind is ChangeKind.REMOVED and old else None,
                unknown=unknown,
            )
        objects = self._objects(index, old, new)
        away = tuple(
            self._moved_object(a, b)
            for came_from, goes_to, a, b in self.moved
            if came_from == index != goes_to
        )
        kind = _kind(old, new, fields, objects, away)
        case = new or old
        assert case is not None
        self._note_images(index, each, objects, case)
        return ApplicationChange(
            kind=kind,
            old=old,
            new=new,
            fields=fields,
            noise=noise,
            objects=objects,
            moved_away=away,
            fate=self._fate(old, new, kind),
            unknown="",
        )

    def _fate(self, old: Case | None, new: Case | None, kind: ChangeKind) -> Fate | None:
        if old is None:
            return None
        if new is None:
            return self.fates.of_application(old)
        if old.key != new.key:
            return self.fates.renamed_application(old, new)
        if goes := self.fates.other_cluster(old, new):
            return Fate(
                effect=Effect.LEFT_BEHIND,
                text=f"What it deployed to {goes[0]} stays there, and nothing owns it: "
                f"from now on Argo CD looks at {goes[1]} only.",
            )
        if self.fates.cluster_unknown(old, new):
            self.notes.append(
                Note(
                    code="cluster-unknown",
                    application=new.key,
                    message=f"its destination goes from {old.destination.cluster} to {new.destination.cluster}: "
                    "whether that is the same cluster is not in the repository; if not, all stays on the old one",
                )
            )
        if kind is ChangeKind.RENAMED:
            return Fate(
                effect=Effect.MOVED,
                text=f"It is declared in {new.file} instead of {old.file}; it stays the same Application.",
            )
        return None

    def _note_fixed(self, new: Case) -> None:
        """Of an Application that is meant otherwise: whether that reaches the one that is there."""
        made_by = self.new.application_set(new.parent) if new.parent_kind == "ApplicationSet" else None
        if made_by is not None and (policy := self.new.policy_of(made_by)) in FIXING:
            self.notes.append(
                Note(
                    code="not-updated",
                    application=new.key,
                    message=f"ApplicationSet {new.parent} changes no Application that is there (applicationsSync: "
                    f"{policy}): what differs in Application {new.key} itself does not reach it",
                )
            )

    def _objects(self, index: int, old: Case | None, new: Case | None) -> tuple[ObjectChange, ...]:
        rules = self.comparing.rules_of(old, new) if old and new else self.comparing.rules
        found = self.found[index]
        generated = {a.identity.name: b.identity.name for why, a, b in found if why is Why.GENERATED}
        changes = []
        for why, a, b in found:
            if change := self.comparing.pair(why, a, b, rules=rules, generated=generated):
                if why in {Why.RENAMED, Why.REPLACED}:
                    change = self.comparing.with_fate(change, self.fates.of_object(a, old, new))
                changes.append(change)
        changes.extend(self._moved_object(a, b) for _, to, a, b in self.moved if to == index)
        changes.extend(
            self.comparing.removed(e, self.fates.of_object(e, old, new)) for e in self.old_entries[index]
        )
        changes.extend(self.comparing.added(e) for e in self.new_entries[index])
        return tuple(sorted(changes, key=_order))

    def _moved_object(self, a: Entry, b: Entry) -> ObjectChange:
        """How an object went from one Application to another; both ask."""
        if known := self.moves.get(id(a)):
            return known
        change = self.comparing.pair(
            Why.MOVED, a, b, rules=self.comparing.rules_of(a.case, b.case), generated={}
        )
        assert change is not None, "what moved is never nothing"
        self.moves[id(a)] = self.comparing.with_fate(change, self.fates.moved_object(a, b))
        return self.moves[id(a)]

    def _note_images(self, index: int, each: Match, objects: Collection[ObjectChange], case: Case) -> None:
        if not objects and not self.moved:
            return
        pairs = [(o.old_object, o.new_object) for o in objects if o.old_object and o.new_object]
        before = (each.old.objects or ()) if each.old else ()
        after = (each.new.objects or ()) if each.new else ()
        # What comes from or goes to another Application was neither added nor removed.
        came = [a.manifest for _, to, a, _ in self.moved if to == index]
        left = [a.manifest for at, to, a, _ in self.moved if at == index != to]
        self.images.pair(case.key, [*before, *came], [*after, *left], pairs)

    def _radius(self, changes: Collection[ApplicationChange]) -> Radius:
        touched = [c for c in changes if c.kind not in {None, ChangeKind.UNCHANGED}]
        real = [
            (c, o) for c in touched for o in (*c.objects, *c.moved_away) if o.kind is not ChangeKind.UNCHANGED
        ]
        clusters = {
            side.cluster(case)
            for c in touched
            for side, case in ((self.old, c.old), (self.new, c.new))
            if case
        }
        return Radius(
            applications=tuple(sorted({c.case.key for c in touched})),
            namespaces=tuple(
                sorted({r.namespace for _, o in real for r in (o.old, o.new) if r and r.namespace})
            ),
            clusters=tuple(sorted(clusters)),
            unknown=tuple(sorted({c.case.key for c in changes if c.unknown})),
        )


def _is_known(each: Match) -> bool:
    sides = (s for s in (each.old, each.new) if s is not None)
    return not each.unknown and all(s.objects is not None for s in sides)


def _why_unknown(each: Match) -> str:
    if each.unknown:
        return each.unknown
    reasons = (("base", each.old), ("head", each.new))
    return "; ".join(
        f"{name} does not render: {side.reason or 'no reason given'}"
        for name, side in reasons
        if side is not None and side.objects is None
    )


def _kind(
    old: Case | None,
    new: Case | None,
    fields: Collection[FieldChange],
    objects: Collection[ObjectChange],
    away: Collection[ObjectChange],
) -> ChangeKind:
    if old is None:
        return ChangeKind.ADDED
    if new is None:
        return ChangeKind.REMOVED
    if old.key != new.key:
        return ChangeKind.RENAMED
    if any(not f.noise for f in fields) or away or any(o.kind is not ChangeKind.UNCHANGED for o in objects):
        return ChangeKind.CHANGED
    return ChangeKind.RENAMED if moved_file(old, new) else ChangeKind.UNCHANGED


_KINDS = {kind: place for place, kind in enumerate((ChangeKind.REMOVED, ChangeKind.REPLACED, ChangeKind.RENAMED,
    ChangeKind.CHANGED, ChangeKind.ADDED, ChangeKind.UNCHANGED))}  # fmt: skip


def _order(change: ObjectChange) -> tuple[Any, ...]:
    """What goes first: it is what a reader must see."""
    resource = change.resource
    return (_KINDS[change.kind], resource.kind, resource.namespace, resource.name, resource.api_version)
