"""Keeps the values of Secrets out of what is said, wherever they are repeated: in messages, diffs, other objects.

The rule. Looked for is every value of every Secret, as it is written and decoded, each line of it, and each text in
it where it is JSON; also in base64, in a URL, and escaped as in JSON. Not looked for is
- what is shorter than `SHORTEST` characters, or all digits and shorter than `SHORTEST_NUMBER`: it would be found in
  every other word or number and the report could not be read;
- what is part of a name: of an object, a namespace, a field, an image, a host, a label, a source of an Application.
  Such a value ("postgres", "production", the URL of a repository) stands in the repository for everybody to read.
A value shorter than `SHORT` is found as a whole word only. The Secret itself is hidden by field, whatever it holds.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

SHORTEST = 6
"""Characters of the shortest value that is looked for."""

SHORTEST_NUMBER = 8
"""The same for a value of digits alone: ports, sizes and seconds are shorter."""

SHORT = 12
"""A value of fewer characters is found only where no letter or digit stands beside it."""

LONGEST = 20_000
"""Characters of a value that is looked for as a whole; of a longer one, its lines and beginning are."""

HIDDEN = "***"

Hide = Callable[[str], str]
"""The text, its secrets hidden."""

_STEM = 6  # as many characters of a value are looked for first, and the rest only where they are found
_WORD = re.compile(r"[^\W_]")
_CUT = re.compile(r"…")
_ASSIGNED = re.compile(r"^[\w.\-\"' ]{1,80}?[:=]\s*(?P<value>.+)$")
_MARGIN = " \t\"',;-"
_PEM = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
_WORDS = frozenset(
    {"enabled", "disabled", "default", "password", "username", "localhost", "production", "development"}
)

_NAMING = {
    "apiVersion", "kind", "name", "namespace", "generateName", "image", "host", "hostname", "repoURL", "path", "chart",
    "targetRevision", "server", "project", "serviceName", "serviceAccountName", "storageClassName", "secretName",
    "claimName", "configMapName", "type", "url",
}  # fmt: skip


class Hidden:
    """The values to hide, found at once in any text. `names` are what is no secret because it names something."""

    def __init__(self, values: Iterable[str], *, names: Iterable[str] = ()) -> None:
        named = "\n".join(dict.fromkeys(names))
        wanted = (v for value in values for v in _pieces(value) if _is_worth_it(v) and v not in named)
        self._stems: dict[str, list[str]] = defaultdict(list)
        for value in sorted({s for v in wanted for s in _spellings(v)}, key=lambda v: (-len(v), v)):
            self._stems[value[:_STEM]].append(value)
        self._pattern = re.compile(_alternatives(sorted(self._stems))) if self._stems else None

    def __bool__(self) -> bool:
        return bool(self._stems)

    def __call__(self, text: str) -> str:
        """The text with every value replaced by three stars; twice is as once."""
        if self._pattern is None or len(text) < SHORTEST:
            return text
        parts, done, at = [], 0, 0
        cuts = [m.start() for m in _CUT.finditer(text)]
        while found := self._pattern.search(text, at):
            at = found.start()
            end = self._end(text, at, cuts)
            if end:
                parts += [text[done:at], HIDDEN]
                done = at = end
            else:
                at += 1
        return "".join((*parts, text[done:])) if parts else text

    def _end(self, text: str, at: int, cuts: Sequence[int]) -> int:
        """Where the longest value that begins `at` ends, 0 if none does. One that was cut off is one, too."""
        for value in self._stems[text[at : at + _STEM]]:
            end = at + len(value)
            if text.startswith(value, at) and (len(value) >= SHORT or _alone(text, at, end)):
                return end
        cut = next((c for c in cuts if c > at), 0)
        if cut and any(value.startswith(text[at:cut]) for value in self._stems[text[at : at + _STEM]]):
            return cut
        return 0

    def value(self, value: Any) -> Any:
        """A JSON value, every text in it hidden; keys are names and stay."""
        if not self:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {k: self.value(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(v) for v in value]
        return value


NOTHING = Hidden(())
"""Hides nothing: there are no Secrets."""


def hidden_of(objects: Iterable[Any], *, others: Iterable[Any] = (), values: Iterable[str] = ()) -> Hidden:
    """What hides the values of the Secrets among `objects`, and `values`. They, and `others` (Applications), say what a
    name is."""
    known = list(objects)
    values = list(dict.fromkeys([*values, *(v for o in known for v in _values(o))]))
    if not values:
        return NOTHING
    return Hidden(values, names=(n for o in (*known, *others) for n in _names(o)))


def _is_worth_it(value: str) -> bool:
    if value.isdigit():
        return len(value) >= SHORTEST_NUMBER
    return len(value) >= SHORTEST and value.lower() not in _WORDS and not _PEM.fullmatch(value)


def _alone(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (_WORD.match(before) or _WORD.match(after))


def _alternatives(stems: Sequence[str]) -> str:
    """A pattern of many stems that fails at the first wrong character: they are gathered by their beginnings."""
    by_first: dict[str, list[str]] = defaultdict(list)
    for stem in stems:
        by_first[stem[:1]].append(stem[1:])
    told = []
    for first, rests in by_first.items():
        rest = "" if rests == [""] else _alternatives(rests)
        told.append(re.escape(first) + (f"(?:{rest})" if len(rests) > 1 else rest))
    return "|".join(told)


# ---------------------------------------------------------------------- what a Secret holds


def _values(node: Any) -> Iterator[str]:
    """Every value of every Secret in a JSON value, as it is written and decoded."""
    for field, value in fields_of_secrets(node):
        yield value
        if field == "data":
            yield from decoded(value)


def fields_of_secrets(node: Any) -> Iterator[tuple[str, str]]:
    """Every value of every Secret in a JSON value as it is written, with "data" or "stringData"."""
    if isinstance(node, Mapping):
        if node.get("kind") == "Secret" and node.get("apiVersion") == "v1":
            for field in ("data", "stringData"):
                fields = node.get(field)
                for value in fields.values() if isinstance(fields, Mapping) else ():
                    yield field, str(value)
        for child in node.values():
            yield from fields_of_secrets(child)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from fields_of_secrets(child)


def decoded(value: str) -> Iterator[str]:
    """What is behind base64, if it is text."""
    try:
        yield base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return


def _pieces(value: str) -> Iterator[str]:
    """The value, and the parts of it that somebody may quote alone."""
    yield value if len(value) <= LONGEST else value[:LONGEST]
    yield value.strip()
    if "\n" in value:
        for line in value.split("\n"):
            line = line.strip()
            found = _ASSIGNED.match(line)
            if not _PEM.fullmatch(line):
                yield (found["value"] if found else line).strip(_MARGIN)
    if value.lstrip().startswith(("{", "[")):
        try:
            yield from _texts(json.loads(value))
        except (ValueError, RecursionError):
            return


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _texts(child)


def _spellings(value: str) -> Iterator[str]:
    """How a value may stand in a text."""
    yield value
    yield base64.b64encode(value.encode(errors="surrogatepass")).decode()
    yield quote(value, safe="", errors="replace")
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1]


# ---------------------------------------------------------------------- what is a name


def _names(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, Mapping):
        kind = node.get("kind")
        for name, child in node.items():
            yield str(name)
            if kind in {"Secret", "ConfigMap"} and name in {"data", "stringData", "binaryData"}:
                yield from (str(k) for k in child) if isinstance(child, Mapping) else ()
            elif name == "labels" and isinstance(child, Mapping):
                yield from (str(part) for pair in child.items() for part in pair)
            else:
                yield from _names(child, str(name))
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _names(child, key)
    elif isinstance(node, str) and key in _NAMING:
        yield node
