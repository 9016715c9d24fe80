"""YAML as Kubernetes reads it, with the line of every key. The only importer of yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_DEPTH = 200
"""Nested deeper than this is refused: libyaml's C stack overflows, and the whole process ends, at some ten thousand."""

MAX_NODES = 1_000_000
"""What a document's aliases may expand to."""

INT = r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)"
FLOAT = r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
NULL = ("", "~", "null", "Null", "NULL")

# Blocks can only nest deep by columns: a run of entries on one line, or a line that begins far to the right.
_COLUMNS = re.compile(rb"(?:[-?][ \t]+){%d}|^ {%d}" % (MAX_DEPTH, MAX_DEPTH // 2), re.MULTILINE)
_BRACKETS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_OTHERS = bytes(sorted(set(range(256)) - set(_BRACKETS)))


class _Loader(_Base):  # type: ignore[misc]  # its base is chosen at import: libyaml's where it is there
    """Plain words mean what they mean to Kubernetes' own reader (go.yaml.in/yaml/v2, resolve.go).

    Against PyYAML: no dates, no base 60 (`22:22` is text), `1e3` is a number, `y` and `n` are booleans, `=` is text.
    """

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.repeated: list[tuple[str, int]] = []
        self._flattened: set[int] = set()

    def flatten_mapping(self, node: Any) -> None:
        """Note the keys that are written twice, before merges (`<<`) are mixed in; the last one wins."""
        if id(node) not in self._flattened:
            self._flattened.add(id(node))
            seen: set[tuple[str, str]] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if (key.tag, key.value) in seen:
                        self.repeated.append((key.value, key.start_mark.line + 1))
                    seen.add((key.tag, key.value))
        super().flatten_mapping(node)


def _int(loader: Any, node: Any) -> int:
    plain = loader.construct_scalar(node).replace("_", "")
    octal = plain.lstrip("+-").startswith("0") and plain.lstrip("+-")[1:2].isdigit()
    return int(plain, 8 if octal else 0)


def _float(loader: Any, node: Any) -> float | int | str:
    text = str(loader.construct_scalar(node))
    plain = text.replace("_", "").lower()
    if plain.endswith((".inf", ".nan")):
        return float(plain.replace(".", ""))
    value = float(plain)
    if abs(value) == float("inf"):
        return text  # out of range: Go leaves it text
    return int(value) if value.is_integer() and abs(value) < 1e21 else value  # as Go writes it in JSON


def _bool(loader: Any, node: Any) -> bool:
    text = loader.construct_scalar(node)
    if text not in (*TRUE, *FALSE):
        raise yaml.constructor.ConstructorError(None, None, f"{text!r} is no boolean", node.start_mark)
    return text in TRUE


def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"^(?:{'|'.join(map(re.escape, words))})$")


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", _any_of((*TRUE, *FALSE)), "yYnNtTfFoO"),
    ("int", re.compile(f"^(?:{INT})$"), "-+0123456789"),
    ("float", re.compile(f"^(?:{FLOAT})$"), "-+0123456789."),
    ("merge", re.compile("^<<$"), "<"),
    ("null", _any_of(NULL), ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_constructor("tag:yaml.org,2002:bool", _bool)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


class ManifestError(ValueError):
    """A file is not YAML. `line` counts from 1; `problem` is what the parser says."""

    def __init__(self, problem: str, line: int) -> None:
        self.problem, self.line = problem, line
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its value, the line where it begins, and its nodes for looking up lines.

    `repeated` are the keys that are written twice in one mapping, with the line of the one that wins.
    """

    value: Any
    line: int
    repeated: tuple[tuple[str, int], ...] = ()
    _node: Any

    def line_of(self, *path: str | int) -> int:
        """The line of the key or entry that `path` leads to, or of the last part of the path that exists."""
        node, line = self._node, self.line
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line

    def items(self) -> Iterator[Document]:
        """The document itself, or, for a list as kubectl and Argo CD know them (`List`, `ApplicationList`), each
        of its items, also those of lists in it."""
        value = self.value
        items = value.get("items") if isinstance(value, Mapping) else None
        if isinstance(items, list) and str(value.get("kind", "")).endswith("List"):
            entries = _child(self._node, "items")
            nodes = entries[1].value if entries else [self._node] * len(items)
            for item, node in zip(items, nodes, strict=True):
                line = node.start_mark.line + 1 if node is not None else self.line
                yield from Document(value=item, line=line, _node=node).items()
        else:
            yield self


def _child(node: Any, step: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):  # of a key that is written twice the last one counts
            if key.value == step:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        entry = node.value[step]
        return entry.start_mark.line + 1, entry
    return None


def parse(text: str | bytes) -> tuple[Document, ...]:
    """The documents of a YAML or JSON file, empty ones left out. Raises ManifestError."""
    loader = None
    content = b""
    try:
        content = _utf8(text)
        _check_depth(content)
        loader = _Loader(content)
        found = []
        while loader.check_node():
            node = loader.get_node()
            if b"*" in content:
                _check_aliases(node)
            loader.repeated = []
            value = loader.construct_document(node)
            if value is not None:
                line = node.start_mark.line + 1
                found.append(Document(value=value, line=line, repeated=tuple(loader.repeated), _node=node))
        return tuple(found)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is missed after the last line.
        line = min(mark.line, len(content.splitlines()) - 1) + 1 if mark else 1
        # libyaml has a limit of its own, from 0.2.6 on, which only what is beyond ours comes to.
        deep = "nesting depth" in (error.problem or "")
        said = f"nested deeper than {MAX_DEPTH} levels" if deep else error.problem or "not YAML"
        raise ManifestError(said, line) from error
    except yaml.reader.ReaderError as error:
        at = content[: error.position].count(b"\n") + 1
        raise ManifestError(f"a character YAML does not allow: {error.reason}", at) from error
    except ManifestError:
        raise
    except (UnicodeError, yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ManifestError(f"not YAML: {type(error).__name__}", 1) from error
    finally:
        if loader is not None:
            loader.dispose()


def _utf8(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode()
    return text.decode("utf-16").encode() if text.startswith((b"\xff\xfe", b"\xfe\xff")) else text


def _check_depth(content: bytes) -> None:
    """Raise ManifestError for what nests too deep; the exact answer costs a pass, so it is asked on suspicion only."""
    brackets = content.translate(None, _OTHERS)
    flow = max(accumulate(map(_BRACKETS.__getitem__, brackets)), default=0)
    if flow <= MAX_DEPTH and not _COLUMNS.search(content):
        return
    depth = 0
    for event in yaml.parse(content, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ManifestError(f"nested deeper than {MAX_DEPTH} levels", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_aliases(root: Any) -> None:
    """Raise ManifestError for an anchor that contains itself, and for aliases that expand without measure."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: Any) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_:
            raise ManifestError("an anchor that contains itself", node.start_mark.line + 1)
        open_.add(id(node))
        children: list[Any] = []
        if isinstance(node, yaml.MappingNode):
            children = [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        total = 1 + sum(map(size, children))
        if total > MAX_NODES:
            raise ManifestError(
                f"aliases that expand to more than {MAX_NODES} values", node.start_mark.line + 1
            )
        open_.discard(id(node))
        sizes[id(node)] = total
        return total

    size(root)


def dump(*documents: Any) -> str:
    """YAML text of `documents`, keys in their order."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump_all(documents, Dumper=dumper, sort_keys=False, allow_unicode=True))
