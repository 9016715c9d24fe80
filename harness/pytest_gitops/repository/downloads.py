"""Files of the web that are kept between runs, in a folder of the cache that nobody else can write to or read.

CACHE/downloads/ABCD…    a file, after a digest of its URL and of itself; named by the digest of its URL

A file is written whole or not at all, and whatever is wrong with one makes it none: several runs may use the folder at
once. It may be removed at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from pytest_gitops.keeping import is_private, write_whole

FOLDER = "downloads"


@dataclass(frozen=True, slots=True)
class Downloads:
    """The folder `root`, which is made with the first file. It never fails: what cannot be read or written is not
    kept."""

    root: Path

    def get(self, url: str) -> bytes | None:
        """The file of that URL, if it is there and whole."""
        with contextlib.suppress(OSError):
            if is_private(self.root):
                kept = self._path(url).read_bytes()
                if kept[:32] == _digest(url, kept[32:]):
                    return kept[32:]
        return None

    def put(self, url: str, content: bytes) -> None:
        """Keep a file."""
        with contextlib.suppress(OSError):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_private(self.root):
                return
            write_whole(self._path(url), _digest(url, content) + content)

    def _path(self, url: str) -> Path:
        return self.root / hashlib.sha256(url.encode()).hexdigest()


def _digest(url: str, content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(url.encode()).digest() + content).digest()
