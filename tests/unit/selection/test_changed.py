"""Which Applications a pull request changes: none that does is left alone, and each says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from input_trees import case
from sides import API, BASE, FILES, HEAD, WEB, config_map, side

from pytest_gitops.model import Finding, Severity
from pytest_gitops.repository.generate_paths import ANNOTATION
from pytest_gitops.selection import changed
from pytest_gitops.stages import change
from pytest_gitops.stages.context import Context


def survey(head: Context, base: Context | None = None) -> Context:
    head.base = base or side(BASE)
    change.survey(head)
    changed.survey(head)
    return head


def reasons(head: Context, base: Context | None = None) -> dict[str, tuple[str, ...]]:
    found = survey(head, base).plan.changed
    assert found is not None
    return {each.rpartition("/")[2]: why for each, why in found.items()}


def test_nothing_differs_and_nothing_is_changed() -> None:
    assert reasons(side(HEAD)) == {}


def test_what_nobody_reads_changes_nobody() -> None:
    assert reasons(side(HEAD, files={**FILES, "README.md": "other"})) == {}


def test_what_is_read_changes_who_reads_it_even_if_it_renders_the_same() -> None:
    files = {**FILES, "web/a.yaml": "2"}
    assert reasons(side(HEAD, files=files)) == {"web": ("it reads web/a.yaml, which differs",)}


def test_many_files_are_not_all_named() -> None:
    files = {**FILES, **{f"web/{n}.yaml": "x" for n in range(5)}}
    (why,) = reasons(side(HEAD, files=files))["web"]
    assert why == "it reads web/0.yaml, web/1.yaml, web/2.yaml and 2 more, which differ"


def test_a_new_one_is_new() -> None:
    new = case("new", {"path": "web"})
    assert reasons(side(HEAD, [WEB, API, new])) == {"new": ("it is new",)}


def test_a_removed_one_is_no_case_of_head() -> None:
    head = survey(side(HEAD, [WEB]))
    assert head.plan.changed == {}
    assert [c.name for c in head.plan.removed] == ["api"]


def test_a_manifest_that_differs_is_said_by_its_fields() -> None:
    other = case("web", {"path": "web", "directory": {"recurse": True}})
    (why,) = reasons(side(HEAD, [other, API]))["web"]
    assert why.startswith("its manifest differs: spec.source.directory")


def test_what_only_the_render_tells_counts() -> None:
    head = side(HEAD, renders={"web": [config_map(a="2")]})
    assert reasons(head) == {"web": ("what it renders to differs",)}


@pytest.mark.parametrize(("base", "head"), [(None, ()), ((), None), (None, None)])
def test_what_cannot_be_compared_is_changed(base: Any, head: Any) -> None:
    found = reasons(side(HEAD, renders={"web": head}), side(BASE, renders={"web": base}))
    assert found["web"][0].startswith("it cannot be told whether it changes: ")
    assert "api" not in found


def test_what_is_unknown_is_changed_if_anything_is() -> None:
    plugin = case("web", {"path": "web", "plugin": {}})
    base = side(BASE, [plugin, API])
    assert reasons(side(HEAD, [plugin, API]), base) == {}
    files = {**FILES, "README.md": "other"}
    assert reasons(side(HEAD, [plugin, API], files), base) == {
        "web": ("it cannot be told what it reads: a config management plugin decides what it reads",)
    }


def test_the_annotation_says_what_is_read_where_nothing_else_does() -> None:
    plugin = case("web", {"path": "web", "plugin": {}}, **{ANNOTATION: ".;/shared"})
    base = side(BASE, [plugin])
    assert reasons(side(HEAD, [plugin], {**FILES, "README.md": "other"}), base) == {}
    assert reasons(side(HEAD, [plugin], {**FILES, "shared/x": "new"}), base)["web"]


def test_the_annotation_does_not_hide_what_is_read_and_is_said_to_miss_it() -> None:
    narrow = case("web", {"path": "web"}, **{ANNOTATION: "/elsewhere"})
    head = survey(side(HEAD, [narrow], {**FILES, "web/a.yaml": "2"}), side(BASE, [narrow]))
    assert head.plan.changed == {narrow.id: ("it reads web/a.yaml, which differs",)}
    (finding,) = head.source_findings[narrow.id]
    assert (finding.rule, finding.severity, finding.file) == (
        "generate-paths-miss", Severity.WARNING, "apps/web.yaml",
    )  # fmt: skip
    assert finding.message == (
        "argocd.argoproj.io/manifest-generate-paths: expected it to name all that Application argocd/web reads, saw it "
        "miss web/a.yaml, so Argo CD would not look at the Application for this change"
    )


@pytest.mark.parametrize("text", [".", "/web/*.yaml", "/", ""])
def test_an_annotation_that_names_it_misses_nothing(text: str) -> None:
    wide = case("web", {"path": "web"}, **{ANNOTATION: text})
    head = survey(side(HEAD, [wide], {**FILES, "web/a.yaml": "2"}), side(BASE, [wide]))
    assert head.source_findings == {}


def test_with_a_manifest_that_differs_argo_cd_looks_anyway() -> None:
    narrow = case("web", {"path": "web"}, **{ANNOTATION: "/elsewhere"})
    head = survey(side(HEAD, [narrow], {**FILES, "web/a.yaml": "2"}))
    assert head.source_findings == {}


PROJECT = {"kind": "AppProject", "metadata": {"name": "default"}, "spec": {"sourceRepos": ["*"]}}


def test_who_is_in_a_project_that_differs_is_changed() -> None:
    api = dataclasses.replace(API, project="another")
    base = side(BASE, [WEB, api], projects=[PROJECT])
    other = {**PROJECT, "spec": {"sourceRepos": []}}
    assert reasons(side(HEAD, [WEB, api], projects=[other]), base) == {
        "web": ("its AppProject default differs",)
    }


def test_argo_cds_settings_change_all() -> None:
    found = reasons(side(HEAD, settings={"argocd-cm": {"a": "1"}}))
    assert found == dict.fromkeys(("web", "api"), ("Argo CD's ConfigMap argocd-cm differs",))
    assert reasons(side(HEAD, settings={"argocd-cm": {}}), side(BASE, settings={"argocd-cm": {}})) == {}


@pytest.mark.parametrize("key", ["crds", "prerequisites"])
def test_what_the_configuration_brings_changes_all(key: str) -> None:
    files = {**FILES, "brought/x.yaml": "x"}
    found = reasons(side(HEAD, files=files, **{key: ("./brought/",)}))
    assert found == dict.fromkeys(("web", "api"), (f"the configuration's {key} differ: brought/x.yaml",))


def law(kind: str, name: str, namespace: str | None = None, **spec: Any) -> dict[str, Any]:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "x/v1", "kind": kind, "metadata": meta, "spec": spec}


CRD = law(
    "CustomResourceDefinition", "as.example.com", group="example.com", names={"kind": "A"}, scope="Namespaced"
)
A = {"apiVersion": "example.com/v1", "kind": "A", "metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("old", "new", "objects", "expected"),
    [
        (CRD, {**CRD, "spec": {**CRD["spec"], "scope": "Cluster"}}, [A], True),
        (CRD, {**CRD, "spec": {**CRD["spec"], "scope": "Cluster"}}, [config_map()], False),
        (law("Namespace", "web"), law("Namespace", "web", x=1), [config_map()], True),
        (law("Namespace", "web"), law("Namespace", "web", x=1), [], True),
        (law("Namespace", "other"), law("Namespace", "other", x=1), [config_map()], False),
        (law("ResourceQuota", "q", "web", x=1), law("ResourceQuota", "q", "web", x=2), [config_map()], True),
        (law("ResourceQuota", "q", x=1), law("ResourceQuota", "q", x=2), [config_map()], True),
        (law("LimitRange", "q", "other", x=1), law("LimitRange", "q", "other", x=2), [config_map()], False),
        (law("ValidatingAdmissionPolicy", "p", x=1), law("ValidatingAdmissionPolicy", "p", x=2), [], True),
    ],
)  # fmt: skip
def test_who_is_judged_by_an_object_that_differs_is_changed(
    old: Mapping[str, Any], new: Mapping[str, Any], objects: list[Mapping[str, Any]], expected: bool
) -> None:
    base = side(BASE, renders={"api": [old], "web": objects})
    found = reasons(side(HEAD, renders={"api": [new], "web": objects}), base)
    assert "api" in found
    assert ("web" in found) is expected


def test_a_definition_that_nobody_renders_counts_by_its_file() -> None:
    text = (
        "kind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {group: example.com, names: {kind: A}}\n"
    )
    head = side(HEAD, files={**FILES, "crds/a.yaml": text}, renders={"web": [A]})
    assert set(reasons(head, side(BASE, renders={"web": [A]}))) == {"web"}


def test_a_finding_of_the_repository_as_a_whole_is_not_left_unsaid() -> None:
    head = side(HEAD)
    finding = Finding(rule="shared-object", severity=Severity.ERROR, message="x")
    head.surveyed[API.id] = [finding, dataclasses.replace(finding, severity=Severity.WARNING)]
    head.surveyed[WEB.id] = [dataclasses.replace(finding, severity=Severity.WARNING)]
    assert set(reasons(head)) == {"api"}


def test_without_the_option_all_are_judged() -> None:
    head = side(HEAD)
    head.settings = dataclasses.replace(head.settings, changed=False)
    assert survey(head).plan.changed is None
