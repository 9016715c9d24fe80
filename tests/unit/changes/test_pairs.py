"""Each file of pairs/ is one thing that a pull request can do, and exactly what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from change_sides import side, told

from pytest_gitops.changes.compare import compare
from pytest_gitops.repository.manifest import parse

FILES = sorted((Path(__file__).parent / "pairs").glob("*.yaml"))


def pair(file: Path) -> dict[str, Any]:
    """about, base, head, expect; `expect` as a list is what is said of the objects of the Application `shop`."""
    content: dict[str, Any] = parse(file.read_bytes())[0].value
    assert set(content) <= {"about", "base", "head", "options", "expect", "diff", "text"}, "a misspelled key"
    if isinstance(content["expect"], list):
        objects = content["expect"]
        real = any(not o.keys() & {"unchanged"} for o in objects)
        words = {"change": "changed" if real else "unchanged", "objects": objects}
        content["expect"] = {"applications": {"shop": words}} if objects else {}
    return content


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_is_said_is_exactly_this(file: Path) -> None:
    content = pair(file)
    found = compare(side(content["base"]), side(content["head"]), **content.get("options", {}))
    assert told(found) == content["expect"], content["about"]
    objects = [o for a in found.applications for o in a.objects]
    if "diff" in content:
        assert "\n".join(line for o in objects for line in o.diff) + "\n" == content["diff"]
    if "text" in content:
        fates = [a.fate for a in found.applications] + [o.fate for o in objects]
        assert [f.text for f in fates if f] == content["text"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_base_against_itself_is_nothing(file: Path) -> None:
    content = pair(file)
    for one in ("base", "head"):
        found = compare(side(content[one]), side(content[one]))
        assert not [a for a in found.applications if a.kind not in (None, "unchanged") or a.objects], one
        assert not found.images


MIRRORED = {"added": "removed", "removed": "added"}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_the_way_back_is_the_mirror(file: Path) -> None:
    content = pair(file)
    there = compare(side(content["base"]), side(content["head"]))
    back = compare(side(content["head"]), side(content["base"]))

    def kinds(comparison: Any, mirror: dict[str, str]) -> list[str]:
        changes = [o.kind for a in comparison.applications for o in a.objects]
        changes += [a.kind for a in comparison.applications if a.kind]
        return sorted(mirror.get(k, k) for k in changes)

    assert kinds(there, MIRRORED) == kinds(back, {})
