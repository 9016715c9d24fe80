"""What nobody renders is said: it was not tested, and a green run must not look as if it had been."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from stage_support import URL, declare, make_context, make_plan

from pytest_gitops.model import Severity
from pytest_gitops.repository.charts import Template
from pytest_gitops.repository.discovery import FileEntry, case_of, discover
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


def declaring(**more: Any) -> Any:
    return SimpleNamespace(**{"templates": (), "applications": (), "application_sets": (), **more})


def repository(*reads: str, chart: str = CHART, **settings: Any) -> Context:
    """A chart `c` with a template, and an Application for each folder of `reads`."""
    context = make_context({"c/Chart.yaml": chart, "c/templates/a.yaml": "", "apps/a.yaml": ""})
    context.settings = dataclasses.replace(context.settings, **settings)
    context.checkout.declarations = declaring(templates=(TEMPLATE,))
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


def test_without_anything_declared_nothing_is_read() -> None:
    context = repository()
    context.checkout.declarations = declaring()
    context.checkout.files = None  # type: ignore[assignment,method-assign]
    assert list(unrendered.survey(context)) == []


# ---------------------------------------------------------------- kustomizations that nobody renders

SET = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: shops}\n"

OVERLAY = """\
resources: [../../base]
patches:
- target: {kind: Application}
  patch: |-
    - op: replace
      path: /spec/source/path
      value: web/prod
"""

BOOTSTRAP = {
    "bootstrap/base/app.yaml": application("plain"),
    "bootstrap/base/kustomization.yaml": "resources: [app.yaml]\n",
    "bootstrap/overlays/prod/kustomization.yaml": OVERLAY,
    "plain/web.yaml": "",
}


def overlaid(*reads: str, files: Mapping[str, str] = BOOTSTRAP, **settings: Any) -> Context:
    """A repository of `files`, with an Application for each folder of `reads` beside those that they declare."""
    context = make_context(files)
    context.settings = dataclasses.replace(context.settings, **settings)
    contents = {path: text.encode() for path, text in files.items()}
    found = discover([FileEntry(path=p) for p in contents], lambda paths: {p: contents[p] for p in paths})
    context.checkout.declarations = found
    cases = [case_of(d.manifest, control="argocd", file=d.file, line=d.line) for d in found.applications] + [
        declare(context, application(path), file=f"roots/{i}.yaml") for i, path in enumerate(reads)
    ]
    context.plan = make_plan(cases)
    return context


def test_an_application_that_only_kubectl_patches_is_a_warning_at_the_patch() -> None:
    (finding,) = unrendered.survey(overlaid())
    assert (finding.rule, finding.severity) == ("application-not-rendered", Severity.WARNING)
    assert finding.where == "bootstrap/overlays/prod/kustomization.yaml:3"
    assert finding.message == (
        "`patches` changes Application web (bootstrap/base/app.yaml:1): expected an Application that renders this "
        "kustomization, saw none, so what was tested is without the change"
    )
    assert finding.help == (
        "let an Application have bootstrap/overlays/prod as its source, and what comes of it is tested; or name this "
        "file under `ignore:` in pytest-gitops.yaml"
    )


def test_who_wants_everything_checked_has_an_error_for_a_patch_too() -> None:
    (finding,) = unrendered.survey(overlaid(strict=True))
    assert finding.counts


@pytest.mark.parametrize(
    "context",
    [
        overlaid("bootstrap/overlays/prod"),
        overlaid("./bootstrap/overlays/prod/"),
        overlaid("all", files={**BOOTSTRAP, "all/kustomization.yaml": "resources: [../bootstrap/overlays/prod]\n"}),
        overlaid(".", files={"a.yaml": application("plain"), "kustomization.yaml": "namePrefix: x-\nresources: [a.yaml]\n"}),
        overlaid(files={**BOOTSTRAP, "bootstrap/overlays/prod/kustomization.yaml": "resources: [../../base]\n"}),
        overlaid(files={**BOOTSTRAP, "bootstrap/overlays/prod/kustomization.yaml": OVERLAY.replace("../../base", "x")}),
        overlaid(files={**BOOTSTRAP, "bootstrap/overlays/prod/kustomization.yaml": OVERLAY.replace("Application", "Job")}),
        overlaid(ignore=("bootstrap/overlays",)),
        overlaid(ignore=("bootstrap/overlays/*/kustomization.yaml",)),
    ],
    ids=[
        "rendered", "by another spelling", "rendered by way of another", "the top", "only listed", "reaches none",
        "changes another kind", "ignored", "ignored by name",
    ],
)  # fmt: skip
def test_what_is_rendered_or_changes_no_application_is_none(context: Context) -> None:
    assert list(unrendered.survey(context)) == []


def test_one_overlay_that_is_rendered_says_nothing_of_another_one() -> None:
    files = {**BOOTSTRAP, "bootstrap/overlays/dev/kustomization.yaml": OVERLAY}
    (finding,) = unrendered.survey(overlaid("bootstrap/overlays/prod", files=files))
    assert finding.file == "bootstrap/overlays/dev/kustomization.yaml"


def test_all_that_a_kustomization_changes_is_one_warning() -> None:
    files = {f"{n}.yaml": application("plain").replace("web", n) for n in "abcd"}
    files |= {
        "s.yaml": SET,
        "kustomization.yaml": "resources: [a.yaml, b.yaml, c.yaml, d.yaml, s.yaml]\nnamePrefix: x-\n",
    }
    (finding,) = unrendered.survey(overlaid(files=files))
    assert finding.where == "kustomization.yaml:2"
    assert finding.message.startswith(
        "`namePrefix` changes Application a (a.yaml:1), Application b (b.yaml:1), Application c (c.yaml:1), 2 more: "
    )
    assert "let an Application have . as its source" in finding.help
    files["kustomization.yaml"] = (
        "resources: [a.yaml, s.yaml]\npatches: [{target: {kind: ApplicationSet}, patch: '[]'}]\n"
    )
    (finding,) = unrendered.survey(overlaid(files=files))
    assert finding.message.startswith("`patches` changes ApplicationSet shops (s.yaml:1): ")


def test_a_chain_of_kustomizations_is_told_where_the_change_is() -> None:
    files = {**BOOTSTRAP, "all/kustomization.yaml": "resources: [../bootstrap/overlays/prod]\n"}
    (finding,) = unrendered.survey(overlaid(files=files))
    assert finding.file == "bootstrap/overlays/prod/kustomization.yaml"
