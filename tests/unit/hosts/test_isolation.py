"""What is changed of an Application for a cluster that others use too, and what may not go there."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.hosts.isolation import (
    Isolation,
    Outside,
    leaving,
    makes_argo_cd_objects,
    mark,
    nameless,
    refusal,
    unmarked,
)
from pytest_gitops.model import Case, Destination
from pytest_gitops.settings.registered import RegisteredCluster

RUN = Isolation(run="20261128010203-ab12cd34")
HOST = RegisteredCluster(name="dev (kind-dev)", server="https://dev.existing.invalid:6443")
MANIFEST: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "web", "namespace": "argocd"},
    "spec": {
        "project": "shop",
        "source": {"path": "web"},
        "destination": {"name": "dev", "namespace": "shop"},
    },
}


def made(version: str, kind: str, **metadata: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def test_nothing_but_the_destination_is_another() -> None:
    case = Case(
        name="web", namespace="argocd", project="shop", file="web.yaml", line=1,
        destination=Destination(name="dev", namespace="shop", known="dev"), manifest=MANIFEST,
    )  # fmt: skip
    there = RUN.isolated(case, HOST)
    assert there.id == case.id
    assert there.destination == Destination(
        server=HOST.server, namespace="gitops-ab12cd34-shop", known=HOST.name
    )
    spec = {**MANIFEST["spec"], "destination": {"server": HOST.server, "namespace": "gitops-ab12cd34-shop"}}
    assert there.manifest == {**MANIFEST, "spec": spec}
    assert MANIFEST["spec"]["destination"] == {"name": "dev", "namespace": "shop"}, (
        "the repository's is left alone"
    )


@pytest.mark.parametrize(
    ("original", "name"), [("shop", "gitops-ab12cd34-shop"), ("", "gitops-ab12cd34-default")]
)
def test_a_namespace_of_the_run_begins_with_its_prefix(original: str, name: str) -> None:
    assert RUN.namespace(original) == name


def test_long_namespaces_that_differ_have_names_that_differ_and_fit() -> None:
    names = {RUN.namespace("x" * 60 + end) for end in ("one", "two")}
    assert len(names) == 2
    assert all(len(n) <= 63 and n.startswith(RUN.prefix) for n in names)


def test_what_would_leave_the_namespace_is_named() -> None:
    scopes = {("v1", "ConfigMap"): True, ("rbac/v1", "ClusterRole"): False}
    objects = [
        made("v1", "ConfigMap", name="own"),
        made("v1", "ConfigMap", name="own-by-name", namespace="gitops-shop"),
        made("v1", "ConfigMap", name="fixed", namespace="shop"),
        made("rbac/v1", "ClusterRole", name="reader"),
        made("example.com/v1", "Nobody", name="unknown"),
        made("example.com/v1", "Nobody", name="unknown", namespace="elsewhere"),
    ]
    found = leaving(objects, "gitops-shop", is_namespaced=lambda v, k: scopes.get((v, k)))
    assert [o.title for o in found] == [
        "ConfigMap shop/fixed",
        "ClusterRole reader",
        "Nobody elsewhere/unknown",
    ]


def test_a_refusal_names_the_first_and_counts_the_others() -> None:
    told = refusal([Outside("rbac/v1", "ClusterRole", "", f"r{n}") for n in range(8)], "dev")
    assert (
        told.startswith("ClusterRole r0, ")
        and "ClusterRole r5 and 2 more would not be in a namespace" in told
    )


@pytest.mark.parametrize(
    ("version", "kind", "said"),
    [
        ("argoproj.io/v1alpha1", "Application", True),
        ("argoproj.io/v1alpha1", "Rollout", False),
        ("app.k8s.io/v1beta1", "Application", False),
    ],
)
def test_argo_cds_own_objects_are_known(version: str, kind: str, said: bool) -> None:
    assert makes_argo_cd_objects([made("v1", "ConfigMap"), made(version, kind)]) is said


def test_the_mark_of_a_run_is_a_label_that_no_other_run_has() -> None:
    assert mark(RUN.run) == "20261128010203-ab12cd34.pytest-gitops/application"


def test_what_argo_cd_marks_by_nothing_may_never_be_made() -> None:
    version = "apiextensions.k8s.io/v1"
    crd = Outside(version, "CustomResourceDefinition", "", "lamps.example.com")
    assert unmarked([Outside("v1", "Namespace", "", "shop")]) == ""
    assert unmarked([crd]).startswith(
        "CustomResourceDefinition lamps.example.com would be on the cluster for"
    )


def test_a_name_that_is_no_labels_value_goes_nowhere() -> None:
    def one(name: str, namespace: str = "argocd") -> Case:
        return Case(name=name, namespace=namespace, project="p", file="a.yaml", line=1)

    assert nameless([one("a" * 63)], control="argocd") == ""
    assert "a" * 64 in nameless([one("web"), one("a" * 64)], control="argocd")
    assert "team_" in nameless([one("a" * 60, "team")], control="argocd")
