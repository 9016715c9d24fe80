"""The annotation means here what it means to Argo CD (its own cases: util/app/path/path_test.go)."""

from __future__ import annotations

import pytest

from pytest_gitops.repository.generate_paths import ANNOTATION, covers, refresh_paths


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        (".", "a/b", ("a/b",)),
        ("", "a/b", ()),
        (" ; ;", "a/b", ()),
        (".; /shared ", "a/b", ("a/b", "shared")),
        ("../c;deep", "a/b", ("a/c", "a/b/deep")),
        ("../../../x", "a/b", ("../x",)),
        ("/*.yaml", "a", ("*.yaml",)),
        (".", "", (".",)),
    ],
)
def test_paths_are_relative_to_the_source_or_absolute(
    text: str, path: str, expected: tuple[str, ...]
) -> None:
    manifest = {"metadata": {"annotations": {ANNOTATION: text}}}
    assert refresh_paths(manifest, path) == expected


@pytest.mark.parametrize("manifest", [{}, {"metadata": None}, {"metadata": {"annotations": {ANNOTATION: 1}}}])
def test_nothing_said_is_no_path(manifest: dict[str, object]) -> None:
    assert refresh_paths(manifest, "a") == ()


@pytest.mark.parametrize(
    ("paths", "file", "expected"),
    [
        ((), "x", True),
        (("a",), "a/x.yaml", True),
        (("a/",), "a/deep/x.yaml", True),
        (("a",), "ab/x.yaml", False),
        (("a/x.yaml",), "a/x.yaml", True),
        (("a/*.yaml",), "a/x.yaml", True),
        (("a/*.yaml",), "a/b/x.yaml", False),
        (("a/*",), "a/b/x.yaml", False),
        (("a/?.yaml",), "a/x.yaml", True),
        (("a/[xy].yaml",), "a/y.yaml", True),
        (("a/[^xy].yaml",), "a/y.yaml", False),
        (("a/[xy.yaml",), "a/x.yaml", False),
        (("a/\\*.yaml",), "a/*.yaml", True),
        (("../x",), "x", False),
        ((".",), "anything/at/all", True),
        (("",), "anything", True),
        (("b", "a"), "a/x", True),
    ],
)
def test_a_change_is_noticed_in_a_file_a_folder_or_by_a_pattern(
    paths: tuple[str, ...], file: str, expected: bool
) -> None:
    assert covers(paths, [file]) is expected
