"""What belongs together is read off both sides, and a shard does without the ApplicationSets of others."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest
from input_trees import case
from sides import BASE, HEAD, config_map, side

from pytest_gitops.argocd.applicationsets import remove
from pytest_gitops.model import Case
from pytest_gitops.selection.sharding import left_out, survey
from pytest_gitops.settings.shards import Shard
from pytest_gitops.stages.context import Context

SHARD = Shard(index=1, total=2)


def application(name: str, *, parent: str = "", kind: str = "ApplicationSet") -> Case:
    made = case(name, {"path": name})
    destination = dataclasses.replace(made.destination, namespace=name)
    of = {"parent": f"argocd/{parent}", "parent_kind": kind} if parent else {}
    return dataclasses.replace(made, destination=destination, **of)


A, B, C = (application(n) for n in "abc")


def lots(context: Context) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for key, name in context.plan.lots.items():
        found.setdefault(name, set()).add(key.partition("/")[2])
    return {frozenset(names) for names in found.values()}


def sets(*words: str) -> set[frozenset[str]]:
    return {frozenset(w.split()) for w in words}


def test_without_a_shard_nothing_is_split_and_what_is_needed_is_known() -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}}
    context = side(HEAD, [A, B], renders={"a": [space]})
    survey(context)
    assert context.plan.lots == {}
    assert context.plan.needs == {B.key: (A.key,)}
    assert context.plan.with_ancestors([B]) == (A, B)


def test_what_was_one_ones_object_and_is_anothers_keeps_both_together() -> None:
    moved = [{**config_map(), "metadata": {"name": "c", "namespace": "shop"}}]
    context = side(HEAD, [A, B, C], renders={"b": moved}, shard=SHARD)
    context.base = side(BASE, [A, B, C], renders={"a": moved})
    survey(context)
    assert lots(context) == sets("a b", "c")


def test_a_removed_one_stays_with_its_parent_and_a_renamed_one_with_its_old_name() -> None:
    gone = application("gone", parent="a", kind="Application")
    context = side(HEAD, [A, C], shard=SHARD)
    context.base = side(BASE, [A, B, gone])
    context.comparison = cast(Any, SimpleNamespace(applications=[SimpleNamespace(old=B, new=C)]))
    survey(context)
    assert lots(context) == sets("a gone", "b c")


def test_what_does_not_render_is_a_lot_like_others() -> None:
    context = side(HEAD, [A, B], renders={"a": None}, shard=SHARD)
    survey(context)
    assert lots(context) == sets("a", "b")


@pytest.mark.parametrize(("scope", "found"), [("Cluster", ("a b",)), ("Namespaced", ("a", "b"))])
def test_the_repositorys_own_kinds_are_as_wide_as_it_says(scope: str, found: tuple[str, ...]) -> None:
    definition = {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "names": {"kind": "Thing"}, "scope": scope},
    }
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "it"}}
    context = side(HEAD, [A, B, C], renders={"a": [thing], "b": [thing], "c": [definition]}, shard=SHARD)
    survey(context)
    assert lots(context) == sets(*found, "c")
    assert context.plan.needs == {A.key: (C.key,), B.key: (C.key,)}


def test_sets_of_which_nothing_is_needed_are_left_out_on_either_side() -> None:
    one, two, old = (application(n, parent=f"set-{n}") for n in ("one", "two", "old"))
    needs_two = application("c")
    context = side(HEAD, [one, two, needs_two])
    context.base = side(BASE, [one, old])
    context.plan = dataclasses.replace(context.plan, needs={needs_two.key: (two.key,)})
    assert left_out(context, {one.id}) == {"argocd/set-two", "argocd/set-old"}
    assert left_out(context, {needs_two.id}) == {"argocd/set-one", "argocd/set-old"}
    assert left_out(context, set()) == {"argocd/set-one", "argocd/set-two", "argocd/set-old"}
    # A removed one of base is asked about, and one that got another name.
    context.plan = dataclasses.replace(context.plan, removed=(old,))
    assert left_out(context, {old.id}) == {"argocd/set-one", "argocd/set-two"}
    context.comparison = cast(Any, SimpleNamespace(applications=[SimpleNamespace(old=old, new=one)]))
    assert left_out(context, {one.id}) == {"argocd/set-two"}


class Api:
    """A cluster with two sets, what they made, and an Application of a file."""

    def __init__(self) -> None:
        def item(name: str, owner: str = "") -> dict[str, Any]:
            owners = [{"kind": "ApplicationSet", "name": owner}] if owner else []
            return {
                "metadata": {
                    "name": name,
                    "namespace": "argocd",
                    "ownerReferences": owners,
                    "finalizers": ["x"],
                }
            }

        self.items = {
            "applicationsets": [item("keep"), item("go")],
            "applications": [item("kept", "keep"), item("gone", "go"), item("go")],
        }
        self.deleted: list[str] = []

    def get(self, path: str) -> dict[str, Any]:
        return {"items": self.items[path.rpartition("/")[2]]}

    def patch(self, path: str, body: Any) -> None:
        assert body == {"metadata": {"finalizers": None}}

    def delete(self, path: str) -> None:
        self.deleted.append("/".join(path.split("/")[-2:]))


def test_a_set_is_removed_with_what_it_made_and_nothing_else_is() -> None:
    api = Api()
    remove(cast(Any, api), {"argocd/go"})
    assert api.deleted == ["applicationsets/go", "applications/gone"]
    every = Api()
    remove(cast(Any, every))
    assert len(every.deleted) == 5
