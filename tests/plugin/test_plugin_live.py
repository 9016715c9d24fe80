"""What a person sees while it waits: in a real terminal (tmux), and in a log."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from plugin_support import ARGS, BOTH, Repository, application

from pytest_gitops.plugin import live
from pytest_gitops.processes.process import run
from pytest_gitops.waiting import wait_until

LIVE = re.compile(r"(?:^|\s)\d+ s *$", re.MULTILINE)
"""The end of the live line, and of what may be left of one that was broken in two."""

FOUR = "--gitops-stages=source,render,policy,converge"
"""Twelve questions about three Applications, whatever stages there are besides."""


@pytest.mark.parametrize(
    ("progress", "text", "room", "expected"),
    [
        ("3 of 8 answered", "converge", 60, "  gitops: 3 of 8 answered · converge · 4 s"),
        ("3 of 8 answered", "converge", 42, "  gitops: 3 of 8 answered · converge · 4 s"),
        ("3 of 8 answered", "converge", 41, "  3 of 8 answered · converge · 4 s"),
        ("3 of 8 answered", "converge", 30, "  3 of 8 answered · 4 s"),
        ("3 of 8 answered", "converge", 12, "  4 s"),
        ("3 of 8 answered", "converge", 4, ""),
        ("3 of 8 answered", "", 60, "  gitops: 3 of 8 answered · 4 s"),
        ("", "starting the control plane", 60, "  gitops: starting the control plane · 4 s"),
        ("", "starting the control plane", 30, "  gitops: starting the… · 4 s"),
        ("", "starting the control plane", 12, "  4 s"),
    ],
)
def test_words_are_left_out_before_any_is_cut(progress: str, text: str, room: int, expected: str) -> None:
    line = live.fitted(progress, text, "4 s", room)
    assert line == expected
    assert len(line) <= room


class Tube(io.StringIO):
    """A file in memory, and the part of pytest's writer that the line looks at."""

    fullwidth, hasmarkup = 60, False

    @property
    def width_of_current_line(self) -> int:
        return len(self.getvalue().rpartition("\n")[2])

    def write(self, text: str, *, flush: bool = False) -> int:
        return super().write(text)


def test_whatever_pytest_writes_wipes_the_line_first() -> None:
    writer, shown = Tube(), io.StringIO()
    write = writer.write
    terminal = live._Terminal(writer, live._Raw(shown), threading.RLock())
    writer.write(".")
    terminal.draw("", "converge", 3)
    line = f"{live.SAVE}  gitops: converge · 3 s{live.WIPE}{live.RESTORE}"
    assert shown.getvalue() == line
    writer.write("F")
    writer.write(".")
    assert shown.getvalue() == line + live.WIPE
    assert writer.getvalue() == ".F."
    terminal.close()
    assert writer.write == write


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        (0, "  gitops: converge · 3 s"),
        (40, "  converge · 3 s"),
        (53, "  3 s"),
        (55, ""),
        (60, ""),
        (100, "  converge · 3 s"),
    ],
)
def test_the_line_ends_before_the_row_does(begun: int, expected: str) -> None:
    whole = f"{live.SAVE}{expected}{live.WIPE}{live.RESTORE}" if expected else ""
    writer, shown = Tube(), io.StringIO()
    terminal = live._Terminal(writer, live._Raw(shown), threading.RLock())
    writer.write("." * begun)
    terminal.draw("", "converge", 3)
    assert shown.getvalue() == whole


class Screen:
    """A run in a terminal of tmux."""

    def __init__(self, repository: Repository, columns: int, *args: str, **variables: str) -> None:
        # A socket of its own: a server that is on its way out still answers at its. Short, as sockets' paths have to be.
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._socket = f"{self._folder.name}/tmux"
        # In an xdist worker these are 80 and 24, whatever the screen: pytest imports GNU readline, which exports
        # them to child processes, and they outweigh what the terminal says.
        mine = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
        environ = {**mine, **variables}
        words = [sys.executable, "-m", "pytest", "--gitops", *ARGS, FOUR, "-p", "no:cacheprovider", *args]
        # The shell stays, so that the last screen can be read.
        command = f"cd {shlex.quote(str(repository.path))}; {shlex.join(words)}; echo ended: $?; sleep 60"
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", "80", command, environ=environ
        )

    def _tmux(self, *words: str, environ: dict[str, str] | None = None) -> str:
        return run("tmux", "-S", self._socket, *words, env=environ).stdout

    def text(self, *, raw: bool = False) -> str:
        shown = self._tmux("capture-pane", "-p", *(["-e"] if raw else []))
        return "\n".join(line.rstrip() for line in shown.splitlines()).rstrip()

    def at_cursor(self) -> tuple[str, str]:
        """The cursor's row, and all that stands below it."""
        cursor, *rows = self._tmux("display", "-p", "#{cursor_y}", ";", "capture-pane", "-p").splitlines()
        return rows[int(cursor)], "\n".join(rows[int(cursor) + 1 :]).strip()

    def until(self, pattern: str) -> str:
        """The screen as soon as `pattern` is on it."""
        return wait_until(
            lambda: text if re.search(pattern, text := self.text(), re.MULTILINE) else None,
            limit=30,
            what=f"{pattern} on the screen",
            seen=self.text,
            pause=0.05,
        )

    def close(self) -> None:
        run("tmux", "-S", self._socket, "kill-server", check=False)
        self._folder.cleanup()


