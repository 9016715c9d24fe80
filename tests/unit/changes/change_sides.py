"""Sides made of small YAML, and changes told in few words, for the tests of `pytest_gitops.changes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.changes.applications import Rendition, Side
from pytest_gitops.changes.values import ApplicationChange, Comparison, FieldChange, ObjectChange
from pytest_gitops.model import Origin
from pytest_gitops.repository.discovery import case_of

SPEC: Mapping[str, Any] = {
    "project": "default",
    "source": {"repoURL": "https://github.com/example/grid.git", "path": "shop"},
    "destination": {"server": "https://kubernetes.default.svc", "namespace": "prod"},
    "syncPolicy": {"automated": {"prune": True}},
}
"""An Application prunes, unless a test says otherwise."""


def rendition(name: str, objects: Sequence[Mapping[str, Any]] | None, **given: Any) -> Rendition:
    """An Application and its objects. `given`: namespace, file, parent, parent_kind, finalizers, reason, and fields of
    its spec."""
    words = {k: given.pop(k) for k in ("file", "parent", "parent_kind", "reason") if k in given}
    metadata = {"name": name, "namespace": given.pop("namespace", "argocd")}
    if "finalizers" in given:
        metadata["finalizers"] = given.pop("finalizers")
    spec = {k: v for k, v in {**SPEC, **given}.items() if v is not None}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "spec": spec,
    }
    origins = {"Application": Origin.RENDERED, "ApplicationSet": Origin.GENERATED}
    case = case_of(
        manifest,
        control="argocd",
        file=words.get("file", f"apps/{name}.yaml"),
        line=1,
        origin=origins.get(words.get("parent_kind", ""), Origin.FILE),
        parent=words.get("parent", ""),
        parent_kind=words.get("parent_kind", ""),
    )
    return Rendition(
        case=case, objects=None if objects is None else tuple(objects), reason=words.get("reason", "")
    )


def side(given: Any) -> Side:
    """A list is what the Application `shop` renders to; a mapping has Applications by name, and words of `Side`."""
    if isinstance(given, list):
        given = {"shop": {"objects": given}}
    given = dict(given or {})
    words = {
        ours: given.pop(theirs, empty)
        for ours, theirs, empty in (
            ("application_sets", "applicationSets", {}),
            ("unexpanded", "unexpanded", {}),
            ("unreadable", "unreadable", {}),
            ("settings", "settings", {}),
            ("others", "others", ()),
            ("clusters", "clusters", {}),
            ("set_policy", "setPolicy", ""),
            ("may_override", "mayOverride", True),
        )
    }
    return Side(renditions=[rendition(name, **app) for name, app in given.items()], **words)


def told(comparison: Comparison) -> dict[str, Any]:
    """A comparison in few words: what is empty, or the same on both sides, is left out."""
    return kept(
        {
            "applications": {
                a.case.name: words
                for a in comparison.applications
                if (words := told_application(a)) != {"change": "unchanged"}
            },
            "images": [
                f"{i.name} {i.old or '-'} -> {i.new or '-'} ({', '.join(i.applications)})"
                for i in comparison.images
            ],
            "notes": [n.code for n in comparison.notes],
        }
    )


def told_application(change: ApplicationChange) -> dict[str, Any]:
    return kept(
        {
            "change": change.kind.value if change.kind else "",
            "unknown": change.unknown,
            "fields": [told_field(f) for f in change.fields],
            "noise": dict(change.noise),
            "effect": change.fate.effect.value if change.fate else "",
            "objects": [told_object(o) for o in change.objects],
            "away": [o.resource.title for o in change.moved_away],
        }
    )


def told_object(change: ObjectChange) -> dict[str, Any]:
    was = change.old.title if change.old and change.new and change.old.title != change.new.title else ""
    return kept(
        {
            change.kind.value: change.resource.title,
            "was": was,
            "from": change.old_application
            if change.old_application and change.new_application not in {"", change.old_application}
            else "",
            "fields": [told_field(f) for f in change.fields],
            "noise": dict(change.noise),
            "ignored": [told_field(f) for f in change.ignored],
            "effect": change.effect,
            "data": change.fate.data.value if change.fate and change.fate.data else "",
            "hook": change.hook,
            "rollout": change.rollout,
        }
    )


def told_field(change: FieldChange) -> str:
    sides = {"add": (change.new,), "remove": (change.old,)}.get(change.op, (change.old, change.new))
    reason = f" ({change.noise})" if change.noise else ""
    return f"{change.op} {change.path}: {' -> '.join(map(str, sides))}{reason}"


def kept(words: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in words.items() if v}
