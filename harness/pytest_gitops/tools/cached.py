"""The way of what an earlier run has left in the cache: no program is started, no host asked."""

from __future__ import annotations

from pytest_gitops.tools.context import Context, NoWay
from pytest_gitops.tools.parts import Part, Tool


def cached(part: Part, context: Context) -> Tool:
    """The tool in the cache."""
    if tool := context.store.get(part):
        return tool
    raise NoWay(f"nothing in {context.store.home(part)}")
