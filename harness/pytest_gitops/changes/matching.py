"""Which object of base is which of head where their identities differ: moved, replaced, generated anew, renamed.

Everything here is deterministic and errs towards "removed" and "added": a pair is made where only one makes sense.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from pytest_gitops.changes.identity import Identity
from pytest_gitops.model import Case, Resource
from pytest_gitops.shapes import mapping

T = TypeVar("T")

ALIKE = 0.7
"""How much of two objects must be the same for a rename: the part of their fields, by name and value."""

MARGIN = 0.1
"""By how much the best partner must be better than the second best, on both sides."""

ENOUGH = 4
"""Fields that say something, below which an object is like too many others to be known by them."""

PLENTY = 12
"""Fields from which on an object is known by them alone; with fewer, the names must have a word in common."""

MAX_PAIRS = 2_500
"""Of one kind in one Application, how many pairs are looked at in detail (50 gone against 50 new)."""

MAX_TOKENS = 5_000
"""Fields of one object that are looked at in detail."""

WORKLOADS = {
    "CronJob",
    "DaemonSet",
    "Deployment",
    "DeploymentConfig",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "Rollout",
    "StatefulSet",
}

# Kustomize: ten characters of a hash, some replaced so that no word is written (api/hasher); Helm charts: hex.
_HASHED = re.compile(r"(?P<base>.+)-(?:[2456789bcdfghkmt]{10}|(?=[a-f]*\d)[0-9a-f]{8,10})")

# What follows from the name in most charts, so that it differs in every rename.
_DERIVED = {
    "app",
    "name",
    "release",
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "chart",
    "k8s-app",
}


class Why(StrEnum):
    """How two objects were found to belong together."""

    SAME = "same"
    MOVED = "moved"
    REPLACED = "replaced"
    GENERATED = "generated"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One rendered object of one side: whose it is, where it goes, what it is."""

    case: Case
    identity: Identity
    resource: Resource
    manifest: Mapping[str, Any]
    cluster: str
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def at(self) -> Hashable:
        return (self.cluster, self.identity)


Pair = tuple[Entry, Entry]


def by_key(old: Iterable[T], new: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[T, T]]:
    """The pairs whose key is the same and is nobody else's on either side."""
    ours, theirs = _unique(old, key), _unique(new, key)
    for each, entry in ours.items():
        if entry is not None and (other := theirs.get(each)) is not None:
            yield entry, other


def _unique(entries: Iterable[T], key: Callable[[T], Hashable]) -> dict[Hashable, T | None]:
    found: dict[Hashable, T | None] = {}
    for entry in entries:
        place = key(entry)
        if place is not None:
            found[place] = None if place in found else entry
    return found


