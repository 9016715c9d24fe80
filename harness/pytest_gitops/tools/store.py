"""The cache folder: where a tool lies, what counts as complete, and who may write there.

CACHE/NAME/VERSION/OS-ARCH/      the program and origin.json, renamed into place together
CACHE/found/NAME.json            a program elsewhere whose version was asked (given, or found on PATH)
CACHE/partial/                   downloads that broke off; the next run goes on with them
CACHE/tmp/                       work in progress; whoever holds NAME.lock may wipe NAME's
CACHE/locks/NAME.lock            flock, so the kernel releases it however its holder ends
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_gitops.tools.parts import Origin, Part, Tool, this_platform
from pytest_gitops.waiting import wait_until

MARKER = "origin.json"
LOCK_LIMIT = 2 * 60 * 60.0
"""Seconds to wait for another run that is getting the same tool; a cold build of everything is 15 minutes."""

NAMELESS = 3
"""Looks at a lock after which it is told that somebody has it who has not said who."""


@dataclass(frozen=True, slots=True)
class Store:
    """The cache below `root`. Reading never writes; a cache hit runs no program."""

    root: Path

    def home(self, part: Part) -> Path:
        """The folder that holds a complete tool, or does not exist."""
        return self.root / part.name / part.version / ("any" if part.files else this_platform())

    def get(self, part: Part) -> Tool | None:
        """The tool, if it is complete."""
        home = self.home(part)
        said = _read(home / MARKER)
        if said is None:
            return None
        try:
            for name, size in said["files"].items():
                if (home / name).stat().st_size != size:
                    return None
            origin, version = Origin(said["origin"]), str(said["version"])
        except (OSError, KeyError, AttributeError, ValueError):
            return None
        path = home if part.files else home / part.binary
        return Tool(name=part.name, version=version, path=path, origin=origin)

    def stage(self, part: Part) -> Path:
        """An empty folder for work on this part. Only for the holder of its lock."""
        self.clear(part)
        folder = self.root / "tmp" / part.name
        folder.mkdir(parents=True)
        return folder

    def clear(self, part: Part) -> None:
        """Remove what `stage` made and nobody used. Only for the holder of its lock."""
        shutil.rmtree(self.root / "tmp" / part.name, ignore_errors=True)

    def put(self, part: Part, staged: Path, *, version: str, origin: Origin) -> Tool:
        """Make a verified, staged folder the tool. Only for the holder of its lock."""
        files = {f.name: f.stat().st_size for f in sorted(staged.iterdir()) if f.name != MARKER}
        said = {"version": version, "origin": origin.value, "files": files}
        (staged / MARKER).write_text(json.dumps(said, indent=1) + "\n", "utf-8")
        for file in staged.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())  # a name must never survive a power cut without its bytes
        home = self.home(part)
        home.parent.mkdir(parents=True, exist_ok=True)
        if home.exists():  # incomplete, or `get` had found it
            shutil.rmtree(home)
        staged.rename(home)
        path = home if part.files else home / part.binary
        return Tool(name=part.name, version=version, path=path, origin=origin)

    def partial(self, part: Part) -> Path:
        """Where a download of this part grows."""
        folder = self.root / "partial"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{part.name}-{part.version}-{this_platform()}"

    def seen(self, part: Part, path: Path) -> str | None:
        """The version that the program at `path` once said it has, if it is still the same file."""
        said = _read(self.root / "found" / f"{part.name}.json")
        try:
            if said is not None and said["path"] == str(path) and said["stat"] == _stat(path):
                return str(said["version"])
        except (OSError, KeyError):
            pass
        return None

    def remember(self, part: Part, path: Path, version: str) -> None:
        """Keep the version that a program outside the cache said."""
        folder = self.root / "found"
        temporary = folder / f".{part.name}.{os.getpid()}"
        with contextlib.suppress(OSError):  # a folder that cannot be written costs a question, not the run
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"path": str(path), "stat": _stat(path), "version": version})
            temporary.write_text(text, "utf-8")
            temporary.replace(folder / f"{part.name}.json")

    @contextlib.contextmanager
    def hold(self, name: str, waiting: Callable[[str], None]) -> Iterator[None]:
        """Be the only one working on `name`. While another run is, `waiting` is called with who that is.

        Raises WaitTimeout after LOCK_LIMIT, and whatever `waiting` raises to give up.
        """
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        nameless = itertools.count(1)
        with (folder / f"{name}.lock").open("a+", encoding="utf-8") as file:

            def taken() -> bool:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    # Who has just taken it has yet to write down who it is.
                    if pid() or next(nameless) > NAMELESS:
                        waiting(holder())
                    return False
                return True

            def pid() -> str:
                file.seek(0)
                return file.read(20).strip()

            def holder() -> str:
                return f"process {number}" if (number := pid()) else "another process"

            wait_until(taken, limit=LOCK_LIMIT, what=f"{name}: another run to finish", seen=holder)
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield


def _stat(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None
