"""Whether the first cluster may be somebody else's: what acts on it, and what is left there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.argocd.applications import API
from pytest_gitops.clusters.embedded.plane import PROGRAMS, Embedded
from pytest_gitops.ground.controllers import Controllers
from pytest_gitops.settings.settings import Provider

SETS, APPLICATIONS = f"{API}/applicationsets", f"{API}/applications"


class FakeApi:
    """A cluster with one ApplicationSet, and the Application that was made of it."""

    def __init__(self) -> None:
        self.there = {SETS: ["made"], APPLICATIONS: ["made-porto"]}

    def get(self, path: str) -> dict[str, Any]:
        return {"items": [{"metadata": {"name": n, "namespace": "argocd"}} for n in self.there[path]]}

    def delete(self, path: str) -> None:
        kind, name = path.rsplit("/", 2)[1:]
        self.there[f"{API}/{kind}"].remove(name)


class FakeSide:
    """One whose applicationset-controller is a word."""

    namespaces: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.sets: list[str] = []

    def note(self, *, sets: list[str]) -> None:
        self.sets += sets

    def flags_for_sets(self) -> tuple[str, ...]:
        return tuple(s for s in self.sets if s.startswith("--"))

    def start_sets(self, *_: object) -> str:
        return " ".join(["controller", *self.flags_for_sets()])

    def start_applications(self, *_: object) -> str:
        return "application-controller"


class FakeDelivery:
    """One whose controller of Argo Rollouts is a word."""

    def furnish(self, *_: object, head: bool) -> None:
        pass

    def start(self, *_: object) -> list[str]:
        return ["argo-rollouts"]


@pytest.fixture
def ground(tmp_path: Path) -> Any:
    stopped: list[str] = []
    return SimpleNamespace(
        settings=SimpleNamespace(provider=Provider.EMBEDDED, keep=False),
        cluster=Embedded(cast(Any, None), tmp_path, {name: tmp_path / name for name in PROGRAMS}),
        api=FakeApi(),
        serve_sets=lambda _: None,
        supervisor=SimpleNamespace(stop=lambda *daemons: stopped.extend(daemons)),
        stopped=stopped,
        head=FakeSide(),
        acting=None,
        own_apis=[],
        fleet=SimpleNamespace(stop=lambda: stopped.append("clusters beside it")),
    )


def test_it_is_lent_without_what_was_expanded_there(ground: Any) -> None:
    controllers = Controllers(ground)
    controllers.start_sets(cast(Any, FakeSide()))
    assert controllers.lend() == (ground.cluster, ground.api)
    assert ground.stopped == ["controller"]
    assert ground.api.there == {SETS: [], APPLICATIONS: []}


def _kept(ground: Any) -> None:
    ground.settings.keep = True


def _kinds(ground: Any) -> None:
    ground.settings.provider = Provider.KIND


@pytest.mark.parametrize("change", [_kept, _kinds])
def test_what_is_to_be_kept_or_really_runs_containers_is_not_lent(
    ground: Any, change: Callable[[Any], None]
) -> None:
    change(ground)
    controllers = Controllers(ground)
    controllers.start_sets(cast(Any, FakeSide()))
    assert controllers.lend() is None
    assert ground.stopped == []


def test_all_that_acts_ends_before_the_clusters_it_acts_on(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground.cluster, "stop", lambda: ground.stopped.append("cluster"))
    controllers = Controllers(ground)
    controllers.delivery = cast(Any, FakeDelivery())
    controllers.start_sets(cast(Any, FakeSide()))
    controllers.start_applications()
    controllers.end()
    assert ground.stopped == [
        "controller", "argo-rollouts", "application-controller", "clusters beside it", "cluster",
    ]  # fmt: skip
    assert ground.acting is None


def test_one_that_was_not_told_of_a_rendered_set_is_started_anew(ground: Any) -> None:
    controllers, side = Controllers(ground), cast(Any, FakeSide())
    for sets in (["plain"], ["plain"], ["--rolls"], ["--rolls"][:0]):
        controllers.start_sets(side, cast(Any, sets))
    assert ground.stopped == ["controller"]
    controllers.forget()
    assert ground.stopped == ["controller", "controller --rolls"]


def test_namespaces_that_argo_cd_looks_at_are_there_before_anything_is_put_into_them(ground: Any) -> None:
    made: list[str] = []
    ground.api.apply = lambda manifest: made.append(manifest["metadata"]["name"])
    side = cast(Any, FakeSide())
    side.namespaces = {"team-b", "team-a"}
    Controllers(ground).make_namespaces(side)
    assert made == ["team-a", "team-b"]
