"""The way of PATH: a program already installed, if it has the locked version."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_gitops.tools.context import Context, NoWay, Passed, ask_version
from pytest_gitops.tools.parts import Action, Origin, Part, Tool


def remembered(part: Part, context: Context) -> Tool:
    """The program on PATH, if an earlier run asked that very file for its version. Starts nothing."""
    try:
        path = _which(part, context)
    except Passed as reason:
        raise NoWay(str(reason)) from reason
    version = context.store.seen(part, path)
    if version is None or not part.accepts(version):
        raise NoWay(f"{path} was not asked for its version yet")
    return Tool(name=part.name, version=version, path=path, origin=Origin.PATH)


def on_path(part: Part, context: Context) -> Tool:
    """The program on PATH, if it says it has the locked version."""
    path = _which(part, context)
    context.begin(part, Action.LOOK, f"asking {path}")
    version = ask_version(part, path, context.environ)
    if not part.accepts(version):
        raise Passed(f"{path} is {version}, expected {part.wanted}")
    context.store.remember(part, path, version)
    return Tool(name=part.name, version=version, path=path, origin=Origin.PATH)


def _which(part: Part, context: Context) -> Path:
    if part.files:
        raise NoWay("it is not a program")
    found = shutil.which(part.binary, path=context.environ.get("PATH", ""))
    if found is None:
        raise Passed(f"no {part.binary} on PATH")
    return Path(found).absolute()
