"""An Argo CD that is there already: found wherever it is, its version read, and what it might take for its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from pytest_gitops.argocd.beside import INSTANCE, Beside, argo_cds_of, tracking, version_of
from pytest_gitops.clusters.apierror import ApiError

METHOD, KEY = "application.resourceTrackingMethod", "application.instanceLabelKey"
DIGEST = "sha256:" + "ab" * 32


def workload(image: str, namespace: str = "argocd", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "argocd-application-controller", "namespace": namespace, "labels": labels},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}},
    }


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("quay.io/argoproj/argocd:v3.6.1", "3.6.1"),
        ("registry.example:5000/argocd:2.14.3-rc1", "2.14.3-rc1"),
        (f"quay.io/argoproj/argocd:v3.6.1@{DIGEST}", "3.6.1"),
        (f"quay.io/argoproj/argocd@{DIGEST}", ""),
        ("registry.example:5000/argocd", ""),
        ("quay.io/argoproj/argocd:latest", ""),
    ],
)
def test_the_version_is_that_of_the_image(image: str, version: str) -> None:
    assert version_of(workload(image)) == version


def test_the_version_is_that_of_the_label_where_the_image_does_not_say() -> None:
    assert version_of(workload("argocd:latest", **{"app.kubernetes.io/version": "v3.1.0"})) == "3.1.0"


@pytest.mark.parametrize(
    ("settings", "version", "label"),
    [
        ({}, "3.6.1", ""),
        ({}, "2.14.3", INSTANCE),
        ({}, "", ""),
        (None, "2.9.0", INSTANCE),
        ({METHOD: "label"}, "3.6.1", INSTANCE),
        ({METHOD: "label", KEY: "own/label"}, "3.6.1", "own/label"),
        ({METHOD: "annotation+label", KEY: "own/label"}, "2.14.3", ""),
    ],
)
def test_by_what_it_knows_its_objects(settings: Mapping[str, str] | None, version: str, label: str) -> None:
    assert tracking(settings, version) == label


def test_what_bears_its_label_it_might_take() -> None:
    labelled = {"kind": "Service", "metadata": {"name": "web", "labels": {INSTANCE: "web"}}}
    plain = {"kind": "ConfigMap", "metadata": {"name": "web"}}
    assert Beside(namespace="argocd", label=INSTANCE).might_take([plain, labelled]) == "Service web"
    assert Beside(namespace="argocd", label=INSTANCE).might_take([plain]) == ""
    assert Beside(namespace="argocd").might_take([labelled]) == ""


class FakeApi:
    """Application-controllers by plural, and argocd-cm by namespace; what is not given may not be looked at."""

    def __init__(self, settings: Mapping[str, Any] | None = None, **workloads: list[dict[str, Any]]) -> None:
        self.settings, self.workloads = settings or {}, workloads

    def get(self, path: str, **_: Any) -> dict[str, Any]:
        if path.startswith("/apis/apps/v1/"):
            plural = path.rpartition("/")[2]
            if plural in self.workloads:
                return {"items": self.workloads[plural]}
        elif (namespace := path.split("/")[4]) in self.settings:
            return {"data": self.settings[namespace]}
        raise ApiError("forbidden", status=403, reason="Forbidden", request=path)


def test_every_one_is_found_in_whichever_namespace() -> None:
    api = FakeApi(
        {"delivery": {METHOD: "label"}},
        statefulsets=[workload("argocd:v3.6.1", "delivery")],
        deployments=[workload("argocd:v2.14.3", "old")],
    )
    found = argo_cds_of(cast(Any, api))
    assert [(b.title, b.label) for b in found] == [
        ("Argo CD 3.6.1 (namespace delivery)", INSTANCE),
        ("Argo CD 2.14.3 (namespace old)", INSTANCE),
    ]


def test_who_may_not_look_at_one_kind_sees_the_other() -> None:
    found = argo_cds_of(cast(Any, FakeApi(deployments=[workload("argocd@" + DIGEST)])))
    assert [b.title for b in found] == ["Argo CD (namespace argocd)"]


def test_a_cluster_that_does_not_answer_is_no_cluster_without_one() -> None:
    class Gone:
        def get(self, path: str, **_: Any) -> dict[str, Any]:
            raise ApiError("no answer", status=0, reason="Unreachable", request=path)

    with pytest.raises(ApiError, match="no answer"):
        argo_cds_of(cast(Any, Gone()))
