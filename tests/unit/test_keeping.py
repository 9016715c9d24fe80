"""What is kept in the cache folder: for whom, how long, and when it counts."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pytest_gitops.keeping import Kept

NAME, ANOTHER = "https://example.com/crds.yaml", "https://example.com/others.yaml"
CONTENT, CHANGED = b"kind: CustomResourceDefinition", b"kind: Secret"


def test_what_is_kept_is_for_its_owner_alone(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "downloads")
    kept.put(NAME, CONTENT)
    assert kept.get(NAME) == CONTENT
    assert kept.get(ANOTHER) is None
    (file,) = kept.root.iterdir()
    assert (stat.S_IMODE(kept.root.stat().st_mode), stat.S_IMODE(file.stat().st_mode)) == (0o700, 0o600)


def test_a_file_that_was_changed_or_moved_is_none(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "downloads")
    kept.put(NAME, CONTENT)
    (file,) = kept.root.iterdir()
    whole = file.read_bytes()
    for broken in (whole[:-1], whole[:10], b"", whole[:32] + CHANGED):
        file.write_bytes(broken)
        assert kept.get(NAME) is None
    file.write_bytes(whole)
    assert kept.get(NAME) == CONTENT
    kept.put(ANOTHER, CONTENT)
    (other,) = set(kept.root.iterdir()) - {file}
    other.write_bytes(whole)
    assert kept.get(ANOTHER) is None


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "downloads")
    kept.put(NAME, CONTENT)
    kept.root.chmod(0o770)
    assert kept.get(NAME) is None
    kept.put(ANOTHER, CONTENT)
    assert len(list(kept.root.iterdir())) == 1
    kept.root.chmod(0o700)


def test_a_cache_that_cannot_be_written_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    kept = Kept(tmp_path / "file" / "downloads")
    kept.put(NAME, CONTENT)
    assert kept.get(NAME) is None


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "downloads", limit=1000)
    for number, name in enumerate("abc"):
        kept.put(name, b"x" * 250)
        (file,) = (p for p in kept.root.iterdir() if p.stat().st_mtime > 1000)
        os.utime(file, (number, number))
    assert kept.get("a") is not None
    kept.put("d", b"x" * 250)
    assert [bool(kept.get(name)) for name in "abcd"] == [True, False, False, True]


def test_a_folder_that_is_read_only_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path / "downloads")
    kept.put(NAME, CONTENT)

    def refused(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "utime", refused)
    assert kept.get(NAME) == CONTENT
