"""The values of a comparison: what changed in Applications, objects and images, and what Argo CD will do about it.

`to_dict` of these is what report.json holds. Raw objects (`old_object`, `new_object`) are for policies and are
never in it; of Secrets only the names of fields are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pytest_gitops.changes.shorten import short
from pytest_gitops.model import Case, Resource

HIDDEN = "(value hidden)"
"""What stands where a Secret's value would."""

MAX_FIELDS = 300
"""Fields of one object in report.json; more are only counted."""

Redact = Callable[[Any, str], Any]
"""(value, path of the field or "" for text of a diff) → the value as it may be shown."""


def as_it_is(value: Any, path: str) -> Any:
    """The redaction that hides nothing, for what was made safe before."""
    del path
    return value


class ChangeKind(StrEnum):
    """What became of an Application or object. Renamed: another name, namespace or Application; replaced: a workload
    of another kind with the same name."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


class Effect(StrEnum):
    """What Argo CD does with something that head does not have under its old identity any more."""

    PRUNED = "pruned"
    PRUNED_ON_CONFIRM = "pruned-on-confirm"
    KEPT_NO_PRUNE = "kept-no-prune"
    KEPT_PRUNE_FALSE = "kept-prune-false"
    KEPT_EMPTY = "kept-empty"
    KEPT_HOOK = "kept-hook"
    DELETED_WITH_APPLICATION = "deleted-with-application"
    DELETED_ON_CONFIRM = "deleted-on-confirm"
    KEPT_DELETE_FALSE = "kept-delete-false"
    KEPT_CRD = "kept-crd"
    ORPHANED = "orphaned"
    KEPT_ROOT = "kept-root"
    KEPT_POLICY = "kept-policy"
    MOVED = "moved"
    SHARED = "shared"
    LEFT_BEHIND = "left-behind"


ON_CONFIRM = frozenset({Effect.PRUNED_ON_CONFIRM, Effect.DELETED_ON_CONFIRM})
"""Effects that wait for somebody to confirm them."""

DELETING = frozenset({Effect.PRUNED, Effect.DELETED_WITH_APPLICATION, *ON_CONFIRM})
"""Effects by which the API server is asked to delete the object, at once or when somebody confirms it."""


class Data(StrEnum):
    """What becomes of stored data when an object goes."""

    LOST = "lost"
    KEPT = "kept"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs. `op` is add, remove, replace, or reorder (then `old` and `new` are the items' keys);
    `noise` is why it would be filtered, in a comparison that was asked to show noise."""

    path: str
    op: str
    old: Any = field(default=None, repr=False)
    new: Any = field(default=None, repr=False)
    noise: str = ""

    def to_dict(self, redact: Redact = as_it_is, *, hide: bool = False) -> dict[str, Any]:
        """`hide` leaves only whether there is a value."""

        def shown(value: Any) -> Any:
            if value is None:
                return None
            return HIDDEN if hide else short(redact(value, self.path))

        return {
            "path": self.path,
            "op": self.op,
            "old": shown(self.old),
            "new": shown(self.new),
            "noise": self.noise or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What happens to what was there before: `effect`, one sentence that says it, and what becomes of its data."""

    effect: Effect
    text: str
    data: Data | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """One object that differs between base and head, or differs only by noise (then it is `unchanged`).

    `old_application` and `new_application` are "namespace/name", empty where there is none. `noise` counts filtered
    fields by reason; `rollout` says that the workload's pod template differs, by noise or not, so that its pods are
    replaced; `diff` is a unified diff of YAML, without noise and without values of Secrets; `hook` is in Argo CD's
    words ("PreSync"). `fate` is set wherever the old identity goes. `ignored` are the fields that differ and that
    `ignoreDifferences` leads to.
    """

    kind: ChangeKind
    old: Resource | None
    new: Resource | None
    old_application: str = ""
    new_application: str = ""
    fields: tuple[FieldChange, ...] = ()
    noise: Mapping[str, int] = field(default_factory=dict)
    ignored: tuple[FieldChange, ...] = ()
    rollout: bool = False
    diff: tuple[str, ...] = ()
    hook: str = ""
    fate: Fate | None = None
    old_object: Mapping[str, Any] | None = field(default=None, repr=False)
    new_object: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def resource(self) -> Resource:
        """The object as it is called at head, or at base if it is gone."""
        resource = self.new or self.old
        assert resource is not None, "a change has at least one side"
        return resource

    @property
    def effect(self) -> str:
        """The code of `fate`, or empty."""
        return self.fate.effect.value if self.fate else ""

    @property
    def effect_text(self) -> str:
        return self.fate.text if self.fate else ""

    @property
    def secret(self) -> bool:
        """Whether this is a Secret, whose values are nobody's."""
        return any(r is not None and r.kind == "Secret" for r in (self.old, self.new))

    def to_dict(self, redact: Redact = as_it_is) -> dict[str, Any]:
        shown = self.fields[:MAX_FIELDS]
        return {
            "change": self.kind.value,
            "resource": _resource(self.resource),
            "old": _resource(self.old) if self.old else None,
            "application": self.new_application or None,
            "oldApplication": self.old_application or None,
            "hook": self.hook or None,
            **_fate(self.fate),
            "rollout": self.rollout,
            "fields": [f.to_dict(redact, hide=self.secret and is_secret_field(f.path)) for f in shown],
            "fieldsOmitted": len(self.fields) - len(shown),
            "noise": dict(sorted(self.noise.items())),
            "diff": str(redact("\n".join(self.diff), "")).split("\n") if self.diff else [],
        }


def is_secret_field(path: str) -> bool:
    """Whether a field of a Secret, by its path, holds values."""
    return path in {"", "metadata", "metadata.annotations"} or (
        path.startswith(("data", "stringData")) or "last-applied-configuration" in path
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """An image repository whose tag or digest differs. `old` or `new` is empty for one that came or went; where an
    image moved to another registry, `old` is the whole reference."""

    name: str
    old: str
    new: str
    applications: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "old": self.old or None,
            "new": self.new or None,
            "applications": list(self.applications),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationChange:
    """What becomes of one Application.

    `kind` is None where it cannot be told and `unknown` says why; then there are no `objects`. `fields` are those of
    the Application manifest itself; `objects` what differs of what it renders to; `moved_away` the objects that
    another Application has at head (they are among that one's objects). `fate` is set for one that is removed or
    renamed, or deploys to another cluster than before.
    """

    kind: ChangeKind | None
    old: Case | None
    new: Case | None
    fields: tuple[FieldChange, ...] = ()
    noise: Mapping[str, int] = field(default_factory=dict)
    objects: tuple[ObjectChange, ...] = ()
    moved_away: tuple[ObjectChange, ...] = ()
    fate: Fate | None = None
    unknown: str = ""

    @property
    def case(self) -> Case:
        """The Application at head, or at base if it is removed."""
        case = self.new or self.old
        assert case is not None, "a change has at least one side"
        return case

    def resource_changes(self) -> dict[tuple[str, str, str, str], ChangeKind]:
        """What became of each object of head that is not the same, by API group, kind, namespace and name."""
        return {
            (o.new.api_version.rpartition("/")[0], o.new.kind, o.new.namespace, o.new.name): o.kind
            for o in self.objects
            if o.new is not None and o.kind is not ChangeKind.UNCHANGED
        }

    def to_dict(self, redact: Redact = as_it_is) -> dict[str, Any]:
        """The keys that this comparison adds to an Application of report.json."""
        return {
            "change": self.kind.value if self.kind else None,
            "changeUnknown": redact(self.unknown, "") or None,
            "changeOf": {"name": self.old.name, "namespace": self.old.namespace, "file": self.old.file}
            if self.old
            else None,
            "changeEffect": _fate(self.fate),
            "applicationFields": [f.to_dict(redact) for f in self.fields[:MAX_FIELDS]],
            "applicationNoise": dict(sorted(self.noise.items())),
            "changes": [o.to_dict(redact) for o in self.objects],
            "movedAway": [
                {"resource": _resource(o.resource), "application": o.new_application} for o in self.moved_away
            ],
            "changeCounts": counts(self.objects),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Radius:
    """What is touched: Applications ("namespace/name"), "cluster/namespace" pairs' parts, and those not known."""

    applications: tuple[str, ...]
    namespaces: tuple[str, ...]
    clusters: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "applications": list(self.applications),
            "namespaces": list(self.namespaces),
            "clusters": list(self.clusters),
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something about the comparison itself that a reader should know; `code` is stable, `application` may be empty."""

    code: str
    message: str
    application: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"code": self.code, "application": self.application or None, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Base against head: every Application of either side, in the order of head's, then those that are removed."""

    applications: tuple[ApplicationChange, ...]
    images: tuple[ImageChange, ...]
    radius: Radius
    notes: tuple[Note, ...] = ()
    _by_id: Mapping[str, ApplicationChange] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, ApplicationChange] = {}
        for each in self.applications:
            for case in (each.new, each.old):
                if case is not None:
                    by_id.setdefault(case.id, each)
        object.__setattr__(self, "_by_id", by_id)

    def of(self, case: Case) -> ApplicationChange | None:
        """What becomes of `case`, a case of either side."""
        return self._by_id.get(case.id)

    def to_dict(self, redact: Redact = as_it_is) -> dict[str, Any]:
        """The top-level `changes` of report.json; each Application's own part is `ApplicationChange.to_dict`."""
        return {
            "images": [i.to_dict() for i in self.images],
            "radius": self.radius.to_dict(),
            "counts": counts(o for a in self.applications for o in a.objects),
            "applications": {
                **{k.value: sum(a.kind is k for a in self.applications) for k in ChangeKind},
                "unknown": sum(bool(a.unknown) for a in self.applications),
            },
            "notes": [{**n.to_dict(), "message": redact(n.message, "")} for n in self.notes],
        }


def counts(objects: Iterable[ObjectChange]) -> dict[str, int]:
    """How many objects there are of each kind, and how many fields were filtered as noise."""
    kinds: Counter[ChangeKind] = Counter()
    noise = 0
    for each in objects:
        kinds[each.kind] += 1
        noise += sum(each.noise.values())
    told = (k for k in ChangeKind if k is not ChangeKind.UNCHANGED)
    return {**{k.value: kinds[k] for k in told}, "noise": noise}


def _resource(resource: Resource) -> dict[str, Any]:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "namespace": resource.namespace or None,
        "name": resource.name,
    }


def _fate(fate: Fate | None) -> dict[str, Any]:
    return {
        "effect": fate.effect.value if fate else None,
        "effectText": fate.text if fate else None,
        "data": fate.data.value if fate and fate.data else None,
    }
