"""Whether Argo Rollouts takes part, and what each cluster gets for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.argocd.render import NotRendered, Rendered
from pytest_gitops.ground import delivering
from pytest_gitops.ground.delivering import Delivery, delivery, is_asked

ROLLOUT = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}


def definition(name: str) -> dict[str, Any]:
    return {"kind": "CustomResourceDefinition", "metadata": {"name": name}}


KNOWN = (definition("rollouts.argoproj.io"), definition("experiments.argoproj.io"))


def context(*objects: dict[str, Any]) -> Any:
    renders = {"a": Rendered(objects=objects), "b": cast(NotRendered, object())}
    return SimpleNamespace(renders=renders, base=None)


@pytest.mark.parametrize(
    ("said", "objects", "asked"),
    [(None, (ROLLOUT,), True), (None, (CONFIG,), False), (True, (), True), (False, (ROLLOUT,), False)],
)
def test_it_takes_part_where_it_is_asked_or_something_of_its_is_rendered(
    said: bool | None, objects: tuple[dict[str, Any], ...], asked: bool
) -> None:
    assert (
        is_asked(cast(Any, SimpleNamespace(argo_rollouts=said)), [context(CONFIG), context(*objects)])
        is asked
    )


class FakeApi:
    """A cluster that is given definitions."""

    def __init__(self) -> None:
        self.kubeconfig = Path("/run/kubeconfig")
        self.given: list[str] = []
        self.awaited: list[str] = []

    def define(self, definition: dict[str, Any]) -> None:
        self.given.append(definition["metadata"]["name"])

    def wait_established(self, names: list[str], limit: float) -> None:
        self.awaited += names


class FakeGround:
    """As much of a run's ground as a delivery stands on."""

    def __init__(self, tmp_path: Path, *, stages: tuple[str, ...] = ("converge",)) -> None:
        self.settings = SimpleNamespace(
            argo_rollouts=None,
            cache=tmp_path,
            crds=(),
            stages=stages,
            allowed_hosts=("127.0.0.1:9090", "example.com"),
        )
        self.checkout = SimpleNamespace(manifests=lambda *_, where: [])
        self.remote_crds: tuple[Any, ...] = ()
        self.supervisor = SimpleNamespace(directory=tmp_path)
        self.api, self.destinations = FakeApi(), {"prod": FakeApi()}
        self.destinations["https://prod:6443"] = self.destinations["prod"]
        self.admission = SimpleNamespace(know=lambda found: self.known.extend(found))
        self.known: list[Any] = []
        self.got: list[str] = []
        self.pretended: list[str] = []

    @property
    def own_apis(self) -> list[Any]:
        return [self.api, self.destinations["prod"]]

    def ensure(self, names: tuple[str, ...]) -> dict[str, Any]:
        self.got += names
        return {n: SimpleNamespace(version="1.10.2", path=Path("/tools") / n) for n in names}

    def mark(self, what: str) -> None:
        pass


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr("pytest_gitops.rollouts.kinds.definitions", lambda folder, cache: KNOWN)
    monkeypatch.setattr(
        delivering.controller,
        "start",
        lambda supervisor, directory, around, kubeconfig, *, label: found.append((label, around)),
    )
    return found


def made(ground: FakeGround, head: Any, base: Any = None) -> Delivery:
    head.base = base
    return Delivery(cast(Any, ground), head)


SIDE = cast(Any, SimpleNamespace(world=SimpleNamespace(env={"HTTPS_PROXY": "x"}), confinement=None))


def test_every_cluster_is_given_each_definition_once_and_a_controller(
    tmp_path: Path, started: list[tuple[str, Any]]
) -> None:
    ground = FakeGround(tmp_path)
    delivered = delivery(cast(Any, ground), context(ROLLOUT))
    assert delivered is not None
    clusters = [ground.api, *ground.destinations.values()]
    delivered.furnish(cast(Any, clusters), head=True)
    delivered.start(cast(Any, clusters), SIDE)
    for api in clusters:
        assert sorted(api.given) == sorted(api.awaited) == ["experiments.argoproj.io", "rollouts.argoproj.io"]
    assert [label for label, _ in started] == ["argo-rollouts-1", "argo-rollouts-2"]
    assert {around.ports for _, around in started} == {(9090,)}
    assert ground.known == list(KNOWN)
    assert ground.pretended[0].startswith(
        "Argo Rollouts 1.10.2 runs beside the cluster, and its definitions are there"
    )


def test_without_anything_of_its_nothing_is_got(tmp_path: Path, started: list[tuple[str, Any]]) -> None:
    ground = FakeGround(tmp_path)
    assert delivery(cast(Any, ground), context(CONFIG)) is None
    assert (ground.api.given, ground.pretended, started) == ([], [], [])


def test_what_the_repository_brings_is_left_to_it(tmp_path: Path, started: list[tuple[str, Any]]) -> None:
    ground = FakeGround(tmp_path)
    delivered = made(ground, context(ROLLOUT, *KNOWN))
    delivered.furnish(cast(Any, [ground.api]), head=True)
    delivered.start(cast(Any, [ground.api]), SIDE)
    assert ground.api.given == []
    assert "its definitions are yours" in delivered.simulated


def test_what_only_head_brings_is_there_where_base_begins(
    tmp_path: Path, started: list[tuple[str, Any]]
) -> None:
    ground = FakeGround(tmp_path)
    delivered = made(ground, context(ROLLOUT, *KNOWN), context(ROLLOUT))
    delivered.furnish(cast(Any, [ground.api]), head=False)
    delivered.start(cast(Any, [ground.api]), SIDE)
    assert len(ground.api.given) == 2


def test_a_review_alone_gets_no_controller(tmp_path: Path, started: list[tuple[str, Any]]) -> None:
    ground = FakeGround(tmp_path, stages=("render", "admit"))
    assert delivery(cast(Any, ground), context(ROLLOUT)) is not None
    assert ground.got == ["argo-rollouts-crds"]
    assert (ground.known, ground.api.given, ground.pretended) == (list(KNOWN), [], [])


def test_a_cluster_that_refuses_a_definition_ends_the_start_and_not_the_plan(
    tmp_path: Path, started: list[tuple[str, Any]]
) -> None:
    def refuse(definition: Any) -> None:
        raise RuntimeError("no room")

    ground = FakeGround(tmp_path)
    ground.api.define = refuse  # type: ignore[method-assign]
    delivered = made(ground, context(ROLLOUT))
    delivered.furnish(cast(Any, [ground.api]), head=True)
    with pytest.raises(RuntimeError, match="no room"):
        delivered.start(cast(Any, [ground.api]), SIDE)
    assert started == []
