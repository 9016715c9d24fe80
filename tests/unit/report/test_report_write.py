from __future__ import annotations

import stat
from pathlib import Path

import pytest
from report_documents import grid, small

from pytest_gitops.errors import EngineError
from pytest_gitops.report import document, write

NAMES = ["index.html", "review.md", "verification.md", "review.sarif", "report.json"]


def test_every_report_is_written_and_named(tmp_path: Path) -> None:
    paths = write.write(document.build(small()), tmp_path / "a" / "b")
    assert [p.name for p in paths] == NAMES
    assert all(p.read_text("utf-8") and stat.S_IMODE(p.stat().st_mode) == 0o644 for p in paths)
    assert sorted(p.name for p in (tmp_path / "a" / "b").iterdir()) == sorted(NAMES)


def test_reports_of_an_earlier_run_are_replaced_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    write.write(document.build(grid()), tmp_path)
    write.write(document.build(small()), tmp_path)
    assert "omega-matrix-news" not in "".join((tmp_path / n).read_text("utf-8") for n in NAMES)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_writer_that_fails_leaves_the_earlier_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write.write(document.build(small()), tmp_path)

    def broken(_: object) -> str:
        raise ValueError("broken")

    monkeypatch.setitem(write.WRITERS, "verification.md", broken)
    with pytest.raises(ValueError, match="broken"):
        write.write(document.build(grid()), tmp_path)
    assert (
        "omega-monitoring" in (tmp_path / "review.md").read_text("utf-8")
        or (tmp_path / "index.html").exists()
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)


def test_an_interruption_leaves_no_old_report_and_no_half_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write.write(document.build(grid()), tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write.write(document.build(small()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"the reports cannot be written to .*file: "):
        write.write(document.build(small()), tmp_path / "file")
