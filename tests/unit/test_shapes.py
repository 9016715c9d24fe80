"""What renders may be of any shape, and is read without surprise."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.shapes import mapping, title


@pytest.mark.parametrize("value", [None, 1, "a", [], {"a": None}, {"a": []}, {"a": {"b": "c"}}])
def test_where_no_mapping_is_there_is_an_empty_one(value: Any) -> None:
    assert mapping(value, "a", "b") == {}


def test_a_path_leads_to_a_mapping() -> None:
    assert mapping({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert mapping({"c": 1}) == {"c": 1}


def test_an_object_is_called_by_its_kind_and_name() -> None:
    assert title("Pod", "a", "b") == "Pod b/a"
    assert title("Namespace", "a") == title("Namespace", "a", None) == "Namespace a"
