"""The small parts: hooks, image references, rules of ignoreDifferences, what kinds live in no namespace."""

from __future__ import annotations

from typing import Any

import pytest
from change_sides import side, told

from pytest_gitops.changes.compare import compare
from pytest_gitops.changes.identity import Scopes, hook_of
from pytest_gitops.changes.ignore import Ignoring, Rule, of_application, of_config
from pytest_gitops.changes.images import image, images
from pytest_gitops.model import Resource


@pytest.mark.parametrize(
    ("annotations", "hook"),
    [
        ({}, ""),
        ({"argocd.argoproj.io/hook": "PreSync"}, "PreSync"),
        ({"argocd.argoproj.io/hook": " PostSync ,SyncFail,,"}, "PostSync,SyncFail"),
        ({"argocd.argoproj.io/hook": "PostDelete"}, "PostDelete"),
        ({"argocd.argoproj.io/hook": "Skip"}, "Skip"),
        ({"argocd.argoproj.io/hook": "presync"}, "ignored"),
        ({"argocd.argoproj.io/hook": "Sync", "helm.sh/hook": "post-install"}, "Sync"),
        ({"argocd.argoproj.io/hook": "bad", "helm.sh/hook": "post-install"}, "PostSync"),
        ({"helm.sh/hook": "pre-install,pre-upgrade"}, "PreSync"),
        ({"helm.sh/hook": "pre-install,post-upgrade"}, "PreSync,PostSync"),
        ({"helm.sh/hook": "pre-delete"}, "PreDelete"),
        ({"helm.sh/hook": "test-success"}, "ignored"),
        ({"helm.sh/hook": "crd-install"}, ""),
    ],
    ids=str,
)
def test_hooks_are_told_in_argo_cds_words(annotations: dict[str, str], hook: str) -> None:
    assert hook_of({"metadata": {"annotations": annotations}}) == hook


@pytest.mark.parametrize(
    ("reference", "repository", "version", "whole"),
    [
        ("redis", "redis", "latest", "docker.io/library/redis"),
        ("redis:7.2", "redis", "7.2", "docker.io/library/redis"),
        ("docker.io/redis:7", "docker.io/redis", "7", "docker.io/library/redis"),
        ("index.docker.io/library/redis:7", "index.docker.io/library/redis", "7", "docker.io/library/redis"),
        ("bitnami/redis:7", "bitnami/redis", "7", "docker.io/bitnami/redis"),
        ("localhost/redis", "localhost/redis", "latest", "localhost/redis"),
        ("r.io:5000/a/b", "r.io:5000/a/b", "latest", "r.io:5000/a/b"),
        ("r.io:5000/a/b:1", "r.io:5000/a/b", "1", "r.io:5000/a/b"),
        ("r.io:5000/a@sha256:ab", "r.io:5000/a", "sha256:ab", "r.io:5000/a"),
        ("r.io/a:1@sha256:ab", "r.io/a", "1@sha256:ab", "r.io/a"),
    ],
)
def test_an_image_reference_is_taken_apart(reference: str, repository: str, version: str, whole: str) -> None:
    found = image(reference)
    assert (found.repository, found.version, found.same_as) == (repository, version, whole)


def test_images_are_found_wherever_there_are_containers() -> None:
    manifest = {
        "spec": {
            "initContainers": [{"name": "i", "image": "a:1"}],
            "ephemeralContainers": [{"name": "e", "image": "b:1"}],
            "deep": [
                {"template": {"containers": [{"name": "c", "image": "c:1"}, {"name": "none"}, {"image": ""}]}}
            ],
            "volumes": [{"name": "v", "image": {"reference": "d:1"}}, {"name": "w", "emptyDir": {}}],
            "image": "not-a-container:1",
        }
    }
    assert {f"{place} {i.repository}" for place, i in images(manifest)} == {
        "initContainers/i a",
        "ephemeralContainers/e b",
        "containers/c c",
        "volumes/v d",
    }


def test_kinds_in_no_namespace_are_kubernetes_own_those_of_crds_and_those_given() -> None:
    def definition(kind: str, scope: str) -> dict[str, Any]:
        spec = {"group": "example.com", "scope": scope, "names": {"kind": kind}}
        return {"kind": "CustomResourceDefinition", "spec": spec}

    scopes = Scopes([definition("World", "Cluster"), definition("Thing", "Namespaced")], [("x.io", "Given")])
    kinds = {
        "World": "example.com",
        "Thing": "example.com",
        "Other": "example.com",
        "Given": "x.io",
        "Node": "",
    }
    assert [k for k, group in kinds.items() if not scopes.namespaced(group, k)] == ["World", "Given", "Node"]


