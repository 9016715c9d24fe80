"""One object of base against one of head: what differs, what of it is noise, and how the difference is shown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any

from pytest_gitops.changes.fields import Differences, differences
from pytest_gitops.changes.identity import BUILTIN_GROUPS, group_kind, notes_of
from pytest_gitops.changes.ignore import Ignoring, Rule, common, of_application
from pytest_gitops.changes.lines import diff
from pytest_gitops.changes.matching import Entry, Why
from pytest_gitops.changes.noise import LAST_APPLIED, Scene
from pytest_gitops.changes.values import HIDDEN, ChangeKind, Fate, FieldChange, Note, ObjectChange
from pytest_gitops.model import Case
from pytest_gitops.shapes import mapping

CHANGED = f"{HIDDEN[:-1]}, changed)"
TOO_DEEP = "(nested too deep to be compared)"

_KINDS = {
    Why.SAME: ChangeKind.CHANGED,
    Why.GENERATED: ChangeKind.CHANGED,
    Why.MOVED: ChangeKind.RENAMED,
    Why.RENAMED: ChangeKind.RENAMED,
    Why.REPLACED: ChangeKind.REPLACED,
}


class Comparing:
    """Compares pairs of one comparison. `rules` are those of argocd-cm; `notes` fills while comparing."""

    def __init__(self, *, rules: tuple[Rule, ...], label_key: str, show_noise: bool) -> None:
        self.rules, self._label_key, self._show = rules, label_key, show_noise
        self._ignoring = Ignoring()
        self._notes: dict[Note, None] = {}

    @property
    def notes(self) -> tuple[Note, ...]:
        return (*self._notes, *self._ignoring.notes.values())

    def rules_of(self, old: Case, new: Case) -> tuple[Rule, ...]:
        """The rules of argocd-cm and those that the Application has on both sides."""
        sides = [of_application(case.manifest, key=case.key) for case in (old, new)]
        self._notes.update(dict.fromkeys(sides[1][1]))
        return (*self.rules, *common(sides[0][0], sides[1][0]))

    def application(self, old: Case, new: Case) -> tuple[tuple[FieldChange, ...], Mapping[str, int]]:
        """What differs in the Application manifest itself."""
        found = self._differences(old.manifest, new.manifest, self._scene(new.manifest, old, new, {}))
        return tuple(found.fields), found.noise

    def pair(
        self, why: Why, a: Entry, b: Entry, *, rules: Collection[Rule], generated: Mapping[str, str]
    ) -> ObjectChange | None:
        """How `a` became `b`; None if they are the same, noise included."""
        old, new = a.manifest, b.manifest
        if why is Why.SAME and a.resource == b.resource and _identical(old, new):
            return None
        scene = self._scene(
            new, a.case, b.case, generated, same_namespace=a.identity.namespace == b.identity.namespace
        )
        kept_old, kept_new, ignored = self._ignoring.without(rules, (old, a.resource), (new, b.resource))
        found = self._differences(kept_old, kept_new, scene)
        if ignored:
            found.noise["ignoreDifferences"] += ignored
        if why is Why.SAME and a.resource == b.resource and not found.fields and not found.noise:
            return None
        real = any(not f.noise for f in found.fields)
        kind = _KINDS[why] if real or why is not Why.SAME else ChangeKind.UNCHANGED
        if why is Why.GENERATED and not real:
            kind = ChangeKind.UNCHANGED
        return ObjectChange(
            kind=kind,
            old=a.resource,
            new=b.resource,
            old_application=a.case.key,
            new_application=b.case.key,
            fields=tuple(found.fields),
            noise=found.noise,
            ignored=self._ignored(old, new, scene, found) if ignored else (),
            rollout=found.template and a.identity.kind == b.identity.kind and not _on_delete(new),
            diff=_shown(found.settled, kept_new) if found.fields else (),
            hook=b.resource.hook or a.resource.hook,
            old_object=old,
            new_object=new,
        )

    def _ignored(
        self, old: Mapping[str, Any], new: Mapping[str, Any], scene: Scene, found: Differences
    ) -> tuple[FieldChange, ...]:
        told = {f.path for f in found.fields}
        return tuple(
            f for f in self._differences(old, new, scene).fields if not f.noise and f.path not in told
        )

    def removed(self, entry: Entry, fate: Fate) -> ObjectChange:
        return ObjectChange(
            kind=ChangeKind.REMOVED,
            old=entry.resource,
            new=None,
            old_application=entry.case.key,
            diff=_shown(entry.manifest, None),
            hook=entry.resource.hook,
            fate=fate,
            old_object=entry.manifest,
        )

    def added(self, entry: Entry) -> ObjectChange:
        return ObjectChange(
            kind=ChangeKind.ADDED,
            old=None,
            new=entry.resource,
            new_application=entry.case.key,
            diff=_shown(None, entry.manifest),
            hook=entry.resource.hook,
            new_object=entry.manifest,
        )

    @staticmethod
    def with_fate(change: ObjectChange, fate: Fate) -> ObjectChange:
        return dataclasses.replace(change, fate=fate)

    def _differences(self, old: Mapping[str, Any], new: Mapping[str, Any], scene: Scene) -> Differences:
        try:
            return differences(old, new, scene, show_noise=self._show)
        except RecursionError:
            return Differences(
                fields=[FieldChange(path="", op="replace", old=TOO_DEEP, new=TOO_DEEP)], settled=old
            )

    def _scene(
        self,
        manifest: Mapping[str, Any],
        old: Case,
        new: Case,
        generated: Mapping[str, str],
        *,
        same_namespace: bool = False,
    ) -> Scene:
        group, kind = group_kind(manifest)
        notes = notes_of(manifest)
        return Scene(
            group=group,
            kind=kind,
            hook="argocd.argoproj.io/hook" in notes or "helm.sh/hook" in notes,
            old_names=frozenset({old.name, f"{old.namespace}_{old.name}"}),
            new_names=frozenset({new.name, f"{new.namespace}_{new.name}"}),
            label_key=self._label_key,
            generated=generated,
            same_namespace=same_namespace,
        )


def _identical(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two objects are the same in every letter and type, at the speed of C; False when in doubt."""
    try:
        return old is new or json.dumps(old) == json.dumps(new)
    except (RecursionError, TypeError, ValueError):
        return False


