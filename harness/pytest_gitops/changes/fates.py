"""Who deletes what: follows an object that is gone to its Application, and that one to its own owner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.changes import effect
from pytest_gitops.changes.applications import Match, Side
from pytest_gitops.changes.effect import Volumes
from pytest_gitops.changes.identity import Scopes
from pytest_gitops.changes.matching import Entry
from pytest_gitops.changes.values import DELETING, ON_CONFIRM, Data, Effect, Fate
from pytest_gitops.model import Case


class Fates:
    """Answers for one comparison."""

    def __init__(
        self, old: Side, new: Side, matches: Sequence[Match], volumes: Volumes, scopes: Scopes
    ) -> None:
        self._old, self._new, self._volumes = old, new, volumes
        self._heads = {m.old.case.key: m.new for m in matches if m.old is not None and m.new is not None}
        self._still: dict[Any, list[str]] = {}
        for rendition in new.renditions:
            to = rendition.case.destination
            for manifest in rendition.objects or ():
                place = (new.cluster(rendition.case), scopes.identity(manifest, to.namespace))
                self._still.setdefault(place, []).append(rendition.case.key)

    def of_object(self, entry: Entry, old: Case | None, new: Case | None) -> Fate:
        """What happens to an object that Application `old`, now `new` (None: removed), does not render any more."""
        case = old or entry.case
        if new is None or new.key != case.key:
            fate = self._with(case, entry.manifest, self.of_application(case))
        elif goes := self.other_cluster(case, new):
            return Fate(
                effect=Effect.LEFT_BEHIND,
                text=f"It stays on {goes[0]}, and nothing owns it: Application {case.key} deploys to {goes[1]} now.",
            )
        else:
            fate = self._pruned(entry.manifest, case, new)
        others = [k for k in self._still.get(entry.at, ()) if k not in {case.key, new.key if new else ""}]
        if others and fate.effect not in {Effect.KEPT_HOOK, Effect.ORPHANED}:
            return Fate(
                effect=Effect.SHARED,
                text=f"Application {others[0]} still has it: if {case.key} is the one that Argo CD tracks it by, "
                "it may be deleted once, and is then made anew.",
                data=fate.data,
            )
        return fate

    def other_cluster(self, old: Case, new: Case) -> tuple[str, str] | None:
        """The two clusters if an Application goes from one to another; None if it stays, or nobody can tell."""
        clusters = self._old.cluster(old), self._new.cluster(new)
        return None if clusters[0] == clusters[1] or self.cluster_unknown(old, new) else clusters

    def cluster_unknown(self, old: Case, new: Case) -> bool:
        """Whether one side gives a cluster's address and the other a name whose address is not known."""
        clusters = self._old.cluster(old), self._new.cluster(new)
        return clusters[0] != clusters[1] and len({"://" in c for c in clusters}) == 2

    def moved_object(self, a: Entry, b: Entry) -> Fate:
        """What happens to an object that goes from one Application to another."""
        new = self._heads.get(a.case.key)
        if new is None:
            going = self._with(a.case, a.manifest, self.of_application(a.case))
        else:
            going = self._pruned(a.manifest, a.case, new.case)
        return effect.moved(a.manifest, a.case, b.case, going)

    def of_application(self, case: Case, seen: frozenset[str] = frozenset()) -> Fate:
        """What happens to an Application that head does not have any more."""
        if case.parent_kind == "ApplicationSet" and case.parent:
            return self._generated(case, seen)
        owner = self._old.owners.get(("Application", case.key))
        if owner is None or owner[0].case.key in {case.key, *seen}:
            return effect.root(case)
        return effect.removed_application(case, self._of_owned(owner[0].case, owner[1], seen | {case.key}))

    def renamed_application(self, old: Case, new: Case) -> Fate:
        """What happens to an Application, and to what it deployed, when it gets another name."""
        going = self.of_application(old)
        gone = going.effect in DELETING
        if gone and effect.cascades(old):
            risk = "its finalizer deletes what the new one has not taken over by then, data included"
        elif gone:
            risk = "its objects stay, and the new one takes them over"
        else:
            risk = "two Applications then claim the same objects until it is deleted"
        return Fate(
            effect=Effect.MOVED,
            text=f"For Argo CD {new.key} is a new Application beside {old.key}. {going.text} "
            f"{risk[0].upper()}{risk[1:]}.",
            data=Data.UNKNOWN if gone and effect.cascades(old) else going.data,
        )

    def _generated(self, case: Case, seen: frozenset[str]) -> Fate:
        still = self._new.application_set(case.parent)
        name = case.parent
        if still is not None:
            return effect.generated(case, self._new.policy_of(still), name)
        owner = self._old.owners.get(("ApplicationSet", name))
        if owner is None or owner[0].case.key in {case.key, *seen}:
            return effect.root(case, f"ApplicationSet {name}")
        fate = self._of_owned(owner[0].case, owner[1], seen | {case.key})
        if fate.effect in DELETING:
            deleted = effect.generated(case, "", name)
            when = " once somebody confirms" if fate.effect in ON_CONFIRM else ""
            return Fate(
                effect=fate.effect,
                text=f"ApplicationSet {name} goes{when}, and its Applications with it. {deleted.text}",
            )
        return Fate(effect=fate.effect, text=f"ApplicationSet {name} stays. {fate.text}")

    def _of_owned(self, owner: Case, manifest: Mapping[str, Any], seen: frozenset[str]) -> Fate:
        """What happens to an object of `owner` that is gone, be that one still there or not."""
        new = self._heads.get(owner.key)
        if new is not None and new.case.key == owner.key:
            return self._pruned(manifest, owner, new.case)
        return self._with(owner, manifest, self.of_application(owner, seen))

    def _with(self, case: Case, manifest: Mapping[str, Any], going: Fate) -> Fate:
        """What happens to an object of `case` when `going` happens to that Application."""
        made_by = None
        if case.parent_kind == "ApplicationSet":
            made_by = self._new.application_set(case.parent) or self._old.application_set(case.parent)
        return effect.with_application(manifest, case, going, self._volumes, made_by=made_by)

    def _pruned(self, manifest: Mapping[str, Any], old: Case, new: Case) -> Fate:
        head = self._heads.get(old.key)
        last = head is not None and head.objects is not None and not head.objects
        return effect.pruned(manifest, new, self._volumes, last=last)
