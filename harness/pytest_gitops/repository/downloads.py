"""Files of the web that are kept between runs, in a folder of the cache that nobody else can write to or read.

CACHE/downloads/ABCD…    a file, after a digest of its URL and of itself; named by the digest of its URL

A file is written whole or not at all, and whatever is wrong with one makes it none: several runs may use the folder at
once. It may be removed at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = "downloads"


@dataclass(frozen=True, slots=True)
class Downloads:
    """The folder `root`, which is made with the first file. It never fails: what cannot be read or written is not
    kept."""

    root: Path

    def get(self, url: str) -> bytes | None:
        """The file of that URL, if it is there and whole."""
        with contextlib.suppress(OSError):
            if _private(self.root):
                kept = self._path(url).read_bytes()
                if kept[:32] == _digest(url, kept[32:]):
                    return kept[32:]
        return None

    def put(self, url: str, content: bytes) -> None:
        """Keep a file."""
        with contextlib.suppress(OSError):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _private(self.root):
                return
            # For its owner alone, as mkstemp has it.
            handle, name = tempfile.mkstemp(dir=self.root, prefix=".")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_digest(url, content) + content)
                Path(name).replace(self._path(url))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def _path(self, url: str) -> Path:
        return self.root / hashlib.sha256(url.encode()).hexdigest()


def _digest(url: str, content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(url.encode()).digest() + content).digest()


def _private(folder: Path) -> bool:
    """Whether nobody but us may write or read there: what another could put there would be taken for the web's."""
    about = folder.lstat()
    return (
        stat.S_ISDIR(about.st_mode)
        and about.st_uid == os.getuid()
        and not stat.S_IMODE(about.st_mode) & 0o077
    )
