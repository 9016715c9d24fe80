"""What nobody renders is said: it was not tested, and a green run must not look as if it had been."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest
from stage_support import URL, declare, make_context, make_plan

from pytest_gitops.model import Severity
from pytest_gitops.repository.charts import Template
from pytest_gitops.settings.settings import ChartRepository
from pytest_gitops.stages import unrendered
from pytest_gitops.stages.context import Context

CHART = "apiVersion: v2\nname: x\nversion: 1.0.0\n"

TEMPLATE = Template(kind="Application", file="c/templates/a.yaml", line=3, chart="c")


def application(path: str) -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\n"
        f"spec: {{source: {{repoURL: '{URL}', path: {path}, targetRevision: main}}}}\n"
    )


def repository(*reads: str, chart: str = CHART, **settings: Any) -> Context:
    """A chart `c` with a template, and an Application for each folder of `reads`."""
    context = make_context({"c/Chart.yaml": chart, "c/templates/a.yaml": "", "apps/a.yaml": ""})
    context.settings = dataclasses.replace(context.settings, **settings)
    context.checkout.declarations = cast(Any, SimpleNamespace(templates=(TEMPLATE,)))
    context.plan = make_plan([declare(context, application(path)) for path in reads])
    return context


def test_a_template_of_a_chart_that_nobody_renders_is_a_warning_at_its_place() -> None:
    (finding,) = unrendered.survey(repository("apps"))
    assert (finding.rule, finding.severity) == ("application-not-rendered", Severity.WARNING)
    assert finding.where == "c/templates/a.yaml:3"
    assert finding.message == (
        "Application in a template of the chart c: expected an Application that renders the chart, saw none, so it "
        "was not tested"
    )
    assert finding.help


def test_who_wants_everything_checked_has_an_error() -> None:
    (finding,) = unrendered.survey(repository(strict=True))
    assert finding.counts


@pytest.mark.parametrize(
    "context",
    [
        repository("c"),
        repository("apps", "./c/"),
        repository(chart=CHART + "type: library\n"),
        repository(charts=(ChartRepository(url="https://charts.example.com", path="./c"),)),
        repository(charts=(ChartRepository(url="https://charts.example.com", path="."),)),
    ],
    ids=["read", "read by another spelling", "a library", "served", "all is served"],
)
def test_what_is_rendered_or_can_be_rendered_elsewhere_is_none(context: Context) -> None:
    assert list(unrendered.survey(context)) == []


def test_a_chart_that_is_read_at_another_revision_is_not_tested_here() -> None:
    context = repository("c")
    context.checkout.snapshot._revisions["main"] = "0" * 40  # type: ignore[attr-defined]
    assert len(list(unrendered.survey(context))) == 1


def test_without_templates_nothing_is_read() -> None:
    context = repository()
    context.checkout.declarations = cast(Any, SimpleNamespace(templates=()))
    context.checkout.files = None  # type: ignore[assignment,method-assign]
    assert list(unrendered.survey(context)) == []
