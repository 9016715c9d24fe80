"""Which repository a request of a git client, or of kustomize, is for."""

from __future__ import annotations

import pytest

from pytest_gitops.world.gitservice import repository_path


@pytest.mark.parametrize(
    ("path", "repository"),
    [
        ("/o/r.git/info/refs", "/o/r.git"),
        ("/o/r/git-upload-pack", "/o/r"),
        ("/o/r%20s/info/refs", "/o/r s"),
        # kustomize asks for a base as a file before it is one of git
        ("/o/r.git//base", "/o/r.git"),
        ("/o/r//base/deep//er", "/o/r"),
        ("/o/r/raw/main/x.yaml", "/o/r/raw/main/x.yaml"),
        ("//o/r", "//o/r"),
        ("/", "/"),
    ],
)
def test_a_request_is_for_the_repository_that_its_path_begins_with(path: str, repository: str) -> None:
    assert repository_path(path) == repository
