"""Which objects can be asked about, and how Argo CD would apply them."""

from __future__ import annotations

from typing import Any

import pytest
from admission_support import item, items, request

from pytest_gitops.admission.items import by_identity, is_hook, items_of
from pytest_gitops.admission.values import Hit, Item, Request
from pytest_gitops.shapes import mapping

OPTIONS = "argocd.argoproj.io/sync-options"


def named(annotations: str = "{}", **more: Any) -> Item:
    return item(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {annotations}}}\n", **more
    )


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (None, "expected a mapping, saw nothing"),
        (["a"], "expected a mapping, saw a list"),
        ("text", "expected a mapping, saw 'text'"),
        ({"apiVersion": "v1"}, "expected a kind, saw nothing"),
        ({"apiVersion": "v1", "kind": {"a": 1}}, "expected a kind, saw a mapping"),
        ({"kind": "A"}, "A: expected an apiVersion like v1 or apps/v1, saw nothing"),
        ({"kind": "A", "apiVersion": "v1/../x"}, "A: expected an apiVersion like v1 or apps/v1, saw 'v1/../x'"),
        ({"kind": "A", "apiVersion": 1}, "A: expected an apiVersion like v1 or apps/v1, saw 1"),
        ({"kind": "A", "apiVersion": "v1"}, "A: expected metadata with a name, saw nothing"),
        ({"kind": "A", "apiVersion": "v1", "metadata": "a" * 99}, f"A: expected metadata with a name, saw '{'a' * 59}…"),
        (
            {"kind": "A", "apiVersion": "v1", "metadata": {"namespace": 5}},
            "A: metadata.namespace: expected a text, saw 5",
        ),
    ],
)  # fmt: skip
def test_what_is_no_object_is_said_with_its_number(manifest: Any, words: str) -> None:
    (hit,) = items_of(Request(id="a", cluster="c", namespace="n", objects=[manifest]))
    assert isinstance(hit, Hit)
    assert (hit.rule, hit.message) == ("invalid-object", f"object 1 of what is rendered: {words}")
    assert hit.manifest is (manifest if isinstance(manifest, dict) else None)


def test_an_object_goes_where_it_says_or_else_to_the_applications_namespace() -> None:
    assert named().namespace == "web"
    away = item("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: db}\n")
    assert (away.namespace, away.title, away.identity) == (
        "db",
        "ConfigMap db/a",
        ("", "ConfigMap", "db", "a"),
    )


def test_a_body_has_the_namespace_that_counts_and_the_manifest_stays_as_it_is() -> None:
    plain = named()
    assert plain.body["metadata"]["namespace"] == "web"
    assert "namespace" not in plain.manifest["metadata"]


@pytest.mark.parametrize(
    ("annotation", "more", "options"),
    [
        ("", {}, (False, False, False)),
        ("ServerSideApply=true", {}, (True, False, False)),
        ("'Prune=false, Replace=true,Force=true'", {}, (False, True, True)),
        ("ServerSideApply=false", {"replace": True}, (False, True, False)),
        ("", {"server_side": True, "force": True}, (True, False, True)),
        ("ServerSideApply=false", {"server_side": True}, (False, False, False)),
        ("Replace=true", {"server_side": True}, (False, True, False)),
    ],
)
def test_sync_options_are_those_of_the_object_and_of_its_application(
    annotation: str, more: dict[str, bool], options: tuple[bool, ...]
) -> None:
    found = named(f"{{{OPTIONS}: {annotation or '~'}}}", **more)
    assert (found.server_side, found.replace, found.force) == options


def test_hooks_are_argocds_and_helms() -> None:
    assert is_hook(named("{argocd.argoproj.io/hook: Sync}").manifest)
    assert is_hook(named("{helm.sh/hook: pre-install}").manifest)
    assert not is_hook(named("{other: hook}").manifest)
    assert not is_hook({"metadata": {"annotations": "text"}})


def test_the_first_of_an_identity_counts_and_generated_names_have_none() -> None:
    first, second = named("{a: b}"), named("{c: d}")
    generated = item("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n")
    elsewhere = items(request("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", cluster="other"))
    assert list(by_identity([first, second, generated, *elsewhere]).values()) == [first, *elsewhere]


def test_a_path_through_what_is_no_mapping_leads_to_nothing() -> None:
    assert mapping({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert mapping({"a": ["b"]}, "a", "b") == mapping(None, "a") == mapping({"a": 3}, "a") == {}
