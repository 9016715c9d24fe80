"""Folders and files of the snapshot that the configuration names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.repository.snapshot import Entry

FILES = {
    "crds/a.yaml": b"kind: A\n---\nkind: List\nitems: [{kind: B}]\n",
    "crds/deep/c.json": b'{"kind": "C"}',
    "crds/notes.txt": b"no",
    "crds-too/d.yml": b"kind: D\n",
    "bad.yaml": b"a: 1\nb: c: d\n",
    "crds/link.yaml": b"../../outside.yaml",
}


@pytest.fixture
def checkout() -> Checkout:
    def read_many(paths: Iterable[str]) -> dict[str, bytes]:
        return {p: FILES[p] for p in paths}

    entries = [
        Entry(path=p, mode="120000" if p == "crds/link.yaml" else "100644", sha="0", size=len(c))
        for p, c in FILES.items()
    ]
    made = Checkout.__new__(Checkout)
    made.snapshot = cast(Any, SimpleNamespace(files=lambda: entries, read_many=read_many))
    return made


@pytest.mark.parametrize("path", ["crds", "./crds/", "/crds", "crds/.", "crds-too/../crds"])
def test_a_folder_is_found_however_it_is_spelled(checkout: Checkout, path: str, tmp_path: Path) -> None:
    assert [m["kind"] for m in checkout.manifests([path], where="crds")] == ["A", "B", "C"]
    checkout.write_out(path, tmp_path, where="charts")
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert written == {"a.yaml", "deep/c.json", "notes.txt"}  # and no link


def test_the_top_is_a_folder_too(checkout: Checkout, tmp_path: Path) -> None:
    checkout.write_out(".", tmp_path, where="charts")
    assert (tmp_path / "crds-too" / "d.yml").is_file()


def test_a_file_is_named_by_itself(checkout: Checkout) -> None:
    assert [m["kind"] for m in checkout.manifests(["crds-too/d.yml", "crds/deep"], where="crds")] == [
        "D",
        "C",
    ]


@pytest.mark.parametrize("path", ["nowhere", "crds/notes.txt", "cr", "..", "../crds", "crds/link.yaml"])
def test_a_path_without_manifests_is_an_error(checkout: Checkout, path: str) -> None:
    with pytest.raises(ConfigError, match=r"^pytest-gitops\.yaml crds: expected manifests in .*, saw none"):
        checkout.manifests([path], where="pytest-gitops.yaml crds")


def test_a_manifest_that_is_not_yaml_is_an_error_at_its_line(checkout: Checkout) -> None:
    with pytest.raises(ConfigError, match=r"^bad\.yaml:2: mapping values are not allowed"):
        checkout.manifests(["bad.yaml"], where="crds")


@pytest.mark.parametrize("path", ["nowhere", "..", "../x", "crds/a.yaml"])
def test_a_folder_that_is_not_there_is_an_error(checkout: Checkout, path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a folder of the repository, saw no file in"):
        checkout.write_out(path, tmp_path, where="charts")


def test_the_urls_are_known_by_which_its_own_applications_call_it() -> None:
    def declared(manifest: dict[str, Any]) -> SimpleNamespace:
        return SimpleNamespace(manifest=manifest)

    ours, other = "ssh://git@bb.example.com:7999/PRJ/grid.git", "https://bb.example.com/scm/PRJ/other.git"
    made = Checkout.__new__(Checkout)
    made._names = frozenset({"bb.example.com/prj/grid"})
    made.declarations = cast(
        Any,
        SimpleNamespace(
            applications=[declared({"spec": {"sources": [{"repoURL": ours}, {"repoURL": other}]}})],
            application_sets=[declared({"spec": {"generators": [{"git": {"repoURL": f"{ours}/"}}]}})],
        ),
    )
    assert made.spellings == (ours, f"{ours}/")
