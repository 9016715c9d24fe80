"""What counts as a difference, for any two values."""

from __future__ import annotations

import random
from typing import Any

import pytest
from test_lines import mutated, value

from pytest_gitops.changes.fields import differences, same, spelled
from pytest_gitops.changes.noise import Scene
from pytest_gitops.changes.quantity import amount

DEPLOYMENT = Scene(group="apps", kind="Deployment")
THING = Scene(group="example.com", kind="Thing")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("scene", [DEPLOYMENT, THING], ids=["builtin", "custom"])
def test_differences_are_none_to_itself_and_mirrored_the_other_way(seed: int, scene: Scene) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        old = {"spec": value(rng)}
        new = {"spec": mutated(rng, old["spec"])}
        assert differences(old, old, scene).fields == []
        there, back = differences(old, new, scene), differences(new, old, scene)
        assert there.noise == back.noise
        assert bool(there.fields) == bool(back.fields)
        again = differences(there.settled, new, scene)
        assert not again.noise, "noise is settled at once"
        assert again.fields == there.fields


@pytest.mark.parametrize(
    ("old", "new"), [(1, True), (0, False), (1, "1"), ("", None), ({}, []), (0, None), ("a", "A")], ids=str
)
def test_values_of_other_types_differ(old: Any, new: Any) -> None:
    assert not same(old, new)
    assert len(differences({"spec": {"a": old}}, {"spec": {"a": new}}, THING).fields) == 1


def test_numbers_are_told_by_what_they_are() -> None:
    assert same(1, 1.0)
    assert same(float("nan"), float("nan"))


def test_paths_are_spelled_as_people_read_them() -> None:
    path = ("metadata", "labels", "a.b/c", "[name=web]", "image")
    assert spelled(path) == 'metadata.labels["a.b/c"][name=web].image'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1000m", 1),
        ("1Gi", "1024Mi"),
        ("1e3", "1k"),
        ("0.5", "500m"),
        ("1E", "1000P"),
        ("1.5Gi", "1536Mi"),
        (0, "0m"),
    ],
)
def test_quantities_that_mean_the_same(one: Any, other: Any) -> None:
    assert amount(one) == amount(other) is not None


@pytest.mark.parametrize("word", ["", "Gi", "1 Gi", "1gb", "a", "1e999", True, None, [1], "--1", "1" * 50])
def test_what_is_no_quantity(word: Any) -> None:
    assert amount(word) is None


def test_a_pod_template_that_differs_only_in_spelling_restarts_nothing() -> None:
    def deployment(cpu: Any) -> dict[str, Any]:
        container = {"name": "a", "resources": {"limits": {"cpu": cpu}}}
        return {"spec": {"template": {"spec": {"containers": [container]}}}}

    assert not differences(deployment("1000m"), deployment(1), DEPLOYMENT).template
    assert differences(deployment("1000m"), deployment(2), DEPLOYMENT).template
