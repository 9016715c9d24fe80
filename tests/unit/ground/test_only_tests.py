"""What a run is spared in which no Application can be judged: clusters that only stages ask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.ground import upgrading
from pytest_gitops.ground.boot import Ground
from pytest_gitops.settings.settings import Base, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        root=tmp_path,
        report=tmp_path / "report",
        cache=tmp_path / "cache",
        environ={},
        stages=("render", "admit", "converge", "upgrade"),
        base=Base(name="main", commit="0" * 40),
    )


@pytest.mark.parametrize("only", [False, True])
def test_no_api_server_is_only_asked(settings: Settings, only: bool) -> None:
    ground = Ground(replace(settings, only_tests=only), say=lambda _: None, died=lambda _: None)
    assert bool(ground._admission_parts) is not only


@pytest.mark.parametrize("only", [False, True])
def test_no_plane_of_upgrade_comes_up(
    settings: Settings, only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = SimpleNamespace(start=lambda: None)
    monkeypatch.setattr(upgrading, "_plane", lambda _, environ: plane)
    ground = SimpleNamespace(settings=replace(settings, only_tests=only))
    begun = upgrading.begin_plane(cast(Any, ground))
    assert (begun.result() if begun is not None else None) is (None if only else plane)
