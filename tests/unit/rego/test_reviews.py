"""Admission reviews as Gatekeeper's webhook would get them."""

from __future__ import annotations

from typing import Any

from pytest_gitops.rego.reviews import Deployed, surroundings


def named(kind: str, name: str, api: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **more}}


def deployed(
    *objects: dict[str, Any], policy: dict[str, Any] | None = None, cluster: str = "here"
) -> Deployed:
    application = {"spec": {"syncPolicy": policy or {}}}
    return Deployed(application=application, cluster=cluster, namespace="grid", objects=objects)


def test_an_object_gets_the_namespace_that_argo_cd_gives_it() -> None:
    around = surroundings([])
    review = around.review(named("Deployment", "web", "apps/v1"), cluster="here", namespace="grid")
    request = review.request
    assert request["object"]["metadata"] == {"name": "web", "namespace": "grid"}
    assert request["kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert (request["name"], request["namespace"], request["operation"]) == ("web", "grid", "CREATE")
    assert (request["userInfo"], request["oldObject"], review.cluster) == ({}, None, "here")


def test_a_namespace_of_its_own_stays_and_cluster_kinds_have_none() -> None:
    around = surroundings([])
    own = around.review(named("Pod", "p", namespace="own"), cluster="", namespace="grid")
    role = around.review(named("ClusterRole", "r"), cluster="", namespace="grid")
    assert own.request["namespace"] == "own"
    assert role.request["namespace"] == ""
    assert "namespace" not in role.request["object"]["metadata"]


def test_an_update_has_both_objects_and_a_deletion_the_old_one_as_both() -> None:
    around = surroundings([])
    old = named("Pod", "p", labels={"a": "1"})
    update = around.review(named("Pod", "p"), cluster="", namespace="grid", operation="UPDATE", old=old)
    assert update.request["oldObject"]["metadata"]["labels"] == {"a": "1"}
    assert update.request["oldObject"]["metadata"]["namespace"] == "grid"
    deletion = around.review(old, cluster="", namespace="grid", operation="DELETE")
    assert deletion.request["object"] == deletion.request["oldObject"]


def test_a_rendered_namespace_is_the_objects_namespace_in_its_cluster_alone() -> None:
    around = surroundings([deployed(named("Namespace", "grid", labels={"team": "a"}))])
    here = around.review(named("Pod", "p"), cluster="here", namespace="grid")
    there = around.review(named("Pod", "p"), cluster="there", namespace="grid")
    assert here.namespace and here.namespace["metadata"]["labels"] == {"team": "a"}
    assert here.request["namespaceObject"] == here.namespace
    assert there.namespace is None


def test_a_namespace_that_argo_cd_creates_has_the_labels_it_is_told_to_give() -> None:
    managed = {"labels": {"team": "b"}}
    policy = {"syncOptions": ["CreateNamespace=true"], "managedNamespaceMetadata": managed}
    around = surroundings([deployed(policy=policy)])
    assert around.namespaces["here", "grid"]["metadata"] == {"name": "grid", "labels": {"team": "b"}}
    assert surroundings([deployed(policy={"managedNamespaceMetadata": managed})]).namespaces == {}


def test_a_namespace_that_is_rendered_counts_before_one_that_is_created() -> None:
    policy = {"syncOptions": ["CreateNamespace=true"]}
    written = named("Namespace", "grid", labels={"team": "a"})
    for order in ([deployed(written), deployed(policy=policy)], [deployed(policy=policy), deployed(written)]):
        assert surroundings(order).namespaces["here", "grid"]["metadata"]["labels"] == {"team": "a"}


def test_the_inventory_is_laid_out_as_gatekeepers_for_each_cluster() -> None:
    role = named("ClusterRole", "r", "rbac.authorization.k8s.io/v1")
    around = surroundings([deployed(named("Pod", "p"), role), deployed(named("Pod", "q"), cluster="there")])
    here = around.inventories["here"]
    assert here["namespace"]["grid"]["v1"]["Pod"]["p"]["metadata"]["namespace"] == "grid"
    assert here["cluster"]["rbac.authorization.k8s.io/v1"]["ClusterRole"]["r"] == role
    assert list(around.inventories["there"]["namespace"]["grid"]["v1"]["Pod"]) == ["q"]
