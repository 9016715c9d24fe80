"""What was done to the ground since it was last put back: to be undone, and to be seen by Argo CD. Thread-safe as far
as an Application has one holder at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_gitops.acting.objects import Place

if TYPE_CHECKING:
    from pytest_gitops.argocd.appstate import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """An object that was changed, as it was before."""

    place: Place
    before: Mapping[str, Any]


@dataclass(slots=True)
class Journal:
    """By an Application's "namespace/name"."""

    touched: dict[str, list[Touched]] = field(default_factory=dict)
    synced: set[str] = field(default_factory=set)
    _marks: dict[str, dict[Key, int]] = field(default_factory=dict)

    def note(self, key: str, place: Place, before: Mapping[str, Any]) -> None:
        """An object of Application `key` is about to be changed."""
        self.touched.setdefault(key, []).append(Touched(place=place, before=before))

    def mark(self, key: str, place: Key, version: int) -> None:
        """Argo CD has to see that object at `version` or later, or not at all."""
        self._marks.setdefault(key, {})[place] = version

    def marks(self, key: str) -> Mapping[Key, int]:
        return dict(self._marks.get(key, {}))

    def forget_marks(self, key: str) -> None:
        self._marks.pop(key, None)

    def take(self, key: str) -> tuple[Touched, ...]:
        """What was done to an Application's objects, the last first, and forget it."""
        self.synced.discard(key)
        return tuple(reversed(self.touched.pop(key, [])))

    def is_clean(self, key: str) -> bool:
        return key not in self.touched and key not in self.synced