def within_application(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[tuple[Why, Entry, Entry]]:
    """Pairs among what is left over of one Application: first what is certain, then what is likely."""
    ours, theirs = {id(e): e for e in old}, {id(e): e for e in new}

    def take(why: Why, pairs: Iterable[Pair]) -> Iterator[tuple[Why, Entry, Entry]]:
        for a, b in list(pairs):
            del ours[id(a)], theirs[id(b)]
            yield why, a, b

    def left() -> tuple[list[Entry], list[Entry]]:
        return [*ours.values()], [*theirs.values()]

    yield from take(Why.GENERATED, by_key(*left(), _generated))
    yield from take(Why.REPLACED, _replaced(*left()))
    renames = [*take(Why.RENAMED, _renamed(*left()))]
    yield from renames
    proven = {(a.identity.name, b.identity.name) for _, a, b in renames if a.identity.name != b.identity.name}
    yield from take(Why.RENAMED, _follow(*left(), proven))


def _generated(entry: Entry) -> Hashable | None:
    """What a ConfigMap or Secret with a content hash in its name is called without it."""
    one = entry.identity
    if one.group or one.kind not in {"ConfigMap", "Secret"}:
        return None
    found = _HASHED.fullmatch(one.name)
    return (one.kind, one.namespace, found["base"]) if found else None


def _replaced(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Pair]:
    def key(entry: Entry) -> Hashable | None:
        one = entry.identity
        if one.kind not in WORKLOADS or entry.resource.hook:
            return None
        return one.namespace, one.name

    return by_key(old, new, key)


def _renamed(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Pair]:
    """Objects of one kind whose name or namespace differs and that are otherwise alike."""
    kinds: dict[Hashable, tuple[list[Entry], list[Entry]]] = defaultdict(lambda: ([], []))
    for side, entries in enumerate((old, new)):
        for entry in entries:
            kinds[entry.identity.group, entry.identity.kind, bool(entry.resource.hook)][side].append(entry)
    for ours, theirs in kinds.values():
        taken: set[int] = set()
        # The same name in another namespace needs less likeness, if there is one such only.
        for a, b in by_key(ours, theirs, lambda e: e.identity.name):
            if _likeness(a, b) >= ALIKE / 2 or not (_known(a) and _known(b)):
                taken |= {id(a), id(b)}
                yield a, b
        rest = [e for e in ours if id(e) not in taken], [e for e in theirs if id(e) not in taken]
        yield from _alike(*rest)


def _alike(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Pair]:
    old, new = [e for e in old if _known(e)], [e for e in new if _known(e)]
    taken: set[int] = set()
    for a, b in by_key(old, new, _digest):
        if _told_apart(a, b):
            taken |= {id(a), id(b)}
            yield a, b
    # Twins (the same content twice) are no one's: each could be the other.
    twins = {d for side in (old, new) for d, n in Counter(map(_digest, side)).items() if n > 1}
    old = [e for e in old if id(e) not in taken and _digest(e) not in twins]
    new = [e for e in new if id(e) not in taken and _digest(e) not in twins]
    if not old or not new or len(old) * len(new) > MAX_PAIRS:
        return
    scores = [[_likeness(a, b) for b in new] for a in old]
    for i, row in enumerate(scores):
        j = max(range(len(new)), key=row.__getitem__)
        column = [scores[n][j] for n in range(len(old))]
        best = row[j]
        others = [s for n, s in enumerate(row) if n != j] + [s for n, s in enumerate(column) if n != i]
        if best >= ALIKE and best >= max(others, default=0.0) + MARGIN and _told_apart(old[i], new[j]):
            yield old[i], new[j]


def _follow(old: Sequence[Entry], new: Sequence[Entry], proven: Iterable[tuple[str, str]]) -> Iterator[Pair]:
    """What is called after something that was renamed, and has nothing else that it could be known by."""
    there: dict[tuple[str, str, str, str], Entry] = {(*e.identity[:3], e.identity.name): e for e in new}
    taken: set[int] = set()
    names = sorted(proven)
    for a in old:
        for was, now in names:
            name = a.identity.name
            if name != was and not name.startswith(f"{was}-"):
                continue
            b = there.get((*a.identity[:3], now + name.removeprefix(was)))
            if b is not None and id(b) not in taken and bool(a.resource.hook) == bool(b.resource.hook):
                taken.add(id(b))
                yield a, b
                break


def _known(entry: Entry) -> bool:
    return sum(_tokens(entry).values()) >= ENOUGH


def _told_apart(a: Entry, b: Entry) -> bool:
    """Whether two that are alike are so for more than being of one kind."""
    words = [set(re.split(r"[-.]", e.identity.name)) for e in (a, b)]
    return sum(_tokens(a).values()) >= PLENTY or bool(words[0] & words[1])


def _digest(entry: Entry) -> int:
    return hash(frozenset(_tokens(entry).items()))


def _likeness(a: Entry, b: Entry) -> float:
    ours, theirs = _tokens(a), _tokens(b)
    both = sum((ours & theirs).values())
    return both / (sum(ours.values()) + sum(theirs.values()) - both or 1)


def _tokens(entry: Entry) -> Counter[tuple[str, str]]:
    """What an object says apart from its name: (field, value), its own name taken out of values."""
    if "tokens" not in entry.cache:
        found: Counter[tuple[str, str]] = Counter()
        own = entry.identity.name
        body = {
            k: v for k, v in entry.manifest.items() if k not in {"apiVersion", "kind", "metadata", "status"}
        }
        labels = mapping(mapping(entry.manifest.get("metadata")).get("labels"))
        todo: list[tuple[str, Any]] = [("", body), ("labels", labels)]
        while todo and len(found) < MAX_TOKENS:
            path, value = todo.pop()
            if isinstance(value, Mapping):
                todo.extend(
                    (f"{path}.{k}", v) for k, v in value.items() if not (_is_label(path) and k in _DERIVED)
                )
            elif isinstance(value, list):
                todo.extend((f"{path}[]", v) for v in value)
            else:
                for line in (
                    value.split("\n") if isinstance(value, str) else (json.dumps(value, default=str),)
                ):
                    found[path, line.replace(own, "\0") if own else line] += bool(line)
        entry.cache["tokens"] = found
    tokens: Counter[tuple[str, str]] = entry.cache["tokens"]
    return tokens


def _is_label(path: str) -> bool:
    return path.endswith(("labels", "matchLabels", "selector"))
