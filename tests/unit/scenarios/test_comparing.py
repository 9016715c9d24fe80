"""Partial objects against whole ones."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.scenarios.comparing import OPERATORS, closest, differences, of_object


def told(expected: Any, seen: Any) -> list[str]:
    return [f"{d.field}: {d.expected} / {d.seen}" for d in differences(expected, seen)]


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ({"a": None}, {}),
        ({"a": None}, {"a": None}),
        ([1], [1, 2]),
        ([{"name": "b", "x": 1}], [{"name": "a"}, {"name": "b", "x": 1, "y": 2}]),
        (1, 1.0),
        ({"$equals": {"a": 1}}, {"a": 1}),
        ({"$not": "Degraded"}, "Healthy"),
        ({"$not": {"a": 1}}, {"a": 2}),
        ({"$matches": "^v[0-9]+$"}, "v12"),
        ({"$contains": "cannot"}, "it cannot be"),
        ({"$contains": {"name": "a"}}, [{"name": "b"}, {"name": "a", "x": 1}]),
        ({"$contains": "key"}, {"key": 1}),
        ({"a": {"$exists": True}}, {"a": None}),
        ({"a": {"$exists": False}}, {}),
        ({"$min": 1, "$max": 3}, 2),
        ({"$length": 2}, [1, 2]),
        ({"$length": {"$min": 1}}, "ab"),
    ],
)
def test_what_holds(expected: Any, seen: Any) -> None:
    assert told(expected, seen) == []


@pytest.mark.parametrize(
    ("expected", "seen", "message"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b: 1 / 2"),
        ({"a": 1}, {}, "a: 1 / nothing"),
        ({"a": "1"}, {"a": 1}, "a: '1' / 1"),
        ({"a": 1}, {"a": True}, "a: 1 / True"),
        ({"a": False}, {"a": 0}, "a: False / 0"),
        ({"a": None}, {"a": 0}, "a: nothing / 0"),
        ({"a": {}}, {"a": 1}, "a: an object / 1"),
        ({"a": {"b": 1}}, {}, "a: an object with {'b': 1} / nothing"),
        ({"a": [1]}, {"a": 1}, "a: a list with [1] / 1"),
        ([1, 2], [1], "[1]: 2 / nothing"),
        ({"a": [{"name": "x"}]}, {"a": [{"name": "y"}]}, "a: an entry named 'x' / 'y'"),
        ({"a": [{"name": "x", "b": 1}]}, {"a": [{"name": "x", "b": 2}]}, "a[x].b: 1 / 2"),
        ({"$equals": {"a": 1}}, {"a": 1, "b": 2}, "it: exactly {'a': 1} / {'a': 1, 'b': 2}"),
        ({"$equals": [True]}, [1], "it: exactly [True] / [1]"),
        ({"$not": "Degraded"}, "Degraded", "it: anything but 'Degraded' / 'Degraded'"),
        ({"$matches": "^v"}, "x", "it: a text that matches '^v' / 'x'"),
        ({"$matches": "1"}, 1, "it: a text that matches '1' / 1"),
        ({"$contains": "b"}, "a", "it: something that contains 'b' / 'a'"),
        ({"$contains": 1}, [2], "it: something that contains 1 / [2]"),
        ({"a": {"$exists": True}}, {}, "a: something / nothing"),
        ({"a": {"$exists": False}}, {"a": 1}, "a: nothing / 1"),
        ({"$min": 3}, 2, "it: at least 3 / 2"),
        ({"$min": 3}, "4", "it: at least 3 / '4'"),
        ({"$max": 1}, True, "it: at most 1 / True"),
        ({"$length": 2}, [1], "it: a length of 2 / [1]"),
        ({"a": {"$min": 1}}, {}, "a: at least 1 / nothing"),
    ],
)
def test_what_does_not_hold_is_told_with_both_values(expected: Any, seen: Any, message: str) -> None:
    assert told(expected, seen) == [message]


def test_every_comparison_is_seen_to_hold_and_not_to() -> None:
    for test in (test_what_holds, test_what_does_not_hold_is_told_with_both_values):
        (mark,) = (m for m in test.pytestmark if m.name == "parametrize")  # type: ignore[attr-defined]
        assert all(name in str(mark.args[1]) for name in OPERATORS)


def test_a_difference_knows_its_place_in_the_expectation() -> None:
    (found,) = differences(
        {"a": [{"name": "x", "b": {"$min": 1}}]}, {"a": [{"name": "w"}, {"name": "x", "b": 0}]}
    )
    assert found.path == ("a", 0, "b", "$min")


def test_of_secrets_nothing_is_told_but_the_key() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "aHVudGVyMg=="}}
    expected = {"kind": "Secret", "metadata": {"name": "t"}, "data": {"password": "b3RoZXI=", "user": "x"}}
    found = of_object(expected, secret, path=())
    assert [(d.field, d.expected, d.seen) for d in found] == [
        ("metadata.name", "'t'", "'s'"),
        ("data.password", "(value hidden)", "(value hidden)"),
        ("data.user", "(value hidden)", "nothing"),
    ]


def test_of_several_candidates_the_closest_is_told() -> None:
    many = [{"kind": "A", "x": 1, "y": 1}, {"kind": "A", "x": 2, "y": 1}]
    assert closest({"kind": "A", "x": 2, "y": 1}, many, path=()) == ()
    found = closest({"kind": "A", "x": 3, "y": 1}, many, path=())
    assert found is not None
    assert [d.field for d in found] == ["x"]
    assert closest({"kind": "A"}, [], path=()) is None
