"""A unit test starts no process: one that does fails, and belongs in `tests/contract`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest


def _refuse(what: object) -> None:
    raise AssertionError(
        f"tests/unit: expected no process, saw {what} started. Move the test to tests/contract."
    )


@pytest.fixture(autouse=True, scope="module")
def no_process() -> Iterator[None]:
    """Every way to a process fails; a program that does not exist may be asked for."""
    start = subprocess.Popen.__init__

    def checked(self: subprocess.Popen[Any], args: Any, *more: Any, **options: Any) -> None:
        program = args if isinstance(args, str | bytes | os.PathLike) else args[0]
        if options.get("shell") or shutil.which(program):
            _refuse(args)
        start(self, args, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", checked)
        for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system"):
            patch.setattr(os, name, lambda *_, name=name, **__: _refuse(f"os.{name}"))
        yield
