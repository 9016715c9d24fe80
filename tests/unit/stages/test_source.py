"""source: what is wrong with a manifest itself, and with all of them together, at the line to blame."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from stage_support import HEAD, OLD, URL, Answers, FakeSchema, declare, make_context, make_plan

from pytest_gitops.model import Case, Finding, Outcome, Severity
from pytest_gitops.stages import source
from pytest_gitops.stages.context import Context

FILES = {
    "apps/web/Chart.yaml": "name: web",
    "apps/web/values.yaml": "",
    "apps/web/values-prod.yaml": "",
    "shared/values.yaml": "",
    "apps/linked": "->apps/web",
    "vendor/lib": "submodule",
    "überall/a b/x.yaml": "",
}

APP = """\
# a comment
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
spec:
  project: default
  source:
    repoURL: {url}
    path: {path}
    targetRevision: {revision}
    {helm}
  destination: {{namespace: web}}
"""


def app(
    *,
    url: str = URL,
    path: str = "apps/web",
    revision: str = "main",
    helm: str = "",
    context: Context | None = None,
) -> tuple[Context, Case]:
    context = context or make_context(
        FILES, revisions={"v1": OLD}, others={OLD: {"apps/old", "apps/old/values.yaml"}}
    )
    return context, declare(context, APP.format(url=url, path=path, revision=revision, helm=helm))


def found(context: Context, case: Case) -> list[tuple[str, int | None]]:
    findings = source.check(context, case)
    assert all(f.file == "apps/web.yaml" and f.severity is Severity.ERROR and f.help for f in findings)
    return [(f.rule, f.line) for f in findings]


@pytest.mark.parametrize(
    "path", ["apps/web", "./apps/web/", "apps//web", "apps/x/../web", ".", '""', "überall/a b"]
)
@pytest.mark.parametrize("revision", ["main", "HEAD", '""'])
def test_what_is_there_is_no_finding(path: str, revision: str) -> None:
    assert found(*app(path=path, revision=revision)) == []


@pytest.mark.parametrize(
    "path", ["apps/wep", "apps", "../apps/web", "/apps/web", "apps/web/values", "Apps/web"]
)
def test_a_path_that_is_not_there_is_named_at_its_line(path: str) -> None:
    expected = [] if path == "apps" else [("missing-path", 10)]
    assert found(*app(path=path)) == expected


def test_a_path_that_is_nearly_there_is_suggested() -> None:
    (finding,) = source.check(*app(path="apps/wep"))
    assert finding.message == "path 'apps/wep' does not exist at revision main"
    assert finding.help.endswith("; did you mean 'apps/web'?")


@pytest.mark.parametrize("path", ["apps/linked/deeper", "vendor/lib/charts/x"])
def test_where_a_link_or_a_submodule_leads_is_the_repo_servers_to_say(path: str) -> None:
    assert found(*app(path=path)) == []


def test_a_path_is_looked_for_at_its_own_revision() -> None:
    assert found(*app(path="apps/old", revision="v1")) == []
    assert found(*app(path="apps/web", revision="v1")) == [("missing-path", 10)]
    assert found(*app(path="apps/old", revision="main")) == [("missing-path", 10)]


def test_a_revision_that_is_not_there_is_named_at_its_line() -> None:
    (finding,) = source.check(*app(revision="mian"))
    assert (finding.rule, finding.line) == ("missing-revision", 11)
    assert finding.message == "source.targetRevision: 'mian' is no branch, tag or commit of this repository"
    assert "main, next" in finding.help


def test_in_a_shallow_clone_a_revision_may_only_be_missing_here() -> None:
    context = make_context(FILES, shallow=True)
    (finding,) = source.check(*app(revision="v9", context=context))
    assert "the clone is shallow" in finding.message
    assert "fetch-depth: 0" in finding.help


@pytest.mark.parametrize(
    "revision", ["'1.*'", "'>=1.0.0 <2.0.0'", "'^1.2'", "'~1.2'", "'=1.2'", "1.x", "v1.2.x", "1.4.X"]
)
def test_a_range_of_versions_is_argo_cds_to_resolve(revision: str) -> None:
    context, case = app(revision=revision, path="apps/nowhere")
    assert found(context, case) == []


@pytest.mark.parametrize("revision", ["feature=1", "'a b'"])
def test_what_only_looks_like_a_range_has_to_be_there(revision: str) -> None:
    assert found(*app(revision=revision)) == [("missing-revision", 11)]


def test_a_branch_that_is_called_like_a_range_is_looked_into() -> None:
    context = make_context(FILES, revisions={"1.x": HEAD})
    assert found(*app(revision="1.x", path="apps/nowhere", context=context)) == [("missing-path", 10)]


def test_a_tag_prefix_belongs_to_the_revision() -> None:
    context = make_context(FILES, revisions={"app1/1.0.0": HEAD})
    assert found(*app(revision="1.0.0", helm="tagPrefix: app1/", context=context)) == []
    assert found(*app(revision="1.0.0", context=context)) == [("missing-revision", 11)]
    (finding,) = source.check(*app(revision="1.0.1", helm="tagPrefix: app1/", context=context))
    assert finding.message == (
        "source.targetRevision: '1.0.1' is no branch, tag or commit of this repository (tagPrefix: 'app1/')"
    )


def test_another_repository_and_a_chart_are_not_ours_to_look_into() -> None:
    assert found(*app(url="https://github.com/other/x.git", path="nowhere", revision="nothing")) == []
    assert found(*app(path="nowhere", revision="1.2.3", helm="chart: redis")) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("values-prod.yaml", None),
        ("./values.yaml", None),
        ("../../shared/values.yaml", None),
        ("/shared/values.yaml", None),
        ("https://example.com/values.yaml", None),
        ("$values/prod.yaml", None),
        ("env-$ARGOCD_APP_NAME.yaml", None),
        ("values-*.yaml", None),
        ("values-dev.yaml", 12),
        ("/values.yaml", 12),
        ("../values.yaml", 12),
        ("../../../outside.yaml", 12),
    ],
)
def test_a_value_file_is_looked_for_where_argo_cd_does(file: str, line: int | None) -> None:
    helm = f"helm: {{valueFiles: [values.yaml, '{file}']}}"
    assert found(*app(helm=helm)) == ([("missing-value-file", line)] if line else [])


def test_value_files_that_may_be_missing_are_not_looked_for() -> None:
    assert found(*app(helm="helm: {ignoreMissingValueFiles: true, valueFiles: [nowhere.yaml]}")) == []
    assert found(*app(revision="v1", path="apps/old", helm="helm: {valueFiles: [values.yaml]}")) == []
    assert found(*app(revision="v1", path="apps/old", helm="helm: {valueFiles: [other.yaml]}")) == [
        ("missing-value-file", 12)
    ]


def test_each_of_many_sources_is_looked_at_at_its_own_line() -> None:
    context = make_context(FILES)
    text = APP.replace(
        "  source:\n    repoURL: {url}\n    path: {path}\n    targetRevision: {revision}\n    {helm}\n", ""
    )
    text = text.format() + "  sources:\n"
    for path in ("apps/web", "apps/gone", "also/gone"):
        text += f"  - repoURL: {URL}\n    path: {path}\n"
    text += f"  - repoURL: {URL}\n    ref: values\n  - repoURL: {URL}\n    targetRevision: gone\n    ref: v\n"
    assert found(context, declare(context, text)) == [
        ("missing-path", 13),
        ("missing-path", 15),
        ("missing-revision", 19),
    ]


@pytest.mark.parametrize(
    "spec", ["{}", "null", "x", "[]", "{source: {}}", "{sources: []}", "{source: null, project: x}"]
)
def test_an_application_without_a_source_is_said_so(spec: str) -> None:
    context = make_context(schema=FakeSchema([(("spec",), "never asked")]))
    case = declare(context, f"kind: Application\nmetadata: {{name: web}}\nspec: {spec}\n")
    assert found(context, case) == [("no-source", 3)]


def test_what_the_schema_refuses_is_said_alone_with_its_lines() -> None:
    schema = FakeSchema(
        [(("spec", "project"), "spec.project: no"), (("spec", "source", "path"), "spec.source.path: no")]
    )
    context, case = app(path="nowhere", context=make_context(FILES, schema=schema))
    assert found(context, case) == [("schema-invalid", 7), ("schema-invalid", 10)]


def test_a_child_without_a_file_of_its_own_is_blamed_at_its_parents_line() -> None:
    context, case = app(path="nowhere")
    context.documents.clear()
    (finding,) = source.check(context, dataclasses.replace(case, line=77))
    assert finding.line == 77


# ---------------------------------------------------------------- together


def judged(context: Context, *cases: Case, **plan: Any) -> Answers:
    answers = Answers()
    context.plan = make_plan(cases, **plan)
    source.run(context, cases, answers)
    assert [key for key, _ in answers.given] == [c.key for c in cases]
    return answers


def test_an_application_that_is_in_order_passes() -> None:
    context, case = app()
    context.source_findings[case.id] = source.check(context, case)
    assert judged(context, case).of("argocd/web").outcome is Outcome.PASSED


def test_what_was_found_in_the_manifest_fails_it() -> None:
    context, case = app(path="nowhere")
    context.source_findings[case.id] = source.check(context, case)
    result = judged(context, case).of("argocd/web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "missing-path")
    assert result.message.startswith("apps/web.yaml:10: path 'nowhere' does not exist at revision main")


def test_one_of_two_with_one_name_names_the_other() -> None:
    context, case = app()
    other = dataclasses.replace(case, file="b.yaml", line=5)
    answers = judged(context, case, duplicates={case.key: (case, other)})
    (finding,) = answers.of("argocd/web").findings
    assert finding.rule == "duplicate-name"
    assert "is declared 2 times, also in b.yaml:5;" in finding.message
    (finding,) = judged(context, case, duplicates={case.key: (case, case)}).of("argocd/web").findings
    assert "also in apps/web.yaml, twice;" in finding.message


def test_a_circle_fails_each_in_it() -> None:
    context, case = app()
    result = judged(context, dataclasses.replace(case, parent="argocd/b"), cycles=frozenset({case.id})).of(
        "argocd/web"
    )
    assert (result.outcome, result.code) == (Outcome.FAILED, "application-cycle")
    assert "by way of argocd/b" in result.message


def test_a_project_must_be_one_that_is_declared() -> None:
    context, case = app()
    case = dataclasses.replace(case, project="omega")
    (finding,) = judged(context, case).of("argocd/web").findings
    assert (finding.rule, finding.line) == ("unknown-project", 7)
    assert finding.message == "spec.project: expected an AppProject of this repository (default), saw 'omega'"
    known = ({"metadata": {"name": "omega"}}, {"metadata": None})
    assert judged(context, case, projects=known).of("argocd/web").outcome is Outcome.PASSED


def test_a_manifest_that_is_broken_is_not_also_blamed_for_its_project() -> None:
    context, case = app()
    case = dataclasses.replace(case, project="omega")
    context.source_findings[case.id] = (Finding(rule="no-source", severity=Severity.ERROR, message="m"),)
    assert [f.rule for f in judged(context, case).of("argocd/web").findings] == ["no-source"]


def test_the_tree_under_test_is_answered_without_git() -> None:
    context, case = app()
    for _ in range(3):
        source.check(context, case)
    assert context.snapshot.asked == ["main"]  # type: ignore[attr-defined]
    assert context.resolve("main") == HEAD


def test_an_application_where_argo_cd_does_not_look_is_told_at_its_namespace() -> None:
    context, _ = app()
    context.parameters = {"application.namespaces": "team-a,ops-*"}
    text = APP.format(url=URL, path="apps/web", revision="main", helm="")
    for namespace, rules in (("team-a", []), ("argocd", []), ("team-b", [("namespace-not-enabled", 6)])):
        there = declare(context, text.replace("name: web\n", f"name: web\n  namespace: {namespace}\n"))
        assert found(context, there) == rules
