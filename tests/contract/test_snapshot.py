"""The snapshot: what is in it, what it serves, and that the clone does not notice."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.repository.git import open_repository
from pytest_gitops.repository.snapshot import take


def paths(snapshot):
    return [e.path for e in snapshot.files()]


def everything(folder: Path) -> dict[str, str]:
    """Every file below `folder` with what is in it."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "-"
        for p in sorted(folder.rglob("*"))
    }


def test_a_clean_work_tree_is_heads_own_commit(clone, snap):
    head = clone.commit(a="1\n")
    snapshot = snap()
    assert (snapshot.commit, snapshot.dirty) == (head, False)


def test_uncommitted_changes_are_in_the_snapshot(clone, snap):
    clone.commit(a="1\n", b="1\n")
    clone.write("a", "2\n")
    (clone.path / "b").unlink()
    clone.write("new/file", "3\n")
    clone.write("staged", "4\n")
    clone.git("add", "staged")
    snapshot = snap()
    assert snapshot.dirty
    assert paths(snapshot) == ["a", "new/file", "staged"]
    assert snapshot.read_many(["a", "new/file", "staged", "b"]) == {
        "a": b"2\n",
        "new/file": b"3\n",
        "staged": b"4\n",
    }


def test_a_change_in_the_moment_of_the_commit_is_noticed(clone, snap):
    clone.git("config", "core.trustctime", "false")  # only the time of the last write can be set back
    file, index = clone.write("a", "1\n"), clone.path / ".git/index"
    os.utime(file, (10**9, 10**9))
    clone.commit()
    file.write_text("2\n")
    for each in (file, index):
        os.utime(each, (10**9, 10**9))
    assert snap().read("a") == b"2\n"


def test_ignored_files_are_left_out_and_tracked_ones_stay(clone, snap):
    clone.write("kept.log", "tracked\n")
    clone.git("add", "-f", "kept.log")
    clone.commit(**{".gitignore": "*.log\n"})
    clone.write("kept.log", "changed\n")
    clone.write("left-out.log")
    (clone.path / ".git/info").mkdir(exist_ok=True)
    (clone.path / ".git/info/exclude").write_text("private\n")
    clone.write("private")
    snapshot = snap()
    assert paths(snapshot) == [".gitignore", "kept.log"]
    assert snapshot.read("kept.log") == b"changed\n"


def test_nothing_in_the_clone_changes(clone, snap):
    clone.commit(a="1\n", b="2\n")
    for hook in ("post-index-change", "pre-commit", "reference-transaction", "post-checkout"):
        script = clone.write(f".git/hooks/{hook}", "#!/bin/sh\ntouch hook-ran\n")
        script.chmod(0o755)
    clone.write("a", "changed\n")
    clone.write("b", "staged\n")
    clone.git("-c", "core.hooksPath=/dev/null", "add", "b")
    clone.write("untracked")
    os.utime(clone.path / "b")  # a stale index entry, which plain `git status` would refresh
    before = everything(clone.path)
    snap(branches=("main", "prod"))
    assert everything(clone.path) == before


def test_nothing_is_copied_from_the_clones_objects(clone, snap):
    clone.commit(a="1\n", big=os.urandom(3_000_000).hex())
    snapshot = snap()
    size = sum(p.stat().st_size for p in snapshot.bare.rglob("*") if p.is_file())
    assert size < 100_000


def test_the_same_tree_is_the_same_commit(clone, snap):
    clone.commit(a="1\n")
    clone.write("a", "2\n")
    first = snap()
    clone.commit(b="1\n")
    (clone.path / "b").unlink()
    assert snap().commit == first.commit


