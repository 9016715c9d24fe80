"""Asking the repo-server once more: as before, but without what it remembers."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from pytest_gitops.argocd.options import Options
from pytest_gitops.argocd.render import Rendered, RepoServer
from pytest_gitops.model import Case


@pytest.mark.parametrize("fresh", [True, False])
def test_a_fresh_rendering_is_asked_for_as_a_hard_refresh_does(fresh: bool) -> None:
    asked: list[dict[str, Any]] = []
    source = {"repoURL": "https://git.example.com/grid.git", "path": "web"}
    case = Case(
        name="web",
        namespace="argocd",
        project="default",
        file="a.yaml",
        line=1,
        manifest={"spec": {"source": source}},
    )
    with closing(RepoServer("127.0.0.1:1", control="argocd", options=Options())) as server:

        def generate(request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
            del timeout
            asked.append(request)
            return {"manifests": ['{"kind": "ConfigMap"}']}

        server._generate = generate
        assert server.render(case, fresh=fresh) == Rendered(
            objects=({"kind": "ConfigMap"},), revisions=("",), source_types=("",)
        )
    assert [r["noCache"] for r in asked] == [fresh]
