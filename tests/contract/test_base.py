"""The base of a pull request: which commit it is, what cannot be one, and files as they are there."""

from __future__ import annotations

import os

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.repository.base import find_base, read_file
from pytest_gitops.repository.git import open_repository

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


def base_of(clone, name):
    return find_base(open_repository(clone.path, environ=ENVIRON), name, environ=ENVIRON)


def refused(clone, name) -> str:
    with pytest.raises(ConfigError) as caught:
        base_of(clone, name)
    return str(caught.value)


def test_the_base_is_where_head_left_the_branch_not_where_the_branch_is_now(clone):
    left = clone.commit(a="1\n")
    clone.git("switch", "-q", "-c", "change")
    clone.commit(b="1\n")
    clone.git("switch", "-q", "main")
    clone.commit(c="somebody else's\n")
    clone.git("switch", "-q", "change")
    assert base_of(clone, "main").commit == left
    assert base_of(clone, "main").name == "main"


def test_a_tag_and_a_commit_are_bases_as_well(clone):
    first = clone.commit(a="1\n")
    clone.git("tag", "-a", "v1", "-m", "v1")
    clone.commit(a="2\n")
    assert base_of(clone, "v1").commit == base_of(clone, first[:8]).commit == first


def test_an_unknown_base_says_how_to_get_it_and_what_is_spelled_alike(clone):
    clone.commit(a="1\n")
    said = refused(clone, "mian")
    assert "--gitops-base" in said and "did you mean 'main'?" in said and "git fetch origin mian" in said


def test_a_shallow_clone_without_the_base_says_fetch_depth_0(clone, tmp_path):
    clone.commit(a="1\n")
    clone.git("switch", "-q", "-c", "change")
    clone.commit(a="2\n")
    shallow = clone.copy(tmp_path / "shallow", "--depth=1", "--branch=change", "--single-branch")
    assert "fetch-depth: 0" in refused(shallow, "origin/main")
    shallow.git("fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main")
    assert "share no commit" in refused(shallow, "origin/main")
    assert "fetch-depth: 0" in refused(shallow, "origin/main")


def test_an_unrelated_history_is_no_base(clone):
    clone.commit(a="1\n")
    clone.git("switch", "-q", "--orphan", "other")
    clone.commit(b="1\n")
    said = refused(clone, "main")
    assert "unrelated history" in said and "fetch-depth" not in said


def test_a_base_that_looks_like_an_option_is_only_a_name(clone):
    clone.commit(a="1\n")
    assert "saw no '--all'" in refused(clone, "--all")


def test_files_are_read_as_they_were_and_links_are_not_followed(clone):
    clone.write("a.yaml", "old\n")
    (clone.path / "link.yaml").symlink_to("/etc/passwd")
    first = clone.commit()
    clone.write("a.yaml", "new\n")
    repository = open_repository(clone.path, environ=ENVIRON)
    assert read_file(repository, first, "a.yaml", environ=ENVIRON) == b"old\n"
    assert read_file(repository, first, "link.yaml", environ=ENVIRON) is None
    assert read_file(repository, first, "b.yaml", environ=ENVIRON) is None


def test_a_file_below_a_folder_under_test_is_found_there(clone):
    clone.write("grid/a.yaml", "1\n")
    first = clone.commit()
    repository = open_repository(clone.path / "grid", environ=ENVIRON)
    assert read_file(repository, first, "a.yaml", environ=ENVIRON) == b"1\n"
