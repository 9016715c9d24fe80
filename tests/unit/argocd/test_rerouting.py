"""The policies that give Applications another destination; what they do is shown on the real API server, by the engine's
tests."""

from __future__ import annotations

from pytest_gitops.argocd.rerouting import IGNORED, policies
from pytest_gitops.model import Destination

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
