"""Bad input to a review: each is named, the others are judged, and the reports are written and stay in bounds."""

from __future__ import annotations

from pathlib import Path

import git
import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.report.markdown import LIMIT, size

pytestmark = pytest.mark.engine

URL = "https://git.example.com/bog.git"

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}
spec:
  project: default
  source: {{repoURL: "{url}", targetRevision: HEAD, path: {name}}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{syncOptions: [CreateNamespace=true]}}
"""

MANY, LINES = 5_000, 30_000
"""Findings of one rule, and lines that differ: 7.5 MB go and 7.5 MB come."""

OBJECTS = 16

LARGE = tuple(f"large-{n}" for n in range(2))
"""Applications that have these lines: Argo CD renders no directory of more than 10 MB
(reposerver.max.combined.directory.manifests.size)."""

POLICIES = {
    # `(` is never closed.
    "broken.rego": 'package broken\n\ndeny contains "x" if {\n\tinput.kind == ("ConfigMap"\n}\n',
    "shape.rego": 'package shape\n\ndeny contains {"message": "x"}\n',
    "many.rego": (
        "package many\n\nwarn contains msg if {\n\tinput.metadata.name == \"many\"\n"
        f'\tsome n in numbers.range(1, {MANY})\n\tmsg := sprintf("number %d", [n])\n}}\n'
    ),
    "fine.rego": 'package fine\n\nwarn contains "well asked" if input.kind == "ConfigMap"\n',
}  # fmt: skip

SLOW = """\
package slow

deny contains "x" if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b < 0
}
"""
"""It has a repository of its own: what OPA may take for reading a large one would be spent on it, too."""


def config_map(name: str, text: str = "a") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  text: |\n" + "".join(
        f"    {line}\n" for line in text.split("\n")
    )


def large(word: str) -> dict[str, str]:
    """The files of LARGE, with LINES lines of 250 characters, each with `word`. No object is too large by itself."""
    each = LINES // (len(LARGE) * OBJECTS)
    lines = "\n".join(f"{word} {i} {'x' * 240}" for i in range(each))
    return {f"{name}/{n}.yaml": config_map(f"text-{n}", lines) for name in LARGE for n in range(OBJECTS)}


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: nothing}}}
"""

BASE = {
    "pytest-gitops.yaml": f"repository: {{urls: [{URL}]}}\npolicy: {{folders: [policy]}}\n",
    **{f"policy/{name}": text for name, text in POLICIES.items()},
    **{
        f"apps/{n}.yaml": APPLICATION.format(name=n, url=URL)
        for n in ("well", "many", *LARGE, "heavy", "crd")
    },
    "well/a.yaml": config_map("well"),
    "many/a.yaml": config_map("many"),
    **large("before"),
    "heavy/a.yaml": config_map("heavy", "x" * 2_000_000),
    "crd/a.yaml": CRD,
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = commit(write(tmp_path_factory.mktemp("bog") / "bog", BASE))
    with git.Repo(folder) as repository:
        repository.git.switch("main", create="change")
    return commit(write(folder, large("after")), branch="change")


@pytest.fixture(scope="module")
def bog(clone: Path, toolbox: dict[str, Path]) -> Outcome:
    del toolbox
    return gitops(clone, "--gitops-base", "main", "--gitops-stages", "review", "--gitops-cluster", "none")


def test_each_is_found_where_it_is_and_nothing_else_is_wrong(bog: Outcome) -> None:
    assert bog.status == 1, bog.output
    errors = {(a, rule, file) for a, rule, severity, file, _ in bog.findings if severity == "error"}
    shape = ("policy-wrong-shape", "policy/shape.rego")
    assert errors == {
        (None, "policy-not-compiling", "policy/broken.rego"),
        *((f"argocd/{n}", *shape) for n in ("well", "many", *LARGE, "heavy", "crd")),
        ("argocd/heavy", "object-too-large", "heavy/a.yaml"),
        ("argocd/crd", "invalid-crd", "crd/a.yaml"),
    }


def test_the_other_rules_are_asked(bog: Outcome) -> None:
    assert {a for a, rule, *_ in bog.findings if rule == "fine-warn"} == {
        f"argocd/{n}" for n in ("well", "many", *LARGE, "heavy")
    }


def test_a_rule_that_is_too_slow_fails_and_the_others_are_asked(
    toolbox: dict[str, Path], tmp_path: Path
) -> None:
    files = {
        "pytest-gitops.yaml": f"repository: {{urls: [{URL}]}}\npolicy: {{folders: [policy], timeout: 2}}\n",
        "policy/slow.rego": SLOW,
        **{f"policy/{name}": POLICIES[name] for name in ("fine.rego", "shape.rego")},
        **{name: BASE[name] for name in ("apps/well.yaml", "well/a.yaml")},
    }
    slow = gitops(
        commit(write(tmp_path / "slow", files)), "--gitops-stages", "policy", "--gitops-cluster", "none"
    )
    assert slow.status == 1, slow.output
    assert {f[:4] for f in slow.findings if f[2] == "error" or f[1] == "fine-warn"} == {
        ("argocd/well", "policy-too-slow", "error", "policy/slow.rego"),
        ("argocd/well", "policy-wrong-shape", "error", "policy/shape.rego"),
        ("argocd/well", "fine-warn", "warning", "well/a.yaml"),
    }


def test_every_finding_of_many_is_in_the_report(bog: Outcome) -> None:
    found = [f for f in bog.stage("argocd/many", "policy")["findings"] if f["rule"] == "many-warn"]
    assert {f["message"] for f in found} == {f"number {n}" for n in range(1, MANY + 1)}


def test_fifteen_megabytes_that_differ_are_counted_and_shown_in_part(bog: Outcome) -> None:
    for name in LARGE:
        application = bog.applications[f"argocd/{name}"]
        assert application["change"] == "changed"
        assert len(application["changes"]) == OBJECTS
    folder = bog.folder / "gitops-report"
    review = (folder / "review.md").read_text("utf-8")
    assert size(review) < LIMIT
    assert "more in the full report" in review
    for name in ("report.json", "index.html"):
        assert (folder / name).stat().st_size < 20_000_000, name


def test_a_base_that_does_not_exist_or_shares_nothing_is_a_usage_error(clone: Path) -> None:
    missing = gitops(clone, "--gitops-base", "mian")
    assert missing.status == 4
    assert (
        "expected a branch, tag or commit of this clone, saw no 'mian'; did you mean 'main'?"
        in missing.output
    )
    with git.Repo(clone) as repository:
        tree = repository.git.rev_parse("HEAD^{tree}")
        env = {
            f"GIT_{who}_{what}": "t@example.com"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        repository.git.branch("unrelated", repository.git.commit_tree(tree, m="alone", env=env))
    unrelated = gitops(clone, "--gitops-base", "unrelated")
    assert unrelated.status == 4
    assert "saw unrelated of an unrelated history: they share no commit" in unrelated.output
