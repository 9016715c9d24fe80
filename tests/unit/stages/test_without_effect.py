"""What a pull request changes and nothing comes of is said: a green run is not about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from input_trees import case
from sides import API, BASE, HEAD, WEB, config_map, side

from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.settings.settings import ChartRepository
from pytest_gitops.stages import change, without_effect

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
VALUES = "replicas: 2\n"
KUSTOMIZATION = "resources: [a.yaml]\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
FILES = {"web/a.yaml": "a", "api/b.yaml": "b"}
OTHER = {"web": [config_map(a="2")]}


def found(
    before: Mapping[str, str],
    after: Mapping[str, str],
    *cases: Case,
    renders: Any = None,
    argocd_cm: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Finding]:
    """What is said of a pull request that makes `after` of `before`; `renders` are of head."""
    known = cases or (WEB, API)
    head = side(HEAD, known, after, renders=renders, **options)
    head.base = side(BASE, known, before)
    for each in (head, head.base):
        each.argocd_cm = argocd_cm or {}
    change.survey(head)
    return list(without_effect.survey(head, but=["own.yaml"]))


def said(*args: Any, **options: Any) -> list[tuple[str, Severity, str]]:
    return [(f.file, f.severity, f.message.rpartition(": ")[2]) for f in found(*args, **options)]


def with_(**files: str) -> dict[str, str]:
    """FILES and others, "__" for a slash and "_" for a dot."""
    return {**FILES, **{p.replace("__", "/").replace("_", "."): text for p, text in files.items()}}


# ---------------------------------------------------------------- a manifest that is not read


@pytest.mark.parametrize(
    ("path", "files", "why"),
    [
        ("web/more/s.yaml", FILES, "web is read without directory.recurse"),
        ("web/s.yaml", with_(web__kustomization_yaml=KUSTOMIZATION), "web/kustomization.yaml does not lead to it"),
        ("web/x/s.yml", with_(web__kustomization_yml=KUSTOMIZATION), "web/kustomization.yml does not lead to it"),
        ("web/s.yaml", with_(web__Chart_yaml=CHART), "helm renders what is in web/templates"),
    ],
)  # fmt: skip
def test_an_added_manifest_that_its_application_does_not_read_is_a_warning(
    path: str, files: Mapping[str, str], why: str
) -> None:
    (one,) = found(files, {**files, path: SERVICE})
    assert (one.rule, one.severity, one.where) == ("file-without-effect", Severity.WARNING, f"{path}:1")
    assert one.message == (
        "the pull request adds this manifest to the source of Application argocd/web: expected an object to come of it, "
        f"saw none: {why}"
    )
    assert one.help
    assert not one.counts


def test_also_where_the_application_changes_for_another_file() -> None:
    """Of two manifests that are added one was forgotten in the kustomization."""
    files = with_(web__kustomization_yaml=KUSTOMIZATION)
    after = {
        **files,
        "web/kustomization.yaml": "resources: [a.yaml, d.yaml]\n",
        "web/d.yaml": SERVICE,
        "web/s.yaml": SERVICE,
    }
    ((file, severity, _),) = said(files, after, renders=OTHER)
    assert (file, severity) == ("web/s.yaml", Severity.WARNING)


def test_where_argo_cd_does_not_build_kustomizations_they_are_files_as_others() -> None:
    files = with_(web__kustomization_yaml=KUSTOMIZATION)
    after = {**files, "web/s.yaml": SERVICE}
    assert said(files, after, renders=OTHER, argocd_cm={"kustomize.enable": "false"}) == []


# ---------------------------------------------------------------- what else is changed


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({"values/prd.yaml": VALUES}, "adds it, and no object of any Application differs: no Application here reads it"),
        ({"docs/example.yaml": SERVICE}, "adds it, and no object of any Application differs: no Application here reads it"),
        ({"web/more/values.yaml": VALUES}, "adds it, and no object of any Application differs: no Application here reads it"),
        ({"web/a.yaml": "# a"}, "changes it, and no object of any Application differs: though argocd/web may read it"),
    ],
)  # fmt: skip
def test_anything_else_without_effect_is_a_note(after: Mapping[str, str], message: str) -> None:
    (one,) = found(FILES, {**FILES, **after})
    assert (one.severity, one.message) == (Severity.INFO, f"the pull request {message}")


def test_who_may_read_it_is_counted_where_they_are_many() -> None:
    cases = [case(f"web-{n}", {"path": "web"}) for n in range(5)]
    (one,) = found(FILES, {**FILES, "web/a.yaml": "b"}, *cases)
    assert one.message.endswith("though argocd/web-0, argocd/web-1, argocd/web-2 and 2 more may read it")


def test_values_that_another_name_was_written_of() -> None:
    """The chart's template changes the Application, the values that nobody names do not."""
    chart = case("web", {"path": "web", "helm": {"valueFiles": ["values-prod.yaml"]}})
    files = {"web/Chart.yaml": CHART, "web/values-prod.yaml": "a: 1", "web/templates/a.yaml": "{{ 1 }}"}
    after = {**files, "web/values-production.yaml": "a: 2", "web/templates/a.yaml": "{{ 2 }}"}
    assert said(files, after, chart, renders=OTHER) == [
        ("web/values-production.yaml", Severity.INFO, "no Application here reads it")
    ]
    after = {**files, "web/values-prod.yaml": "a: 2"}
    assert said(files, after, chart, renders=OTHER) == []


