"""What stages may ask of the repository."""

from __future__ import annotations

import dataclasses

import pytest
from stage_support import OLD, URL, declare, make_context

from pytest_gitops.model import Case, Source
from pytest_gitops.stages.context import Context

FILES = {
    "overlays/prod/kustomization.yaml": "resources: [../../base]",
    "base/kustomization.yaml": "resources: [one.yaml]",
    "base/one.yaml": "kind: ConfigMap\nmetadata: {name: a}\n",
    "plain/b.yaml": "# x\nkind: ConfigMap\nmetadata: {name: b}\n",
    "linked/kustomization.yaml": "->../base/kustomization.yaml",
}


@pytest.fixture
def context() -> Context:
    return make_context(FILES, revisions={"v1": OLD})


def case(*sources: Source) -> Case:
    return Case(name="a", namespace="argocd", project="p", file="a.yaml", line=9, sources=sources)


@pytest.mark.parametrize(
    ("source", "places"),
    [
        (Source(repo_url=URL, path="plain"), {"plain"}),
        (Source(repo_url=URL, path="./plain/"), {"plain"}),
        (Source(repo_url=URL, path="overlays/prod"), {"overlays/prod", "base", "base/one.yaml"}),
        (Source(repo_url=URL, path="."), {"."}),
        (Source(repo_url=URL, path="plain", target_revision="main"), {"plain"}),
        (Source(repo_url=URL, path="plain", target_revision="v1"), set()),
        (Source(repo_url=URL, path="plain", target_revision="nothing"), set()),
        (Source(repo_url=URL, chart="x"), set()),
        (Source(repo_url=URL, ref="values"), set()),
        (Source(repo_url=URL, ref="values", path="plain"), {"plain"}),
        (Source(repo_url="https://github.com/other/x", path="plain"), set()),
        (Source(repo_url=URL, path="linked"), {"linked"}),
    ],
)
def test_an_application_reads_its_paths_and_what_kustomizations_lead_to(
    context: Context, source: Source, places: set[str]
) -> None:
    assert set(context.reads(case(source))) == places


def test_places_are_named_once(context: Context) -> None:
    sources = (Source(repo_url=URL, path="base"), Source(repo_url=URL, path="overlays/prod"))
    assert len(context.reads(case(*sources))) == len(set(context.reads(case(*sources)))) == 3


def test_an_object_is_located_where_it_is_written(context: Context) -> None:
    overlay, plain = (
        case(Source(repo_url=URL, path="overlays/prod")),
        case(Source(repo_url=URL, path="plain")),
    )
    a, b = ({"kind": "ConfigMap", "metadata": {"name": n}} for n in "ab")
    assert context.locate(overlay, a) == ("base/one.yaml", 1)
    assert context.locate(plain, b) == ("plain/b.yaml", 2)
    assert context.locate(plain, a) is None


def test_a_line_is_that_of_the_document_else_that_of_the_case(context: Context) -> None:
    declared = declare(context, "kind: Application\nmetadata:\n  name: a\n")
    assert context.line(declared, "metadata", "name") == 3
    assert context.line(declared, "spec") == 1
    assert context.line(dataclasses.replace(declared, name="other", line=9), "metadata") == 9


def test_the_plan_is_there_once_it_is_made(context: Context) -> None:
    assert not context.has_plan
    with pytest.raises(AssertionError):
        _ = context.plan
