"""A green of custom resources that nobody acts on says that their status is pretended."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from stage_support import URL, Answers, declare, make_context

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Finding, Outcome, Severity, StageResult
from pytest_gitops.settings.settings import Provider
from pytest_gitops.stages import spoken_for


def custom(kind: str, group: str, name: str = "a") -> dict[str, Any]:
    return {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": name}}


CERTIFICATES = [custom("Certificate", "cert-manager.io", name) for name in "abcde"]


class FakeApi:
    def is_namespaced(self, api_version: str, kind: str) -> bool:
        return not kind.startswith("Cluster")


def told(*objects: dict[str, Any], outcome: Outcome = Outcome.PASSED, **settings: Any) -> tuple[Finding, ...]:
    context = make_context({}, api=FakeApi())
    context.settings = dataclasses.replace(context.settings, **settings)
    case = declare(
        context,
        "kind: Application\nmetadata: {name: web}\nspec:\n"
        f"  source: {{repoURL: '{URL}', path: web}}\n  destination: {{namespace: shop}}\n",
    )
    context.renders[case.id] = Rendered(objects=objects)
    answers = Answers()
    spoken_for.told(context, answers)(case, StageResult(stage="converge", outcome=outcome))
    return answers.of(case.key).findings


def test_what_passed_only_because_it_was_said_for_it_is_named() -> None:
    (one,) = told(*CERTIFICATES, custom("Deployment", "apps"))
    assert (one.rule, one.severity, one.resource) == ("status-pretended", Severity.INFO, "Certificate shop/a")
    assert one.message == (
        "Certificate shop/a, Certificate shop/b, Certificate shop/c and 2 more: the status is pretended, for no "
        "controller of custom resources runs on the embedded cluster; what becomes of them in production is not known"
    )
    assert one.where == "apps/web.yaml:4"


def test_what_has_no_namespace_is_called_without_one() -> None:
    (one,) = told(custom("ClusterIssuer", "cert-manager.io"))
    assert one.message.startswith("ClusterIssuer a: the status")


def test_what_the_configuration_has_is_named_and_what_it_leaves_out_is_not() -> None:
    widget = custom("Widget", "example.com")
    assert told(widget) == ()
    assert len(told(widget, statuses={"example.com/Widget": {"phase": "Running"}})) == 1
    assert told(CERTIFICATES[0], statuses={"cert-manager.io/*": None}) == ()


@pytest.mark.parametrize("provider", [Provider.KIND, Provider.KUBECONFIG])
def test_where_controllers_may_run_nothing_is_said(provider: Provider) -> None:
    assert told(CERTIFICATES[0], provider=provider) == ()


def test_what_failed_has_its_own_words() -> None:
    assert told(CERTIFICATES[0], outcome=Outcome.FAILED) == ()
