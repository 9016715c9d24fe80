"""Which objects several Applications claim: what is one live object, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.argocd.sharing import Shared, shared
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Case, Destination

CLUSTER_KINDS = {"ClusterRole", "Namespace"}


def case(name: str, namespace: str = "web", server: str = "") -> Case:
    to = Destination(namespace=namespace, server=server)
    return Case(name=name, namespace="argocd", project="default", file="a.yaml", line=1, destination=to)


def thing(
    kind: str = "ConfigMap",
    name: str | None = "x",
    *,
    api: str = "v1",
    namespace: str = "",
    **annotations: str,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"annotations": annotations} if annotations else {}
    metadata |= {"name": name} if name else {"generateName": "x-"}
    metadata |= {"namespace": namespace} if namespace else {}
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def is_namespaced(api_version: str, kind: str) -> bool:
    if api_version.startswith("example.com/"):
        raise ApiError("the cluster does not know it", status=404, reason="UnknownKind")
    return kind not in CLUSTER_KINDS


def titles(*rendered: tuple[Case, list[dict[str, Any]]]) -> list[tuple[str, tuple[str, ...]]]:
    return [(s.title, s.keys) for s in shared(rendered, is_namespaced=is_namespaced)]


BOTH = ("argocd/one", "argocd/two")


@pytest.mark.parametrize(
    ("one", "two", "title"),
    [
        (thing(), thing(), "ConfigMap web/x"),
        (thing(namespace="web"), thing(), "ConfigMap web/x"),
        (thing("ClusterRole"), thing("ClusterRole"), "ClusterRole x"),
        (thing("Namespace", namespace="a"), thing("Namespace", namespace="b"), "Namespace x"),
        (thing("Job", api="batch/v1"), thing("Job", api="batch/v1beta1"), "Job web/x"),
        (thing("Thing", api="example.com/v1"), thing("Thing", api="example.com/v1"), "Thing web/x"),
    ],
)
def test_one_live_object_is_shared_however_it_is_written(
    one: dict[str, Any], two: dict[str, Any], title: str
) -> None:
    assert titles((case("two"), [two]), (case("one"), [one])) == [(title, BOTH)]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (thing(), thing(name="y")),
        (thing(), thing("Secret")),
        (thing(), thing(namespace="other")),
        (thing("Ingress", api="networking.k8s.io/v1"), thing("Ingress", api="example.com/v1")),
        (thing(name=None), thing(name=None)),
        (thing(**{"argocd.argoproj.io/hook": "PreSync"}), thing()),
        (thing(**{"helm.sh/hook": "pre-install"}), thing(**{"helm.sh/hook": "pre-install"})),
    ],
)
def test_what_are_two_objects_or_none_is_not_shared(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert titles((case("one"), [one]), (case("two"), [two])) == []


def test_where_they_deploy_to_decides() -> None:
    role = thing("ClusterRole")
    assert titles((case("one", "a"), [thing()]), (case("two", "b"), [thing()])) == []
    assert titles((case("one", "a"), [role]), (case("two", "b"), [role])) == [("ClusterRole x", BOTH)]
    elsewhere = case("two", server="https://elsewhere.example.com")
    assert titles((case("one"), [role]), (elsewhere, [role])) == []


def test_one_application_shares_nothing_with_itself() -> None:
    assert titles((case("one"), [thing(), thing()])) == []


def test_of_what_is_there_once_nothing_is_asked() -> None:
    def asked(api_version: str, kind: str) -> bool:
        raise AssertionError(kind)

    assert shared([(case("one"), [thing()]), (case("two"), [thing(name="y")])], is_namespaced=asked) == ()


def test_a_warning_is_of_the_object_whose_kind_and_name_it_has() -> None:
    found = Shared(kind="ConfigMap", namespace="web", name="x", claims={key: {} for key in BOTH})
    assert found.is_meant("ConfigMap/x is part of applications argocd/one and two")
    assert not found.is_meant("ConfigMap/xy is part of applications argocd/one and two")
    assert not found.is_meant("Secret/x is part of applications argocd/one and two")