def test_symlinks_stay_symlinks_and_are_never_followed(clone, snap, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("do not read me")
    clone.commit(a="1\n")
    (clone.path / "out").symlink_to(secret)
    (clone.path / "folder-out").symlink_to(tmp_path)
    snapshot = snap()
    assert [(e.path, e.mode) for e in snapshot.files()] == [
        ("a", "100644"), ("folder-out", "120000"), ("out", "120000"),
    ]  # fmt: skip
    assert snapshot.read("out") == os.fsencode(secret)
    with pytest.raises(FileNotFoundError):
        snapshot.read("folder-out/secret")


def test_the_executable_bit_is_kept(clone, snap):
    clone.commit(a="1\n")
    file = clone.write("run.sh", "#!/bin/sh\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    assert {e.path: e.mode for e in snap().files()} == {"a": "100644", "run.sh": "100755"}


@pytest.mark.parametrize(
    "name", ["with space", "zürich-日本", "tab\tand\nline", '"quoted"', "-dash", "[glob]*"]
)
def test_any_file_name_is_kept(clone, snap, name):
    clone.commit(a="1\n")
    clone.write(name, "content")
    snapshot = snap()
    assert name in paths(snapshot)
    assert snapshot.read(name) == b"content"
    assert snapshot.has_path("HEAD", name)


def test_a_name_that_is_not_utf8_is_kept(clone, snap):
    clone.commit(a="1\n")
    (clone.path / os.fsdecode(b"latin-\xe9")).write_text("content")
    assert snap().read(os.fsdecode(b"latin-\xe9")) == b"content"


def test_a_folder_with_a_strange_name_can_be_borrowed_from(another, snap):
    strange = another('a "b"\\c é')
    strange.commit(a="1\n")
    assert snap(strange.path).read("a") == b"1\n"


def test_a_repository_without_a_commit_works(clone, snap):
    empty = snap()
    assert paths(empty) == []
    clone.write("a", "1\n")
    snapshot = snap()
    assert snapshot.dirty
    assert paths(snapshot) == ["a"]
    assert snapshot.resolve("main") == snapshot.commit


def test_a_file_that_became_a_folder_and_the_other_way_round(clone, snap):
    clone.commit(a="1\n", **{"b/c": "2\n"})
    (clone.path / "a").unlink()
    clone.write("a/inner")
    (clone.path / "b/c").unlink()
    (clone.path / "b").rmdir()
    clone.write("b")
    assert paths(snap()) == ["a/inner", "b"]


def test_a_conflict_being_merged_is_taken_as_it_stands(clone, snap):
    clone.commit(a="1\n")
    clone.git("checkout", "-q", "-b", "other")
    clone.commit(a="2\n")
    clone.git("checkout", "-q", "main")
    clone.commit(a="3\n")
    clone.git("merge", "other", check=False)
    assert b"<<<<<<<" in snap().read("a")


def test_a_large_file_is_no_problem(clone, snap):
    clone.commit(a="1\n")
    content = os.urandom(1 << 20) * 50
    clone.write("large", content)
    snapshot = snap()
    assert {e.path: e.size for e in snapshot.files()}["large"] == 50 << 20
    assert snapshot.read("large") == content


def test_a_submodule_is_kept_and_a_stray_repository_left_out(clone, snap, another):
    other = another("other")
    pinned = other.commit(a="1\n")
    clone.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other.path), "module")
    clone.commit(a="1\n")
    other.copy(clone.path / "stray")
    clone.git("init", "-q", "stray-and-empty")
    snapshot = snap()
    assert [(e.path, e.mode) for e in snapshot.files()] == [
        (".gitmodules", "100644"), ("a", "100644"), ("module", "160000"),
    ]  # fmt: skip
    assert {e.path: e.sha for e in snapshot.files()}["module"] == pinned
    with pytest.raises(FileNotFoundError):
        snapshot.read("module")


def test_a_linked_worktree_works(clone, snap, tmp_path):
    clone.commit(a="1\n")
    clone.git("worktree", "add", "-q", "-b", "feature", tmp_path / "tree")
    (tmp_path / "tree/b").write_text("1\n")
    snapshot = snap(tmp_path / "tree")
    assert paths(snapshot) == ["a", "b"]
    assert snapshot.resolve("feature") == snapshot.commit
    assert snapshot.resolve("main") == clone.git("rev-parse", "main")


def test_a_shallow_clone_works(clone, snap, tmp_path):
    clone.commit(a="1\n")
    clone.commit(a="2\n")
    snapshot = snap(clone.copy(tmp_path / "shallow", "--depth", "1").path)
    again = type(clone)(snapshot.bare).copy(tmp_path / "again")
    assert (again.path / "a").read_text() == "2\n"
    assert again.git("rev-list", "--count", "HEAD") == "1"


