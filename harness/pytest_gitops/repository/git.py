"""The git clone that is under test: where it is, what it is called, which commit it stands on.

Only reads, and only by running git itself, so worktrees, shallow clones and every ref format are git's
business.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.processes.process import Completed, run

KEPT = (
    "GIT_EXEC_PATH",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_VALUE_",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
)
"""git's variables that say how to find configuration; all others would point a command at another repository
(inside a hook git sets GIT_DIR and GIT_INDEX_FILE) or change what it prints."""

FIXED = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}

SETTINGS = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false")
QUIET = tuple(word for setting in SETTINGS for word in ("-c", setting))
"""No command of ours runs a hook, starts a daemon or tidies up behind the user's back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A clone. `root` is the directory under test, `top` the work tree's top, `prefix` is root relative to
    top ("" if they are the same); `remote` is the name of its remote; `branch` is "" when detached, `commit`
    "" when there is none yet, `default_branch` "" when the remote's HEAD is not known. `git_dir` and
    `common_dir` differ in a worktree; a `partial` one was cloned with a filter, and may lack files of commits."""

    root: Path
    top: Path
    prefix: str
    git_dir: Path
    common_dir: Path
    remote: str
    remote_urls: tuple[str, ...]
    branch: str
    commit: str
    default_branch: str
    shallow: bool
    object_format: str
    partial: bool = False

    @property
    def object_stores(self) -> tuple[Path, ...]:
        """The folders that its objects lie in: its own, and those that it borrows from."""
        found = [self.common_dir / "objects"]
        for store in found:
            with contextlib.suppress(OSError):
                lines = os.fsdecode((store / "info" / "alternates").read_bytes()).splitlines()
                borrowed = ((store / line).resolve() for line in lines if line and not line.startswith("#"))
                found += [b for b in borrowed if b not in found]
        return tuple(found)


def git_environment(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """The environment for a git command of ours that reads the user's repository, with the user's
    configuration."""
    kept = {k: v for k, v in environ.items() if not k.startswith("GIT_") or k.startswith(KEPT)}
    return {**kept, **FIXED, **more}


def git(
    cwd: Path,
    *argv: str | Path,
    env: Mapping[str, str],
    stdin: str | bytes | None = None,
    check: bool = True,
    limit: float = 600,
) -> Completed:
    """Run git in `cwd`. `limit` is in seconds. Raises EngineError as process.run does."""
    return run("git", *QUIET, "-C", cwd, *argv, env=env, stdin=stdin, check=check, limit=limit)


def open_repository(root: Path, *, environ: Mapping[str, str]) -> Repository:
    """Look at the clone that `root` belongs to. `root` may be a subfolder of its work tree.

    Raises ConfigError for a folder that is in no git repository, or one that git refuses to read.
    """
    root = root.resolve()
    if not root.is_dir():
        raise ConfigError(f"{root}: expected the folder of a GitOps repository, saw no such folder")
    env = git_environment(environ)

    def ask(*argv: str) -> str:
        return git(root, *argv, env=env, check=False).stdout.rstrip("\n")

    try:
        facts = ask(
            "rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir",
            "--is-shallow-repository", "--show-object-format",
        ).split("\n")  # fmt: skip
    except EngineError as error:
        raise ConfigError(f"git: {error}. Install git: it tells us what the repository contains") from error
    if len(facts) != 5:
        raise ConfigError(
            _why_not(root, git(root, "rev-parse", "--show-toplevel", env=env, check=False).stderr)
        )
    top, git_dir, common_dir, shallow, object_format = facts
    base = Path(top).resolve()
    remotes = ask("remote").splitlines()
    remote = "origin" if "origin" in remotes else next(iter(remotes), "")
    head = ask("symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD") if remote else ""
    told = ask("config", "--null", "--get-regexp", r"^remote\..*\.(url|promisor)$").split("\0")
    configured = [(key, value) for key, found, value in (each.partition("\n") for each in told) if found]
    urls = [value for key, value in configured if key.endswith(".url")]
    # insteadOf and its like: the URL that git itself would use is one more spelling of the same repository.
    rewritten = ask("remote", "get-url", "--all", remote).splitlines() if remote else []
    return Repository(
        root=root,
        top=base,
        prefix="" if root == base else root.relative_to(base).as_posix(),
        git_dir=Path(git_dir),
        common_dir=(root / common_dir).resolve(),
        remote=remote,
        remote_urls=tuple(dict.fromkeys([*urls, *rewritten])),
        branch=ask("symbolic-ref", "--quiet", "HEAD").removeprefix("refs/heads/"),
        commit=ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}"),
        default_branch=head.removeprefix(f"refs/remotes/{remote}/"),
        shallow=shallow == "true",
        partial=(f"remote.{remote}.promisor", "true") in configured,
        object_format=object_format,
    )


def _why_not(root: Path, said: str) -> str:
    if "dubious ownership" in said:
        return (
            f"{root}: belongs to another user, so git does not read it. "
            f"If you trust it: git config --global --add safe.directory '{root}'"
        )
    if "must be run in a work tree" in said:
        return (
            f"{root}: expected a git work tree, saw a bare repository. Check it out first: git worktree add"
        )
    return (
        f"{root}: expected a git repository, saw a folder that is in none. "
        "Argo CD reads from git, and so do we: run `git init` in it, nothing needs to be committed"
    )
