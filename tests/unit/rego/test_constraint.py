"""Which objects a constraint of Gatekeeper's is about."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.rego.constraint import Constraint, Review, matches, mistakes, selected, wildcard


def manifest(kind: str = "Pod", api: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "web", "namespace": "grid", **metadata}}


def told(match: dict[str, Any], object_: dict[str, Any] | None = None, **review: Any) -> bool | None:
    request = {"object": object_ or manifest(), "operation": "CREATE", **review.pop("request", {})}
    return matches(Constraint(kind="K", name="c", match=match), Review(request=request, **review))


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "grid", "labels": {"team": "a"}}}
DEPLOYMENT = manifest("Deployment", "apps/v1")
ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "web"}}


@pytest.mark.parametrize(
    ("match", "object_", "expected"),
    [
        ({}, None, True),
        ({"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]}, None, True),
        ({"kinds": [{"apiGroups": ["apps"], "kinds": ["Pod"]}]}, None, False),
        ({"kinds": [{"apiGroups": ["*"], "kinds": ["*"]}]}, DEPLOYMENT, True),
        ({"kinds": [{"kinds": ["Service"]}, {"apiGroups": ["apps"]}]}, DEPLOYMENT, True),
        ({"kinds": []}, None, True),
        ({"namespaces": ["gr*"]}, None, True),
        ({"namespaces": ["other"]}, None, False),
        ({"namespaces": ["other"]}, ROLE, True),
        ({"namespaces": ["grid"]}, NAMESPACE, True),
        ({"excludedNamespaces": ["*id"]}, None, False),
        ({"excludedNamespaces": ["grid"]}, NAMESPACE, False),
        ({"excludedNamespaces": ["grid"]}, ROLE, True),
        ({"scope": "Namespaced"}, None, True),
        ({"scope": "Namespaced"}, ROLE, False),
        ({"scope": "Namespaced"}, NAMESPACE, False),
        ({"scope": "Cluster"}, ROLE, True),
        ({"scope": "Cluster"}, NAMESPACE, True),
        ({"scope": "Cluster"}, None, False),
        ({"scope": "cluster"}, None, True),
        ({"name": "we*"}, None, True),
        ({"name": "other"}, None, False),
        ({"name": "job-*"}, manifest(name="", generateName="job-x"), True),
        ({"name": "job-x"}, manifest(name="", generateName="job-x"), False),
        ({"labelSelector": {"matchLabels": {"app": "web"}}}, manifest(labels={"app": "web"}), True),
        ({"labelSelector": {"matchLabels": {"app": "web"}}}, None, False),
        ({"source": "Original"}, None, True),
        ({"source": "Generated"}, None, False),
    ],
)
def test_a_match_is_decided_as_gatekeeper_does(
    match: dict[str, Any], object_: dict[str, Any] | None, expected: bool
) -> None:
    assert told(match, object_) is expected


BY_TEAM = {"namespaceSelector": {"matchLabels": {"team": "a"}}}


def test_a_namespace_selector_asks_the_namespaces_labels() -> None:
    assert told(BY_TEAM, namespace=NAMESPACE) is True
    assert told(BY_TEAM, namespace={**NAMESPACE, "metadata": {"name": "grid"}}) is False
    assert told(BY_TEAM, NAMESPACE) is True
    assert told(BY_TEAM, ROLE) is True


def test_a_namespace_that_is_not_known_leaves_it_undecided() -> None:
    assert told(BY_TEAM) is None
    assert told({**BY_TEAM, "kinds": [{"kinds": ["Service"]}]}) is False


def test_the_name_of_a_namespace_is_a_label_that_it_always_has() -> None:
    named = {
        "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["grid"]}]
    }
    assert told({"namespaceSelector": named}) is True
    assert told({"namespaceSelector": named}, manifest(namespace="other")) is False


def test_an_update_is_matched_by_either_of_its_objects() -> None:
    labelled = {"labelSelector": {"matchLabels": {"app": "web"}}}
    old = {"oldObject": manifest(labels={"app": "web"}), "operation": "UPDATE"}
    assert told(labelled, request=old) is True


def test_a_deletion_is_asked_about_only_where_the_template_wants_it() -> None:
    review = Review(request={"object": manifest(), "operation": "DELETE"})
    assert matches(Constraint(kind="K", name="c"), review) is False
    assert matches(Constraint(kind="K", name="c", operations=frozenset({"DELETE"})), review) is True


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ({"key": "a", "operator": "In", "values": ["1"]}, True),
        ({"key": "b", "operator": "In", "values": ["1"]}, False),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "b", "operator": "Exists"}, False),
        ({"key": "a", "operator": "DoesNotExist"}, False),
        ({"key": "b", "operator": "DoesNotExist"}, True),
    ],
)
def test_expressions_mean_what_they_mean_to_kubernetes(expression: dict[str, Any], fits: bool) -> None:
    assert selected({"matchExpressions": [expression]}, {"a": "1"}) is fits


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("kube-*", "kube-system", True),
        ("*-system", "kube-system", True),
        ("*be-s*", "kube-system", True),
        ("kube-system", "kube-system", True),
        ("kube", "kube-system", False),
        ("k*m", "kube-system", False),
        ("*", "anything", True),
    ],
)
def test_an_asterisk_counts_at_the_ends_only(pattern: str, text: str, fits: bool) -> None:
    assert wildcard(pattern, text) is fits


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ([], "spec.match: expected an object"),
        ({"namespaces": "grid"}, "spec.match.namespaces: expected a list of texts"),
        ({"kinds": ["Pod"]}, "spec.match.kinds: expected a list of objects"),
        ({"labelSelector": "app"}, "spec.match.labelSelector: expected an object"),
        (
            {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "in"}]}},
            "spec.match.labelSelector: expected an operator of In, NotIn, Exists, DoesNotExist, saw 'in'",
        ),
        (
            {"namespaceSelector": {"matchExpressions": [{"operator": "In"}]}},
            "spec.match.namespaceSelector: expected matchExpressions with a key",
        ),
    ],
)
def test_a_match_that_cannot_be_understood_is_told(match: Any, said: str) -> None:
    assert mistakes(match) == [said]
    assert mistakes(BY_TEAM) == []
