"""Where Argo CD would sync signed commits only it is said that nobody checks that here."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
from stage_support import URL, declare, make_context, make_plan

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Finding, Severity
from pytest_gitops.repository.discovery import FileEntry, discover
from pytest_gitops.repository.manifest import parse
from pytest_gitops.stages import unsigned

KEYS = "signatureKeys: [{keyID: 4AEE18F83AFDEB23}]"


def project(demand: str, name: str = "signed") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {{name: {name}}}\nspec:\n  {demand}\n"
    )


def found(declared: str = "", rendered: str = "", *, strict: bool = False) -> list[Finding]:
    context = make_context({"web/project.yaml": rendered})
    context.settings = dataclasses.replace(context.settings, strict=strict)
    text = {"p.yaml": declared.encode()}
    projects = discover([FileEntry(path="p.yaml")], lambda _: text).projects if declared else ()
    context.checkout.declarations = SimpleNamespace(projects=projects)  # type: ignore[assignment]
    case = declare(
        context,
        "kind: Application\nmetadata: {name: web}\nspec:\n  project: signed\n"
        f"  source: {{repoURL: '{URL}', path: web, targetRevision: main}}\n",
    )
    context.plan = make_plan([case])
    objects: Any = tuple(d.value for d in parse(rendered.encode())) if rendered else ()
    context.renders[case.id] = Rendered(objects=objects)
    return list(unsigned.survey(context))


@pytest.mark.parametrize(
    "demand",
    [
        KEYS,
        "sourceIntegrity: {git: {policies: [{gpg: {mode: none, keys: []}}, {gpg: {mode: head, keys: [A]}}]}}",
    ],
)
def test_a_project_that_demands_signatures_is_a_warning_at_its_place(demand: str) -> None:
    (one,) = found(project(demand))
    assert (one.rule, one.severity, one.where) == ("signatures-not-checked", Severity.WARNING, "p.yaml:5")
    field = demand.partition(":")[0]
    assert one.message.startswith(
        f"AppProject signed: expected signed commits ({field}), saw nobody who signs here"
    )
    (one,) = found(project(demand), strict=True)
    assert one.counts


def test_also_one_that_is_rendered() -> None:
    (one,) = found(rendered=project(KEYS))
    assert one.where == "web/project.yaml:1"
    assert len(found(project(KEYS), project(KEYS))) == 1


@pytest.mark.parametrize(
    "text",
    [
        project("description: none"),
        project("signatureKeys: []"),
        project("sourceIntegrity: {git: {policies: [{gpg: {mode: none, keys: []}}]}}"),
        project("sourceIntegrity: {git: {policies: broken}}"),
        project(KEYS, name="another"),
    ],
)
def test_who_demands_none_or_has_no_application_is_left_alone(text: str) -> None:
    assert found(text) == []
    assert found(rendered=text) == []
