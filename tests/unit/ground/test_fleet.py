"""Which clusters get Argo CD's own definitions: those that something of its kinds is brought to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from pytest_gitops.ground.fleet import placement
from pytest_gitops.model import Case
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.settings.registered import RegisteredCluster

PROD = RegisteredCluster(name="prod", server="https://prod.example.com:6443")


class Namespaced:
    """An API server whose kinds all live in namespaces."""

    def is_namespaced(self, version: str, kind: str) -> bool:
        return True


def case() -> Case:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {"source": {}, "destination": {"name": "prod", "namespace": "web"}},
    }
    return case_of(manifest, control="argocd", file="web.yaml", line=1)


def thing(version: str, kind: str) -> Mapping[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "one"}}


@pytest.mark.parametrize(
    ("each", "brought"),
    [
        (thing("argoproj.io/v1alpha1", "Application"), True),
        (thing("argoproj.io/v1alpha1", "ApplicationSet"), True),
        (thing("argoproj.io/v1alpha1", "AppProject"), True),
        (thing("argoproj.io/v1alpha1", "Rollout"), False),
        (thing("app.k8s.io/v1beta1", "Application"), False),
        (thing("v1", "ConfigMap"), False),
    ],
    ids=lambda v: v["kind"] if isinstance(v, dict) else str(v),
)
def test_a_cluster_has_argocds_kinds_where_something_of_them_goes(
    each: Mapping[str, Any], brought: bool
) -> None:
    found = placement([(case(), [each])], [PROD], api=cast(Any, Namespaced()), limit=3)
    assert found.planes == ((PROD,),)
    assert found.argocd == (frozenset({PROD}) if brought else frozenset())
    assert found.leaving_out([]).argocd == found.argocd
