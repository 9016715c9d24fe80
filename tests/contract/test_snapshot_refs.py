"""The snapshot's refs: which of them are the tree under test, which are the clone's, and how they resolve."""

from __future__ import annotations

import pytest

from pytest_gitops.errors import ConfigError


def paths(snapshot):
    return [e.path for e in snapshot.files()]


@pytest.fixture
def pair(clone, tmp_path):
    """A remote with branches and tags, and a clone of it on a branch of its own with a change."""
    clone.commit(a="1\n")
    clone.git("tag", "v1.0.0")
    clone.git("tag", "-a", "-m", "annotated", "v1.1.0")
    clone.git("checkout", "-q", "-b", "release/1")
    clone.commit(a="release\n")
    clone.git("checkout", "-q", "main")
    local = clone.copy(tmp_path / "local")
    local.git("checkout", "-q", "-b", "feature")
    local.git("branch", "mine")
    local.write("a", "under test\n")
    return clone, local


def test_current_default_and_named_branches_are_the_snapshot(pair, snap):
    _, local = pair
    snapshot = snap(local.path, branches=("prod", "HEAD", "refs/heads/full"))
    under_test = {r for r, sha in snapshot.refs.items() if sha == snapshot.commit}
    assert under_test == {"refs/heads/feature", "refs/heads/main", "refs/heads/prod", "refs/heads/full"}
    assert (snapshot.bare / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert snapshot.resolve("") == snapshot.resolve("HEAD") == snapshot.commit


def test_other_branches_tags_and_commits_are_the_clones(pair, snap):
    remote, local = pair
    snapshot = snap(local.path)
    first = remote.git("rev-parse", "v1.0.0")
    assert snapshot.resolve("release/1") == remote.git("rev-parse", "release/1")
    assert snapshot.resolve("mine") == local.git("rev-parse", "mine")
    assert snapshot.resolve("v1.0.0") == snapshot.resolve("refs/tags/v1.1.0") == first
    assert snapshot.resolve(first) == snapshot.resolve(first[:9]) == first


def test_the_remotes_branch_counts_more_than_a_local_one(pair, snap):
    remote, local = pair
    local.git("branch", "release/1")
    assert local.git("rev-parse", "release/1") != remote.git("rev-parse", "release/1")
    assert snap(local.path).resolve("release/1") == remote.git("rev-parse", "release/1")


def test_a_tag_that_an_application_names_stays_that_tag(pair, snap):
    remote, local = pair
    snapshot = snap(local.path, branches=("v1.0.0",))
    assert snapshot.resolve("v1.0.0") == remote.git("rev-parse", "v1.0.0")
    assert "refs/heads/v1.0.0" not in snapshot.refs


def test_a_commit_that_an_application_names_is_not_a_branch(pair, snap):
    _, local = pair
    sha = local.git("rev-parse", "HEAD")
    assert f"refs/heads/{sha}" not in snap(local.path, branches=(sha,)).refs


@pytest.mark.parametrize(
    "name", ["1.*", "a b", "a..b", "~1", "x.lock", "/x", "x/", "a//b", "-x", ".x", "@", "a:b"]
)
def test_what_cannot_be_a_branch_is_not_served(pair, snap, name):
    _, local = pair
    assert f"refs/heads/{name}" not in snap(local.path, branches=(name,)).refs


def test_a_branch_under_test_wins_over_one_below_its_name(pair, snap):
    _, local = pair
    refs = snap(local.path, branches=("release",)).refs
    assert "refs/heads/release" in refs
    assert "refs/heads/release/1" not in refs


def test_a_detached_head_without_remote_serves_main(clone, snap):
    clone.commit(a="1\n")
    clone.git("checkout", "-q", "--detach")
    clone.git("branch", "-D", "main")
    snapshot = snap()
    assert snapshot.refs == {"refs/heads/main": snapshot.commit}


@pytest.mark.parametrize(
    "name", ["nowhere", "main~1", "HEAD^", ":/change", "@{-1}", "1.*", "--all", "deadbeef", ">=1.0"]
)
def test_what_argo_cd_would_not_resolve_is_not_resolved(clone, snap, name):
    clone.commit(a="1\n")
    clone.commit(a="2\n")
    assert snap().resolve(name) is None
    assert not snap().exists(name)


def test_a_branch_counts_more_than_a_tag_of_its_name(clone, snap):
    clone.commit(a="1\n")
    clone.git("tag", "both")
    clone.git("checkout", "-q", "-b", "both")
    head = clone.commit(a="2\n")
    assert snap().resolve("both") == head


def test_paths_are_looked_up_in_their_revision(clone, snap):
    clone.commit(**{"apps/a.yaml": "1\n"})
    clone.git("tag", "v1")
    clone.commit(**{"new/b.yaml": "1\n"})
    snapshot = snap()
    assert all(snapshot.has_path("main", p) for p in ("", ".", "apps", "./apps/", "apps/a.yaml", "new"))
    assert not any(
        snapshot.has_path("main", p) for p in ("missing", "..", "apps/../..", "/apps", "apps/a.yaml/x")
    )
    assert not snapshot.has_path("v1", "new")
    assert not snapshot.has_path("nowhere", "apps")


def test_any_commit_of_the_clone_can_be_fetched(clone, snap, another):
    first = clone.commit(a="1\n")
    clone.git("checkout", "-q", "--orphan", "elsewhere")
    clone.commit(a="2\n")
    clone.git("branch", "-D", "main")
    clone.git("checkout", "-q", "-b", "main")
    snapshot = snap()
    reader = another("reader")
    reader.git("-c", "protocol.version=0", "fetch", "-q", snapshot.bare, first)  # as Argo CD's go-git
    assert reader.git("rev-parse", "FETCH_HEAD") == first


def test_the_served_repository_clones_and_checks_out_head(pair, snap, tmp_path):
    _, local = pair
    snapshot = snap(local.path)
    reader = type(local)(snapshot.bare).copy(tmp_path / "reader")
    assert reader.git("rev-parse", "HEAD") == snapshot.commit
    assert (tmp_path / "reader/a").read_text() == "under test\n"
    assert reader.git("fsck", "--full") == ""


def test_a_revision_takes_the_work_trees_place(pair, snap):
    _, local = pair
    base = snap(local.path, revision="origin/release/1")
    assert (base.commit, base.dirty) == (local.git("rev-parse", "origin/release/1"), False)
    assert base.read("a") == b"release\n"
    assert base.resolve("feature") == base.commit


def test_a_revision_the_clone_does_not_have_is_a_clear_error(pair, snap):
    _, local = pair
    with pytest.raises(
        ConfigError, match=r"revision gone: expected a commit of this clone.*git fetch origin"
    ):
        snap(local.path, revision="gone")


@pytest.fixture
def nested(clone):
    """A repository whose folder fixtures/grid is what is under test."""
    clone.commit(readme="1\n")
    clone.git("branch", "before")
    clone.commit(**{"fixtures/grid/apps/a.yaml": "1\n", ".gitignore": "*.log\n", "other/b": "1\n"})
    clone.git("tag", "-a", "-m", "x", "v1")
    clone.commit(**{"fixtures/grid/apps/a.yaml": "2\n"})
    return clone


def test_a_subfolder_is_served_as_a_repository_of_its_own(nested, snap):
    nested.write("fixtures/grid/new", "3\n")
    nested.write("fixtures/grid/left-out.log")
    nested.write("outside", "3\n")
    snapshot = snap(nested.path / "fixtures/grid")
    assert paths(snapshot) == ["apps/a.yaml", "new"]
    assert snapshot.dirty
    assert snapshot.has_path("HEAD", "apps")
    assert not snapshot.has_path("HEAD", "fixtures")


def test_a_subfolder_with_the_name_of_a_pattern_is_only_itself(nested, snap):
    (nested.path / "fixtures/gr*").mkdir()
    assert paths(snap(nested.path / "fixtures/gr*")) == []


def test_a_clean_subfolder_is_not_dirty_whatever_is_around_it(nested, snap):
    nested.write("outside", "3\n")
    assert not snap(nested.path / "fixtures/grid").dirty


def test_refs_of_a_subfolder_are_its_own_and_left_out_where_it_is_not(nested, snap):
    snapshot = snap(nested.path / "fixtures/grid")
    assert snapshot.has_path("v1", "apps/a.yaml")
    assert snapshot.resolve("v1") != snapshot.commit
    assert "refs/heads/before" not in snapshot.refs


def test_a_revision_of_a_subfolder_is_that_subfolder(nested, snap):
    base = snap(nested.path / "fixtures/grid", revision="main~1")
    assert base.read("apps/a.yaml") == b"1\n"
    assert paths(snap(nested.path / "fixtures/grid", revision="before")) == []


def test_a_subfolder_with_nothing_in_it_is_an_empty_tree(nested, snap):
    (nested.path / "empty").mkdir()
    assert paths(snap(nested.path / "empty")) == []


def test_a_range_is_argo_cds_to_resolve_where_there_are_versions(pair, snap):
    remote, _ = pair
    remote.git("branch", "1.x")
    remote.git("tag", "app/1.0.0", "release/1")
    snapshot = snap(remote.path)
    assert snapshot.resolve("1.x") is None  # v1.1.0 to Argo CD, though there is such a branch
    assert snapshot.resolve("1.x", "app/") is None
    assert snapshot.resolve("1.x", "other/") == remote.git("rev-parse", "1.x")


def test_a_tag_prefix_stands_before_a_version(pair, snap):
    remote, _ = pair
    remote.git("tag", "app/1.0.0", "release/1")
    snapshot = snap(remote.path)
    assert snapshot.resolve("1.0.0", "app/") == remote.git("rev-parse", "release/1")
    assert snapshot.resolve("1.0.0") is None
    assert snapshot.resolve("main", "app/") == snapshot.commit
