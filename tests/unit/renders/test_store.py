"""Renders that are kept: whole or not at all, for their owner alone, and not without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.renders import store as module
from pytest_gitops.renders.store import Store

KEY, OTHER = "ab" * 32, "cd" * 32

RENDERED = Rendered(
    objects=({"kind": "Secret", "data": {"a": "ü", "n": 1.5, "t": True, "l": [None]}},),
    revisions=("(own)", "1.2.3"),
    source_types=("Helm",),
    commands=("helm template .",),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache" / "renders")


def file_of(store: Store) -> Path:
    (file,) = store.root.glob("*/*.json.gz")
    return file


def test_what_is_kept_is_what_was_rendered(store: Store) -> None:
    assert store.get(KEY) is None
    store.put(KEY, RENDERED)
    assert store.get(KEY) == RENDERED
    assert store.get(OTHER) is None


def test_nobody_else_can_read_it(store: Store) -> None:
    before = os.umask(0)
    try:
        store.put(KEY, RENDERED)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (store.root, file_of(store).parent)}
    assert modes == {0o700}
    assert stat.S_IMODE(file_of(store).stat().st_mode) == 0o600


def test_a_folder_that_others_can_write_to_is_not_believed(store: Store) -> None:
    store.put(KEY, RENDERED)
    store.root.chmod(0o770)
    assert store.get(KEY) is None
    store.put(OTHER, RENDERED)
    assert len(list(store.root.glob("*/*"))) == 1


def test_another_users_folder_is_not_believed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, RENDERED)
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert store.get(KEY) is None


def test_a_link_in_the_folders_place_is_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    store.root.parent.mkdir()
    store.root.symlink_to(tmp_path / "elsewhere")
    store.put(KEY, RENDERED)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("how", ["cut", "changed", "empty", "renamed", "words"])
def test_a_file_that_is_not_whole_is_none(store: Store, how: str) -> None:
    store.put(KEY, RENDERED)
    file = file_of(store)
    content = file.read_bytes()
    match how:
        case "cut":
            file.write_bytes(content[:-1])
        case "changed":
            file.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
        case "empty":
            file.write_bytes(b"")
        case "words":
            file.write_text("not a render")
        case "renamed":
            target = store.root / OTHER[:2] / f"{OTHER}.json.gz"
            target.parent.mkdir()
            file.rename(target)
    assert store.get(KEY) is None
    assert store.get(OTHER) is None
    store.put(KEY, RENDERED)
    assert store.get(KEY) == RENDERED


def test_a_folder_that_cannot_be_written_costs_a_render_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "renders").write_text("a file in its place")
    store = Store(tmp_path / "renders")
    store.put(KEY, RENDERED)
    assert store.get(KEY) is None
    store.close()


def test_a_render_without_end_is_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ONE", 50)
    store.put(KEY, RENDERED)
    assert not store.root.exists()


def test_a_small_file_that_unpacks_without_end_is_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, RENDERED)
    monkeypatch.setattr(module, "MAX_ONE", 50)
    assert store.get(KEY) is None


def test_what_was_not_used_for_longest_goes_first(store: Store) -> None:
    keys = [f"{n:064x}" for n in range(10)]
    for number, key in enumerate(keys):
        store.put(key, RENDERED)
        os.utime(store._path(key), (number, number))
    size = store._path(keys[0]).stat().st_size
    assert store.get(keys[0]) is not None  # used now
    store.limit = 5 * size
    store.close()
    assert [k for k in keys if store.get(k)] == [keys[0], *keys[-3:]]


def test_a_run_that_kept_nothing_looks_at_no_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, RENDERED)
    store.close()
    monkeypatch.setattr(module, "tidy", lambda root, limit: pytest.fail("looked"))
    store.close()
