"""Which fields of an object differ, which of those are noise, and what base looks like without the noise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.changes.lists import MISSING, Aligned, align
from pytest_gitops.changes.noise import RESTARTING, Path, Scene
from pytest_gitops.changes.values import FieldChange

_PLAIN = re.compile(r"[A-Za-z0-9_$-]+")

POD_TEMPLATES = {
    ("apps", "Deployment"),
    ("apps", "DaemonSet"),
    ("apps", "StatefulSet"),
    ("argoproj.io", "Rollout"),
    ("apps.openshift.io", "DeploymentConfig"),
}
"""Workloads whose controller replaces their pods when the template changes."""


@dataclass(slots=True)
class Differences:
    """What `differences` found. `settled` is base's object with every noise made head's, so that only what counts
    differs from head; `template` says whether the pod template differs for Kubernetes."""

    fields: list[FieldChange] = field(default_factory=list)
    noise: Counter[str] = field(default_factory=Counter)
    settled: Any = None
    template: bool = False


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], scene: Scene, *, show_noise: bool = False
) -> Differences:
    """Base's object against head's. With `show_noise`, noise is among the fields too, marked, and not settled.

    Raises RecursionError for what nests deeper than Python's stack.
    """
    walk = _Walk(scene, show_noise)
    walk.found.settled = walk.mapping(old, new, ())
    return walk.found


def union(old: Iterable[str], new: Sequence[str]) -> list[str]:
    """All keys in the order of `new`, those of `old` alone after what stood before them."""
    wanted = set(new)
    gone: dict[str | None, list[str]] = {}
    before: str | None = None
    for key in old:
        if key in wanted:
            before = key
        else:
            gone.setdefault(before, []).append(key)
    return [*gone.get(None, ()), *(k for key in new for k in (key, *gone.get(key, ())))]


def spelled(path: Path) -> str:
    """A path as people read it: spec.template.spec.containers[name=web].image, metadata.labels["a/b"]."""
    text = ""
    for part in path:
        if part.startswith("["):
            text += part
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


class _Walk:
    def __init__(self, scene: Scene, show_noise: bool) -> None:
        self.scene, self.show = scene, show_noise
        self.found = Differences()
        self._templated = (scene.group, scene.kind) in POD_TEMPLATES

    def value(self, old: Any, new: Any, path: Path) -> Any:
        """What `old` is without noise, `new` itself where nothing is left; MISSING stands for no value."""
        if old is new:
            return new
        if path == ("status",) or path[-1] == "managedFields":
            return self._leaf(old, new, path)
        if path[-1] in {"annotations", "labels"}:  # each of their keys counts for itself, also if all are new
            if isinstance(old, dict) and old and new in (MISSING, None):
                return self.mapping(old, {}, path) or new
            if isinstance(new, dict) and new and old in (MISSING, None):
                return self.mapping({}, new, path) or old
        if isinstance(old, dict) and isinstance(new, dict):
            return self.mapping(old, new, path)
        if isinstance(old, list) and isinstance(new, list):
            return self._list(old, new, path)
        return self._leaf(old, new, path)

    def mapping(self, old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
        settled = {}
        for key in union(map(str, old), [str(k) for k in new]):
            value = self.value(old.get(key, MISSING), new.get(key, MISSING), (*path, key))
            if value is not MISSING:
                settled[key] = value
        if len(settled) == len(new) and all(settled.get(k, MISSING) is v for k, v in new.items()):
            return new
        return settled

    def _list(self, old: list[Any], new: list[Any], path: Path) -> list[Any]:
        scene = self.scene
        aligned = align(path[-1], old, new, builtin=scene.builtin, group=scene.group)
        values = [
            (label, self.value(ours, theirs, (*path, f"[{label}]"))) for label, ours, theirs in aligned.items
        ]
        settled = [v for _, v in values if v is not MISSING]
        if not aligned.reordered:
            whole = len(settled) == len(new) and all(a is b for a, b in zip(settled, new, strict=True))
            return new if whole else settled
        if aligned.orderly or self.show:
            named = {label: v for label, v in values if v is not MISSING}
            settled = [named.get(key, old[at]) for at, key in enumerate(aligned.old_keys)]
        self._order(aligned, path)
        return settled

    def _order(self, aligned: Aligned, path: Path) -> None:
        reason = "" if aligned.orderly else "order"
        self._note(path, reason)
        if not reason or self.show:
            self.found.fields.append(
                FieldChange(
                    path=spelled(path),
                    op="reorder",
                    old=list(aligned.old_keys),
                    new=list(aligned.new_keys),
                    noise=reason,
                )
            )

    def _leaf(self, old: Any, new: Any, path: Path) -> Any:
        if same(old, new):
            return new
        reason = self.scene.reason(path, old, new)
        self._note(path, reason)
        if not reason or self.show:
            op = "add" if old is MISSING else "remove" if new is MISSING else "replace"
            self.found.fields.append(
                FieldChange(path=spelled(path), op=op, old=_shown(old), new=_shown(new), noise=reason)
            )
            return old
        return new

    def _note(self, path: Path, reason: str) -> None:
        if reason:
            self.found.noise[reason] += 1
        if self._templated and path[:2] == ("spec", "template") and (not reason or reason in RESTARTING):
            self.found.template = True


def same(old: Any, new: Any) -> bool:
    """Whether two values that are not both containers are one: `1` is `1.0` and is not `true`."""
    if old is new:
        return True
    if isinstance(old, bool) != isinstance(new, bool) or old is MISSING or new is MISSING:
        return False
    return bool(old == new) or (old != old and new != new)


def _shown(value: Any) -> Any:
    return None if value is MISSING else value
