"""What the comparison knows beside what is rendered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from pytest_gitops.settings.settings import Settings
from pytest_gitops.stages import change


def test_definitions_by_url_are_known_beside_those_of_files() -> None:
    by_url, in_file = {"kind": "A"}, {"kind": "B"}
    context = SimpleNamespace(
        settings=cast(Settings, SimpleNamespace(crds=("crds",), prerequisites=())),
        checkout=SimpleNamespace(manifests=lambda paths, *, where: [in_file] if paths else []),
        remote_crds=(by_url,),
    )
    assert change._others(cast(Any, context)) == [by_url, in_file]