@pytest.fixture
def screen(gitops: Repository) -> Iterator[Callable[..., Screen]]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    opened: list[Screen] = []

    def show(columns: int, *args: str, **variables: str) -> Screen:
        opened.append(Screen(gitops, columns, *args, **variables))
        return opened[-1]

    gitops.write(
        {
            "kubernetes/applications/omega.yaml": application("omega"),
            "grid.yaml": application("grid", "oracle"),
        }
    )
    gitops.script(
        boot=1.5,
        delay=0.3,
        verdicts={
            "argocd/omega policy": {"outcome": "failed", "code": "no", "message": "grid.yaml:1: it is not"}
        },
    )
    yield show
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    ("workers", "columns", "more"),
    [
        ("-n0", 100, ""),
        ("-n0", 60, ""),
        ("-n0", 60, "-v"),
        ("-n0", 60, "-s"),
        ("-n2", 100, "--color=no"),
        ("-n2", 60, "-v"),
    ],
)
def test_the_line_stands_where_it_waits_and_leaves_nothing_behind(
    screen: Callable[..., Screen], workers: str, columns: int, more: str
) -> None:
    shown = screen(columns, workers, *([more] if more else []))
    booting = shown.until(r"starting the control plane · \d+ s$")
    assert "test session starts" in booting
    assert "ready in" not in booting
    shown.until(r"\d+ of 12 answered.* · \d+ s$|  \d+ s$")
    end = shown.until(r"^ended: 1")
    assert not LIVE.search(end), end
    assert "\nreports: gitops-report/index.html" in end
    if workers == "-n0" and not more:
        rows = [
            row for row in end.splitlines() if row.startswith(("grid.yaml ", "kubernetes/")) and "%" in row
        ]
        assert [row.split()[:2] for row in rows] == [
            ["grid.yaml", "........"],
            ["kubernetes/applications/omega.yaml", "..F."],
        ]


@pytest.mark.parametrize(("columns", "believed"), [(40, {"COLUMNS": "80"}), (30, {})])
def test_the_line_keeps_to_the_cursors_row_whatever_pytest_takes_the_width_for(
    screen: Callable[..., Screen], columns: int, believed: dict[str, str]
) -> None:
    shown = screen(columns, **believed)
    shown.until("gitops: starting the")
    row, below = shown.at_cursor()
    assert re.fullmatch(r"  gitops: starting the.*… · \d+ s", row)
    assert not below
    end = shown.until(r"^ended: 1")
    assert not LIVE.search(end), end


def test_a_screen_made_narrower_keeps_nothing_of_the_line(
    gitops: Repository, screen: Callable[..., Screen]
) -> None:
    gitops.script(boot=4)
    shown = screen(100)
    shown.until("starting the control plane")
    shown._tmux("resize-window", "-x", "20", "-y", "80")
    shown.until(r"^  \d+ s$")
    row, below = shown.at_cursor()
    assert LIVE.fullmatch(row.strip())
    assert not below


def test_the_line_is_dim_where_there_are_colours_and_plain_where_not(screen: Callable[..., Screen]) -> None:
    shown = screen(100, "--color=yes")
    shown.until("starting the control plane")
    assert "\x1b[2m  gitops: starting" in shown.text(raw=True)


def test_no_escape_codes_where_colours_are_not_wanted(screen: Callable[..., Screen]) -> None:
    shown = screen(100, NO_COLOR="1")
    shown.until("starting the control plane")
    assert "\x1b[2m" not in shown.text(raw=True)
    assert not LIVE.search(shown.until(r"^ended: 1"))


def test_an_interruption_leaves_nothing_of_the_line(screen: Callable[..., Screen]) -> None:
    shown = screen(100)
    shown.until(r"\d+ of 12 answered")
    shown._tmux("send-keys", "C-c")
    end = shown.until(r"^ended: 2|KeyboardInterrupt")
    assert not LIVE.search(end), end


@BOTH
def test_a_log_gets_whole_lines_now_and_then(
    two: Repository, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.script(boot=0.5, delay=0.3)
    monkeypatch.setattr(live, "PLAIN_SECONDS", 0.6)
    monkeypatch.setattr(live, "TICK_SECONDS", 0.05)
    result = two.run(FOUR, workers)
    said = [line for line in result.outlines if "answered" in line]
    assert said
    assert all(
        re.fullmatch(r"gitops: \d+ of 12 answered( · \w+: \d+ Applications)? · \d+ s", s) for s in said
    ), said
    assert "\x1b" not in result.stdout.str()
    below = [line for above, line in pairwise(result.outlines) if above in said]
    if workers == "-n0":
        assert all(re.match(r"apps/(beta|omega)\.yaml \.", line) for line in below), below
    dots = "".join(
        re.sub(r"\[.*\]|\S*\.yaml", "", x).strip()
        for x in result.outlines
        if re.fullmatch(r"(\S+\.yaml)? *\.*( +\[.*\])?", x)
    )
    assert dots == "." * 12


def test_a_log_of_a_real_file_gets_them_too_although_pytest_captures(two: Repository) -> None:
    two.write({"conftest.py": "from pytest_gitops.plugin import live\nlive.PLAIN_SECONDS = 0.5\n"})
    two.script(boot=0.1, delay=0.4, verdicts={"argocd/beta converge": {"outcome": "failed", "message": "no"}})
    result = two.run_apart(FOUR)
    assert [x for x in result.outlines if re.fullmatch(r"gitops: \d+ of 12 answered · .* s", x)]
    assert "Captured stdout" not in result.stdout.str()


@pytest.mark.parametrize("quiet", ["-qq", "-p no:terminal"])
def test_silent_where_silence_is_wanted(two: Repository, quiet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PLAIN_SECONDS", 0.0)
    monkeypatch.setattr(live, "TICK_SECONDS", 0.02)
    two.script(boot=0.2, delay=0.05)
    assert "gitops: starting" not in two.run(*quiet.split()).stdout.str()
