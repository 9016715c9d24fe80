"""Ends what a run has left behind. process.Supervisor starts it as a process; standard library only.

usage: warden.py RUN_ID DIRECTORY. Waits for the end of standard input, which comes when the run's owner ends,
however it ends; then kills every process that carries the run's mark in its environment or works in the
directory, and removes the directory, and what Argo CD has left in shared memory.
"""

import contextlib
import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "PYTEST_GITOPS_RUN"
"""The environment variable that says to which run a process belongs."""

PAUSE_SECONDS = 0.02

LIMIT_SECONDS = 10.0

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # Argo CD's choice, not ours


def marked(run_id: str, directory: Path) -> list[int]:
    """The processes of this run (Linux: /proc): those whose environment says so, and those that work in its
    directory, because a program that rewrites its title (redis does) overwrites its environment. We and our
    parent, the run's owner, are none of them."""
    spared = {os.getpid(), os.getppid()}
    mark, inside = f"{MARK}={run_id}".encode(), (str(directory), f"{directory}{os.sep}")
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) not in spared:
            with contextlib.suppress(OSError):
                # "(deleted)" is what the kernel appends when the directory is gone already.
                works = str(Path(entry.path, "cwd").readlink()).removesuffix(" (deleted)")
                ours = works == inside[0] or works.startswith(inside[1])
                if ours or mark in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def end(run_id: str, directory: Path) -> None:
    """Kill the run's processes until there are none, or LIMIT_SECONDS are over."""
    # A process between fork and exec does not show its mark yet: only two empty looks in a row are an end.
    deadline, empty = time.monotonic() + LIMIT_SECONDS, 0
    while empty < 2 and time.monotonic() < deadline:
        left = marked(run_id, directory)
        empty = 0 if left else empty + 1
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)


def remove(directory: Path) -> None:
    """Remove a directory with all that is in it, folders without write permission included."""
    for _ in range(3):  # what was just killed may have been writing
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        for folder, _, _ in os.walk(directory):
            with contextlib.suppress(OSError):
                Path(folder).chmod(stat.S_IRWXU)


def sweep(directory: Path, since: float, *, memory: Path = SHARED_MEMORY) -> None:
    """Remove what the run's application-controller had written there to apply it, and was killed before it removed
    it: kubeconfigs that name `directory`, and objects, a Secret perhaps, whose files nobody else can have written
    after `since`. Where another run works, they may be that one's, and it removes them at its own end."""
    alone = not any(
        f"{MARK}=".encode() in content and b"ARGOCD_BINARY_NAME=argocd-application-controller\0" in content
        for content in _environments()
    )
    with contextlib.suppress(OSError):
        for entry in os.scandir(memory):
            if not entry.name.isdigit() or not entry.is_file(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError):
                seen = entry.stat(follow_symlinks=False)
                if seen.st_uid != os.getuid() or stat.S_IMODE(seen.st_mode) != 0o600:
                    continue
                content = Path(entry.path).read_bytes()
                ours = f"{directory}{os.sep}".encode() in content
                if ours or (alone and seen.st_mtime >= since and content.startswith((b"{", b"apiVersion:"))):
                    Path(entry.path).unlink()


def _environments() -> Iterator[bytes]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield Path(entry.path, "environ").read_bytes()


def main(run_id: str, directory: str) -> None:
    """Wait for the owner's end, then clean up."""
    since = time.time()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    end(run_id, Path(directory))
    sweep(Path(directory), since)
    remove(Path(directory))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
