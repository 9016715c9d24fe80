"""jq expressions: what they lead to, and that no expression can take long or reach outside the object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.changes.jq import MAX_LENGTH, Budget, TooLong, compile
from pytest_gitops.changes.jqfunctions import MAX_SUBJECT, Failed, Unknown
from pytest_gitops.repository.manifest import parse

CASES: dict[str, Any] = parse((Path(__file__).parent / "jq.yaml").read_bytes())[0].value
OBJECT = CASES["object"]


def pointers(expression: str, value: Any = OBJECT, *, steps: int = 10_000) -> list[str]:
    paths = compile(expression, Budget(steps))(value)
    return ["".join(f"/{str(k).replace('~', '~0').replace('/', '~1')}" for k in path) for path in paths]


def existing(found: list[str]) -> list[str]:
    """Without those that lead to nothing: to delete them is to delete nothing."""

    def there(pointer: str) -> bool:
        value = OBJECT
        for key in pointer[1:].split("/"):
            key = key.replace("~1", "/")
            if isinstance(value, list) and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict) and key in value:
                value = value[key]
            else:
                return False
        return True

    return [p for p in found if there(p)]


@pytest.mark.parametrize("expression", CASES["understood"])
def test_an_expression_leads_where_jq_leads(expression: str) -> None:
    assert existing(pointers(expression)) == CASES["understood"][expression]


@pytest.mark.parametrize("expression", CASES["failing"])
def test_what_does_not_fit_fails_as_in_jq(expression: str) -> None:
    with pytest.raises(Failed):
        pointers(expression)


@pytest.mark.parametrize("expression", CASES["unknown"])
def test_anything_else_is_refused_before_it_runs(expression: str) -> None:
    with pytest.raises(Unknown):
        compile(expression, Budget(10))


def test_a_question_mark_forgives_what_does_not_fit() -> None:
    assert pointers(".metadata.name.x?") == []


@pytest.mark.parametrize(
    "expression",
    [
        " | ".join([".."] * 8),
        ".[] | .[] | .. | .. | ..",
        ".. | select(.a? == .b?) | .. | select(length) | ..",
        ", ".join([".."] * 100),
    ],
)
def test_steps_are_counted(expression: str) -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = {"a": deep, "b": [1, 2, 3]}
    with pytest.raises(TooLong):
        pointers(expression, {"x": deep, "y": deep}, steps=2_000)


def test_a_budget_is_shared() -> None:
    budget = Budget(40)
    paths = compile("..", budget)
    paths({"a": {"b": 1}})
    with pytest.raises(TooLong):
        for _ in range(40):
            paths({"a": {"b": 1}})


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "((a*)*)*", "a*a*a*a*a*b", r"(.)\1", "(?=a)", "a{1,9999}"]
)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str) -> None:
    quoted = pattern.replace("\\", "\\\\")
    with pytest.raises(Unknown):
        pointers(f'.a | select(test("{quoted}"))', {"a": "a" * 60})


def test_a_pattern_is_not_tried_on_a_long_text() -> None:
    with pytest.raises(Unknown):
        pointers('.a | select(test(".*.*.*b"))', {"a": "a" * (MAX_SUBJECT + 1)})


def test_a_broken_pattern_fails() -> None:
    with pytest.raises(Failed, match="no pattern"):
        pointers('.a | select(test("[z-a]"))', {"a": "a"})


def test_length_and_depth_of_an_expression_are_bounded() -> None:
    with pytest.raises(Unknown, match="longer than 1000"):
        compile("." + "a" * MAX_LENGTH, Budget(1))
    with pytest.raises(Unknown, match="nested deeper"):
        compile("(" * 200 + "." + ")" * 200, Budget(1))
