"""Which revision an Application is waited for: its side's own, wherever the branches are just now."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest
from input_trees import case
from sides import BASE, HEAD, side

from pytest_gitops.stages.tracks import expected


@pytest.mark.parametrize("revision", ["HEAD", "main", ""])
def test_going_back_is_to_what_base_was_and_not_to_where_head_moved_it(revision: str) -> None:
    web = case("web", {"path": "web", "targetRevision": revision})
    context = side(BASE, [web])
    assert expected(context, web) == (BASE,)
    cast(Any, context.snapshot).commit = HEAD  # as the merge moves it, in the same bare repository
    assert expected(dataclasses.replace(context, timelines={}), web) == (BASE,)


def test_the_tag_prefix_of_a_source_belongs_to_its_revision() -> None:
    web = case("web", {"path": "web", "targetRevision": "in", "tagPrefix": "ma"})
    assert expected(side(HEAD, [web]), web) == (HEAD,)
