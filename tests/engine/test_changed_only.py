"""A pull request that changes one of many Applications, on the real engine: that one is judged, the others' renders
are base's, and a second run asks the repo-server for nothing."""

from __future__ import annotations

import uuid
from pathlib import Path

import git
import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.repository.generate_paths import ANNOTATION

pytestmark = pytest.mark.engine

URL = f"https://git.example.com/changed-{uuid.uuid4().hex}.git"
"""One that no earlier run of these tests has kept renders of."""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd, annotations: {{"{annotation}": "{paths}"}}}}
spec:
  project: default
  source:
    repoURL: {url}
    targetRevision: HEAD
    path: {path}
    {more}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
"""


def application(name: str, path: str, more: str = "", paths: str = "") -> str:
    return APPLICATION.format(name=name, path=path, more=more, paths=paths, url=URL, annotation=ANNOTATION)


CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '1'}\n"

FILES = {
    "pytest-gitops.yaml": f"version: 1\nrepository: {{urls: [{URL}]}}\n",
    "apps/plain.yaml": application("plain", "plain"),
    "apps/one.yaml": application("one", "chart", "helm: {valueFiles: [/values/one.yaml]}", paths="."),
    "apps/two.yaml": application("two", "chart", "helm: {valueFiles: [/values/two.yaml]}"),
    "apps/root.yaml": application("root", "children"),
    "children/child.yaml": application("child", "plain"),
    "plain/c.yaml": CONFIG_MAP,
    "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    "chart/templates/c.yaml": CONFIG_MAP.replace("'1'", "{{ .Values.a | quote }}"),
    "values/one.yaml": "a: 1\n",
    "values/two.yaml": "a: 1\n",
}

ARGS = (
    "--gitops-base",
    "main",
    "--gitops-changed",
    "--gitops-cluster",
    "none",
    "--gitops-stages",
    "source,render,change",
)

IDENTITY = {
    f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = commit(write(tmp_path_factory.mktemp("changed") / "repository", FILES))
    with git.Repo(root) as repository:
        repository.git.switch("main", create="change")
        write(root, {"values/one.yaml": "a: 2\n", "README.md": "words"})
        write(root, {"values/ones.yaml": "a: 3\n", "plain/deep/d.yaml": CONFIG_MAP})
        repository.git.add(all=True)
        repository.git.commit(quiet=True, message="one", env=IDENTITY)
    return root


@pytest.fixture(scope="module")
def first(clone: Path) -> Outcome:
    return gitops(clone, *ARGS, "--gitops-fresh")


def test_one_is_judged_and_says_why(clone: Path, first: Outcome) -> None:
    assert first.status == 0, first.output
    assert set(first.applications) == {"argocd/one"}
    one = first.applications["argocd/one"]
    assert one["selectedBecause"] == ["it reads values/one.yaml, which differs"]
    assert one["change"] == "changed"
    assert first.report is not None
    # The root makes an Application, so it concerns others.
    assert first.report["changes"]["selection"] == {"changed": 1, "of": 5, "notRendered": 3}
    told = "1 of 5 Applications changed since main; the others were left alone, 3 of them not rendered"
    assert told in first.output
    review = (clone / "gitops-report" / "review.md").read_text("utf-8")
    assert f"{told}." in review
    assert "- `argocd/one`: it reads values/one.yaml, which differs" in review


def test_what_the_annotation_misses_is_said(first: Outcome) -> None:
    assert ("argocd/one", "generate-paths-miss", "warning", "apps/one.yaml", 3) in first.findings


def test_what_nothing_comes_of_is_said(clone: Path, first: Outcome) -> None:
    """Beside what changes one of them: a manifest in a folder that is not read, values in a file that nobody names."""
    found = {f[2:4] for f in first.findings if f[1] == "file-without-effect"}
    assert found == {("warning", "plain/deep/d.yaml"), ("info", "values/ones.yaml")}
    review = (clone / "gitops-report" / "review.md").read_text("utf-8")
    assert "plain is read without directory.recurse" in review


def test_what_is_left_alone_is_rendered_where_it_may_be_concerned(clone: Path) -> None:
    """The object that the pull request adds is another Application's already."""
    shared = f"---\n{CONFIG_MAP.replace('name: c', 'name: c, namespace: plain')}"
    with git.Repo(clone) as repository:
        repository.git.switch("main", create="sharing")
        try:
            write(clone, {"chart/templates/shared.yaml": "{{ if .Values.shared }}" + shared + "{{ end }}"})
            write(clone, {"values/one.yaml": "a: 1\nshared: true\n"})
            repository.git.add(all=True)
            repository.git.commit(quiet=True, message="sharing", env=IDENTITY)
            outcome = gitops(clone, *ARGS[:-1], "source,render,policy,change")
        finally:
            repository.git.switch("change")
    assert outcome.report is not None
    assert outcome.report["changes"]["selection"]["notRendered"] == 0
    found = {f for f in outcome.findings if f[1] == "shared-object"}
    assert {f[0] for f in found} == {"argocd/plain"}
    assert outcome.status == 1
    because = outcome.applications["argocd/plain"]["selectedBecause"]
    assert because == ["a rule on the repository as a whole finds something in it"]


def test_renders_are_bases_where_nothing_differs(clone: Path) -> None:
    words = [a for a in ARGS if a != "--gitops-changed"]
    taken = {
        name: gitops_taken(outcome, name)
        for outcome in [gitops(clone, *words, "--gitops-fresh")]
        for name in outcome.applications
    }
    assert taken == {
        "argocd/one": None,
        **{f"argocd/{n}": "base" for n in ("plain", "two", "root", "child")},
    }


def gitops_taken(outcome: Outcome, application: str) -> str | None:
    evidence = outcome.stage(application, "render")["evidence"]
    found: str | None = evidence.get("takenFrom")
    assert evidence["objects"] == 1
    return found


def test_nothing_is_judged_where_nothing_differs(clone: Path) -> None:
    with git.Repo(clone) as repository:
        repository.git.switch("main", detach=True)
        try:
            outcome = gitops(clone, *ARGS)
        finally:
            repository.git.switch("change")
    assert outcome.status == 0, outcome.output
    assert "0 of 5 Applications changed since main" in outcome.output


def test_a_second_run_takes_every_render_from_the_first(clone: Path) -> None:
    """Without a base, so that nothing else can have rendered it."""
    words = ("--gitops-cluster", "none", "--gitops-stages", "source,render")
    first = gitops(clone, *words)
    assert gitops_taken(first, "argocd/one") is None
    second = gitops(clone, *words)
    assert {gitops_taken(second, name) for name in second.applications} == {"cache"}
    commits = [
        {name: outcome.stage(name, "render")["evidence"]["revisions"] for name in outcome.applications}
        for outcome in (second, first)
    ]
    assert commits[0] == commits[1]
