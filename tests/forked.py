"""Runs of pytest in processes that are forked from one that has imported what they import.

A run imports for most of a second, and the suite has a hundred. But for that each is as a user starts it: a process and a
session of its own, with its own folder, environment, streams and signals. Who starts one anew has `runs.command`.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest.mock import patch

from pytest_gitops.errors import EngineError

TESTS = Path(__file__).resolve().parent

PRELOADED = "preloaded"

_starting = threading.Lock()


def pytest_in(folder: Path, args: Sequence[str], *, env: Mapping[str, str], limit: float) -> tuple[int, str]:
    """Run pytest with `args` in `folder`: its exit code, and what it wrote, errors last.

    One that exceeds `limit` seconds, or is interrupted by us, is killed with all it started. Raises EngineError then.
    """
    with tempfile.TemporaryDirectory() as place:
        streams = [Path(place) / name for name in ("stdout", "stderr")]
        with _starting:
            child = _forks().Process(target=_run, args=(folder, tuple(args), dict(env), *streams))
            child.start()
        try:
            child.join(limit)
            if child.exitcode is None:
                raise EngineError(f"`pytest {' '.join(args[:3])}` did not end within {limit:g} s")
        finally:
            if child.exitcode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid or 0, signal.SIGKILL)
                child.join()
        status = child.exitcode
        child.close()
        return status, "".join(s.read_bytes().decode(errors="replace") for s in streams if s.exists())


@cache
def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    path = os.pathsep.join([str(TESTS.parent / "harness"), str(TESTS)])
    with patch.dict(os.environ, PYTHONPATH=path):
        forkserver.ensure_running()
    return context


def _run(folder: Path, args: tuple[str, ...], env: dict[str, str], stdout: Path, stderr: Path) -> None:
    assert PRELOADED in sys.modules, "the process that is forked has imported nothing"
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for stream, target in ((1, stdout), (2, stderr)):
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    sys.path = [str(folder), *(p for p in sys.path if p not in {str(TESTS), ""})]
    sys.argv = ["pytest", *args]
    import pytest

    code = int(pytest.main(list(args)))
    atexit._run_exitfuncs()
    sys.exit(code)
