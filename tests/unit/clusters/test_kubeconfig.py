"""What is said of a cluster that exists: versions that do not fit, and what has to be allowed there."""

from __future__ import annotations

import pytest

from pytest_gitops.clusters.kubeconfig import skew
from pytest_gitops.clusters.permissions import SYNC, Permission, needed
from pytest_gitops.errors import EngineError


@pytest.mark.parametrize("version", ["1.36.0", "1.37.2", "1.38.1", "v1.37.0+k3s1"])
def test_a_minor_version_more_or_less_is_nothing_to_speak_of(version: str) -> None:
    assert skew(version, "1.37.2") == ""


@pytest.mark.parametrize("version", ["1.34.8", "1.35.0-gke.1", "1.39.0"])
def test_more_than_that_is_told(version: str) -> None:
    assert skew(version, "1.37.2").startswith(f"it runs Kubernetes {version}, and `admit` asks 1.37.2")


def test_what_is_too_old_for_the_client_is_refused() -> None:
    with pytest.raises(EngineError, match=r"Kubernetes 1\.33\.9 is older .*: expected 1\.34 or newer"):
        skew("1.33.9", "1.37.2")


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(EngineError, match="expected a version of Kubernetes, saw 'nightly'"):
        skew("nightly", "1.37.2")


def test_a_permission_is_written_as_kubectl_takes_it() -> None:
    assert Permission("create", "apps", "deployments", "web").title == "create deployments.apps"
    assert Permission("get", "", "namespaces", "").title == "get namespaces"
    assert Permission("patch", "apps", "deployments/scale", "").title == "patch deployments.apps/scale"


def test_what_a_stage_does_beside_a_sync_has_to_be_allowed_too() -> None:
    sync = [f"{verb} deployments.apps" for verb in SYNC]

    def titles(plural: str, *stages: str) -> list[str]:
        return [p.title for p in needed("apps", plural, "web", stages)]

    assert titles("deployments", "converge", "idempotent") == sync
    assert titles("deployments", "self-heal") == [*sync, "patch deployments.apps/scale"]
    assert titles("deployments", "prune") == [*sync, "list replicasets.apps", "list pods"]
    assert len(titles("daemonsets", "self-heal")) == len(SYNC), "nobody scales one"
