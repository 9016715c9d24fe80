"""Who creates whom: the plan knows the way from an Application to its root, and never walks in a circle."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_gitops.model import Case
from pytest_gitops.planning.plan import Plan


def case(name: str, parent: str = "", kind: str = "Application") -> Case:
    return Case(
        name=name,
        namespace="argocd",
        project="default",
        file=f"{name}.yaml",
        line=1,
        parent=f"argocd/{parent}" if parent else "",
        parent_kind=kind if parent else "",
    )


def plan(*cases: Case) -> Plan:
    return Plan(cases=cases, duplicates={}, cycles=frozenset(), projects=(), problems=())


def test_ancestors_are_the_nearest_first_and_the_case_itself_is_none() -> None:
    root, middle, leaf = case("root"), case("middle", "root"), case("leaf", "middle")
    made = plan(leaf, middle, root)
    assert made.parent_of(leaf) is middle
    assert made.parent_of(root) is None
    assert made.ancestors(leaf) == (middle, root)
    assert made.ancestors(root) == ()


def test_what_cases_need_is_in_the_plans_order_and_there_once() -> None:
    root, one, two, other = case("root"), case("one", "root"), case("two", "root"), case("other")
    assert plan(root, one, other, two).with_ancestors([two, one]) == (root, one, two)


def test_an_application_set_is_no_application_of_its_name() -> None:
    same, made = case("same"), case("made", "same", "ApplicationSet")
    assert plan(same, made).parent_of(made) is None
    assert plan(same, made).with_ancestors([made]) == (made,)


def test_of_two_parents_of_one_name_the_first_is_the_one() -> None:
    first, child = case("same"), case("child", "same")
    second = dataclasses.replace(first, file="z.yaml")
    assert plan(child, first, second).parent_of(child) is first


def test_a_parent_that_is_not_there_is_none() -> None:
    orphan = case("orphan", "gone")
    assert plan(orphan).ancestors(orphan) == ()


@pytest.mark.parametrize("start", ["one", "two", "below"])
def test_ancestors_in_a_circle_end(start: str) -> None:
    cases = {c.name: c for c in (case("one", "two"), case("two", "one"), case("below", "one"))}
    found = plan(*cases.values()).ancestors(cases[start])
    assert {c.name for c in found} == {"one", "two"} - {start}


def test_a_case_is_found_by_its_id() -> None:
    one = case("one")
    assert plan(one).by_id == {"one.yaml::argocd/one": one}
    assert dataclasses.replace(one, parent="argocd/x").id in plan(one).by_id


def test_what_one_needs_is_there_with_its_ancestors_and_what_they_need() -> None:
    platform, crds, app, other = case("platform"), case("crds", "platform"), case("app"), case("other")
    deeper = case("deeper")
    made = dataclasses.replace(
        plan(platform, crds, app, other, deeper),
        needs={"argocd/app": ("argocd/crds",), "argocd/platform": ("argocd/deeper", "argocd/gone")},
    )
    assert made.with_ancestors([app]) == (platform, crds, app, deeper)
    assert made.with_ancestors([other]) == (other,)


def test_two_that_need_each_other_are_both_there() -> None:
    one, two = case("one"), case("two")
    made = dataclasses.replace(
        plan(one, two), needs={"argocd/one": ("argocd/two",), "argocd/two": ("argocd/one",)}
    )
    assert made.with_ancestors([two]) == (one, two)
