"""What a targetRevision names: one ref, or the newest of several tags, which is Argo CD's to find."""

from __future__ import annotations

import pytest

from pytest_gitops.repository.revisions import is_range, name_of

SHA = "4" * 40


@pytest.mark.parametrize(
    "revision",
    [
        "1.x", "v1.2.x", "1.4.X", "1.*", "*", "x", "1.x.x", ">=1.0.0 <2.0.0", ">=1.0.0, <2.0.0", "^1.2", "~1.2", "=1.2",
        "!=1.2.3", "~>1.2", "=>1", "1.2 - 1.4.5", "1.x || 3.x", ">= 1.2.3-rc.1", "1.2 1.3", " 1.x ", "1.2,1.3", "1.x-rc",
    ],
)  # fmt: skip
def test_a_range_of_versions_is_one(revision: str) -> None:
    assert is_range(revision)
    assert name_of(revision, ["other", "v1.2.3"]) is None


@pytest.mark.parametrize(
    "revision",
    [
        "main", "HEAD", "release/1.x", "v1", "1", "1.2", "v1.2.3", "1.2.3-rc.1+build", "1.2.3.4", "1.x.y", "xx", "1x", "x1",
        "1|2", "feature=1", "a b", "refs/tags/1.x", "1.x-", "<1.2>", "", ">", "12e4567", SHA,
    ],
)  # fmt: skip
def test_what_names_one_ref_is_none(revision: str) -> None:
    assert not is_range(revision)
    assert name_of(revision, ["v1.2.3"]) == revision


def test_without_a_version_among_the_tags_a_range_can_only_be_a_branch() -> None:
    assert name_of("1.x", []) == name_of("1.x", ["latest", "app/1.0.0"]) == "1.x"
    assert name_of("1.x", ["1.0.0"], prefix="app/") == "1.x"


@pytest.mark.parametrize(
    ("revision", "name"),
    [
        ("1.0.0", "app/1.0.0"),
        ("v1.0", "app/v1.0"),
        ("1.x", None),
        ("main", "main"),
        ("HEAD", "HEAD"),
        ("12e4567", "12e4567"),
        (SHA, SHA),
    ],
)
def test_a_tag_prefix_stands_before_versions(revision: str, name: str | None) -> None:
    assert name_of(revision, ["app/1.0.0", "1.0.0"], prefix="app/") == name
