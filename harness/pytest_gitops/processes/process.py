"""Child processes: run one to its end, or keep one as a daemon that cannot outlive us.

The only user of subprocess. Every daemon of a run carries the run's mark in its environment. A warden, a
tiny process of its own, holds a pipe to us: when the pipe closes, however we ended (SIGKILL included), it
ends every process that carries the mark, grandchildren too, and removes the run's directory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess  # the one place
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pytest_gitops.errors import EngineError, ProcessDied
from pytest_gitops.processes.warden import MARK, remove
from pytest_gitops.waiting import POLL_MAX_SECONDS, now, wait_until

WARDEN_SECONDS = 10
"""How long we wait for the warden to clean up behind us."""

TAIL_LINES = 20

TUNING = ("GOGC", "GOMEMLIMIT")
"""Variables of ours that daemons see too, unless they are given others: Go programs most of them, whose users choose by
these between memory and computing (https://go.dev/doc/gc-guide)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A process that ended. `stdout` and `stderr` are text, undecodable bytes replaced; `raw` is stdout."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    raw: bytes = field(default=b"", repr=False)

    @property
    def tail(self) -> str:
        """The last lines it wrote, stderr first."""
        return last_lines(self.stderr or self.stdout)


def run(
    *argv: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    limit: float = 60,
    check: bool = True,
) -> Completed:
    """Run a command to its end. `env` replaces the whole environment; `limit` is in seconds.

    One that exceeds its limit, or is interrupted by us, is killed with all it started. Raises EngineError if
    it cannot be started, exceeds its limit, or (with `check`) ends with another status than 0.
    """
    words = tuple(str(a) for a in argv)
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd and not cwd.is_dir():
            raise EngineError(f"{words[0]}: no such folder to run it in: {cwd}") from error
        raise EngineError(f"{words[0]}: no such program") from error
    except OSError as error:
        raise EngineError(f"{words[0]}: cannot be started: {error}") from error
    with child:
        try:
            stdout, stderr = child.communicate(data, limit)
        except BaseException as error:
            # Its children hold its pipes open: unless they end too, we would wait for them.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise EngineError(f"`{' '.join(words[:4])}` did not end within {limit:g} s") from error
            raise
    result = Completed(
        argv=words,
        status=child.returncode,
        stdout=stdout.decode(errors="replace"),
        stderr=stderr.decode(errors="replace"),
        raw=stdout,
    )
    if check and result.status != 0:
        raise EngineError(f"`{' '.join(words[:4])}` ended with exit code {result.status}:\n{result.tail}")
    return result


@contextlib.contextmanager
def piped(
    *argv: str | Path, env: Mapping[str, str] | None = None, stdin: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child whose output is read while it runs; it does not outlive the block.

    `stdin` is a file it reads; without one its standard input is a pipe too. What it says on stderr is
    dropped. Raises EngineError if it cannot be started.
    """
    try:
        child = subprocess.Popen(
            [str(a) for a in argv],
            env=env,
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"{argv[0]}: cannot be started: {error}") from error
    try:
        yield child
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def last_lines(text: str, count: int = TAIL_LINES) -> str:
    return "\n".join(text.rstrip().splitlines()[-count:])


class Daemon:
    """One long-running child in a session of its own, its output in a log file."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self.log, self.pid = name, log, popen.pid
        self.stopping = False  # asked to end, so its end is no surprise
        self._popen = popen
        self._ended = threading.Event()

    def watch(self, on_death: Callable[[Daemon], None]) -> None:
        """Wait for its end and call `on_death` if nobody asked for it; takes a thread of its own."""
        self._popen.wait()
        self._ended.set()
        if not self.stopping:
            on_death(self)

    @property
    def alive(self) -> bool:
        return not self._ended.is_set() and self._popen.poll() is None

    def tail(self) -> str:
        """The last lines of its log."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 16_384))
            return last_lines(file.read().decode(errors="replace"))
        return ""

    def died(self) -> ProcessDied:
        """The error that says how it ended."""
        status = self._popen.returncode
        return ProcessDied(
            self.name, status=status if status is not None else 0, log=self.log, tail=self.tail()
        )

    def wait_ready(self, probe: Callable[[], bool], *, limit: float, pause: float = POLL_MAX_SECONDS) -> None:
        """Wait until `probe` says yes. Raises ProcessDied as soon as it dies, WaitTimeout when it is only
        slow.

        `limit` and `pause`, the longest time between two probes, are in seconds.
        """

        def ready() -> bool:
            if not self.alive:
                self._ended.wait(1)
                raise self.died()
            return probe()

        wait_until(
            ready,
            limit=limit,
            what=f"{self.name} ready",
            seen=lambda: self.tail() or "an empty log",
            pause=pause,
        )

    def terminate(self) -> None:
        """Ask it to end; returns at once."""
        self.stopping = True
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its process group now."""
        self.stopping = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def join(self, limit: float) -> bool:
        """Wait up to `limit` seconds for its end; True if it ended."""
        self._ended.wait(limit)
        return not self.alive


class Supervisor:
    """Starts and stops the daemons of one run, and tells who died. A context manager: leaving it closes it.

    `directory` is the run's private directory (made 0700 here, removed by `close`, or by the warden when we
    cannot). `stop_limit` is how many seconds the daemons have to end by themselves before they are killed.
    Raises EngineError if the warden cannot be started.
    """

    def __init__(self, directory: Path, *, run_id: str, stop_limit: float = 1) -> None:
        self.directory, self.run_id = directory, run_id
        self._stop_limit = stop_limit
        self._daemons: list[Daemon] = []
        self._listeners: list[Callable[[Daemon], None]] = []
        self._ends: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._closed = False
        directory.mkdir(mode=0o700, parents=True)
        self._warden = _start_warden(run_id, directory)
        (directory / "logs").mkdir(mode=0o700)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_death(self, act: Callable[[Daemon], None]) -> None:
        """Call `act` from a thread of ours when a daemon ends that nobody stopped."""
        self._listeners.append(act)

    def at_end(self, act: Callable[[], None]) -> None:
        """Call `act` when the run is over: what is no process ends with them, kept or not."""
        self._ends.append(act)

    @property
    def dead(self) -> Daemon | None:
        """The first daemon that ended on its own, if any."""
        return next((d for d in tuple(self._daemons) if not d.alive and not d.stopping), None)

    def start(
        self, name: str, *argv: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Daemon:
        """Start a daemon. `env` replaces the whole environment but for `TUNING`, and the run's mark is added. Its log
        is logs/NAME.log.

        Raises EngineError if it cannot be started, or the run is over.
        """
        log = self.directory / "logs" / f"{name}.log"
        tuned = {k: os.environ[k] for k in TUNING if k in os.environ}
        environment = self.marked({**tuned, **(os.environ if env is None else env)})
        with self._lock:
            if self._closed:
                raise EngineError(f"{name}: not started, the run is over")
            try:
                with log.open("ab") as out:
                    popen = subprocess.Popen(
                        [str(a) for a in argv],
                        cwd=cwd or self.directory,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=out,
                        stderr=out,
                        start_new_session=True,
                    )
            except OSError as error:
                raise EngineError(f"{name}: cannot be started: {error}") from error
            daemon = Daemon(name, popen, log)
            self._daemons.append(daemon)
        threading.Thread(target=daemon.watch, args=(self._died,), daemon=True, name=f"watch-{name}").start()
        return daemon

    def marked(self, environ: Mapping[str, str]) -> dict[str, str]:
        """An environment for what is run to its end, so that it ends with the run."""
        return {**environ, MARK: self.run_id}

    def stop(self, *daemons: Daemon) -> None:
        """Stop these daemons, the last one first, and forget them; the run goes on."""
        self._end(daemons)
        with self._lock:
            self._daemons = [d for d in self._daemons if d not in daemons]

    def close(self, *, keep: bool = False) -> None:
        """Stop everything, last started first, and remove the run's directory; with `keep`, neither."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if keep:
            # The warden must not clean up behind our back; what runs is the user's from here on.
            self._warden.kill()
            self._warden.wait()
        else:
            self._end(self._daemons)
        for act in self._ends:
            act()
        if self._warden.stdin:
            # Told that we are gone, it ends what is left of the run: grandchildren with a session of their
            # own.
            self._warden.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._warden.wait(WARDEN_SECONDS)
        if not keep:
            remove(self.directory)

    def _end(self, daemons: Sequence[Daemon]) -> None:
        # All are asked at once, in reverse order, and none is waited for alone: an API server whose etcd is
        # gone lingers for a minute, and nothing that they hold is worth a minute.
        for daemon in reversed(daemons):
            daemon.terminate()
        deadline = now() + self._stop_limit
        for daemon in reversed(daemons):
            if not daemon.join(max(0.0, deadline - now())):
                daemon.kill()
        for daemon in daemons:
            daemon.join(self._stop_limit)

    def _died(self, daemon: Daemon) -> None:
        if not self._closed:
            for act in tuple(self._listeners):
                act(daemon)


def _start_warden(run_id: str, directory: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("warden.py")), run_id, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C in the terminal is not for it
        )
    except OSError as error:
        raise EngineError(f"the warden cannot be started: {error}") from error
