"""A change of a field that `ignoreDifferences` names reaches the cluster only if something else has the Application synced."""

from __future__ import annotations

import pytest
from stage_support import URL, declare, make_context

from pytest_gitops.changes.values import ApplicationChange, ChangeKind, FieldChange, ObjectChange
from pytest_gitops.model import Finding, Resource, Severity
from pytest_gitops.stages.unsynced import unsynced

IMAGE = "spec.template.spec.containers[0].image"


def changed(
    name: str, *paths: str, kind: ChangeKind = ChangeKind.UNCHANGED, of: str = "Deployment"
) -> ObjectChange:
    resource = Resource(api_version="apps/v1", kind=of, namespace="web", name=name)
    fields = tuple(FieldChange(path=p, op="replace", old="a", new="b") for p in paths)
    return ObjectChange(kind=kind, old=resource, new=resource, ignored=fields)


def found(*objects: ObjectChange, options: str = "") -> list[Finding]:
    context = make_context({"web/d.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"})
    case = declare(
        context,
        "kind: Application\nmetadata: {name: web}\nspec:\n"
        f"  source: {{repoURL: '{URL}', path: web}}\n  syncPolicy: {{syncOptions: [{options}]}}\n",
    )
    change = ApplicationChange(kind=ChangeKind.UNCHANGED, old=case, new=case, objects=objects)
    return list(unsynced(context, case, change))


def test_by_itself_it_reaches_no_cluster() -> None:
    (one,) = found(changed("a", IMAGE))
    assert (one.rule, one.severity, one.resource) == ("change-ignored", Severity.WARNING, "Deployment web/a")
    assert one.message == (
        f"{IMAGE}: expected the change to reach the cluster, saw ignoreDifferences keep Argo CD from comparing it: "
        "no sync comes of it"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("", []),
        ("CreateNamespace=true", []),
        ("RespectIgnoreDifferences=true", ["the sync leaves it as it is (RespectIgnoreDifferences=true)"]),
        ("ApplyOutOfSyncOnly=true", ["no sync comes of it"]),
    ],
)
def test_the_sync_of_something_else_brings_it_unless_an_option_keeps_it_from_that(
    options: str, told: list[str]
) -> None:
    all_of_it = found(changed("a", IMAGE), changed("b", kind=ChangeKind.CHANGED), options=options)
    assert [f.message.rpartition("comparing it: ")[2] for f in all_of_it] == told


def test_the_sync_of_the_object_itself_brings_it() -> None:
    assert found(changed("a", IMAGE, kind=ChangeKind.CHANGED), options="ApplyOutOfSyncOnly=true") == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [("webhooks[0].clientConfig.caBundle", "ValidatingWebhookConfiguration"), ("data.password", "Secret")],
)
def test_what_charts_make_anew_each_time_is_no_change_of_anybody(path: str, kind: str) -> None:
    assert found(changed("a", path, of=kind)) == []


def test_options_that_are_no_texts_are_options_of_nobody() -> None:
    assert len(found(changed("a", IMAGE), options="{a: b}, 3")) == 1


def test_many_fields_are_counted() -> None:
    (one,) = found(changed("a", *(f"spec.f{n}" for n in range(5))))
    assert one.message.startswith("spec.f0, spec.f1, spec.f2 and 2 more: expected")
