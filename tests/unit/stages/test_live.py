"""What counts as a change of a live object, and as whose."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.changes.values import FieldChange
from pytest_gitops.stages import live

REF = live.Ref(kind="Deployment", namespace="web", name="web", api_version="apps/v1")


def deployment(
    *, version: str = "1", uid: str = "a", manager: str = live.SYNCER, time: str = "1", **more: Any
) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "time": time}
    metadata = {"name": "web", "uid": uid, "resourceVersion": version, "managedFields": [entry]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**metadata, **more.pop("metadata", {})},
        "spec": {"replicas": 1},
        **more,
    }


def one(old: dict[str, Any], new: dict[str, Any]) -> live.Change | None:
    found = live.changes({REF: old}, {REF: new})
    return found[0] if found else None


def test_what_is_the_same_has_not_changed() -> None:
    assert one(deployment(), deployment()) is None


def test_a_status_that_moves_is_no_change() -> None:
    kubelet = deployment(version="2", status={"replicas": 1}, metadata={"generation": 2})
    assert one(deployment(), kubelet) is None


def test_a_field_that_the_sync_writes_is_its_change_with_both_values() -> None:
    found = one(deployment(), deployment(version="2", time="2", spec={"replicas": 3}))
    assert found is not None
    assert (found.word, found.by, found.synced) == ("changed", (live.SYNCER,), True)
    assert live.told("Deployment", found.fields) == "spec.replicas was 1 and is 3"


def test_a_field_that_another_one_writes_is_not_the_syncs() -> None:
    found = one(deployment(), deployment(version="2", manager="autoscaler", spec={"replicas": 3}))
    assert found is not None
    assert (found.word, found.by, found.synced) == ("changed", ("autoscaler",), False)


def test_what_the_sync_wrote_and_another_took_back_is_told() -> None:
    found = one(deployment(), deployment(version="3", time="2"))
    assert found is not None
    assert (found.word, found.synced) == ("rewritten", True)


REPLACER = "argocd"
"""What the API server calls a writer who gives no name: kubectl's replace, as a sync with Replace=true uses it."""


@pytest.mark.parametrize(("spec", "word"), [({"replicas": 3}, "changed"), ({"replicas": 1}, "rewritten")])
def test_what_a_sync_replaces_is_its_change_too(spec: dict[str, Any], word: str) -> None:
    found = one(deployment(), deployment(version="3", manager=REPLACER, spec=spec))
    assert found is not None
    assert (found.word, found.by, found.synced) == (word, (REPLACER,), True)


@pytest.mark.parametrize("kind", ["Application", "ApplicationSet"])
def test_what_argocds_controllers_write_of_their_own_kinds_is_no_syncs(kind: str) -> None:
    ref = live.Ref(kind=kind, namespace="argocd", name="web", api_version="argoproj.io/v1alpha1")
    assert live.changes({ref: deployment()}, {ref: deployment(version="3", manager=REPLACER)}) == ()
    (found,) = live.changes({ref: deployment()}, {ref: deployment(version="3", time="2")})
    assert found.synced


def test_a_note_of_what_was_applied_last_is_no_change() -> None:
    note = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}
    assert one(deployment(), deployment(version="3", time="2", metadata=note)) is None


def test_another_uid_is_another_object() -> None:
    found = one(deployment(), deployment(uid="b", version="2"))
    assert found is not None
    assert (found.word, found.synced) == ("recreated", True)


@pytest.mark.parametrize(("gone", "word"), [(True, "gone"), (False, "created")])
def test_an_object_that_goes_or_comes_is_told(gone: bool, word: str) -> None:
    here, nothing = {REF: deployment()}, dict[live.Ref, dict[str, Any]]()
    (found,) = live.changes(here, nothing) if gone else live.changes(nothing, here)
    assert (found.word, found.ref.title, found.synced) == (word, "Deployment web/web", True)


def test_what_asks_argocd_for_something_is_no_part_of_an_application() -> None:
    asked = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}, "operation": {"sync": {}}}
    assert live.content(asked) == {"metadata": {}}


def test_hooks_and_what_waits_to_be_pruned_are_not_managed() -> None:
    resources = [
        {"version": "v1", "kind": "ConfigMap", "namespace": "web", "name": "b"},
        {"version": "v1", "kind": "Pod", "namespace": "web", "name": "hook", "hook": True},
        {"version": "v1", "kind": "Secret", "namespace": "web", "name": "old", "requiresPruning": True},
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "web", "name": "web"},
    ]
    assert [r.title for r in live.managed({"status": {"resources": resources}})] == [
        "ConfigMap web/b",
        "Deployment web/web",
    ]
    assert live.managed({}) == ()


def test_the_values_of_a_secret_are_nobodys() -> None:
    field = FieldChange(path="data.key", op="replace", old="b2xk", new="bmV3")
    ref = live.Ref(kind="Secret", namespace="web", name="key", api_version="v1")
    change = live.Change(ref=ref, word="changed", fields=(field,), by=(live.SYNCER,))
    text = live.told("Secret", [field]) + str(change.to_dict())
    assert "data.key" in text and "b2xk" not in text and "bmV3" not in text


def test_of_many_fields_the_first_are_told_and_the_rest_is_counted() -> None:
    fields = [FieldChange(path=f"data.{n}", op="add", new=n) for n in "abcde"]
    assert live.told("ConfigMap", fields) == (
        "data.a was not there and is 'a'; data.b was not there and is 'b'; data.c was not there and is 'c', and 2 more"
    )


@pytest.mark.parametrize(
    ("kind", "own", "everywhere", "meant"),
    [
        ("Job", "Force=true,Replace=true", [], True),
        ("Job", "", ["Replace=true"], True),
        ("Job", "Prune=false", [], False),
        ("ConfigMap", "Force=true,Replace=true", [], False),
    ],
)
def test_a_job_is_made_anew_on_purpose_where_its_options_say_so(
    kind: str, own: str, everywhere: list[str], meant: bool
) -> None:
    ref = live.Ref(kind=kind, namespace="web", name="x", api_version="v1")
    change = live.Change(ref=ref, word="recreated")
    manifest = {"metadata": {"annotations": {"argocd.argoproj.io/sync-options": own}}}
    application = {"spec": {"syncPolicy": {"syncOptions": everywhere}}}
    assert live.is_meant(change, manifest, application) is meant
