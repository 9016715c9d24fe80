"""The way of the user's own path: taken as it is, whatever its version, or an error."""

from __future__ import annotations

import os

from pytest_gitops.errors import ToolError
from pytest_gitops.tools.context import Context, NoWay, Passed, ask_version
from pytest_gitops.tools.parts import Origin, Part, Tool


def explicit(part: Part, context: Context) -> Tool:
    """The tool at the path that was given for it.

    Raises ToolError if that cannot be used: whoever names a path does not want another one.
    """
    path = context.explicit.get(part.name)
    if path is None:
        raise NoWay("no path was given for it")
    path = path.absolute()
    if part.files:
        missing = [name for name in part.files.sha256 if not (path / name).is_file()]
        if missing:
            raise ToolError(part.name, f"the folder given for it, {path}, has no {', '.join(missing)}")
        import hashlib  # a warm run needs no digest

        known = all(
            hashlib.sha256((path / name).read_bytes()).hexdigest() == digest
            for name, digest in part.files.sha256.items()
        )
        version = part.version if known else "unknown"
        return Tool(name=part.name, version=version, path=path, origin=Origin.EXPLICIT)
    if not path.is_file():
        raise ToolError(part.name, f"the path given for it, {path}, is not a file. Correct or drop it.")
    if not os.access(path, os.X_OK):
        raise ToolError(part.name, f"the path given for it, {path}, is not executable. Use `chmod +x`.")
    found = context.store.seen(part, path)
    if found is None:
        try:
            found = ask_version(part, path, context.environ)
        except Passed as reason:
            raise ToolError(part.name, f"the path given for it cannot be used: {reason}") from reason
        context.store.remember(part, path, found)
    return Tool(name=part.name, version=found, path=path, origin=Origin.EXPLICIT)
