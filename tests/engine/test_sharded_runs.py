"""Two shards as processes, merged, say what one run says: on the real engine, with everything that could set them apart.

An app of apps, an ApplicationSet, two that claim one object, one that needs the namespace that another one brings, two
failures, a file that does not parse, and waivers of which one is used, in one shard only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from runs import Outcome, commit, environment, gitops, report, write

from pytest_gitops.commands import cli
from pytest_gitops.processes.process import run

pytestmark = pytest.mark.engine

URL = "https://git.example.com/shards.git"
SHARDS = 2
"""As few as can be: that any number of parts are dealt out and merged is tested without an engine."""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: {url}, targetRevision: HEAD, path: {path}}}
  destination: {{server: https://kubernetes.default.svc, namespace: {namespace}}}
  syncPolicy: {{automated: {{}}, syncOptions: [{options}]}}
"""

SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: cities, namespace: argocd}
spec:
  goTemplate: true
  generators: [{list: {elements: [{city: porto}, {city: evora}]}}]
  template:
    metadata: {name: "city-{{.city}}"}
    spec:
      project: default
      source: {repoURL: @, targetRevision: HEAD, path: plain}
      destination: {server: https://kubernetes.default.svc, namespace: "{{.city}}"}
      syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true, Validate=false]}
""".replace("@", URL)

CONFIGURATION = f"""\
repository: {{urls: ["{URL}"]}}
policy: {{folders: [policies]}}
stages: [source, render, policy, converge]
waivers:
  - {{rule: named-loud, application: argocd/plain, reason: It has always been loud.}}
  - {{rule: named-loud, application: argocd/gone, reason: It is no more.}}
"""

POLICY = """\
package main

import rego.v1

