"""What processes said: tails, and the errors made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gitops.errors import ProcessDied
from pytest_gitops.processes.process import TAIL_LINES, Completed, last_lines
from pytest_gitops.processes.warden import remove


def test_a_tail_is_the_last_lines_without_the_blank_end() -> None:
    text = "\n".join(str(i) for i in range(100)) + "\n\n"
    assert last_lines(text).splitlines() == [str(i) for i in range(100 - TAIL_LINES, 100)]


def test_the_tail_of_a_command_prefers_what_it_said_on_stderr() -> None:
    both = Completed(argv=("x",), status=1, stdout="out", stderr="err")
    silent = Completed(argv=("x",), status=1, stdout="out", stderr="")
    assert (both.tail, silent.tail) == ("err", "out")


@pytest.mark.parametrize(
    ("status", "tail", "text"),
    [
        (3, "boom", "etcd ended with exit code 3.\nIts last lines:\nboom"),
        (-9, "", "etcd was killed by signal 9.\nIt wrote nothing."),
    ],
)
def test_a_death_names_the_process_its_status_and_its_last_words(status: int, tail: str, text: str) -> None:
    assert str(ProcessDied("etcd", status=status, log=Path("etcd.log"), tail=tail)) == text


def test_folders_without_write_permission_are_removed_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    locked = run / "cache" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    locked.chmod(0o500)
    remove(run)
    assert not run.exists()
