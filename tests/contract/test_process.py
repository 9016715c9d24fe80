"""What the supervisor promises of real processes: nothing outlives its owner, and who died is named."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_gitops.errors import EngineError, ProcessDied, WaitTimeout
from pytest_gitops.processes import process
from pytest_gitops.processes.process import Daemon, Supervisor, run
from pytest_gitops.processes.warden import MARK, marked
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

LIMIT = 10.0

TREE = (
    "sh",
    "-c",
    "env -i setsid sleep 300 & cd /; sleep 300 & setsid sleep 300 & "
    "setsid sh -c 'trap : TERM INT; sleep 300' & wait",
)
"""A daemon with children: in sessions of their own, without the run's mark, outside its directory."""

TREE_SIZE = 6

OWNER = """
import os, signal, sys, threading
from pathlib import Path
from pytest_gitops.processes import process

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored
directory, run_id, deed = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
supervisor = process.Supervisor(directory, run_id=run_id)
if deed == "die-in-start":
    process.Daemon.__init__ = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
supervisor.start("tree", *sys.argv[4:])
print("up", flush=True)
try:
    threading.Event().wait(60)
finally:
    if deed == "close":
        supervisor.close()
"""


@pytest.fixture
def run_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def supervisor(tmp_path: Path, run_id: str) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "run", run_id=run_id) as supervisor:
        yield supervisor