# METADATA
# title: No ConfigMap is loud
# custom: {rule: named-loud, severity: error}
deny_named_loud contains msg if {
	input.kind == "ConfigMap"
	input.data.loud
	msg := "it is loud"
}
"""


def application(name: str, path: str, namespace: str = "", *, creates: bool = True) -> str:
    return APPLICATION.format(
        name=name,
        path=path,
        namespace=namespace or name,
        url=URL,
        # Of the objects' fields nothing is asked here (see OPTIONS in upgrade_support).
        options="CreateNamespace=true, Validate=false" if creates else "Validate=false",
    )


def config_map(name: str, data: str = "{a: b}") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n"


FILES = {
    "pytest-gitops.yaml": CONFIGURATION,
    "policies/loud.rego": POLICY,
    "apps/root.yaml": application("root", "children", "argocd"),
    "children/one.yaml": application("child-one", "plain"),
    "children/two.yaml": application("child-two", "nowhere-to-go", "missing", creates=False),
    "nowhere-to-go/c.yaml": config_map("c"),
    "apps/cities.yaml": SET,
    "plain/c.yaml": config_map("c"),
    "apps/pair.yaml": application("pair-a", "pair", "pair") + "---\n" + application("pair-b", "pair", "pair"),
    "pair/c.yaml": config_map("shared"),
    "apps/platform.yaml": application("platform", "platform"),
    "platform/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: tenant}\n",
    "apps/tenant.yaml": application("tenant", "tenant", creates=False),
    "tenant/c.yaml": config_map("c"),
    "apps/plain.yaml": application("plain", "loud"),
    "loud/c.yaml": config_map("c", "{loud: 'true'}"),
    "apps/broken.yaml": application("broken", "broken"),
    "broken/Chart.yaml": "apiVersion: v2\nname: broken\nversion: 1.0.0\n",
    "broken/templates/c.yaml": "{{ fail \"no\" }}\n",
    "apps/unreadable.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: [1\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def clone(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    del toolbox  # only to have the tools before a run starts
    return commit(write(tmp_path_factory.mktemp("shards") / "shards", FILES))


@pytest.fixture(scope="module")
def whole(clone: Path) -> Outcome:
    return gitops(clone)


@pytest.fixture(scope="module")
def parts(clone: Path) -> list[Outcome]:
    found = []
    for number in range(1, SHARDS + 1):
        folder = f"shards/{number}"
        done = gitops(clone, "--gitops-shard", f"{number}/{SHARDS}", "--gitops-report", folder)
        text = (clone / folder / "report.json").read_text("utf-8")
        found.append(Outcome(status=done.status, output=done.output, report=json.loads(text), folder=clone))
    return found


@pytest.fixture(scope="module")
def merged(clone: Path, parts: list[Outcome], whole: Outcome) -> Outcome:
    del whole  # its report is read; the merged one takes its place
    folders = [clone / "shards" / str(n + 1) for n, _ in enumerate(parts)]
    command = [sys.executable, "-m", "pytest_gitops.commands.cli", "report", "merge", *map(str, folders)]
    done = run(*command, "--output", "gitops-report", cwd=clone, env=environment(), check=False)
    return Outcome(status=done.status, output=done.stdout + done.stderr, report=report(clone), folder=clone)


def verdicts(outcome: Outcome) -> dict[str, Any]:
    """What was said of every stage, without times."""
    return {
        f"{key} {s['stage']}": (s["outcome"], s["code"])
        for key, a in outcome.applications.items()
        for s in a["stages"]
    }


def test_the_whole_run_is_what_it_is_meant_to_be(whole: Outcome) -> None:
    assert whole.status == 1
    red = {k: v for k, v in verdicts(whole).items() if v[0] in {"failed", "error"}}
    assert red == {
        "argocd/broken render": ("failed", "render-failed"),
        "argocd/child-two converge": ("failed", "sync-failed"),
        "argocd/pair-a converge": ("failed", "shared-resource"),
        "argocd/pair-b converge": ("failed", "shared-resource"),
        **{k: v for k, v in red.items() if k.endswith(" policy")},
    }
    assert verdicts(whole)["argocd/tenant converge"] == ("passed", None)


def test_two_shards_say_what_one_run_says(whole: Outcome, merged: Outcome, parts: list[Outcome]) -> None:
    assert merged.report is not None and whole.report is not None, merged.output
    assert verdicts(merged) == verdicts(whole)
    assert merged.findings == whole.findings
    assert merged.status == whole.status == 1
    assert merged.report["summary"] == whole.report["summary"]
    waivers = [f["message"] for f in merged.report["findings"] if f["rule"] == "waiver-unused"]
    assert len(waivers) == 1 and "argocd/gone" in waivers[0]


def test_every_shard_has_a_part_and_those_that_belong_together_are_together(parts: list[Outcome]) -> None:
    where = {key: n for n, part in enumerate(parts, 1) for key in part.applications}
    assert sum(len(p.applications) for p in parts) == len(where) == 11
    assert set(where.values()) == {1, 2}
    for family in (("root", "child-one", "child-two"), ("pair-a", "pair-b"), ("city-porto", "city-evora")):
        assert len({where[f"argocd/{name}"] for name in family}) == 1, family
    for number, part in enumerate(parts, 1):
        assert f"gitops: shard {number}/{SHARDS}: {len(part.applications)} of 11 Applications" in part.output
        bad = {"failed", "error"} & {o for o, _ in verdicts(part).values()}
        # The file that does not parse is the first one's.
        assert part.status == (1 if bad or number == 1 else 0), part.output


def test_what_one_needs_is_there_and_judged_elsewhere(parts: list[Outcome]) -> None:
    (part,) = (p for p in parts if "argocd/tenant" in p.applications)
    assert "argocd/platform" not in part.applications
    assert part.stage("argocd/tenant", "converge")["outcome"] == "passed"


def test_a_missing_shard_is_told(
    clone: Path, parts: list[Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(clone / "shards" / str(n)) for n in range(1, SHARDS)]
    assert len(parts) == SHARDS
    assert cli.main(["report", "merge", *given, "--output", str(clone / "none")]) == 1
    assert "shard 2 of 2 is missing: no report of it was given" in capsys.readouterr().err
    assert not (clone / "none").exists()
