"""YAML as Kubernetes reads it, with the line of every key. The only importer of yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # its base is chosen at import: libyaml's where it is there
    """YAML 1.1 without dates: Kubernetes leaves them strings."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}


class ManifestError(ValueError):
    """A file is not YAML. `line` counts from 1; `problem` is what the parser says."""

    def __init__(self, problem: str, line: int) -> None:
        self.problem, self.line = problem, line
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its value, the line where it begins, and its nodes for looking up lines."""

    value: Any
    line: int
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
        """The document itself, or, for a `List`, each of its items."""
        value = self.value
        if isinstance(value, Mapping) and value.get("kind") == "List" and isinstance(value.get("items"), list):
            entries = _child(self._node, "items")
            nodes = entries[1].value if entries else []
            for item, node in zip(value["items"], nodes, strict=False):
                yield Document(value=item, line=node.start_mark.line + 1, _node=node)
        else:
            yield self


def _child(node: Any, step: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        entry = node.value[step]
        return entry.start_mark.line + 1, entry
    return None


def parse(text: str | bytes) -> tuple[Document, ...]:
    """The documents of a YAML or JSON file, empty ones left out. Raises ManifestError."""
    loader = None
    try:
        loader = _Loader(text)
        found = []
        while loader.check_node():
            node = loader.get_node()
            value = loader.construct_document(node)
            if value is not None:
                found.append(Document(value=value, line=node.start_mark.line + 1, _node=node))
        return tuple(found)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ManifestError(error.problem or "not YAML", mark.line + 1 if mark else 1) from error
    except yaml.reader.ReaderError as error:
        raise ManifestError(f"a character YAML does not allow: {error.reason}", _line_at(text, error.position)) from error
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ManifestError(f"not YAML: {type(error).__name__}", 1) from error
    finally:
        if loader is not None:
            loader.dispose()


def _line_at(text: str | bytes, position: int) -> int:
    return text[:position].count(b"\n" if isinstance(text, bytes) else "\n") + 1  # type: ignore[arg-type]


def dump(*documents: Any) -> str:
    """YAML text of `documents`, keys in their order."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump_all(documents, Dumper=dumper, sort_keys=False, allow_unicode=True))
