"""ApplicationSets are generated anew where the controller looks; nobody waits for the others."""

from __future__ import annotations

from typing import Any, cast

from pytest_gitops.argocd.applications import API
from pytest_gitops.argocd.applicationsets import REFRESH, refresh


class FakeApi:
    """A cluster with sets by "namespace/name", whose controller looks at what is in `team-a`."""

    def __init__(self, *keys: str) -> None:
        self.annotations: dict[str, dict[str, str]] = {key: {} for key in keys}
        self.asked: list[str] = []

    def get(self, path: str) -> dict[str, Any]:
        assert path == f"{API}/applicationsets"
        metas = [(*key.split("/"), notes) for key, notes in self.annotations.items()]
        return {"items": [{"metadata": {"namespace": n, "name": m, "annotations": a}} for n, m, a in metas]}

    def patch(self, path: str, body: dict[str, Any]) -> None:
        key = "/".join(path.split("/")[-3::2])
        self.asked.append(key)
        if not key.startswith("team-a/"):
            self.annotations[key] |= body["metadata"]["annotations"]


def test_a_set_where_the_controller_does_not_look_is_not_waited_for() -> None:
    api = FakeApi("team-a/one", "team-b/two")
    refresh(cast(Any, api), generates=lambda namespace: namespace == "team-a")
    assert api.asked == ["team-a/one"]
    assert REFRESH not in api.annotations["team-b/two"]
