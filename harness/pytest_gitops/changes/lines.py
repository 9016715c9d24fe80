"""A unified diff of two objects as YAML lines: three lines of context, each hunk headed by where in the object it is.

It follows the structure of the objects, so its time grows with their size and never with its square, and an item of
a list is compared with the item of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gitops.changes.fields import same, union
from pytest_gitops.changes.hunks import NOTHING, Hunks, Line
from pytest_gitops.changes.lists import MISSING, align
from pytest_gitops.changes.sequence import blocks
from pytest_gitops.changes.shorten import MAX_LINE
from pytest_gitops.changes.text import block

FIRST = ("apiVersion", "kind", "name", "namespace", "metadata")
"""Keys that stand first, so that an object or item is known before it is read."""


def diff(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, *, builtin: bool = True, group: str = ""
) -> tuple[str, ...]:
    """The lines from `old` to `new`; None is an object that is not there. Empty if nothing differs.

    Raises RecursionError for what nests deeper than Python's stack.
    """
    writer = _Writer(builtin, group)
    if old is None or new is None:
        sign, one = ("+", new) if old is None else ("-", old)
        writer.one_sided(sign, NOTHING, one or {}, -1)
    else:
        writer.mapping(old, new, 0)
    return writer.hunks.finish()


class _Writer:
    """Walks two values at once. `_dashes` are the list markers that wait for each side's next line."""

    def __init__(self, builtin: bool, group: str) -> None:
        self.hunks = Hunks()
        self._builtin, self._group = builtin, group
        self._path: list[str] = []
        self._dashes = {"-": 0, "+": 0}

    def mapping(self, old: Mapping[str, Any], new: Mapping[str, Any], level: int) -> None:
        for key in _ordered(union(old, [*new]) if old.keys() != new.keys() else new):
            self._member(key, old.get(key, MISSING), new.get(key, MISSING), level)

    def _member(self, key: str, old: Any, new: Any, level: int) -> None:
        if old is new:
            self.one_sided(" ", key, new, level)
        elif old is MISSING or new is MISSING:
            self.one_sided("+" if old is MISSING else "-", key, new if old is MISSING else old, level)
        elif _nests(old, new):
            self._line(" ", level, key)
            self._path.append(key)
            self._children(key, old, new, level)
            self._path.pop()
        elif (ours := block(old)) and (theirs := block(new)):
            for sign, (header, _) in (
                ((" ", theirs),) if ours[0] == theirs[0] else (("-", ours), ("+", theirs))
            ):
                self._line(sign, level, key, text=header)
            self._path.append(key)
            self._text(ours[1], theirs[1], level + 1)
            self._path.pop()
        else:
            self._scalars(key, old, new, level)

    def _children(self, field: str, old: Any, new: Any, level: int) -> None:
        if isinstance(new, dict):
            self.mapping(old, new, level + 1)
            return
        aligned = align(field, old, new, builtin=self._builtin, group=self._group)
        ours, theirs = aligned.old_keys, aligned.new_keys
        if not (ours or theirs):
            for label, a, b in aligned.items:
                self._item(label, a, b, level)
            return
        for alike, i, j, k, m in blocks(ours, theirs):
            if alike:
                for at in range(j - i):
                    self._item(_label(theirs[k + at], k + at), old[i + at], new[k + at], level)
            else:
                for at in range(i, j):
                    self._item(_label(ours[at], at), old[at], MISSING, level)
                for at in range(k, m):
                    self._item(_label(theirs[at], at), MISSING, new[at], level)

    def _item(self, label: str, old: Any, new: Any, level: int) -> None:
        self._path.append(f"[{label}]")
        if old is new:
            self._dash(" ")
            self.one_sided(" ", NOTHING, new, level)
        elif old is MISSING or new is MISSING:
            sign = "+" if old is MISSING else "-"
            self._dash(sign)
            self.one_sided(sign, NOTHING, new if old is MISSING else old, level)
        else:
            self._dash(" ")
            if _nests(old, new):
                self._children("", old, new, level if isinstance(new, dict) else level + 1)
            else:
                self._scalars(NOTHING, old, new, level)
        self._path.pop()

    def _scalars(self, key: Any, old: Any, new: Any, level: int) -> None:
        """Two values of which at most one nests."""
        if not isinstance(old, (dict, list)) and not isinstance(new, (dict, list)):
            if same(old, new):
                self.one_sided(" ", key, new, level)
                return
            if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > MAX_LINE // 2:
                old, new = _around(old, new)
        self.one_sided("-", key, old, level)
        self.one_sided("+", key, new, level)

    def one_sided(self, sign: str, key: Any, value: Any, level: int) -> None:
        """All lines of a value that is on one side only, or the same on both; an item of a list has no key."""
        keyed = key is not NOTHING
        if isinstance(value, dict) and value:
            if keyed:
                self._line(sign, level, key)
            for name in _ordered(value):
                self.one_sided(sign, name, value[name], level + 1)
        elif isinstance(value, list) and value:
            if keyed:
                self._line(sign, level, key)
            for item in value:
                self._dash(sign)
                self.one_sided(sign, NOTHING, item, level if keyed else level + 1)
        elif lines := block(value):
            self._line(sign, level if keyed else level + 1, key, text=lines[0])
            for line in lines[1]:
                self._line(sign, level + 1, text=line)
        else:
            self._line(sign, level if keyed else level + 1, key, value)

    def _text(self, old: list[str], new: list[str], level: int) -> None:
        for alike, i, j, k, m in blocks(old, new):
            for sign, lines in ((" ", old[i:j]),) if alike else (("-", old[i:j]), ("+", new[k:m])):
                for line in lines:
                    self._line(sign, level, text=line)

    def _dash(self, sign: str) -> None:
        if sign != "+":
            self._dashes["-"] += 1
        if sign != "-":
            self._dashes["+"] += 1

    def _line(self, sign: str, level: int, key: Any = NOTHING, value: Any = NOTHING, text: str = "") -> None:
        dashes = self._dashes
        if sign == " " and dashes["-"] != dashes["+"]:
            self._line("-", level, key, value, text)
            self._line("+", level, key, value, text)
            return
        count = dashes["+" if sign == "+" else "-"]
        if count:
            for side in "-+" if sign == " " else sign:
                dashes[side] = 0
        self.hunks.put(Line(sign, level, count, key, value, text), self._path)


def _ordered(keys: Any) -> list[str]:
    """The keys with those that tell what it is before all others."""
    first = [k for k in FIRST if k in keys]
    return [*first, *(k for k in keys if k not in FIRST)] if first else [*keys]


def _around(old: str, new: str) -> tuple[str, str]:
    """Two long texts, cut so that what differs is in sight."""
    at = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    if at < MAX_LINE // 4:
        return old, new
    head, start = MAX_LINE // 16, at - MAX_LINE // 8
    left_out = f"… ({start - head} characters) …"
    return (f"{old[:head]}{left_out}{old[start:]}", f"{new[:head]}{left_out}{new[start:]}")


def _label(key: str, at: int) -> str:
    """A key as a path has it: "name=web"; the items of a set have none, for they are what they say."""
    return key if "=" in key and key[0] not in "'[{" else str(at)


def _nests(old: Any, new: Any) -> bool:
    """Whether both are filled mappings, or both filled lists."""
    if not old or not new:
        return False
    return (isinstance(old, dict) and isinstance(new, dict)) or (
        isinstance(old, list) and isinstance(new, list)
    )
