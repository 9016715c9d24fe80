"""Files of ours in the cache folder: private to their owner, and written whole or not at all.

CACHE/downloads/ABCD…      what the configuration names by URL
CACHE/definitions/ABCD…    definitions of kinds, once they were read as YAML
CACHE/established/ABCD…    definitions of kinds, as an API server of ours stored them
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
"""What all files of one folder may have together. Definitions of kinds have 20 to 500 kB."""

LEFT = 0.8
"""The share that is left when there is more, so that not every run has to tidy up."""

DOWNLOADS = "downloads"
DEFINITIONS = "definitions"
ESTABLISHED = "established"


def is_private(folder: Path) -> bool:
    """Whether nobody but us may write or read there: what another could put there would be taken for ours. Raises
    OSError if there is no such folder."""
    about = folder.lstat()
    return (
        stat.S_ISDIR(about.st_mode)
        and about.st_uid == os.getuid()
        and not stat.S_IMODE(about.st_mode) & 0o077
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file for its owner alone, under its name only when it is complete. Raises OSError."""
    # 0600, as mkstemp has it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def tidy(root: Path, limit: int) -> None:
    """Let the files below `root` go that were not used for longest, if all have more than `limit` bytes."""
    files = sorted(_files(root))
    total = sum(size for _, size, _ in files)
    if total <= limit:
        return
    for _, size, path in files:
        if total <= limit * LEFT:
            break
        with contextlib.suppress(OSError):  # another run may have been faster
            path.unlink()
        total -= size


def _files(root: Path) -> Iterator[tuple[float, int, Path]]:
    """Last use, size and path of every file, also of those that a killed run left half written."""
    for folder, _, names in os.walk(root):
        for path in (Path(folder, n) for n in names):
            with contextlib.suppress(OSError):
                about = path.lstat()
                yield about.st_mtime, about.st_size, path


@dataclass(frozen=True, slots=True)
class Kept:
    """What took time to get, by name, in the folder `root`, which is made with the first file and which nobody else can
    write to or read. Each is a file named by the digest of its name: a digest of the name and the content, then the
    content. Whatever is wrong with one makes it none; several runs may use the folder at once, and it may be removed
    at any time. It never fails: what cannot be read or written is not kept. Beyond `limit` bytes, what was not used for
    longest goes."""

    root: Path
    limit: int = MAX_BYTES

    def get(self, name: str) -> bytes | None:
        """What is kept under that name, if it is there and whole."""
        with contextlib.suppress(OSError):
            if is_private(self.root):
                path = self._path(name)
                kept = path.read_bytes()
                if kept[:32] == _digest(name, kept[32:]):
                    with contextlib.suppress(OSError):  # a folder that is read only is one all the same
                        os.utime(path)
                    return kept[32:]
        return None

    def put(self, name: str, content: bytes) -> None:
        """Keep it."""
        with contextlib.suppress(OSError):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_private(self.root):
                return
            write_whole(self._path(name), _digest(name, content) + content)
            tidy(self.root, self.limit)

    def _path(self, name: str) -> Path:
        return self.root / hashlib.sha256(name.encode()).hexdigest()


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(name.encode()).digest() + content).digest()
