"""What the application-controller leaves in shared memory when it is killed goes with its run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_gitops.processes import warden

STARTED = 1_000.0


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    return folder


def put(memory: Path, name: str, content: str, *, mode: int = 0o600, at: float = STARTED + 1) -> Path:
    file = memory / name
    file.write_text(content)
    file.chmod(mode)
    os.utime(file, (at, at))
    return file


def swept(memory: Path, monkeypatch: pytest.MonkeyPatch, *environments: bytes) -> set[str]:
    monkeypatch.setattr(warden, "_environments", lambda: iter(environments))
    before = {p.name for p in memory.iterdir()}
    warden.sweep(Path("/tmp/run-1"), STARTED, memory=memory)  # noqa: S108
    return before - {p.name for p in memory.iterdir()}


def test_its_files_are_removed(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(memory, "123", "apiVersion: v1\nclusters:\n- certificate-authority: /tmp/run-1/cluster/ca.crt\n")
    put(memory, "456", '{"apiVersion":"v1","kind":"Secret"}')
    assert swept(memory, monkeypatch) == {"123", "456"}


def test_other_files_stay(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(memory, "sem.name", "{")
    put(memory, "1", "{", mode=0o644)
    put(memory, "2", "{", at=STARTED - 1)
    put(memory, "3", "other content")
    (memory / "4").symlink_to(put(memory, "kept", "{"))
    assert swept(memory, monkeypatch) == set()


def test_while_another_run_works_only_what_names_ours_is_removed(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(memory, "1", "apiVersion: v1\nca: /tmp/run-1/cluster/ca.crt\n")
    put(memory, "2", "apiVersion: v1\nca: /tmp/run-10/cluster/ca.crt\n")
    put(memory, "3", '{"kind":"Secret"}')
    other = f"{warden.MARK}=run-10\0ARGOCD_BINARY_NAME=argocd-application-controller\0".encode()
    assert swept(memory, monkeypatch, other) == {"1"}