def rule_ids(rules: Any) -> list[str]:
    return [f"{r.group}/{r.kind} {r.namespace}/{r.name} {r.pointer}{r.expression}" for r in rules]


def test_rules_of_argocd_cm_are_read_in_both_spellings() -> None:
    rules, notes = of_config(
        {
            "resource.customizations": "apps/Deployment:\n  ignoreDifferences: |\n    jsonPointers: [/a]\nNode:\n  health.lua: x\n",
            "resource.customizations.ignoreDifferences.cert-manager.io_Certificate": "jqPathExpressions: [.b]",
            "resource.customizations.ignoreDifferences.ConfigMap": "jsonPointers: [/c, 3]",
            "resource.customizations.ignoreDifferences.all": "jsonPointers: [/d]\nmanagedFieldsManagers: [x]",
            "resource.customizations.ignoreResourceUpdates.all": "jsonPointers: [/e]",
            "resource.compareoptions": "ignoreAggregatedRoles: true",
        }
    )
    assert rule_ids(rules) == [
        "apps/Deployment / /a",
        "cert-manager.io/Certificate / .b",
        "/ConfigMap / /c",
        "*/* / /d",
    ]
    assert not notes


def test_settings_that_cannot_be_read_ignore_nothing_and_are_said() -> None:
    rules, (note,) = of_config(
        {"resource.customizations.ignoreDifferences.Pod": "a: [", "resource.customizations": "[]"}
    )
    assert not rules
    assert note.code == "ignore-unreadable"
    assert "resource.customizations.ignoreDifferences.Pod" in note.message


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"group": "apps", "kind": "Deployment"}, True),
        ({"group": "", "kind": "Deployment"}, False),
        ({"group": "*", "kind": "*"}, True),
        ({"group": "a*", "kind": "{StatefulSet,Deploy*}"}, True),
        ({"group": "apps", "kind": "Stateful*"}, False),
        ({"group": "apps", "kind": "{Deployment"}, False),
        ({"group": "app?", "kind": "[A-D]eployment"}, True),
        ({"group": "apps", "kind": "Deployment", "name": "web", "namespace": "prod"}, True),
        ({"group": "apps", "kind": "Deployment", "name": "we*"}, False),
        ({"group": "apps", "kind": "Deployment", "namespace": "dev"}, False),
    ],
    ids=str,
)
def test_rules_fit_as_in_argo_cd(rule: dict[str, str], fits: bool) -> None:
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment"}
    resource = Resource(api_version="apps/v1", kind="Deployment", namespace="prod", name="web")
    assert Rule(**rule, pointer="/a").fits(manifest, resource) is fits


def test_expressions_that_take_too_long_stop_being_applied_and_are_said() -> None:
    resource = Resource(api_version="v1", kind="ConfigMap", namespace="", name="a")
    old = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": list(range(100))}}
    new = {**old, "data": {"a": list(range(1, 101))}}
    ignoring = Ignoring(steps=500)
    rules = [Rule(group="", kind="ConfigMap", expression=e) for e in ("..|..|..", ".data.a")]
    assert ignoring.without(rules, (old, resource), (new, resource)) == (old, new, 0)
    assert {n.code for n in ignoring.notes.values()} == {"ignore-too-long"}
    assert len(ignoring.notes) == 2


def test_an_ignored_item_of_a_list_is_taken_out_of_both_sides() -> None:
    def pod(sidecar: str) -> dict[str, Any]:
        containers = [{"name": "web"}, {"name": sidecar, "x": sidecar}]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a"},
            "spec": {"containers": containers},
        }

    rules = [
        {"kind": "Pod", "jqPathExpressions": ['.spec.containers[] | select(.name | startswith("istio"))']}
    ]
    app = {"ignoreDifferences": rules}
    found = compare(
        side({"shop": {**app, "objects": [pod("istio-1")]}}),
        side({"shop": {**app, "objects": [pod("istio-2")]}}),
    )
    (one,) = told(found)["applications"]["shop"]["objects"]
    ignored = one.pop("ignored")
    assert one == {"unchanged": "Pod prod/a", "noise": {"ignoreDifferences": 1}}
    assert [words.partition(": ")[0] for words in ignored] == [
        "remove spec.containers[name=istio-1]",
        "add spec.containers[name=istio-2]",
    ]


def test_rules_that_are_no_rules_are_passed_over() -> None:
    spec = {
        "ignoreDifferences": [
            None,
            3,
            {"kind": "Pod", "jsonPointers": "/a"},
            {"kind": "Pod", "jsonPointers": [None, ""]},
        ]
    }
    assert of_application({"spec": spec}) == ((), ())
    assert of_application({"spec": {"ignoreDifferences": "x"}}) == ((), ())
