"""Which definitions are kept, and which are put in place of being created."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_gitops.clusters.embedded.shelf import KEYS, Shelf
from pytest_gitops.keeping import Kept

NAME = "widgets.example.com"
DEFINITION = {"metadata": {"name": NAME}, "spec": {"group": "example.com"}}
CONDITIONS = [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]


class FakeStore:
    """etcd, as `Store` shows it; what it holds on the real one, the contract test of embedded clusters shows."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.silent = False

    def get(self, key: str) -> bytes | None:
        if self.silent:
            raise OSError("no answer")
        return self.held.get(key)

    def add(self, key: str, value: bytes) -> bool:
        if self.silent:
            raise OSError("no answer")
        return self.held.setdefault(key, value) is value


def stored(*, managers: tuple[str, ...] = ("pytest-gitops", "kube-apiserver"), **more: Any) -> bytes:
    fields = [{"manager": m} for m in managers]
    metadata = {"name": NAME, "uid": "1", "generation": 1, "managedFields": fields, **more}
    return json.dumps({**DEFINITION, "metadata": metadata, "status": {"conditions": CONDITIONS}}).encode()


def shelf(folder: Path, store: FakeStore, version: str = "1.37.2") -> Shelf:
    return Shelf(cast(Any, store), Kept(folder), version=version)


def filled(folder: Path, value: bytes, *, applied: bool = False) -> None:
    """One cluster has created the definition, its API server has made `value` of it, and it was waited for."""
    store = FakeStore()
    first = shelf(folder, store)
    assert not first.bring(DEFINITION, applied=applied)
    store.held[KEYS + NAME] = value
    first.keep([NAME])


def test_the_next_cluster_has_it_at_once_under_a_uid_of_its_own(tmp_path: Path) -> None:
    filled(tmp_path, stored())
    store = FakeStore()
    assert shelf(tmp_path, store).bring(DEFINITION, applied=False)
    found = json.loads(store.held[KEYS + NAME])
    assert found["metadata"].pop("uid") != "1"
    assert found["metadata"].pop("creationTimestamp").endswith("Z")
    expected = json.loads(stored())
    del expected["metadata"]["uid"]
    assert found == expected


@pytest.mark.parametrize(
    ("definition", "applied", "version"),
    [
        ({**DEFINITION, "spec": {"group": "example.org"}}, False, "1.37.2"),
        (DEFINITION, True, "1.37.2"),
        (DEFINITION, False, "1.36.4"),
    ],
)
def test_another_definition_another_owner_and_another_version_are_created(
    tmp_path: Path, definition: dict[str, Any], applied: bool, version: str
) -> None:
    filled(tmp_path, stored())
    store = FakeStore()
    assert not shelf(tmp_path, store, version).bring(definition, applied=applied)
    assert store.held == {}


@pytest.mark.parametrize(
    "value",
    [
        stored(managers=("pytest-gitops", "kube-apiserver", "argocd-controller")),
        stored(deletionTimestamp="2026-01-01T00:00:00Z"),
        stored(generation=2),
        stored().replace(b'"Established", "status": "True"', b'"Established", "status": "False"'),
        json.dumps({**DEFINITION, "status": {}}).encode(),
        b"k8s\x00\n\xff",
    ],
    ids=["touched by another", "going", "written over", "not established", "no conditions yet", "no JSON"],
)
def test_what_is_not_as_it_was_created_is_not_kept(tmp_path: Path, value: bytes) -> None:
    filled(tmp_path, value)
    assert not shelf(tmp_path, FakeStore()).bring(DEFINITION, applied=False)


def test_what_was_not_created_by_us_is_not_kept(tmp_path: Path) -> None:
    store = FakeStore()
    store.held[KEYS + NAME] = stored()
    shelf(tmp_path, store).keep([NAME])
    assert not shelf(tmp_path, FakeStore()).bring(DEFINITION, applied=False)


def test_what_is_there_stays_and_has_to_be_created(tmp_path: Path) -> None:
    filled(tmp_path, stored())
    store = FakeStore()
    store.held[KEYS + NAME] = b"theirs"
    assert not shelf(tmp_path, store).bring(DEFINITION, applied=False)
    assert store.held == {KEYS + NAME: b"theirs"}


def test_an_etcd_without_an_answer_is_no_failure(tmp_path: Path) -> None:
    filled(tmp_path, stored())
    store = FakeStore()
    store.silent = True
    later = shelf(tmp_path, store)
    assert not later.bring(DEFINITION, applied=False)
    later.keep([NAME])
