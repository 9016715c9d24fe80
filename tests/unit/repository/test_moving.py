"""The branches of a bare repository, moved as a merge moves them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pytest_gitops.repository.moving import lend, point


def test_every_ref_is_what_it_is_told_to_be_and_no_other_is_left(tmp_path: Path) -> None:
    (tmp_path / "packed-refs").write_text(f"{'0' * 40} refs/heads/main\n{'0' * 40} refs/heads/old\n")
    point(tmp_path, {"refs/tags/v1": "1" * 40, "refs/heads/main": "2" * 40})
    assert (tmp_path / "packed-refs").read_text() == f"{'2' * 40} refs/heads/main\n{'1' * 40} refs/tags/v1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["packed-refs"]


def test_what_is_lent_comes_beside_what_is_borrowed_already(tmp_path: Path) -> None:
    alternates = tmp_path / "objects" / "info" / "alternates"
    alternates.parent.mkdir(parents=True)
    alternates.write_text("/clone/objects\n")
    lend(cast(Any, SimpleNamespace(bare=Path("/head.git"))), tmp_path)
    assert alternates.read_text() == "/clone/objects\n/head.git/objects\n"
