"""The reports byte for byte. A wanted change: run regenerate.py here and read the difference."""

from __future__ import annotations

import json

import pytest
from regenerate import GOLDENS, RUNS

from pytest_gitops.report import document
from pytest_gitops.report.write import WRITERS


@pytest.mark.parametrize("report", WRITERS)
@pytest.mark.parametrize("run", RUNS)
def test_a_report_is_the_same_bytes_every_time(run: str, report: str) -> None:
    built = document.build(RUNS[run]())
    text = WRITERS[report](built)
    assert text == WRITERS[report](built)
    assert text.encode() == (GOLDENS / run / report).read_bytes()


@pytest.mark.parametrize("report", WRITERS)
@pytest.mark.parametrize("run", RUNS)
def test_a_report_needs_nothing_but_report_json(run: str, report: str) -> None:
    read = json.loads((GOLDENS / run / "report.json").read_text("utf-8"))
    assert WRITERS[report](read).encode() == (GOLDENS / run / report).read_bytes()
