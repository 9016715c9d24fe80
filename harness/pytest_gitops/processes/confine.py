"""Runs a program that can touch nothing but what it is given: Linux' Landlock. Standard library only.

usage: confine.py RULES.json PROGRAM [ARGUMENT ...]

The program, and all that it starts, read, write and execute only below the paths of the rules, connect by TCP only to
their ports, and signal nobody else; how much of that, the kernel's version decides. Nobody needs to be root for it.
"""

from __future__ import annotations

import ctypes
import json
import os
import stat
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The system calls, the same on every architecture."""

VERSION = 1
PATH_BENEATH, NET_PORT = 1, 2
NO_NEW_PRIVILEGES = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = (
    1 << 0,
    1 << 1,
    1 << 2,
    1 << 3,
    1 << 14,
    1 << 15,
)
FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""The rights that a file can have; all others are a folder's."""

READ = READ_FILE | READ_DIR
KNOWN = {1: 13, 2: 14, 3: 15, 5: 16}
"""Version of Landlock → how many rights on files it knows."""

WITH_NETWORK, WITH_SCOPES = 4, 6
CONNECT_TCP = 1 << 1
ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def version() -> int:
    """The version of Landlock that this kernel offers, 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION))))


def confine(rules: Mapping[str, Iterable[str | int]]) -> None:
    """Take from this process, for good, all that `rules` do not give: paths to `read`, `execute` and `write` (where
    what is written cannot be executed), and ports to `connect` to. What does not exist is left out. Raises OSError."""
    offered = version()
    if not offered:
        raise OSError("this kernel has no Landlock")
    handled = (1 << max(bits for known, bits in KNOWN.items() if known <= offered)) - 1
    ruleset = _ruleset(offered, handled)
    for rights, paths in (
        (READ, rules["read"]),
        (READ | EXECUTE, rules["execute"]),
        (handled & ~EXECUTE, rules["write"]),
    ):
        for path in paths:
            _allow(ruleset, str(path), rights & handled)
    if offered >= WITH_NETWORK:
        for port in rules["connect"]:
            attributes = struct.pack("=QQ", CONNECT_TCP, int(port))
            _call(ADD_RULE, ruleset, NET_PORT, attributes, 0)
    if _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _ruleset(offered: int, handled: int) -> int:
    attributes = struct.pack("=Q", handled)
    if offered >= WITH_NETWORK:
        attributes += struct.pack("=Q", CONNECT_TCP)
    if offered >= WITH_SCOPES:
        attributes += struct.pack("=Q", ABSTRACT_SOCKETS_AND_SIGNALS)
    return _call(CREATE_RULESET, attributes, len(attributes), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= FILES
        _call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    finally:
        os.close(handle)


def _call(number: int, *arguments: int | bytes) -> int:
    words = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    done = int(_libc().syscall(ctypes.c_long(number), *words))
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock's system call {number}: {os.strerror(code)}")
    return done


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def main(rules: str, *program: str) -> None:
    """Become the program, confined."""
    confine(json.loads(Path(rules).read_text("utf-8")))
    os.execv(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
