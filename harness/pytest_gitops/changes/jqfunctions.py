"""What jq's functions and comparisons make of a value, for `changes.jq`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

MAX_SUBJECT = 512
"""Characters that a pattern is tried on: a name of Kubernetes has at most 253."""

MAX_REPEATS = 3
"""Repetitions and groups in one pattern: that many are cheap on a short text."""

# Groups may hold alternatives; a repeated group, which can take time without end, does not match this.
_PLAIN = r"(?:[A-Za-z0-9_./:@ ^$|-]|\[[A-Za-z0-9_.-]+\]|\\[.dws/-])"
_PATTERN = re.compile(rf"(?:{_PLAIN}[*+?]?|\((?:{_PLAIN}[*+?]?)+\)(?![*+?{{]))*")


class Unknown(ValueError):
    """An expression that is no jq, or more of jq than is understood here."""


class Failed(ValueError):
    """An expression that does not fit the object, as jq's own runtime errors; Argo CD then ignores nothing."""


def truthy(value: Any) -> bool:
    """Whether jq takes the value for true: all but null and false."""
    return value is not None and value is not False


def equal(ours: Any, theirs: Any) -> bool:
    """Whether jq takes two values for the same."""
    return isinstance(ours, bool) == isinstance(theirs, bool) and bool(ours == theirs)


def type_of(value: Any) -> str:
    """jq's word for the type of a value."""
    names = (
        (bool, "boolean"),
        (str, "string"),
        ((int, float), "number"),
        (list, "array"),
        (Mapping, "object"),
    )
    return next((name for kinds, name in names if isinstance(value, kinds)), "null")


def _length(value: Any) -> Any:
    if isinstance(value, bool):
        raise Failed("length of a boolean")
    return 0 if value is None else abs(value) if isinstance(value, (int, float)) else len(value)


def _items(value: Any) -> list[Any]:
    if not isinstance(value, (Mapping, list)):
        raise Failed(f"items of a {type_of(value)}")
    return [*value.values()] if isinstance(value, Mapping) else value


def _keys(value: Any) -> list[Any]:
    if not isinstance(value, (Mapping, list)):
        raise Failed(f"keys of a {type_of(value)}")
    return sorted(value) if isinstance(value, Mapping) else [*range(len(value))]


def _has(value: Any, key: Any) -> bool:
    if isinstance(value, Mapping) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and isinstance(key, int):
        return 0 <= key < len(value)
    raise Failed(f"has of a {type_of(value)}")


def _texts(value: Any, other: Any, what: str) -> tuple[str, str]:
    if not isinstance(value, str) or not isinstance(other, str):
        raise Failed(f"{what} of a {type_of(value)}")
    return value, other


def _startswith(value: Any, other: Any) -> bool:
    text, start = _texts(value, other, "startswith")
    return text.startswith(start)


def _endswith(value: Any, other: Any) -> bool:
    text, end = _texts(value, other, "endswith")
    return text.endswith(end)


def _contains(value: Any, other: Any) -> bool:
    text, part = _texts(value, other, "contains")
    return part in text


def _matches(value: Any, other: Any) -> bool:
    text, pattern = _texts(value, other, "test")
    repeats = sum(map(pattern.count, "*+?("))
    if not _PATTERN.fullmatch(pattern) or repeats > MAX_REPEATS or len(text) > MAX_SUBJECT:
        raise Unknown(f"the pattern {pattern!r} is not understood here")
    try:
        return re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None
    except re.error as error:
        raise Failed(f"{pattern!r} is no pattern: {error}") from error


FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "not": lambda value: not truthy(value),
    "length": _length,
    "type": type_of,
    "keys": _keys,
    "any": lambda value: any(map(truthy, _items(value))),
    "all": lambda value: all(map(truthy, _items(value))),
}
TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "has": _has,
    "startswith": _startswith,
    "endswith": _endswith,
    "contains": _contains,
    "test": _matches,
}
