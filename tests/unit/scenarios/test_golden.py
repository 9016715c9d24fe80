"""Golden files: one order, no secret, and never outside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gitops.scenarios.api import GitOpsFailure
from pytest_gitops.scenarios.golden import canonical, checked, hold, write

NAME = "golden/shop.gitops-golden.yaml"


def test_the_order_of_objects_and_keys_is_none_of_the_template() -> None:
    one = {"kind": "B", "apiVersion": "v1", "metadata": {"name": "x"}}
    two = {"metadata": {"name": "x"}, "apiVersion": "v1", "kind": "A"}
    assert canonical([one, two]) == canonical([two, one])
    assert canonical([one]) == "apiVersion: v1\nkind: B\nmetadata:\n  name: x\n"


def test_what_a_secret_holds_is_not_written() -> None:
    secret = {"kind": "Secret", "data": {"k": "aHVudGVyMg=="}, "stringData": {"l": "hunter2"}}
    text = canonical([secret])
    assert "hunter2" not in text and "aHVudGVyMg" not in text
    assert text.count("(value hidden)") == 2


def test_a_difference_is_shown_and_says_how_to_write_it_anew() -> None:
    hold(NAME, "a: 1\n", "a: 1\n", key="argocd/shop")
    with pytest.raises(GitOpsFailure) as caught:
        hold(NAME, "a: 1\nb: 2\n", "a: 1\nb: 3\n", key="argocd/shop")
    assert str(caught.value).splitlines() == [
        f"Application argocd/shop does not render to what {NAME} holds:",
        f"    --- {NAME}",
        "    +++ rendered argocd/shop",
        "    @@ -1,2 +1,2 @@",
        "     a: 1",
        "    -b: 2",
        "    +b: 3",
        "  next     if it is meant, write the file anew with --gitops-update",
    ]


def test_a_file_that_is_not_there_is_no_match() -> None:
    with pytest.raises(GitOpsFailure, match=r"expected the golden file .*, saw none in the repository"):
        hold(NAME, None, "a: 1\n", key="argocd/shop")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/x.gitops-golden.yaml",
        "../x.gitops-golden.yaml",
        "a/../../x.gitops-golden.yaml",
        ".git/x.gitops-golden.yaml",
        "a/.git/x.gitops-golden.yaml",
        "a\\x.gitops-golden.yaml",
        ".gitops-golden.yaml",
        "deployment.yaml",
        "a\n.gitops-golden.yaml",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(GitOpsFailure):
        checked(path)


def test_it_is_written_with_its_folders(tmp_path: Path) -> None:
    write(tmp_path, NAME, "a: 1\n")
    write(tmp_path, NAME, "a: 2\n")
    assert (tmp_path / NAME).read_text() == "a: 2\n"


@pytest.mark.parametrize("link", ["golden", NAME])
def test_links_are_not_followed(tmp_path: Path, link: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / link).parent.mkdir(parents=True)
    outside.mkdir()
    (root / link).symlink_to(outside if link == "golden" else outside / "x")
    with pytest.raises(GitOpsFailure, match="is a link or no folder"):
        write(root, NAME, "a: 1\n")
    assert list(outside.iterdir()) == []
