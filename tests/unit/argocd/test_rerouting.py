"""The policies that give Applications another destination; what they do is shown on the real API server, by the engine's
tests."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.argocd.rerouting import IGNORED, MARKING, policies, settings, undone
from pytest_gitops.model import Case, Destination
from pytest_gitops.repository.manifest import parse

APPLICATIONS = "resource.customizations.ignoreDifferences.argoproj.io_Application"

TO = {"argocd/web": Destination(server="https://dev.existing.invalid:6443", namespace="gitops-ab-shop")}


def test_only_what_is_named_gets_another_destination() -> None:
    mutate, bind, *_ = policies(TO, prefix="gitops-ab-")
    (condition,) = mutate["spec"]["matchConditions"]
    assert '"argocd/web"' in condition["expression"]
    (mutation,) = mutate["spec"]["mutations"]
    assert '"namespace": "gitops-ab-shop"' in mutation["jsonPatch"]["expression"]
    assert mutate["spec"]["failurePolicy"] == "Fail", (
        "else an Application would keep the destination that it has"
    )
    assert bind["spec"]["policyName"] == mutate["metadata"]["name"]


def test_every_project_permits_the_runs_namespaces_and_no_others() -> None:
    *_, mutate, _ = policies(TO, prefix="gitops-ab-")
    (mutation,) = mutate["spec"]["mutations"]
    assert '{"server": "*", "namespace": "gitops-ab-*"}' in mutation["jsonPatch"]["expression"]


def test_a_parent_is_told_to_look_away_from_what_is_put_in_place() -> None:
    assert IGNORED["resource.customizations.ignoreDifferences.argoproj.io_Application"] == (
        "jsonPointers: [/spec/destination]\n"
    )


def test_what_a_repository_ignores_stays_ignored() -> None:
    theirs = "jsonPointers: [/metadata/labels]\njqPathExpressions: [.spec.x]\n"
    found = settings({APPLICATIONS: theirs, "resource.respectRBAC": "strict"}, mark="m")
    assert parse(found[APPLICATIONS].encode())[0].value == {
        "jsonPointers": ["/metadata/labels", "/spec/destination"],
        "jqPathExpressions": [".spec.x"],
    }
    assert set(found) == {*IGNORED, *MARKING}


def test_what_argo_cd_makes_is_marked_by_our_label_alone_whatever_the_repository_says() -> None:
    found = settings({"application.resourceTrackingMethod": "annotation", "installationID": "ours"}, mark="m")
    assert [found[key] for key in MARKING] == ["label", "m", ""]


def brought(data: dict[str, str], name: str = "argocd-cm", **metadata: Any) -> str:
    """What is said of an Application that brings such a ConfigMap into Argo CD's namespace."""
    case = Case(name="self", namespace="argocd", project="p", file="a.yaml", line=1,
                destination=Destination(namespace="argocd"))  # fmt: skip
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}
    return undone([(case, [made])], control="argocd")


@pytest.mark.parametrize("key", MARKING)
def test_an_application_that_would_bring_back_the_usual_mark_is_told(key: str) -> None:
    assert brought({key: "x"}).startswith(f"Application argocd/self brings argocd/argocd-cm with {key}: ")


def test_one_that_would_replace_all_settings_is_told() -> None:
    notes = {"argocd.argoproj.io/sync-options": "Replace=true"}
    assert "with the sync option Replace=true: " in brought({}, annotations=notes)


def test_other_settings_and_other_config_maps_undo_nothing() -> None:
    assert brought({"url": "https://argocd.example"}) == ""
    assert brought(dict.fromkeys(MARKING, "x"), namespace="elsewhere") == ""
    assert brought(dict.fromkeys(MARKING, "x"), name="argocd-rbac-cm") == ""
