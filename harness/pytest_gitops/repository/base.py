"""The base of a pull request: which commit head is compared with, and files as they were there.

The base is the merge base, so what others merged in the meantime is not shown as this pull request's doing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from pytest_gitops.errors import ConfigError
from pytest_gitops.repository.git import Repository, git, git_environment
from pytest_gitops.settings.settings import Base

WHERE = "--gitops-base"

FULL_HISTORY = (
    "Get the whole history: `fetch-depth: 0` for actions/checkout, `GIT_DEPTH: 0` in GitLab, "
    "`git fetch --unshallow` in a clone"
)


def find_base(repository: Repository, name: str, *, environ: Mapping[str, str]) -> Base:
    """The commit where head left `name`, a revision of the clone. Raises ConfigError where there is none."""
    env = git_environment(environ)

    def ask(*argv: str) -> str:
        return git(repository.top, *argv, env=env, check=False).stdout.strip()

    if not repository.commit:
        raise ConfigError("expected a commit to compare, saw a clone without any", where=WHERE)
    tip = ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not tip:
        raise ConfigError(_unknown(repository, name, ask), where=WHERE)
    found = ask("merge-base", tip, repository.commit)
    if not found:
        if repository.shallow:
            raise ConfigError(
                f"{name} and HEAD share no commit in this shallow clone. {FULL_HISTORY}", where=WHERE
            )
        raise ConfigError(
            f"expected a revision that HEAD descends from, saw {name} of an unrelated history: they share no commit. "
            "Name the branch that the pull request will be merged into",
            where=WHERE,
        )
    return Base(name=name, commit=found)


def read_file(repository: Repository, commit: str, path: str, *, environ: Mapping[str, str]) -> bytes | None:
    """A file of the directory under test as it is in `commit`; None where there is none, or where it is no
    regular file: a link is not followed."""
    full = f"{repository.prefix}/{path}" if repository.prefix else path
    env = git_environment(environ)
    listed = git(
        repository.top, "--literal-pathspecs", "ls-tree", "--full-tree", "-z", commit, "--", full, env=env
    )
    words = listed.stdout.split()
    if len(words) < 3 or not words[0].startswith("100"):
        return None
    return git(repository.top, "cat-file", "blob", words[2], env=env).raw


def _unknown(repository: Repository, name: str, ask: Callable[..., str]) -> str:
    known = ask("for-each-ref", "--format=%(refname:short)", "refs/heads/", "refs/remotes/").splitlines()
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    what = f"expected a branch, tag or commit of this clone, saw no {name!r}{hint}"
    if repository.shallow:
        return f"{what} The clone is shallow. {FULL_HISTORY}"
    branch = name.removeprefix(f"{repository.remote}/") if repository.remote else name
    return f"{what} Get it first: git fetch {repository.remote or 'origin'} {branch}"