def _on_delete(manifest: Mapping[str, Any]) -> bool:
    """Whether pods are replaced only when somebody deletes them."""
    return mapping(mapping(manifest.get("spec")).get("updateStrategy")).get("type") == "OnDelete"


def _shown(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The diff, a Secret's values hidden."""
    one = new if new is not None else old
    assert one is not None
    group, _ = group_kind(one)
    if any(side is not None and side.get("kind") == "Secret" for side in (old, new)):
        old, new = _hidden(old, new, mark=False), _hidden(new, old, mark=True)
    try:
        return diff(old, new, builtin=group in BUILTIN_GROUPS, group=group)
    except RecursionError:
        return (TOO_DEEP,)


def _hidden(
    manifest: Mapping[str, Any] | None, other: Mapping[str, Any] | None, *, mark: bool
) -> dict[str, Any] | None:
    """A Secret without its values; with `mark`, it says which are not those of `other`."""
    if manifest is None:
        return None
    notes = {k: HIDDEN if k == LAST_APPLIED else v for k, v in notes_of(manifest).items()}
    own = mapping(manifest.get("metadata"))
    shown: dict[str, Any] = {**manifest, "metadata": {**own, "annotations": notes} if notes else own}
    for field in ("data", "stringData"):
        values, theirs = manifest.get(field), mapping((other or {}).get(field))
        if isinstance(values, Mapping):
            shown[field] = {
                k: CHANGED if mark and k in theirs and theirs[k] != v else HIDDEN for k, v in values.items()
            }
        elif field in manifest:
            shown[field] = HIDDEN
    return shown
