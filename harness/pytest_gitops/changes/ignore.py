"""`ignoreDifferences`: which fields the repository tells Argo CD not to compare, of an Application and of argocd-cm.

Rules count only where base and head both have them: what a pull request adds must not hide what it does, and what it
takes away hides nothing any more. (util/argo/normalizers/diff_normalizer.go, util/settings/settings.go, v3.6)
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from pytest_gitops.changes import jq
from pytest_gitops.changes.fields import same
from pytest_gitops.changes.identity import group_kind, text
from pytest_gitops.changes.jqfunctions import Failed, Unknown
from pytest_gitops.changes.lists import MISSING
from pytest_gitops.changes.values import Note
from pytest_gitops.model import Resource
from pytest_gitops.repository.manifest import ManifestError, parse
from pytest_gitops.shapes import mapping

STEPS = 3_000_000
"""Steps of all jq expressions of one comparison, some five seconds."""

MAX_GLOB = 253
_OVERRIDES = "resource.customizations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One field, or one expression, that is not compared in objects that fit. Group and kind are globs; an empty
    name or namespace fits all."""

    group: str
    kind: str
    name: str = ""
    namespace: str = ""
    pointer: str = ""
    expression: str = ""

    def fits(self, manifest: Mapping[str, Any], resource: Resource) -> bool:
        group, kind = group_kind(manifest)
        return (
            _glob(self.group).fullmatch(group) is not None
            and _glob(self.kind).fullmatch(kind) is not None
            and self.name in {"", resource.name}
            and self.namespace in {"", resource.namespace}
        )


def of_application(
    manifest: Mapping[str, Any], *, key: str = ""
) -> tuple[tuple[Rule, ...], tuple[Note, ...]]:
    """The rules of an Application's spec, and what cannot be judged on rendered objects."""
    items = mapping(manifest.get("spec")).get("ignoreDifferences")
    rules: list[Rule] = []
    notes = []
    for item in items if isinstance(items, list) else ():
        item = mapping(item)
        where = {field: text(item.get(field)) for field in ("group", "kind", "name", "namespace")}
        rules.extend(_rules(where, item))
        if item.get("managedFieldsManagers"):
            notes.append(
                Note(
                    code="ignore-managers",
                    application=key,
                    message=f"ignoreDifferences of {where['kind'] or 'all kinds'} names managedFieldsManagers: who "
                    "manages a field is known to the cluster only, so these differences are shown",
                )
            )
    return tuple(rules), tuple(notes)


def of_config(data: Mapping[str, Any]) -> tuple[tuple[Rule, ...], tuple[Note, ...]]:
    """The rules in the data of an argocd-cm: `resource.customizations` and `….ignoreDifferences.GROUP_KIND`."""
    rules: list[Rule] = []
    notes: list[Note] = []
    for key, value in data.items():
        parts = str(key).split(".", 3)
        if not str(key).startswith(_OVERRIDES):
            continue
        if str(key) == _OVERRIDES:
            overrides = [
                (str(k), mapping(v).get("ignoreDifferences"))
                for k, v in mapping(_yaml(str(key), value, notes)).items()
            ]
        elif len(parts) == 4 and parts[2] == "ignoreDifferences":
            overrides = [(parts[3].replace("_", "/", 1), value)]
        else:
            continue
        for group_and_kind, override in overrides:
            group, _, kind = ("*/*" if group_and_kind == "all" else group_and_kind).rpartition("/")
            content = _yaml(str(key), override, notes) if isinstance(override, str) else override
            rules.extend(_rules({"group": group, "kind": kind}, mapping(content)))
    return tuple(rules), tuple(notes)


