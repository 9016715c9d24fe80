"""The harness's own source as syntax trees, each file parsed and walked once for all tests that read it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest_gitops

HARNESS = Path(pytest_gitops.__file__).parent

FILES = tuple(sorted(HARNESS.rglob("*.py")))


@cache
def tree(file: Path) -> ast.Module:
    """A file as it was read first."""
    return ast.parse(file.read_text("utf-8"))


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file, parents before what is in them."""
    return tuple(ast.walk(tree(file)))
