"""What stands in a loopback world as Argo CD's processes do."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_gitops.processes.process import Completed, run
from pytest_gitops.world.loopback import World


class Inside:
    """Runs programs as Argo CD's repo-server would: in the world, with a home of nobody."""

    def __init__(self, world: World, home: Path) -> None:
        self.world = world
        base = {"HOME": str(home), "LANG": "C", "GIT_TERMINAL_PROMPT": "0"}
        names = ("NAME", "EMAIL")
        base |= {f"GIT_{who}_{what}": "dev@example.com" for who in ("AUTHOR", "COMMITTER") for what in names}
        self.env = {**base, **world.env, "PATH": f"{world.bin}{os.pathsep}{os.environ['PATH']}"}

    def run(self, *argv: str | Path, check: bool = True, **env: str) -> Completed:
        return run(*argv, env={**self.env, **env}, check=check, limit=60)

    def git(self, *argv: str | Path, check: bool = True, **env: str) -> Completed:
        return self.run("git", *argv, check=check, **env)
