"""A key that is written twice is told: the last one counts, and nobody else says so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from input_trees import case
from sides import HEAD, WEB, side

from pytest_gitops.model import Case, Severity
from pytest_gitops.stages import repeated

TWICE = "kind: ConfigMap\ndata: {a: '1'}\nmetadata:\n  name: c\ndata: {b: '1'}\n"


def found(files: Mapping[str, str], *cases: Case) -> list[tuple[str, int | None, str]]:
    told = list(repeated.survey(side(HEAD, cases or (WEB,), files)))
    assert {(f.rule, f.severity) for f in told} <= {("repeated-key", Severity.WARNING)}
    return [(f.file, f.line, f.message.partition(":")[0]) for f in told]


def test_a_key_that_is_written_twice_is_told_where_it_counts() -> None:
    assert found({"web/a.yaml": TWICE, "web/b.yml": f"a: 1\n---\n{TWICE}"}) == [
        ("web/a.yaml", 5, "data"),
        ("web/b.yml", 7, "data"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a:\n- x: 1\n  y: 1\n  x: 2\n",
        "a:\n  - - x: 1\n      x: 2\n",
        '"a b": 1\n\'c\': 2\n"a b": 3\n',
        "a:\n  b:\n    c: 1\n  d: 1\n  b: 2\n",
        "a: 1 # one\r\na: 2\r\n",
        "a :\n  x: 1\nb: 2\na :\n",
    ],
)
def test_wherever_it_stands(text: str) -> None:
    assert len(found({"web/a.yaml": text})) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a: {x: 1}\nb: {x: 1}\n",
        "a:\n- x: 1\n- x: 2\n",
        "a:\n  x: 1\nb:\n  x: 1\n",
        "a:\n  - x: 1\n    y: 1\n  - y: 1\n    x: 1\n",
        "a: 1\n---\na: 1\n",
        "text: |\n  a: 1\n  a: 2\n",
        "# a: 1\n# a: 2\n",
        "a: [\n",
        "a: 1\na: 2\n{{ if }}",
    ],
    ids=[
        "braces",
        "entries",
        "mappings",
        "deep entries",
        "documents",
        "text",
        "comments",
        "broken",
        "template",
    ],
)
def test_what_is_not_twice_in_one_mapping_is_nothing(text: str) -> None:
    assert found({"web/a.yaml": text}) == []


def test_what_no_application_reads_is_nobodys() -> None:
    files = {"elsewhere/a.yaml": TWICE, "web/notes.txt": TWICE, "apps/web.yaml": TWICE}
    assert [file for file, _, _ in found(files)] == ["apps/web.yaml"]
    assert [file for file, _, _ in found(files, case("all", {"path": "elsewhere"}))] == ["elsewhere/a.yaml"]


def test_what_is_large_is_left_alone() -> None:
    assert found({"web/a.yaml": TWICE + "#" * repeated.MAX_BYTES}) == []


def test_of_very_many_the_first_are_told() -> None:
    told = list(repeated.survey(side(HEAD, (WEB,), {f"web/{n:03}.yaml": TWICE for n in range(103)})))
    assert len(told) == repeated.MOST + 1
    assert (told[-1].file, told[-1].message) == (
        "web/100.yaml", "3 more keys are written twice, this the first of them",
    )  # fmt: skip
