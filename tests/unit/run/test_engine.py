"""When `upgrade` waits for the end of the first control plane: what is selected decides, and what the user wants to keep.
And which ApplicationSets nobody is asked about."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_gitops.errors import EngineError
from pytest_gitops.planning.plan import Generated
from pytest_gitops.run.asking import Selection
from pytest_gitops.run.engine import Engine
from pytest_gitops.settings.settings import Provider, Settings

SETTINGS = Settings(root=Path(), report=Path(), cache=Path(), environ={})


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def engine(selected: int, *, stage: str = "converge", settings: Settings = SETTINGS) -> Engine:
    """One whose plane of `upgrade` has begun, and of which `selected` Applications are asked."""
    made = Engine(settings)
    made._selection = Selection(tuple((f"a{n}", stage) for n in range(selected)))
    made._upgrade_plane = Future()
    return made


def put_off(engine: Engine, plane: Any) -> bool:
    """Whether it is put off, its plane having come up, or failed to."""
    assert engine._upgrade_plane is not None
    if isinstance(plane, Exception):
        engine._upgrade_plane.set_exception(plane)
    else:
        engine._upgrade_plane.set_result(plane)
    if not engine._is_crowded:
        return False
    engine._put_upgrade_off()
    return True


def test_it_is_put_off_for_fifty_on_two_processors_and_what_had_begun_is_ended() -> None:
    ended: list[str] = []
    plane = SimpleNamespace(stop=lambda: ended.append("plane"))
    assert not put_off(engine(49), plane)
    assert ended == []
    assert put_off(engine(50), plane)
    assert ended == ["plane"]


def test_what_is_only_reviewed_counts_for_nothing() -> None:
    assert not put_off(engine(60, stage="policy"), SimpleNamespace())


@pytest.mark.parametrize(
    "settings", [replace(SETTINGS, keep=True), replace(SETTINGS, provider=Provider.KIND)]
)
def test_a_first_cluster_that_stays_is_not_waited_for(settings: Settings) -> None:
    assert not put_off(engine(60, settings=settings), SimpleNamespace())


def test_without_a_base_there_is_nothing_to_put_off() -> None:
    made = engine(60)
    made._upgrade_plane = None
    assert not made._is_crowded


def test_a_plane_that_could_not_begin_is_begun_again_in_its_turn() -> None:
    assert put_off(engine(60), EngineError("no memory"))


def test_a_set_where_argo_cd_does_not_look_is_told_and_not_waited_for() -> None:
    def declared(namespace: str) -> Any:
        return SimpleNamespace(
            kind="ApplicationSet", namespace=namespace, name="s", file="s.yaml", line=namespace and 7
        )

    context: Any = SimpleNamespace(
        control="argocd",
        parameters={"applicationsetcontroller.namespaces": "team-a"},
        repository_findings=[],
        unexpanded={},
    )
    sets = {f"{n or 'argocd'}/s": declared(n) for n in ("", "team-a", "team-b")}
    assert Engine(SETTINGS)._passed_over(context, sets) == {"team-b/s": Generated(unknown=True)}
    (finding,) = context.repository_findings
    assert (finding.rule, finding.file, finding.line) == ("namespace-not-enabled", "s.yaml", 7)
    assert context.unexpanded == {"team-b/s": finding.message}
