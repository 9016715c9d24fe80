"""The project's own style and types: what the linters say of all of it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from runs import ROOT


@pytest.mark.parametrize("linter", ["ruff check", "ruff format --check", "mypy"])
def test_a_linter_has_nothing_to_say(linter: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *linter.split()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
