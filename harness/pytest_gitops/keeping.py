"""Files of ours in the cache folder: private to their owner, and written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


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
