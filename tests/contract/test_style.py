"""The style of the whole project and the types of its package: what the linters say."""

from __future__ import annotations

import sys

import pytest
from runs import ROOT

from pytest_gitops.processes.process import run


@pytest.mark.parametrize("linter", ["ruff check", "ruff format --check", "mypy"])
def test_a_linter_has_nothing_to_say(linter: str) -> None:
    done = run(sys.executable, "-m", *linter.split(), cwd=ROOT, check=False, limit=600)
    assert done.status == 0, done.stdout + done.stderr
