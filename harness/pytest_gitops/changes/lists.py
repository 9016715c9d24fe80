"""How the items of two lists belong together: by the key that Kubernetes merges them by, by name, or by content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.changes.sequence import blocks

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()
"""Stands for the side that has no such value; None is a value."""

# What lists are merged by (k8s.io/api v0.37: patchMergeKey, +listMapKey). Of several, the first that both lists
# have throughout and once each. A port's name is told before its number: numbers change, names stay.
KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "ephemeralContainers": (("name",),),
    "env": (("name",),),
    "ports": (("name",), ("containerPort", "protocol"), ("port", "protocol")),
    "volumes": (("name",),),
    "volumeMounts": (("mountPath",),),
    "volumeDevices": (("devicePath",),),
    "imagePullSecrets": (("name",),),
    "secrets": (("name",),),
    "hostAliases": (("ip",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"), ("topologyKey",)),
    "schedulingGates": (("name",),),
    "resourceClaims": (("name",),),
    "conditions": (("type",),),
    "webhooks": (("name",),),
    "matchConditions": (("name",),),
    "variables": (("name",),),
    "subjects": (("kind", "name", "namespace"),),
    "volumeClaimTemplates": (("metadata.name",),),
    "versions": (("name",),),
    "items": (("key",),),
}

DEFAULTS = {"protocol": "TCP", "namespace": ""}

ORDERLY = {"initContainers", "variables"}
"""Keyed lists whose order means something: they run, or are evaluated, one after the other."""

SETS = {"finalizers", "accessModes", "tolerations", "loadBalancerSourceRanges", "categories", "shortNames"}
"""Lists whose order means nothing, and whose items are told by what they are."""

RBAC_SETS = {"verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"}


_ENCODE = json.JSONEncoder(sort_keys=True, default=str).encode


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two lists side by side: (label, old, new) in the order of new, what is gone after what stood before it.

    `reordered` says that what both have stands in another order, `orderly` that such an order means something;
    `keys` are the labels of each side in its own order.
    """

    items: list[tuple[str, Any, Any]]
    reordered: bool = False
    orderly: bool = True
    old_keys: tuple[str, ...] = ()
    new_keys: tuple[str, ...] = ()


def align(field: str, old: Sequence[Any], new: Sequence[Any], *, builtin: bool, group: str = "") -> Aligned:
    """The items of two lists, both called `field`, that belong together. `builtin` is for Kubernetes' own kinds."""
    if builtin and (field in SETS or (field in RBAC_SETS and group == "rbac.authorization.k8s.io")):
        return _by_key(
            [_content(i) for i in old], [_content(i) for i in new], old, new, orderly=False, sets=True
        )
    known = (
        KEYS.get(field, ()) if builtin or field in {"containers", "initContainers", "env", "volumes"} else ()
    )
    for keys in (*known, ("name",)):
        ours, theirs = _labels(old, keys), _labels(new, keys)
        if ours is None or theirs is None:
            continue
        if len(known) > 1 and keys != known[-1] and ours and theirs and not {*ours} & {*theirs}:
            continue  # another key may know them again
        orderly = keys not in known or field in ORDERLY or (field == "env" and _refers(old, new))
        return _by_key(ours, theirs, old, new, orderly=orderly)
    return _by_content(old, new)


def _by_key(
    ours: list[str],
    theirs: list[str],
    old: Sequence[Any],
    new: Sequence[Any],
    *,
    orderly: bool,
    sets: bool = False,
) -> Aligned:
    if sets and (len({*ours}) < len(ours) or len({*theirs}) < len(theirs)):
        return _by_content(old, new)
    places = {key: at for at, key in enumerate(ours)}
    gone: dict[str, list[str]] = {}  # what is gone, by what stood before it
    wanted, before = {*theirs}, ""
    for key in ours:
        if key in wanted:
            before = key
        else:
            gone.setdefault(before, []).append(key)
    items: list[tuple[str, Any, Any]] = []

    def drop(after: str) -> None:
        items.extend((_label(key, sets), old[places[key]], MISSING) for key in gone.get(after, ()))

    drop("")
    for key, item in zip(theirs, new, strict=True):
        items.append((_label(key, sets), old[places[key]] if key in places else MISSING, item))
        drop(key)
    if sets:
        items = _paired(items)
    common_old = [k for k in ours if k in wanted]
    common_new = [k for k in theirs if k in places]
    return Aligned(
        items,
        reordered=common_old != common_new,
        orderly=orderly,
        old_keys=tuple(ours),
        new_keys=tuple(theirs),
    )


def _label(key: str, sets: bool) -> str:
    return "" if sets else key


def _paired(items: list[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """The items of a set, numbered as they stand in new (what is gone: after the last)."""
    found, at = [], 0
    for _, ours, theirs in items:
        found.append((str(at), ours, theirs))
        at += theirs is not MISSING
    return found


def _by_content(old: Sequence[Any], new: Sequence[Any]) -> Aligned:
    """Items that are equal belong together; between them, those that stand at the same place."""
    items: list[tuple[str, Any, Any]] = []
    for same, i, j, k, m in blocks([_content(v) for v in old], [_content(v) for v in new]):
        if same:  # one object for both, so that nobody looks inside again
            items.extend((str(at), new[at], new[at]) for at in range(k, m))
            continue
        both = min(j - i, m - k)
        items.extend((str(k + n), old[i + n], new[k + n]) for n in range(both))
        items.extend((str(n), old[n], MISSING) for n in range(i + both, j))
        items.extend((str(n), MISSING, new[n]) for n in range(k + both, m))
    return Aligned(items)


def _labels(items: Sequence[Any], keys: tuple[str, ...]) -> list[str] | None:
    """What each item is called by `keys` ("name=web"), None unless each has a name of its own."""
    found = []
    for item in items:
        if not isinstance(item, dict):
            return None
        parts = []
        for position, key in enumerate(keys):
            value: Any = item
            for step in key.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if value is None and position:
                value = DEFAULTS.get(key)
            if value is None or isinstance(value, (dict, list)):
                return None
            if position and value == DEFAULTS.get(key):
                continue  # said only where it is not what is meant anyway
            parts.append(f"{key}={value}")
        found.append(",".join(parts))
    return found if len({*found}) == len(found) else None


def _refers(*sides: Sequence[Any]) -> bool:
    """Whether variables refer to others: those must stand before (`$(NAME)`)."""
    return any(
        "$(" in str(item.get("value", "")) for side in sides for item in side if isinstance(item, dict)
    )


def _content(value: Any) -> str:
    return f"'{value}" if isinstance(value, str) else _ENCODE(value)
