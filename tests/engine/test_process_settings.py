"""argocd-cmd-params-cm decides as in production: how is compared and generated, where Argo CD looks, who syncs."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

pytestmark = pytest.mark.engine

URL = "https://git.example.com/acme/grid"

PARAMETERS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cmd-params-cm, namespace: argocd}
data:
  application.namespaces: "team-a, /^ops-/"
  applicationsetcontroller.namespaces: team-a
  applicationsetcontroller.enable.new.git.file.globbing: "true"
  applicationsetcontroller.enable.progressive.syncs: "true"
  controller.diff.server.side: "true"
  controller.sync.timeout.seconds: "300"
  reposerver.max.combined.directory.manifests.size: much
  server.insecure: "true"
"""

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd}
data:
  resource.customizations.health.ConfigMap: |
    if obj.data ~= nil and obj.data.broken ~= nil then
      return {status = "Degraded", message = "it says so itself"}
    end
    return {status = "Healthy"}
  resource.exclusions: |
    - {apiGroups: [policy], kinds: [PodDisruptionBudget], clusters: ["*"]}
"""

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: team, namespace: argocd}
spec:
  sourceRepos: ["*"]
  sourceNamespaces: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: {home}}}
spec:
  project: team
  source: {{repoURL: {url}, targetRevision: HEAD, path: {path}}}
  destination: {{server: https://kubernetes.default.svc, namespace: {namespace}}}
  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}
"""

SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: {name}, namespace: {home}}}
spec:
  goTemplate: true
  generators: [{generator}]
  {strategy}
  template:
    metadata: {{name: "{name}-{{{{.name}}}}", labels: {{step: "{{{{.name}}}}"}}}}
    spec:
      project: team
      source: {{repoURL: {url}, targetRevision: HEAD, path: "sources/{{{{.source}}}}"}}
      destination: {{server: https://kubernetes.default.svc, namespace: "{name}-{{{{.name}}}}"}}
      syncPolicy: {{syncOptions: [CreateNamespace=true]}}
"""

STEPS = (
    "strategy: {type: RollingSync, rollingSync: {steps: ["
    "{matchExpressions: [{key: step, operator: In, values: [first]}]}, "
    "{matchExpressions: [{key: step, operator: In, values: [second]}]}]}}"
)

FILES = f"git: {{repoURL: {URL}, revision: HEAD, files: [{{path: generated/*/config.json}}]}}"
STEP_BY_STEP = "list: {elements: [{name: first, source: broken}, {name: second, source: fine}]}"

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"

DROPPED = """\
apiVersion: v1
kind: Service
metadata: {name: forgetful}
spec: {selector: {app: forgetful}, sessionAfinity: ClientIP, ports: [{name: http, port: 80}]}
"""
"""The API server drops a field that it does not know: client-side Argo CD says OutOfSync for ever, and server-side it cannot
compare at all."""


BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: settings}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: settings}}}
"""


def application(name: str, *, path: str = "sources/fine", home: str = "argocd", namespace: str = "") -> str:
    return APPLICATION.format(name=name, home=home, path=path, namespace=namespace or name, url=URL)


def application_set(name: str, generator: str, *, home: str = "argocd", strategy: str = "") -> str:
    return SET.format(
        name=name, home=home, generator=f"{{{generator}}}", strategy=strategy or "strategy: {}", url=URL
    )


def as_template(text: str) -> str:
    """What a chart renders to `text`."""
    return "{{`" + text + "`}}\n"


@pytest.fixture(scope="module")
def grid(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = write(
        tmp_path_factory.mktemp("parameters") / "grid",
        {
            "pytest-gitops.yaml": f"version: 1\nrepository: {{urls: [{URL}]}}\n",
            "settings/parameters.yaml": PARAMETERS,
            "settings/argocd-cm.yaml": SETTINGS,
            "settings/project.yaml": PROJECT,
            "apps/parent.yaml": application("parent", path="chart", namespace="argocd"),
            "apps/server-side.yaml": application("server-side", path="sources/dropped"),
            "apps/partly.yaml": application("partly", path="sources/partly"),
            "apps/not-listed.yaml": application("not-listed", home="team-b"),
            "apps/files.yaml": application_set("files", FILES).replace("syncPolicy: {", "syncPolicy: {automated: {}, "),
            "apps/set-not-listed.yaml": application_set("set-not-listed", STEP_BY_STEP, home="ops-b"),
            "generated/one/config.json": '{"name": "one", "source": "fine"}',
            "generated/one/deep/config.json": '{"name": "deep", "source": "fine"}',
            "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
            "chart/templates/child.yaml": as_template(application("child", home="team-a")),
            "chart/templates/ops.yaml": as_template(application("by-expression", home="ops-a")),
            "chart/templates/set.yaml": as_template(
                application_set("rolls", STEP_BY_STEP, home="team-a", strategy=STEPS)
            ),
            "sources/fine/settings.yaml": CONFIG_MAP,
            "sources/broken/settings.yaml": CONFIG_MAP.replace("greeting", "broken"),
            "sources/dropped/service.yaml": DROPPED,
            "sources/partly/all.yaml": f"{CONFIG_MAP}---\n{BUDGET}",
        },
    )  # fmt: skip
    commit(folder)
    return gitops(folder, "--gitops-stages", "source,render,converge", "--gitops-timeout", "120")


def outcome(grid: Outcome, key: str) -> tuple[str, str]:
    found = grid.stage(key, "converge")
    return found["outcome"], found["code"] or ""


@pytest.mark.parametrize("name", ["team-a/child", "ops-a/by-expression"])
def test_a_child_that_a_chart_renders_into_a_listed_namespace_is_reconciled(grid: Outcome, name: str) -> None:
    assert outcome(grid, name) == ("passed", ""), grid.output


def test_what_lives_where_argo_cd_does_not_look_is_told(grid: Outcome) -> None:
    stages = grid.applications["team-b/not-listed"]["stages"]
    assert [(s["stage"], s["outcome"], s["code"]) for s in stages if s["outcome"] == "failed"] == [
        ("source", "failed", "namespace-not-enabled")
    ], grid.output
    assert (None, "namespace-not-enabled", "error", "apps/set-not-listed.yaml", 1) in grid.findings


def test_it_is_compared_server_side(grid: Outcome) -> None:
    converged = grid.stage("argocd/server-side", "converge")
    assert converged["code"] == "comparison-error", grid.output
    assert "error calculating server side diff" in converged["message"]


def test_what_argo_cd_leaves_out_is_told_where_it_is_written(grid: Outcome) -> None:
    assert outcome(grid, "argocd/partly") == ("passed", ""), grid.output
    excluded = ("argocd/partly", "resource-excluded", "warning", "sources/partly/all.yaml", 6)
    assert {f for f in grid.findings if f[1] == "resource-excluded"} == {excluded}
    verification = (grid.folder / "gitops-report" / "verification.md").read_text("utf-8")
    assert (
        "saw it left out: it does not manage PodDisruptionBudget.policy, by resource.exclusions of argocd-cm"
        in verification
    )


def test_files_are_matched_as_the_new_globbing_does(grid: Outcome) -> None:
    made = {key for key, a in grid.applications.items() if a["parent"] == "argocd/files"}
    assert made == {"argocd/files-one"}, grid.output


def test_a_set_that_a_chart_renders_goes_step_by_step(grid: Outcome) -> None:
    assert outcome(grid, "team-a/rolls-first")[0] == "failed", grid.output
    assert outcome(grid, "team-a/rolls-second") == ("skipped", "step-not-reached"), grid.output


def test_what_is_not_handed_on_is_told(grid: Outcome) -> None:
    assert grid.report
    told = [f for f in grid.report["findings"] if f["rule"] == "setting-not-applied"]
    assert [(f["file"], f["line"]) for f in told] == [
        ("settings/parameters.yaml", 10),
        ("settings/parameters.yaml", 11),
    ]