def common(base: Iterable[Rule], head: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules that stand on both sides."""
    theirs = set(head)
    return tuple(dict.fromkeys(rule for rule in base if rule in theirs))


class Ignoring:
    """Takes ignored fields out of objects. It remembers expressions and what went wrong with them (`notes`)."""

    def __init__(self, *, steps: int = STEPS) -> None:
        self._budget = jq.Budget(steps)
        self._compiled: dict[str, Callable[[Any], list[jq.Path]] | None] = {}
        self.notes: dict[str, Note] = {}

    def without(
        self,
        rules: Iterable[Rule],
        old: tuple[Mapping[str, Any], Resource],
        new: tuple[Mapping[str, Any], Resource],
    ) -> tuple[Mapping[str, Any], Mapping[str, Any], int]:
        """Both objects without what any rule leads to, and how many of those fields differed."""
        sides, rules = (old, new), tuple(rules)
        found = [self.paths(rules, *side) for side in sides]
        everywhere = found[0] | found[1]
        if not everywhere:
            return old[0], new[0], 0
        values = [{p: at(manifest, p) for p in everywhere} for manifest, _ in sides]
        differing = sum(not _alike(values[0][p], values[1][p]) for p in everywhere)
        return _removed(old[0], found[0]), _removed(new[0], found[1]), differing

    def paths(self, rules: Iterable[Rule], manifest: Mapping[str, Any], resource: Resource) -> set[jq.Path]:
        """Where in an object the rules lead to; what is below such a path is not compared either."""
        return {
            p for rule in rules if rule.fits(manifest, resource) for p in self._paths(rule, manifest) if p
        }

    def _paths(self, rule: Rule, manifest: Mapping[str, Any]) -> list[jq.Path]:
        if rule.pointer:
            path = _resolve(manifest, rule.pointer)
            return [path] if path is not None else []
        expression = rule.expression
        try:
            if expression not in self._compiled:
                self._compiled[expression] = None  # once is enough to be told
                self._compiled[expression] = jq.compile(expression, self._budget)
            paths = self._compiled[expression]
            return paths(manifest) if paths is not None else []
        except Unknown as error:
            self._note(expression, "ignore-expression", f"{error}; what it would ignore is shown")
        except jq.TooLong:
            self._note(expression, "ignore-too-long", "it takes too long; what it would ignore is shown")
        except (Failed, RecursionError):
            pass  # as in Argo CD: where it does not fit, it ignores nothing
        return []

    def _note(self, expression: str, code: str, why: str) -> None:
        self.notes.setdefault(
            expression,
            Note(code=code, message=f"jqPathExpressions of ignoreDifferences, {expression!r}: {why}"),
        )


def _rules(where: Mapping[str, str], item: Mapping[str, Any]) -> Iterator[Rule]:
    for field, key in (("pointer", "jsonPointers"), ("expression", "jqPathExpressions")):
        values = item.get(key)
        for value in values if isinstance(values, list) else ():
            if isinstance(value, str) and value:
                yield Rule(**{**where, field: value})


def _yaml(key: str, value: Any, notes: list[Note]) -> Any:
    try:
        documents = parse(text(value))
    except ManifestError as error:
        notes.append(Note(code="ignore-unreadable", message=f"argocd-cm, {key}: {error}; it ignores nothing"))
        return None
    return documents[0].value if documents else None


@lru_cache(maxsize=1_000)
def _glob(pattern: str) -> re.Pattern[str]:
    """A glob of Argo CD's without separators: `*`, `?`, `[ab]`, `{a,b}`."""
    choices = islice(_choices(pattern[:MAX_GLOB]), 20)
    return re.compile("|".join(f"(?:{fnmatch.translate(choice)})" for choice in choices))


def _choices(pattern: str) -> Iterator[str]:
    head, brace, rest = pattern.partition("{")
    inner, end, tail = rest.partition("}")
    if not brace or not end:
        yield pattern
        return
    for choice in inner.split(","):
        for ending in _choices(tail):
            yield head + choice + ending


def _resolve(manifest: Any, pointer: str) -> jq.Path | None:
    """The path that a JSON pointer (RFC 6901) leads to, None if there is nothing."""
    if not pointer.startswith("/"):
        return None
    path: list[str | int] = []
    value = manifest
    for token in pointer[1:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and key in value:
            path.append(key)
            value = value[key]
        elif (
            isinstance(value, list)
            and re.fullmatch(r"-?\d{1,9}", key)
            and -len(value) <= int(key) < len(value)
        ):
            path.append(int(key) % len(value))
            value = value[int(key)]
        else:
            return None
    return tuple(path)


def at(value: Any, path: jq.Path) -> Any:
    """What `path` leads to, or MISSING."""
    for key in path:
        inside = (
            key in value
            if isinstance(value, Mapping)
            else isinstance(value, list) and key in range(len(value))
        )
        if not inside:
            return MISSING
        value = value[key]
    return value


def _alike(old: Any, new: Any) -> bool:
    return bool(old == new) if isinstance(old, (Mapping, list)) else same(old, new)


def _removed(value: Any, paths: set[jq.Path]) -> Any:
    """The value without what is at `paths`; only what leads there is copied."""
    below: dict[str | int, set[jq.Path]] = {}
    for first, *rest in paths:
        below.setdefault(first, set()).add(tuple(rest))
    if isinstance(value, Mapping):
        return {
            k: _removed(v, below[k]) if k in below else v
            for k, v in value.items()
            if () not in below.get(k, ())
        }
    if isinstance(value, list):
        return [
            _removed(v, below[i]) if i in below else v
            for i, v in enumerate(value)
            if () not in below.get(i, ())
        ]
    return value
