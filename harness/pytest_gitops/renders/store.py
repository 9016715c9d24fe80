"""Renders that are kept between runs, in files of the cache folder that nobody else can read: they may hold Secrets.

CACHE/renders/AB/ABCD….json.gz    a render, after a digest of what follows; named by all that it depends on

A file is written whole or not at all, and whatever is wrong with one makes it none: several runs may use the folder at
once. The files that were not used for longest go first.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.keeping import is_private, tidy, write_whole

FOLDER = "renders"

MAX_BYTES = 256 * 1024 * 1024
"""What all files may have together. A render of a usual Application has 1–10 kB when it is packed."""

MAX_ONE = 64 * 1024 * 1024
"""The longest text of a render that is kept, unpacked."""

ENDING = ".json.gz"


@dataclass(slots=True)
class Store:
    """The folder `root`, which is made with the first render. It never fails: what cannot be read or written is
    not kept."""

    root: Path
    limit: int = MAX_BYTES
    _written: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def get(self, key: str) -> Rendered | None:
        """The render of that key, if it is there and whole."""
        path = self._path(key)
        try:
            if not is_private(self.root):
                return None
            with path.open("rb") as file:
                digest, packed = file.read(32), file.read()
            if hashlib.sha256(key.encode() + packed).digest() != digest:
                return None
            # What is longer is cut off there, and no JSON any more.
            text = zlib.decompressobj(wbits=31).decompress(packed, MAX_ONE)
            rendered = _rendered(json.loads(text))
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            return None
        return rendered

    def put(self, key: str, rendered: Rendered) -> None:
        """Keep a render."""
        try:
            text = json.dumps(_plain(rendered)).encode()
        except (TypeError, ValueError):
            return
        if len(text) > MAX_ONE:
            return
        packed = gzip.compress(text, compresslevel=3, mtime=0)
        path = self._path(key)
        with contextlib.suppress(OSError):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_private(self.root):
                return
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(path, hashlib.sha256(key.encode() + packed).digest() + packed)
            with self._lock:
                self._written += len(packed)

    def close(self) -> None:
        """Let the files go that were not used for longest, if there is more than is to be kept."""
        with self._lock:
            written, self._written = self._written, 0
        if written:
            tidy(self.root, self.limit)

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}{ENDING}"


def _plain(rendered: Rendered) -> dict[str, Any]:
    return {
        "objects": list(rendered.objects),
        "revisions": list(rendered.revisions),
        "sourceTypes": list(rendered.source_types),
        "commands": list(rendered.commands),
    }


def _rendered(value: dict[str, Any]) -> Rendered:
    objects = value["objects"]
    if not all(isinstance(o, dict) for o in objects):
        raise ValueError("objects")
    return Rendered(
        objects=tuple(objects),
        revisions=tuple(map(str, value["revisions"])),
        source_types=tuple(map(str, value["sourceTypes"])),
        commands=tuple(map(str, value["commands"])),
    )
