"""A pull request on the real engine: base and head each mean their own content, and base says how head is judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.processes.process import run

pytestmark = pytest.mark.engine

FINALIZER = "resources-finalizer.argocd.argoproj.io"
URL = "https://github.com/example/shop.git"

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: shop
  source: {{repoURL: "{url}", path: {path}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: shop}}
  syncPolicy: {{automated: {{prune: true}}, syncOptions: [CreateNamespace=true]}}
"""

SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: cities, namespace: argocd}
spec:
  generators:
    - git: {repoURL: "%s", revision: main, directories: [{path: cities/*}]}
  template:
    metadata: {name: "city-{{path.basename}}"}
    spec:
      project: shop
      source: {repoURL: "%s", path: "{{path}}", targetRevision: main}
      destination: {server: https://kubernetes.default.svc, namespace: cities}
      syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}
"""

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop, namespace: argocd}
spec:
  sourceRepos: ["https://github.com/example/*"]
  destinations: [{server: https://kubernetes.default.svc, namespace: shop}, {server: https://kubernetes.default.svc, namespace: cities}]
"""

RULE = """\
package main

deny contains msg if {
	input.kind == "ConfigMap"
	input.data.colour == "red"
	msg := sprintf("ConfigMap %s is red", [input.metadata.name])
}
"""

WHOLE = """\
package team

# METADATA
# scope: document
# custom: {rule: team-owner-missing, subject: repository}
owner_missing contains "the repository has no owner" if count(input.all.projects) > 0
"""


def config_map(name: str, **data: str) -> str:
    lines = "".join(f"  {k}: {v}\n" for k, v in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n{lines}"


def application(name: str, path: str = "") -> str:
    return APPLICATION.format(name=name, path=path or name, url=URL)


BASE = {
    "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\npolicy: {{folders: [policies]}}\nfail-on: warning\n",
    "policies/red.rego": RULE,
    "project.yaml": PROJECT,
    "apps/web.yaml": application("web"),
    "apps/old.yaml": application("old").replace(
        "namespace: argocd}", f"namespace: argocd, finalizers: [{FINALIZER}]}}"
    ),
    "apps/same.yaml": application("same"),
    "cities.yaml": SET % (URL, URL),
    "web/settings.yaml": config_map("settings", colour="green"),
    "old/settings.yaml": config_map("old", colour="green"),
    "same/settings.yaml": config_map("same", colour="green"),
    "cities/porto/settings.yaml": config_map("porto", colour="green"),
    "cities/lisbon/settings.yaml": config_map("lisbon", colour="green"),
}

EXPIRED = 'waivers: [{rule: image-tag-mutable, reason: old, expires: "2020-01-01"}]\n'


@pytest.fixture(scope="module")
def pull_request(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Head turns a colour red, and would have nobody notice: no policies, a waiver for everything, any host."""
    folder: Path = tmp_path_factory.mktemp("pull-request") / "shop"
    commit(write(folder, {**BASE, "pytest-gitops.yaml": BASE["pytest-gitops.yaml"] + EXPIRED}))
    run("git", "-C", folder, "switch", "-q", "-c", "change")
    write(
        folder,
        {
            "pytest-gitops.yaml": BASE["pytest-gitops.yaml"].replace("policies", "empty")
            + "network: {allow: ['*']}\n"
            + EXPIRED.replace("}]", "}, {rule: '*', reason: mine}]"),
            "empty/README.md": "nothing\n",
            "project.yaml": PROJECT.replace('"https://github.com/example/*"', '"*"'),
            "web/settings.yaml": config_map("settings", colour="red"),
            "cities/evora/settings.yaml": config_map("evora", colour="green"),
            "apps/new.yaml": application("new").replace(URL, "https://git.elsewhere.example/x/y.git"),
            "apps/based.yaml": application("based"),
            "based/kustomization.yaml": "resources: ['https://bases.elsewhere.example/x/y.git?ref=main']\n",
        },
    )
    for gone in ("apps/old.yaml", "old/settings.yaml", "policies/red.rego", "cities/porto/settings.yaml"):
        (folder / gone).unlink()
    commit(folder, branch="change")
    return gitops(folder, "--gitops-base", "main", "--gitops-stages", "source,render,policy,change", "-v")


def outcomes(result: Outcome, application: str) -> dict[str, str]:
    return {s["stage"]: s["outcome"] for s in result.applications[application]["stages"]}


def test_what_base_says_judges_what_head_brings(pull_request: Outcome) -> None:
    assert ("argocd/web", "main-deny", "error", "web/settings.yaml", 1) in pull_request.findings
    assert "ConfigMap settings is red" in pull_request.output
    assert all(f["waiver"] is None for f in pull_request.stage("argocd/web", "policy")["findings"])
    assert pull_request.status == 1


def test_a_waiver_of_base_that_has_expired_fails_the_run(pull_request: Outcome) -> None:
    assert "pytest-gitops.yaml::waiver-expired:4 FAILED" in pull_request.output
    assert "waiver image-tag-mutable in main: it expired on 2020-01-01 (reason: old)" in pull_request.output
    assert "not selected" not in pull_request.output


def test_a_project_that_stands_in_a_file_alone_is_compared_too(pull_request: Outcome) -> None:
    assert (None, "project-widened", "warning", "project.yaml", 1) in pull_request.findings


@pytest.mark.parametrize("name", ["new", "based"])
def test_a_host_that_only_head_names_is_refused(pull_request: Outcome, name: str) -> None:
    assert (f"argocd/{name}", "host-refused") in {(f[0], f[1]) for f in pull_request.findings}


def test_the_base_is_named_in_the_report(pull_request: Outcome) -> None:
    assert pull_request.report is not None
    base = pull_request.report["run"]["base"]
    assert base["name"] == "main" and len(base["commit"]) == 40


def test_each_side_means_its_own_content(pull_request: Outcome) -> None:
    evidence = {
        key: pull_request.stage(key, "change")["evidence"]["change"]
        for key in ("argocd/web", "argocd/same", "argocd/city-lisbon", "argocd/city-evora")
    }
    assert evidence == {
        "argocd/web": "changed",
        "argocd/same": "unchanged",
        "argocd/city-lisbon": "unchanged",
        "argocd/city-evora": "added",
    }


@pytest.mark.parametrize("node", ["apps/old.yaml::argocd/old", "cities.yaml::argocd/city-porto"])
def test_a_removed_application_has_items_though_its_file_is_gone(pull_request: Outcome, node: str) -> None:
    for stage in ("policy", "change"):
        assert f"{node}::{stage} " in pull_request.output
    for stage in ("source", "render"):
        assert f"{node}::{stage} " not in pull_request.output


def test_the_command_that_shows_a_removed_application_again_names_no_file_that_is_gone(
    pull_request: Outcome,
) -> None:
    again = [line for line in pull_request.output.splitlines() if line.startswith("  again ")]
    assert any("-k 'argocd/old and policy'" in line for line in again)
    assert any("cities.yaml::argocd/city-porto::policy" in line for line in again)
    assert not any("apps/old.yaml" in line for line in again)


def test_new_policies_judge_and_are_named_as_new(tmp_path: Path) -> None:
    """A pull request that brings the first rules is judged by them; nothing of base's is set aside by that."""
    base = {k: v for k, v in BASE.items() if k.startswith(("web/", "apps/web", "project"))}
    base["pytest-gitops.yaml"] = f"repository: {{urls: ['{URL}']}}\n"
    folder = commit(write(tmp_path / "shop", base))
    write(folder, {"policies/red.rego": RULE, "web/settings.yaml": config_map("settings", colour="red")})
    commit(folder)
    result = gitops(
        folder, "--gitops-base", "HEAD~1", "--gitops-stages", "policy", "--gitops-policy", "policies",
        "--gitops-cluster", "none",
    )  # fmt: skip
    rules = {(f[0], f[1], f[3]) for f in result.findings}
    assert {
        (None, "policy-not-in-base", "policies"),
        ("argocd/web", "main-deny", "web/settings.yaml"),
    } <= rules


def test_rules_from_elsewhere_fail_the_run_for_what_no_file_of_the_repository_has(tmp_path: Path) -> None:
    files = {k: v for k, v in BASE.items() if k.startswith(("web/", "apps/web", "project"))}
    files["pytest-gitops.yaml"] = f"repository: {{urls: ['{URL}']}}\n"
    folder = commit(write(tmp_path / "shop", files))
    write(
        tmp_path / "org", {"team.rego": WHOLE, "broken.rego": "package broken\n\nimport rego.v1\n\nx := y\n"}
    )
    result = gitops(
        folder, "--gitops-stages=policy", "--gitops-policy=../org", "--gitops-cluster=none", "-v",
    )  # fmt: skip
    assert {s["outcome"] for a in result.applications.values() for s in a["stages"]} == {"passed"}
    assert "repository::team-owner-missing:1 FAILED" in result.output
    assert "../org/broken.rego::policy-not-compiling:5 FAILED" in result.output
    assert result.status == 1
