"""What people see of tools and of getting them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pytest_gitops.tools import Action, Origin, Progress, Tool, locked
from pytest_gitops.tools.show import Lines, clock, line, table


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (185, "3 min 05 s")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_line_says_what_is_done_for_how_long() -> None:
    event = Progress(tool="argocd", action=Action.BUILD, seconds=75, detail="k8s.io/api\nmore")
    assert line(event) == "argocd: building for 1 min 15 s (k8s.io/api)"


def test_a_log_hears_of_changes_at_once_and_of_the_rest_every_ten_seconds() -> None:
    moment = [0.0]
    out = io.StringIO()
    lines = Lines(out, clock=lambda: moment[0])
    lines(Progress(tool="etcd", action=Action.DOWNLOAD, seconds=0))
    for moment[0] in range(1, 13):
        lines(Progress(tool="etcd", action=Action.BUILD, seconds=moment[0]))
    lines(Progress(tool="etcd", action=Action.READY, seconds=0, detail="3.6.8 from Go modules"))
    assert out.getvalue().splitlines() == [
        "etcd: downloading",
        "etcd: building for 1 s",
        "etcd: building for 11 s",
        "etcd: ready (3.6.8 from Go modules)",
    ]


def test_reasons_are_never_swallowed() -> None:
    out = io.StringIO()
    lines = Lines(out, clock=lambda: 0.0)
    for reason in ("PATH: no etcd on PATH", "the official release: github.com is out of reach"):
        lines(Progress(tool="etcd", action=Action.PASS, seconds=0, detail=reason))
    assert len(out.getvalue().splitlines()) == 2


def test_the_table_has_every_part_and_says_what_is_missing(tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_bytes(b"x" * 2_500_000)
    tool = Tool(name="helm", version="3.22.0", path=program, origin=Origin.RELEASE)
    rows = {words[0]: words[1:] for words in map(str.split, table(locked(), {"helm": tool}).splitlines())}
    assert rows["helm"] == ["3.22.0", "release", "2.5", "MB", str(program)]
    assert rows["etcd"] == ["3.6.8", "missing", "-", "-"]
    assert rows.keys() == {"NAME", *(p.name for p in locked())}
