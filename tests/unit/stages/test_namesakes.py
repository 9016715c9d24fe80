"""What is most likely this repository, by a URL that nobody told, is said: the network was judged in its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import pytest
from stage_support import OLD, URL, declare, make_context, make_plan

from pytest_gitops.argocd.render import NotRendered, Rendered
from pytest_gitops.model import Finding, Severity
from pytest_gitops.stages import namesakes
from pytest_gitops.stages.context import Context

FORMER = "https://github.com/former/grid.git"
RENAMED = "https://github.com/example/omega.git"
THERE, UNKNOWN = OLD, "9" * 40
FILES = {"apps/web/a.yaml": "", "apps/db/a.yaml": "", "deploy/a.yaml": "", "root.yaml": ""}


def application(name: str, url: str, path: str, more: str = "") -> str:
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}}}
spec:
  source:
    repoURL: {url}
    path: {path}
    {more}
"""


def repository(*applications: str, revision: str = UNKNOWN, **settings: Any) -> Context:
    """Applications of a clone of `URL`, rendered at `revision` of wherever they come from."""
    context = make_context(FILES, revisions={THERE: THERE})
    context.settings = dataclasses.replace(context.settings, **settings)
    cases = [declare(context, text, file=f"{i}.yaml") for i, text in enumerate(applications)]
    context.plan = make_plan(cases)
    context.renders = {c.id: Rendered(objects=(), revisions=(revision,)) for c in cases}
    return context


def found(context: Context) -> list[Finding]:
    return list(namesakes.survey(context))


def severities(context: Context) -> Sequence[Severity]:
    return [f.severity for f in found(context)]


def test_a_repository_of_our_name_with_our_folders_is_told_once() -> None:
    names = ["a", "b", "c", "d"]
    (finding,) = found(repository(*(application(n, FORMER, "apps/web") for n in names)))
    assert (finding.rule, finding.severity) == ("repository-unrecognized", Severity.WARNING)
    assert finding.where == "0.yaml:6"
    assert finding.message == (
        f"repoURL {FORMER}: expected a URL of this repository (github.com/example/grid), for it has the name of this "
        "one, and its path apps/web is a folder here; saw one that is not known, so the sources of argocd/a, argocd/b, "
        "argocd/c and 1 more were taken from there, and not from this tree"
    )
    assert "repository: {urls: [URL]}" in finding.help and "repository: {others: [URL]}" in finding.help


def test_one_of_another_name_is_told_where_nothing_else_is_ours() -> None:
    (finding,) = found(repository(application("web", RENAMED, "./apps/web/"), application("x", RENAMED, ".")))
    assert (
        "no Application has a source that is known as this one, and its path apps/web is a folder here"
        in (finding.message)
    )


def test_one_whose_commit_is_in_this_clone_is_this_one_whatever_its_name_and_path() -> None:
    context = repository(application("web", RENAMED, "."), revision=THERE)
    (finding,) = found(context)
    assert "for the commit that it is at, 0000000, is in this clone" in finding.message
    # Nothing at all was judged of the tree under test.
    assert finding.counts


def test_where_something_is_ours_it_is_a_warning() -> None:
    ours = application("root", URL, "apps")
    assert severities(repository(ours, application("web", RENAMED, "."), revision=THERE)) == [
        Severity.WARNING
    ]
    assert severities(repository(ours, application("web", FORMER, "apps/web"))) == [Severity.WARNING]


def test_who_wants_everything_checked_has_an_error() -> None:
    context = repository(application("web", FORMER, "apps/web"), strict=True)
    assert severities(context) == [Severity.ERROR]


def test_what_did_not_render_is_told_too() -> None:
    context = repository(application("web", FORMER, "apps/web"))
    context.renders = dict.fromkeys(context.renders, NotRendered(source=0, message="authentication required"))
    assert severities(context) == [Severity.WARNING]


@pytest.mark.parametrize(
    "texts",
    [
        [application("web", URL, "apps/web")],
        [application("web", FORMER, "charts/web")],
        [application("web", FORMER, ".")],
        [application("web", FORMER, "../grid/apps/web")],
        [application("root", URL, "apps"), application("web", "https://github.com/example/web.git", "deploy")],
        [application(n, f"https://github.com/example/{n}.git", "charts/app") for n in ("a", "b")],
        [application(str(i), RENAMED, p) for i, p in enumerate(["deploy", "a", "b"])],
        [application("web", "https://charts.example.com/grid", "apps/web", "chart: web")],
        [application("web", "oci://registry.example.com/example/grid", "apps/web")],
        [application("web", "registry.example.com/grid", "apps/web")],
    ],
    ids=[
        "ours", "our name, another folder", "our name, its top", "a path that leads out", "config and code",
        "code of many", "one folder of many", "a chart", "OCI", "no URL",
    ],
)  # fmt: skip
def test_other_repositories_are_others(texts: list[str]) -> None:
    assert found(repository(*texts)) == []


def test_a_generator_that_reads_this_repository_knows_it() -> None:
    context = repository(application("web", RENAMED, "apps/web"))
    cast(Any, context.checkout).spellings = (URL,)
    assert found(context) == []


@pytest.mark.parametrize("revision", [THERE, UNKNOWN])
def test_what_the_configuration_calls_another_one_is_left_alone(revision: str) -> None:
    text = application("web", FORMER, "apps/web")
    assert found(repository(text, revision=revision, others=("git@github.com:former/grid",))) == []


def test_a_repository_that_was_never_pushed_has_the_name_of_its_folder() -> None:
    context = repository(application("root", URL, "apps"), application("web", FORMER, "apps/web"))
    checkout = cast(Any, context.checkout)
    checkout.urls, checkout.title, checkout.is_ours = (), "Grid", lambda _: False
    assert [f.message.split(":")[0] for f in found(context)] == ["repoURL https"] * 2


def test_a_hydrators_dry_source_is_looked_at() -> None:
    text = application("web", FORMER, "apps/web").replace("  source:", "  sourceHydrator:\n   drySource:").replace(
        "    repoURL", "     repoURL").replace("    path", "     path")  # fmt: skip
    (finding,) = found(repository(text))
    assert finding.where == "0.yaml:7"
