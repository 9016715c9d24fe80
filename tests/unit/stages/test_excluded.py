"""What Argo CD leaves out is a warning of `converge`, where it is written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from stage_support import HEAD, URL, declare, make_context

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Finding, Outcome, Severity, StageResult
from pytest_gitops.settings.waivers import WaiverEntry
from pytest_gitops.stages.excluded import excluded, told

APP = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web}}
spec:
  source: {{repoURL: "{URL}", path: web, targetRevision: HEAD}}
"""

WORDS = "Resource policy/PodDisruptionBudget web is excluded in the settings"

BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web", "namespace": "shop"},
}


def application(*messages: str, kind: str = "ExcludedResourceWarning") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "message": m} for m in messages]}}


def findings(
    *, argocd_cm: dict[str, Any], outcome: Outcome = Outcome.PASSED, waivers: tuple[WaiverEntry, ...] = ()
) -> tuple[Finding, ...]:
    context = make_context({"web/budget.yaml": "# first\n---\n" + json.dumps(BUDGET)})
    case = declare(context, APP)
    context.argocd_cm = argocd_cm
    context.settings = replace(context.settings, waivers=waivers)
    context.renders[case.id] = Rendered(objects=(BUDGET,), revisions=(HEAD,))
    results: list[StageResult] = []
    publish = told(context, lambda _, result: results.append(result))
    evidence = {"excluded": excluded(application(WORDS))}
    publish(case, StageResult(stage="converge", outcome=outcome, evidence=evidence))
    assert [r.outcome for r in results] == [outcome]
    return results[0].findings


@pytest.mark.parametrize(
    ("message", "group", "kind", "name"),
    [
        (WORDS, "policy", "PodDisruptionBudget", "web"),
        ("Resource /Endpoints db is excluded in the settings", "", "Endpoints", "db"),
        (
            "Resource rbac.authorization.k8s.io/Role system:a b is excluded in the settings",
            "rbac.authorization.k8s.io",
            "Role",
            "system:a b",
        ),
    ],
)
def test_argo_cds_words_are_read(message: str, group: str, kind: str, name: str) -> None:
    assert excluded(application(message)) == [{"group": group, "kind": kind, "name": name}]


def test_what_is_applied_and_not_watched_is_not_left_out() -> None:
    words = 'Resource /Secret a does not match the resource selector "a=b" in the settings and will not be watched; it will appear'
    assert excluded(application(words)) == []
    assert excluded(application(WORDS, kind="OrphanedResourceWarning")) == []
    assert excluded({}) == []


def test_it_is_a_warning_that_names_the_object_and_the_setting() -> None:
    (found,) = findings(argocd_cm={"resource.exclusions": "[]"})
    assert (found.rule, found.severity) == ("resource-excluded", Severity.WARNING)
    assert found.resource == "PodDisruptionBudget shop/web"
    assert found.message == (
        "expected Argo CD to apply it, saw it left out: it does not manage "
        "PodDisruptionBudget.policy, by resource.exclusions of argocd-cm"
    )


def test_a_repository_that_says_nothing_has_what_an_installation_excludes() -> None:
    (found,) = findings(argocd_cm={"timeout.reconciliation": "60s"})
    assert found.message.endswith("by resource.exclusions, as Argo CD is installed")


def test_it_may_be_waived() -> None:
    (found,) = findings(
        argocd_cm={}, waivers=(WaiverEntry(rule="resource-excluded", reason="a chart brings it"),)
    )
    assert found.waiver is not None
    assert found.waiver.reason == "a chart brings it"


def test_a_failure_has_it_too() -> None:
    assert len(findings(argocd_cm={}, outcome=Outcome.FAILED)) == 1
