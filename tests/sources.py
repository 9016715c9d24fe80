"""The harness's own source as syntax trees, each file parsed and walked once for all tests that read it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import pytest_gitops

HARNESS = Path(pytest_gitops.__file__).parent

Node = TypeVar("Node", bound=ast.AST)

FILES = tuple(sorted(HARNESS.rglob("*.py")))


@cache
def tree(file: Path) -> ast.Module:
    """A file as it was read first."""
    return ast.parse(file.read_text("utf-8"))


@cache
def _by_kind(file: Path) -> dict[type[ast.AST], list[Any]]:
    found = defaultdict(list)
    for node in ast.walk(tree(file)):
        found[type(node)].append(node)
    return found


def nodes(file: Path, *kinds: type[Node]) -> Iterator[Node]:
    """All nodes of a file that are of these kinds, each kind's parents before what is in them."""
    return chain.from_iterable(_by_kind(file).get(kind, ()) for kind in kinds)