@pytest.fixture
def partial(clone, tmp_path):
    """A clone without the files of any commit but the last: main has base's `a` and `c`."""
    clone.git("config", "uploadpack.allowFilter", "true")
    clone.commit(a="0\n", b="1\n", c="0\n")
    clone.git("branch", "base")
    clone.commit(a="2\n", c="2\n")
    return clone.copy(tmp_path / "partial", "--filter=blob:none")


def test_what_a_partial_clone_left_out_is_got_as_git_gets_it(partial, tmp_path, environ):
    before = everything(partial.path)
    repository = open_repository(partial.path, environ=environ)
    base = take(repository, into=tmp_path / "bare", branches=(), environ=environ, revision="origin/base")
    assert base.read_many(["a", "b", "c"]) == {"a": b"0\n", "b": b"1\n", "c": b"0\n"}
    assert everything(partial.path) == before
    partial.write("b", "3\n")  # what is checked out is there
    partial.git("remote", "set-url", "origin", str(tmp_path / "gone"))
    head = take(repository, into=tmp_path / "head", branches=(), environ=environ)
    assert head.read_many(["a", "b"]) == {"a": b"2\n", "b": b"3\n"}


def test_what_a_partial_clone_cannot_get_is_said(partial, tmp_path, environ):
    partial.git("remote", "set-url", "origin", str(tmp_path / "gone"))
    repository = open_repository(partial.path, environ=environ)
    lacks = r"lacks files of commit [0-9a-f]{7}: expected to get 1 from origin, saw .+ git backfill"
    with pytest.raises(ConfigError, match=lacks):
        take(repository, into=tmp_path / "bare", branches=(), environ=environ, revision="origin/base")
    head = take(repository, into=tmp_path / "head", branches=(), environ=environ)
    with pytest.raises(EngineError, match=r"commit [0-9a-f]{7}: git does not have a\. Fetch it"):
        head.at(partial.git("rev-parse", "origin/base"))


def test_a_split_index_works(clone, snap):
    clone.commit(a="1\n")
    clone.git("update-index", "--split-index")
    clone.write("b")
    before = everything(clone.path)
    assert paths(snap()) == ["a", "b"]
    assert everything(clone.path) == before


def test_inside_a_hook_the_work_tree_is_still_the_one_asked_for(clone, tmp_path, environ):
    clone.commit(a="1\n")
    clone.write("b")
    environ |= dict.fromkeys(("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"), "/nonexistent")
    repository = open_repository(clone.path, environ=environ)
    assert paths(take(repository, into=tmp_path / "bare", branches=(), environ=environ)) == ["a", "b"]


def test_a_folder_that_is_no_repository_says_git_init(tmp_path, environ):
    with pytest.raises(
        ConfigError, match=r"expected a git repository, saw a folder that is in none.*run `git init`"
    ):
        open_repository(tmp_path, environ={**environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})


def test_a_folder_that_does_not_exist_is_named(tmp_path, environ):
    with pytest.raises(ConfigError, match="missing: expected the folder of a GitOps repository"):
        open_repository(tmp_path / "missing", environ=environ)


def test_the_clones_facts_are_read(clone, tmp_path, environ):
    head = clone.commit(a="1\n")
    second = clone.copy(tmp_path / "second")
    second.git("remote", "set-url", "origin", "git@github.com:o/r.git")
    second.git("remote", "add", "fork", "https://github.com/me/r.git")
    second.git("config", "url.https://proxy.example/.insteadOf", "git@github.com:")
    second.git("checkout", "-q", "-b", "feature")
    repository = open_repository(second.path, environ=environ)
    assert repository.remote_urls == (
        "git@github.com:o/r.git", "https://github.com/me/r.git", "https://proxy.example/o/r.git",
    )  # fmt: skip
    assert (repository.branch, repository.commit, repository.default_branch) == ("feature", head, "main")
    second.git("checkout", "-q", "--detach")
    assert open_repository(second.path, environ=environ).branch == ""
