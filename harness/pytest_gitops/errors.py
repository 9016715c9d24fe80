"""What can go wrong, as one small tree.

GitOpsError
├── ConfigError      the user's options or pytest-gitops.yaml are wrong (pytest's exit code 4)
└── EngineError      our engine or its surroundings are (exit code 3, or an item's `error`)
    ├── ToolError        a tool cannot be had: no cache, no download, no build
    ├── ProcessDied      a tool of ours ended while it was needed
    └── WaitTimeout      a condition did not come true by its deadline
"""

from __future__ import annotations

from pathlib import Path


class GitOpsError(Exception):
    """The base of everything we raise on purpose; its text is written for the user."""


class ConfigError(GitOpsError):
    """An option or the configuration file is wrong. `where` is "file:line", an option's name, or empty."""

    def __init__(self, message: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where}: {message}" if where else message)


class EngineError(GitOpsError):
    """Our engine, or what it stands on, failed; the repository under test was not judged."""


class ToolError(EngineError):
    """A tool of the lock file cannot be had. `tool` is its name there."""

    def __init__(self, tool: str, message: str) -> None:
        self.tool = tool
        super().__init__(f"{tool}: {message}")


class ProcessDied(EngineError):
    """A process of ours ended on its own. `status` is its exit code, negative for a signal; `tail` its last lines."""

    def __init__(self, name: str, *, status: int, log: Path, tail: str) -> None:
        self.name, self.status, self.log, self.tail = name, status, log, tail
        how = f"was killed by signal {-status}" if status < 0 else f"ended with exit code {status}"
        said = f"\nIts last lines:\n{tail}" if tail else "\nIt wrote nothing."
        super().__init__(f"{name} {how}.{said}")


class WaitTimeout(EngineError):
    """What we waited for did not come true. `limit` is in seconds; `seen` is the last state observed."""

    def __init__(self, what: str, *, limit: float, seen: str) -> None:
        self.what, self.limit, self.seen = what, limit, seen
        super().__init__(f"{what}: not within {limit:g} s; last seen: {seen}")