@contextlib.contextmanager
def owner(directory: Path, run_id: str, deed: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that owns a run; it is in a session of its own, as in a terminal."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(directory), run_id, deed, *TREE],
        env={**os.environ, "PYTHONPATH": str(Path(process.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as started:
        try:
            yield started
            started.wait(LIMIT)
        finally:
            started.kill()


def wait_tree(directory: Path, run_id: str) -> None:
    wait_until(
        lambda: len(marked(run_id, directory)) == TREE_SIZE,
        limit=LIMIT,
        what="the whole tree",
        seen=lambda: str(marked(run_id, directory)),
    )


def wait_gone(directory: Path, run_id: str) -> None:
    wait_until(
        lambda: not marked(run_id, directory) and not directory.exists(),
        limit=LIMIT,
        what="the run cleaned up",
        seen=lambda: f"processes {marked(run_id, directory)}, directory there: {directory.exists()}",
    )


@pytest.mark.parametrize(
    ("deed", "number"),
    [
        pytest.param("nothing", signal.SIGKILL, id="kill"),
        pytest.param("nothing", signal.SIGTERM, id="term"),
        pytest.param("nothing", signal.SIGHUP, id="hang-up"),
        pytest.param("nothing", signal.SIGINT, id="interrupt"),
        pytest.param("close", signal.SIGINT, id="interrupt-and-close"),
    ],
)
def test_nothing_outlives_an_owner_that_ends_by(
    deed: str, number: signal.Signals, tmp_path: Path, run_id: str
) -> None:
    directory = tmp_path / "run"
    with owner(directory, run_id, deed) as started:
        assert started.stdout is not None and started.stdout.readline() == "up\n"
        wait_tree(directory, run_id)
        os.killpg(started.pid, number)  # as the terminal does it: to all of the group
    wait_gone(directory, run_id)


def test_a_daemon_whose_owner_dies_while_it_is_started_is_ended(tmp_path: Path, run_id: str) -> None:
    directory = tmp_path / "run"
    with owner(directory, run_id, "die-in-start"):
        pass
    wait_gone(directory, run_id)


def test_closing_ends_grandchildren_and_leaves_no_file(supervisor: Supervisor, run_id: str) -> None:
    supervisor.start("tree", *TREE)
    wait_tree(supervisor.directory, run_id)
    supervisor.close()
    assert marked(run_id, supervisor.directory) == []
    assert not supervisor.directory.exists()


def test_an_owner_that_works_in_the_runs_directory_survives_its_closing(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(supervisor.directory)
    supervisor.close()
    assert not supervisor.directory.exists()


def test_a_daemon_that_ignores_the_request_is_killed(supervisor: Supervisor) -> None:
    daemon = supervisor.start("deaf", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    daemon.wait_ready(lambda: daemon.tail() == "up", limit=LIMIT)
    supervisor.stop(daemon)
    assert not daemon.alive


def test_the_last_started_is_asked_to_end_first(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    terminate = Daemon.terminate

    def record(daemon: Daemon) -> None:
        asked.append(daemon.name)
        terminate(daemon)

    monkeypatch.setattr(Daemon, "terminate", record)
    for name in ("etcd", "api", "argocd"):
        supervisor.start(name, "sleep", "300")
    supervisor.close()
    assert asked == ["argocd", "api", "etcd"]


def test_a_daemon_that_dies_while_it_is_awaited_is_named_with_its_last_words(supervisor: Supervisor) -> None:
    daemon = supervisor.start("etcd", "sh", "-c", "for i in $(seq 30); do echo line $i; done; exit 3")
    with pytest.raises(ProcessDied) as caught:
        daemon.wait_ready(lambda: False, limit=LIMIT)
    assert caught.value.name == "etcd"
    assert caught.value.status == 3
    assert caught.value.tail.splitlines() == [f"line {i}" for i in range(11, 31)]


def test_a_daemon_that_is_only_slow_is_not_called_dead(supervisor: Supervisor) -> None:
    daemon = supervisor.start("slow", "sh", "-c", "echo thinking; exec sleep 300")
    wait_until(daemon.tail, limit=LIMIT, what="its first line")
    with pytest.raises(WaitTimeout) as caught:
        daemon.wait_ready(lambda: False, limit=0.2)
    assert str(caught.value) == "slow ready: not within 0.2 s; last seen: thinking"


def test_a_death_is_told_and_a_stop_is_not(supervisor: Supervisor) -> None:
    told: list[str] = []
    known = threading.Event()

    def tell(daemon: Daemon) -> None:
        told.append(str(daemon.died()))
        known.set()

    supervisor.on_death(tell)
    stopped = supervisor.start("stopped", "sleep", "300")
    killed = supervisor.start("killed", "sleep", "300")
    supervisor.stop(stopped)
    assert supervisor.dead is None
    os.kill(killed.pid, signal.SIGKILL)
    assert known.wait(LIMIT)
    assert told == ["killed was killed by signal 9.\nIt wrote nothing."]
    assert supervisor.dead is killed


def test_a_daemon_that_was_asked_to_end_does_not_count_as_dead(supervisor: Supervisor) -> None:
    daemon = supervisor.start("asked", "sleep", "300")
    daemon.terminate()
    assert daemon.join(LIMIT)
    assert supervisor.dead is None


def test_nothing_is_started_after_the_end(supervisor: Supervisor) -> None:
    supervisor.close()
    with pytest.raises(EngineError, match="late: not started, the run is over"):
        supervisor.start("late", "sleep", "300")


def test_a_program_that_is_not_there_is_named(supervisor: Supervisor) -> None:
    with pytest.raises(EngineError, match=r"ghost: cannot be started: .*no-such-program"):
        supervisor.start("ghost", "no-such-program")


def test_a_given_environment_is_the_whole_one_and_carries_the_mark(
    supervisor: Supervisor, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMEMLIMIT", "1GiB")
    monkeypatch.setenv("GOGC", "400")
    daemon = supervisor.start("env", "/usr/bin/env", env={"ONLY": "this", "GOGC": "200"})
    daemon.join(LIMIT)
    # But for what users of Go programs choose by: that reaches all that are not given something else.
    assert sorted(daemon.tail().splitlines()) == [
        "GOGC=200",
        "GOMEMLIMIT=1GiB",
        "ONLY=this",
        f"{MARK}={run_id}",
    ]


def test_what_is_kept_stays_as_it_is(tmp_path: Path, run_id: str) -> None:
    supervisor = Supervisor(tmp_path / "run", run_id=run_id)
    daemon = supervisor.start("kept", "sleep", "300")
    try:
        supervisor.close(keep=True)
        assert daemon.alive
        assert supervisor.directory.is_dir()
    finally:
        daemon.kill()
        assert daemon.join(LIMIT)


def test_the_directory_is_private(supervisor: Supervisor) -> None:
    assert supervisor.directory.stat().st_mode & 0o777 == 0o700


def test_a_command_over_its_limit_ends_with_all_it_started(tmp_path: Path) -> None:
    mark = str(uuid.uuid4())
    with pytest.raises(EngineError, match=r"`sh -c .*` did not end within 0.2 s"):
        run("sh", "-c", "sleep 300 & sleep 300", env={**os.environ, MARK: mark}, limit=0.2)
    wait_until(lambda: not marked(mark, tmp_path), limit=LIMIT, what="its children gone")


def test_a_command_that_fails_shows_its_status_and_its_last_lines() -> None:
    with pytest.raises(EngineError, match=r"(?s)ended with exit code 4:\nnot like this"):
        run("sh", "-c", "echo not like this >&2; exit 4")


def test_a_command_is_given_its_input_and_returns_its_output() -> None:
    assert run("cat", stdin="üñí\n").stdout == "üñí\n"


def test_a_missing_program_and_a_missing_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no-such-program: no such program"):
        run("no-such-program")
    with pytest.raises(EngineError, match="cat: no such folder to run it in"):
        run("cat", cwd=tmp_path / "missing")
