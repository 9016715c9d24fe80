"""What Argo CD finds in the cluster before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.argocd import install

INSTALLED = {"argocd-cm": {"k": "as installed", "resource.exclusions": "- kinds: [Lease]"}}


def test_the_repositorys_own_settings_go_before_those_of_an_installation() -> None:
    own: dict[str, Any] = {
        "metadata": {"name": "argocd-cm", "namespace": "x", "labels": {"a": "b"}},
        "data": {"k": "v"},
    }
    made = {o["metadata"]["name"]: o for o in install.settings("cd", [own], installed=INSTALLED)}
    assert set(made) == {"cd", *install.CONFIG_MAPS, "argocd-secret"}
    cm = made["argocd-cm"]
    assert cm["data"] == {"k": "v", "resource.exclusions": "- kinds: [Lease]"}
    assert cm["metadata"]["namespace"] == "cd"
    assert cm["metadata"]["labels"] == {"a": "b", **install.PART_OF}
    assert made["argocd-rbac-cm"]["data"] == {}
    assert all(
        o["metadata"]["labels"].items() >= install.PART_OF.items() for n, o in made.items() if n != "cd"
    )
    assert own["metadata"]["labels"] == {"a": "b"}


def test_every_run_has_a_key_of_its_own() -> None:
    keys = {install.settings("cd", [], installed={})[-1]["stringData"]["server.secretkey"] for _ in range(3)}
    assert len(keys) == 3


def test_the_default_project_allows_everything() -> None:
    spec = install.default_project("cd")["spec"]
    assert spec["sourceRepos"] == ["*"]
    assert spec["destinations"] == [{"namespace": "*", "server": "*"}]
    assert spec["clusterResourceWhitelist"] == [{"group": "*", "kind": "*"}]


@pytest.mark.parametrize(
    ("maps", "data"),
    [
        ([], {}),
        ([{"metadata": {"name": "other"}, "data": {"a": "b"}}], {}),
        ([{"metadata": {"name": "argocd-cm"}, "data": {"a": "b"}}], {"a": "b"}),
        ([{"metadata": {"name": "argocd-cm"}}], {}),
        ([{"metadata": {"name": "argocd-cm"}, "data": None}], {}),
        ([{"metadata": {"name": "argocd-cm"}, "data": "x"}], {}),
    ],
)
def test_the_data_of_a_config_map_is_a_mapping(maps: list[dict[str, object]], data: dict[str, str]) -> None:
    assert install.data_of(maps, "argocd-cm") == data


def test_definitions_are_those_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "kind: CustomResourceDefinition\nmetadata: {name: a}\n---\nkind: Other\n"
    )
    (tmp_path / "b.txt").write_text("kind: CustomResourceDefinition\n")
    assert [d["metadata"]["name"] for d in install.crds(tmp_path, tmp_path / "cache")] == ["a"]


def test_what_was_read_once_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "crds", tmp_path / "cache"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(
            f"kind: CustomResourceDefinition\nmetadata: {{name: {name}, at: 2024-01-01}}\n"
        )
    first = install.crds(folder, cache)
    with monkeypatch.context() as patch:
        patch.setattr(install, "parse", lambda _: pytest.fail("read again"))
        assert install.crds(folder, cache) == first
    (folder / "b.yaml").write_text("{kind: CustomResourceDefinition, metadata: {name: other}}")
    assert [d["metadata"]["name"] for d in install.crds(folder, cache)] == ["a", "other"]