@pytest.mark.parametrize(
    "more",
    [
        {"web/templates/b.yaml": '{{ .Files.Get "values-x.yaml" }}'},
        {"web/charts/lib-1.0.0.tgz": "packed"},
        {"web/templates/link.yaml": "-> ../values-x.yaml"},
        {"web/Chart.yaml": f"{CHART}dependencies: [{{name: a, version: 1.0.0, repository: 'https://charts.example.com'}}]\n"},
    ],
    ids=["files", "packed", "link", "elsewhere"],
)  # fmt: skip
def test_what_a_template_may_read_is_not_said_to_be_unread(more: Mapping[str, str]) -> None:
    files = {"web/Chart.yaml": CHART, "web/templates/a.yaml": "{{ 1 }}", **more}
    assert said(files, {**files, "web/values-x.yaml": "a: 2"}, WEB, renders=OTHER) == []


# ---------------------------------------------------------------- what nothing is said of


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("README.md", {}),
        ("own.yaml", {}),
        (".github/workflows/ci.yaml", {}),
        ("apps/web.yaml", {}),
        ("argocd/settings.yaml", {"settings": {"argocd-cm": {}}}),
        ("tests/web.gitops-test.yaml", {}),
        ("crds/widgets.yaml", {"crds": ("crds",)}),
        ("before/ns.yaml", {"prerequisites": ("/before/ns.yaml",)}),
        ("charts/redis/values.yaml", {"charts": (ChartRepository(url="https://charts.example.com", path="charts"),)}),
        ("rules/data.json", {"policy_folders": (Path("rules"),)}),
        ("left/alone.yaml", {"ignore": ("left/**",)}),
    ],
)  # fmt: skip
def test_what_is_for_others_to_read_is_not_spoken_of(path: str, options: dict[str, Any]) -> None:
    assert said(FILES, {**FILES, path: VALUES}, **options) == []
    if options:
        assert len(said(FILES, {**FILES, path: VALUES})) == 1


def test_what_application_sets_are_generated_from_is_read() -> None:
    generators = [{"matrix": {"generators": [{"git": {"files": [{"path": "envs/**/config.json"}]}}]}}]
    head, base = (
        side(HEAD, files={**FILES, "envs/a/config.json": "{}", "envs/a/notes.json": "{}"}),
        side(BASE, files=FILES),
    )
    declared = SimpleNamespace(manifest={"spec": {"generators": generators}})
    head.plan = dataclasses.replace(head.plan, sets={"argocd/envs": declared})
    head.base = base
    change.survey(head)
    assert [f.file for f in without_effect.survey(head)] == ["envs/a/notes.json"]


def test_a_file_that_is_gone_is_not_spoken_of() -> None:
    assert said({**FILES, "values/old.yaml": VALUES}, FILES) == []


@pytest.mark.parametrize("renders", [OTHER, {"web": None}], ids=["changed", "not rendered"])
def test_what_a_changed_application_may_read_is_its_change(renders: Any) -> None:
    assert said(FILES, {**FILES, "web/a.yaml": "b"}, renders=renders) == []


def test_where_an_application_that_changes_reads_what_is_not_known_nothing_is_said() -> None:
    plugin = case("web", {"path": "web", "plugin": {}})
    after = {**FILES, "values/x.yaml": VALUES}
    assert said(FILES, after, plugin, renders=OTHER) == []
    assert len(said(FILES, after, plugin)) == 1, "whatever it reads, nothing of it differs"


def test_where_an_application_is_not_known_nothing_is_said() -> None:
    head = side(HEAD, files={**FILES, "values/x.yaml": VALUES})
    head.base = side(BASE, files=FILES)
    change.survey(head)
    head.plan = dataclasses.replace(head.plan, problems=(SimpleNamespace(file="apps/x.yaml"),))
    assert list(without_effect.survey(head)) == []
    head.base = None
    assert list(without_effect.survey(head)) == []


def test_of_very_many_the_first_are_told_and_warnings_before_notes() -> None:
    added = {**{f"values/{n:03}.yaml": VALUES for n in range(102)}, "api/more/s.yaml": SERVICE}
    told = found(FILES, {**FILES, **added})
    assert len(told) == without_effect.MOST + 1
    assert [told[0].file, told[1].file] == ["api/more/s.yaml", "values/000.yaml"]
    assert (told[-1].file, told[-1].message) == (
        "values/099.yaml", "3 more files differ without effect, this the first of them",
    )  # fmt: skip
