"""What renders may be of any shape: how a value is read that should be a mapping, what an object is called, and how
many things a sentence names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """The mapping that `path` leads to in `value`; an empty one where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def title(kind: Any, name: Any, namespace: Any = "") -> str:
    """ "Kind namespace/name", or "Kind name" for an object in no namespace."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def behind(value: Any, keys: Collection[str]) -> Iterator[Any]:
    """What stands behind any of `keys`, however deep; what is in there is not looked into."""
    if isinstance(value, list):
        for each in value:
            yield from behind(each, keys)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from [each] if key in keys else behind(each, keys)


def some(words: Sequence[str], most: int) -> str:
    """The first `most` of them, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
