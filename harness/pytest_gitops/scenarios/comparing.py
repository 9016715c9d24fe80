"""Partial objects against whole ones: what is given must be so, what is not given may be anything. Pure judgement.

A mapping holds if each of its fields does. A list holds if each of its entries does: an entry that is a mapping with a
`name` is looked for by that name, any other is held against the entry at the same place; more entries may follow. An
empty mapping or list is met by any. `null` is met by `null` and by what is not there. A mapping whose keys begin with
`$` compares: see `OPERATORS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.scenarios.values import Path

SHOWN = 200
"""Characters of a value that a message shows."""

LONGEST_PATTERN = 300
"""Characters of a regular expression."""

SEARCHED = 4_000
"""As many characters of a text are searched with a regular expression: enough for a message, and no time is lost in a
whole configuration file."""

HIDDEN = "(value hidden)"


class _Missing:
    def __repr__(self) -> str:
        return "nothing"

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()
"""What stands for a field that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as expected: where in the expectation (`path`), in which `field` of what was looked at."""

    path: Path
    field: str
    expected: str
    seen: str


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _contains(wanted: Any, seen: Any) -> bool:
    if isinstance(seen, str):
        return isinstance(wanted, str) and wanted in seen
    if isinstance(seen, Mapping):
        return wanted in seen
    return isinstance(seen, list) and any(not differences(wanted, each) for each in seen)


def _length(wanted: Any, seen: Any) -> bool:
    return isinstance(seen, (str, list, Mapping)) and not differences(wanted, len(seen))


def _any(_: Any) -> str:
    return ""


def _is_number(wanted: Any) -> str:
    return "" if _number(wanted) else "expected a number"


def _is_pattern(wanted: Any) -> str:
    if not isinstance(wanted, str) or len(wanted) > LONGEST_PATTERN:
        return f"expected a regular expression of up to {LONGEST_PATTERN} characters"
    try:
        re.compile(wanted)
    except (re.error, OverflowError, RecursionError) as error:
        return f"not a regular expression: {error}"
    return ""


@dataclass(frozen=True, slots=True)
class Operator:
    """A comparison: what it is called in words, whether what is seen is `wanted`, and what is wrong with `wanted`."""

    words: str
    holds: Callable[[Any, Any], bool]
    check: Callable[[Any], str] = _any


OPERATORS: Mapping[str, Operator] = {
    "$equals": Operator("exactly", lambda wanted, seen: _same(wanted, seen)),
    "$not": Operator("anything but", lambda wanted, seen: bool(differences(wanted, seen))),
    "$matches": Operator(
        "a text that matches",
        lambda wanted, seen: isinstance(seen, str) and bool(re.search(wanted, seen[:SEARCHED])),
        _is_pattern,
    ),
    "$contains": Operator("something that contains", _contains),
    "$exists": Operator(
        "something",
        lambda wanted, seen: (seen is not MISSING) is wanted,
        lambda wanted: "" if isinstance(wanted, bool) else "expected true or false",
    ),
    "$min": Operator("at least", lambda wanted, seen: _number(seen) and bool(seen >= wanted), _is_number),
    "$max": Operator("at most", lambda wanted, seen: _number(seen) and bool(seen <= wanted), _is_number),
    "$length": Operator("a length of", _length),
}
"""The comparisons, by their keys."""


def problems(expected: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """What is wrong with an expectation: where, and what."""
    if isinstance(expected, Mapping):
        named = [k for k in expected if str(k).startswith("$")]
        if named and len(named) < len(expected):
            yield (*path, named[0]), f"{named[0]} compares, so it cannot stand beside fields"
            return
        for key, value in expected.items():
            if not named:
                yield from problems(value, (*path, key))
            elif key not in OPERATORS:
                yield (*path, key), f"expected one of {', '.join(OPERATORS)}; saw {key}"
            elif wrong := OPERATORS[key].check(value):
                yield (*path, key), f"{key}: {wrong}"
            elif key != "$equals":
                yield from problems(value, (*path, key))
    elif isinstance(expected, list):
        for index, each in enumerate(expected):
            yield from problems(each, (*path, index))


def differences(
    expected: Any, seen: Any, *, path: Path = (), field: str = "", secret: bool = False
) -> tuple[Difference, ...]:
    """What of `expected` is not so in `seen`, a JSON value; `field` is what the place is called. Of a `secret` neither
    value is told."""
    return tuple(_differences(expected, seen, path, field, secret))


def _differences(expected: Any, seen: Any, path: Path, field: str, secret: bool) -> Iterator[Difference]:
    def differs(wanted: str, *, at: Path = path, named: str = field) -> Difference:
        shown = HIDDEN if secret and seen is not MISSING else shorten(seen)
        return Difference(path=at, field=named or "it", expected=HIDDEN if secret else wanted, seen=shown)

    if isinstance(expected, Mapping):
        if any(str(k).startswith("$") for k in expected):
            for key, wanted in expected.items():
                if not OPERATORS[key].holds(wanted, seen):
                    yield differs(in_words(key, wanted), at=(*path, key))
        elif not isinstance(seen, Mapping):
            yield differs("an object" if not expected else f"an object with {shorten(expected)}")
        else:
            for key, wanted in expected.items():
                inner = f"{field}.{key}" if field else str(key)
                yield from _differences(wanted, seen.get(key, MISSING), (*path, key), inner, secret)
    elif isinstance(expected, list):
        if not isinstance(seen, list):
            yield differs(f"a list with {shorten(expected)}")
            return
        for index, wanted in enumerate(expected):
            yield from _entry(wanted, seen, (*path, index), field, index, secret)
    elif expected is None:
        if seen is not None and seen is not MISSING:
            yield differs("nothing")
    elif not _same(expected, seen):
        yield differs(shorten(expected))


def in_words(key: str, wanted: Any) -> str:
    """What a comparison expects, as a message says it."""
    if key == "$exists":
        return "something" if wanted else "nothing"
    return f"{OPERATORS[key].words} {shorten(wanted)}"


def _entry(
    wanted: Any, seen: list[Any], path: Path, field: str, index: int, secret: bool
) -> Iterator[Difference]:
    name = wanted.get("name") if isinstance(wanted, Mapping) else None
    if isinstance(name, str):
        found = next((s for s in seen if isinstance(s, Mapping) and s.get("name") == name), MISSING)
        if found is MISSING:
            there = [str(s["name"]) for s in seen if isinstance(s, Mapping) and "name" in s]
            yield Difference(
                path=path,
                field=field or "it",
                expected=f"an entry named {name!r}",
                seen=", ".join(map(repr, there)) or "no entry with a name",
            )
            return
        yield from _differences(wanted, found, path, f"{field}[{name}]", secret)
        return
    place = seen[index] if index < len(seen) else MISSING
    yield from _differences(wanted, place, path, f"{field}[{index}]", secret)


def _same(expected: Any, seen: Any) -> bool:
    """Equal as JSON: a boolean is no number, an integer is the float of the same value."""
    if isinstance(expected, bool) or isinstance(seen, bool):
        return expected is seen
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        return expected.keys() == seen.keys() and all(_same(v, seen[k]) for k, v in expected.items())
    if isinstance(expected, list) and isinstance(seen, list):
        return len(expected) == len(seen) and all(map(_same, expected, seen))
    return bool(expected == seen)


def shorten(value: Any) -> str:
    """A value as messages show it."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def of_object(expected: Mapping[str, Any], seen: Mapping[str, Any], *, path: Path) -> tuple[Difference, ...]:
    """What of a partial Kubernetes object is not so in a whole one; what a Secret holds is not told."""
    if seen.get("kind") != "Secret":
        return differences(expected, seen, path=path)
    found: list[Difference] = []
    for key, wanted in expected.items():
        hide = key in {"data", "stringData"}
        found += differences(wanted, seen.get(key, MISSING), path=(*path, key), field=str(key), secret=hide)
    return tuple(found)


def closest(
    expected: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]], *, path: Path
) -> tuple[Difference, ...] | None:
    """Nothing if one of `candidates` is as expected, else the differences of the one with the fewest; None if there is
    no candidate."""
    found = [of_object(expected, each, path=path) for each in candidates]
    return min(found, key=len) if found else None
