"""Globs over a repository's paths."""

from __future__ import annotations

import pytest

from pytest_gitops.repository.globs import glob


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("docs/*.yaml", "docs/a.yaml", True),
        ("docs/*.yaml", "docs/b/a.yaml", False),
        ("docs/**/*.yaml", "docs/a.yaml", True),
        ("docs/**/*.yaml", "docs/b/c/a.yaml", True),
        ("examples/**", "examples/a/b.yaml", True),
        ("examples/**", "more-examples/a.yaml", False),
        ("**/testdata/**", "testdata/a.yaml", True),
        ("**/testdata/**", "a/b/testdata/c/d.yaml", True),
        ("**/testdata/**", "a/mytestdata/d.yaml", False),
        ("examples", "examples/a/b.yaml", True),
        ("examples/", "examples/a.yaml", True),
        ("./examples/", "examples/a.yaml", True),
        ("/examples", "examples/a.yaml", True),
        ("examples", "examples.yaml", False),
        ("*.yaml", "a.yaml", True),
        ("*.yaml", "b/a.yaml", False),
        ("a?.yaml", "ab.yaml", True),
        ("a?b.yaml", "a/b.yaml", False),
        ("[ab].yaml", "a.yaml", True),
        ("[!ab].yaml", "a.yaml", False),
        ("[!ab].yaml", "c.yaml", True),
        ("x[!ab]y", "x/y", False),
        ("[a-c]1", "b1", True),
        ("[^a]", "^", True),
        ("[]x]", "]", True),
        ("a.yaml", "axyaml", False),
        ("a[.yaml", "a[.yaml", True),
        ("a(b)+.yaml", "a(b)+.yaml", True),
        ("a b/ä.yaml", "a b/ä.yaml", True),
        ("*", "a\nb", True),
    ],
)
def test_a_star_stays_within_its_folder(pattern: str, path: str, matches: bool) -> None:
    assert bool(glob(pattern).fullmatch(path)) is matches
