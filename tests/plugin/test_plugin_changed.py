"""`--gitops-changed`: what does not differ from base is deselected, and a run with nothing to judge is a good one."""

from __future__ import annotations

import git
import pytest
from plugin_support import BOTH, EITHER, Repository, ran

IDENTITY = {
    f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}

CHANGED = ("--gitops-base", "main", "--gitops-changed")


@pytest.fixture
def committed(two: Repository) -> Repository:
    with git.Repo(two.path) as repository:
        repository.git.add(all=True)
        repository.git.commit(quiet=True, message="x", env=IDENTITY)
    return two


@BOTH
def test_only_what_changed_is_judged_and_the_rest_is_deselected(committed: Repository, workers: str) -> None:
    committed.script(changed=["argocd/beta"])
    result = committed.run(workers, *CHANGED)
    assert {i.split("::")[1] for i in ran(result)} == {"argocd/beta"}
    assert {k.split()[0] for k in committed.outcomes()} == {"argocd/beta"}
    assert result.ret == 0
    if workers == "-n0":
        result.assert_outcomes(passed=len(ran(result)), deselected=2 * len(ran(result)))


@EITHER
def test_nothing_changed_is_exit_0(committed: Repository, workers: str) -> None:
    committed.script(changed=[])
    result = committed.run(workers, *CHANGED)
    assert ran(result) == {}
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*found no Application*")


def test_the_users_own_selection_of_nothing_stays_exit_5(committed: Repository) -> None:
    committed.script(changed=["argocd/beta"])
    assert committed.run(*CHANGED, "-k", "omega").ret == 5
    assert committed.run(*CHANGED, "-k", "beta").ret == 0


def test_a_repository_without_applications_stays_exit_5(gitops: Repository) -> None:
    gitops.write({"README.md": "words"})
    with git.Repo(gitops.path) as repository:
        repository.git.add(all=True)
        repository.git.commit(quiet=True, message="x", env=IDENTITY)
    gitops.script(changed=[])
    assert gitops.run(*CHANGED).ret == 5


def test_without_a_base_there_is_nothing_to_differ_from(two: Repository) -> None:
    result = two.run("--gitops-changed")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*--gitops-changed: expected a base to tell what differs from it, saw none. Name the branch that the change "
         "will be merged into: --gitops-base origin/main"]
    )  # fmt: skip


def test_the_command_that_shows_an_item_again_has_the_option(committed: Repository) -> None:
    committed.script(
        changed=["argocd/beta"],
        verdicts={"argocd/beta source": {"outcome": "failed", "code": "x", "message": "no"}},
    )
    result = committed.run(*CHANGED)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*again*--gitops-base=main*--gitops-changed*beta*source*"])
