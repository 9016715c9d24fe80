"""The diff as it is read: YAML that is true to both sides, bounded, and with nothing lost without a word."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from pytest_gitops.changes.fields import differences
from pytest_gitops.changes.hunks import MAX_LINES
from pytest_gitops.changes.lines import diff
from pytest_gitops.changes.noise import Scene
from pytest_gitops.changes.shorten import MAX_LINE
from pytest_gitops.repository.manifest import parse

SCENE = Scene(group="example.com", kind="Thing")

TEXTS = (
    "", "a", "yes", "null", "1", "1e3", "0x1f", "a: b", "a #b", "- a", "*a", "&a", "x\ny\n", "x\n\ny", "x\n\n\n", " lead\nb", "\n  lead\nb\n",
    "~", "'", '"', "{a}", "[b]", "%", "@a", "a:", "tab\there", "cr\rlf", "bidi\u202e", "zero\u200b", "\u2028", "é ☃", "trail \nb\n", "=", "<<", "12:30:45",
    "2024-01-01", ".5", ".inf", "!tag", "|", ">", "?", "-", "a\u0085b", "\ufeffa", "on", "\n", "\n\n", "a\n",
)  # fmt: skip


def value(rng: random.Random, depth: int = 0) -> Any:
    pick = rng.random()
    if depth < 4 and pick < 0.35:
        return {
            rng.choice(["name", "a", "b.c/d", "y", "x z", "1"]): value(rng, depth + 1)
            for _ in range(rng.randrange(4))
        }
    if depth < 4 and pick < 0.6:
        if rng.random() < 0.4:
            return [
                {"name": f"n{i}", "v": value(rng, depth + 1)} for i in rng.sample(range(6), rng.randrange(5))
            ]
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return rng.choice([None, True, False, 0, -3, 1.5, *TEXTS])


def mutated(rng: random.Random, old: Any) -> Any:
    if rng.random() < 0.1:
        return value(rng, 2)
    if isinstance(old, dict):
        kept = {k: mutated(rng, v) for k, v in old.items() if rng.random() < 0.9}
        return {**kept, "new": value(rng, 3)} if rng.random() < 0.2 else kept
    if isinstance(old, list):
        kept_items = [mutated(rng, v) for v in old if rng.random() < 0.9]
        return kept_items if rng.random() < 0.8 else kept_items[::-1]
    return old


def dump(manifest: Any) -> list[str]:
    lines = diff(None, manifest)
    return [line[1:] for line in lines[1:]]


@pytest.mark.parametrize("seed", range(8))
def test_an_added_object_is_its_yaml(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        manifest = {"kind": "Thing", "spec": value(rng)}
        (document,) = parse("\n".join(dump(manifest)) + "\n")
        assert document.value == manifest


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_back_as_it_is(text: str) -> None:
    manifest = {"a": text, "l": [text, {"b": text}], text or "k": 1}
    (document,) = parse("\n".join(dump(manifest)) + "\n")
    assert document.value == manifest


@pytest.mark.parametrize("seed", range(8))
def test_every_hunk_is_true_to_both_sides(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        old = {"kind": "Thing", "spec": value(rng)}
        assert_true(old, {"kind": "Thing", "spec": mutated(rng, old["spec"])})


def assert_true(old: Any, new: Any) -> None:
    settled = differences(old, new, Scene(group="example.com", kind="Thing"), show_noise=True).settled
    lines = diff(settled, new)
    # The same walk with endless context: what each side's whole text is, keys in the order of the diff.
    sides: dict[str, list[str]] = {"-": dump_side(settled, new, "-"), "+": dump_side(settled, new, "+")}
    assert parse("\n".join(sides["+"]) + "\n")[0].value == new
    assert parse("\n".join(sides["-"]) + "\n")[0].value == old
    at = {"-": 0, "+": 0}
    for line in lines:
        if found := re.match(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@", line):
            at = {"-": int(found[1]) - 1, "+": int(found[3]) - 1}
            continue
        for side in ("-", "+") if line[0] == " " else (line[0],):
            assert sides[side][at[side]] == line[1:]
            at[side] += 1
    assert bool(lines) == (dump(old) != dump(new) or bool(differences(old, new, SCENE).fields))


def dump_side(old: Any, new: Any, side: str) -> list[str]:
    from pytest_gitops.changes import hunks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hunks, "CONTEXT", 100_000)
        # A hunk begins with the first change, so let the first line be one.
        lines = diff({"apiVersion": 0, **old}, {"apiVersion": 1, **new})
    return [line[1:] for line in lines[1:] if line[0] in (" ", side)][1:]


def test_equal_objects_have_no_diff() -> None:
    assert diff({"a": [1, {"b": "x\ny"}]}, {"a": [1, {"b": "x\ny"}]}) == ()


def test_changes_far_apart_are_hunks_of_their_own_headed_by_their_place() -> None:
    old = {"spec": {"a": 1, **{f"k{i}": i for i in range(20)}, "z": [{"name": "web", "v": 1}]}}
    new = {"spec": {**old["spec"], "a": 2, "z": [{"name": "web", "v": 2}]}}
    heads = [line for line in diff(old, new) if line.startswith("@@")]
    assert heads == ["@@ -1,5 +1,5 @@ spec", "@@ -22,4 +22,4 @@ spec.z[name=web]"]


def test_what_is_cut_is_counted() -> None:
    lines = diff(None, {"data": {f"k{i}": i for i in range(MAX_LINES + 500)}})
    assert len(lines) == MAX_LINES + 2
    assert lines[-1] == "… 501 changed lines more"
    assert lines[0] == f"@@ -0,0 +1,{MAX_LINES + 501} @@"


def test_long_lines_are_cut_around_what_differs() -> None:
    long = "x" * 5_000
    old, new = diff({"a": f"{long}1{long}"}, {"a": f"{long}2{long}"})[1:]
    assert len(old) < MAX_LINE + 40 > len(new)
    assert "x1x" in old
    assert "x2x" in new
    assert "characters" in old


def test_a_long_line_that_is_new_is_cut_with_a_count() -> None:
    assert diff(None, {"a": "x" * 5_000})[1].endswith("(4603 characters more)")


def test_what_cannot_be_seen_is_spelled_out() -> None:
    lines = diff(None, {"a": "admin\u202e", "b": "one\r\ntwo\u200b\n"})
    assert lines[1:] == ('+a: "admin\\u202e"', "+b: |", "+  one\\u000d", "+  two\\u200b")
