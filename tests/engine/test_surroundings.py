"""What production looks like beyond one cluster and https: ssh URLs, other clusters, other namespaces, child charts, charts
of a registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.processes.process import run

pytestmark = pytest.mark.engine

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: team, namespace: openshift-gitops}
spec:
  sourceRepos: ["git@git.example.com:acme/grid.git", "ssh://git@git.example.com/acme/grid.git", "https://git.example.com/acme/grid",
    "registry.example.com/team/charts", "oci://registry.example.com/team/charts/redis"]
  sourceNamespaces: [team-apps]
  destinations: [{server: "*", namespace: "*"}, {name: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: {control}}}
spec:
  project: team
  {source}
  destination: {{{destination}, namespace: {namespace}}}
  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}
"""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
"""

ENDPOINTS = """\
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: database}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 5432}]}]
"""
"""A Service of something outside: an installation of Argo CD leaves Endpoints out."""

LOCAL = "server: https://kubernetes.default.svc"

URL = "https://git.example.com/acme/grid"

STAGES = ("source", "render", "policy", "converge")

CONFIG = """\
version: 1
charts: [{url: "oci://registry.example.com/team/charts", path: charts}]
prerequisites: [prerequisites]
waivers: [{rule: plain-secret, reason: it is made up}]
"""

SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: registry, namespace: openshift-gitops, labels: {argocd.argoproj.io/secret-type: repository}}
stringData:
  {url: registry.example.com/team/charts, name: registry, type: helm, enableOCI: "true", username: made-up, password: made-up}
"""
"""As production has one; here it only has to do no harm, on the cluster without that namespace, too."""

SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: teams, namespace: team-apps}
spec:
  goTemplate: true
  generators: [{list: {elements: [{team: generated-elsewhere}]}}]
  template:
    metadata: {name: "{{.team}}"}
    spec:
      project: team
      source: {repoURL: "https://git.example.com/acme/grid", targetRevision: HEAD, path: settings}
      destination: {server: https://kubernetes.default.svc, namespace: "{{.team}}"}
      syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}
"""
"""Argo CD's controller does not start for a namespace like this one before it is told whom SCM generators may ask."""

CHART = "{repoURL: registry.example.com/team/charts, chart: redis, targetRevision: %s}"

OF_REGISTRY = {
    "by-chart": f"source: {CHART % '^1.0.0'}",
    "by-image": "source: {repoURL: oci://registry.example.com/team/charts/redis, path: ., targetRevision: 1.2.3}",
    "by-values": (
        f"sources: [{CHART[:-1] % '1.2.3'}, helm: {{valueFiles: [$own/values.yaml]}}}}, "
        f"{{repoURL: {URL}, targetRevision: HEAD, ref: own}}]"
    ),
}
"""Sources that are charts of a registry; test_oci_charts.py has every form, rendered."""


def application(name: str, *, url: str = URL, path: str = "settings", source: str = "", destination: str = LOCAL,
                control: str = "openshift-gitops", namespace: str = "") -> str:  # fmt: skip
    source = source or f'source: {{repoURL: "{url}", targetRevision: HEAD, path: {path}}}'
    return APPLICATION.format(
        name=name, source=source, destination=destination, control=control, namespace=namespace or name
    )


@pytest.fixture(scope="module")
def surroundings(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    child = application("CHILD").replace("CHILD", "{{ .Values.child }}")
    folder = write(
        tmp_path_factory.mktemp("surroundings") / "grid",
        {
            "pytest-gitops.yaml": CONFIG,
            "prerequisites/secret.yaml": SECRET,
            "project.yaml": PROJECT,
            "settings/settings.yaml": CONFIG_MAP,
            "apps/scp.yaml": application("by-scp", url="git@git.example.com:acme/grid.git"),
            "apps/ssh.yaml": application("by-ssh", url="ssh://git@git.example.com/acme/grid.git"),
            "apps/https.yaml": application("by-https", namespace="shared"),
            "apps/edge.yaml": application("to-edge", destination="name: edge", namespace="shared"),
            "apps/elsewhere.yaml": application("elsewhere", control="team-apps"),
            "apps/set.yaml": SET,
            "apps/database.yaml": application("database", path="database"),
            "database/endpoints.yaml": ENDPOINTS,
            "apps/parent.yaml": application("parent", path="children", namespace="openshift-gitops"),
            **{f"apps/{name}.yaml": application(name, source=source) for name, source in OF_REGISTRY.items()},
            "values.yaml": "greeting: ours\n",
            **{
                f"charts/redis-{version}/{path}": text
                for version in ("1.0.0", "1.2.3")
                for path, text in {
                    "Chart.yaml": f"apiVersion: v2\nname: redis\nversion: {version}\n",
                    "values.yaml": "greeting: hello\n",
                    "templates/settings.yaml": CONFIG_MAP.replace("hello", "{{ .Values.greeting }}"),
                }.items()
            },
            "children/Chart.yaml": "apiVersion: v2\nname: children\nversion: 1.0.0\n",
            "children/values.yaml": "child: from-a-chart\n",
            "children/templates/child.yaml": child,
        },
    )  # fmt: skip
    commit(folder)
    run("git", "remote", "add", "origin", "git@git.example.com:acme/grid.git", cwd=folder)
    return gitops(folder, "--gitops-stages", ",".join(STAGES))


def converge(surroundings: Outcome, key: str) -> str:
    return str(surroundings.stage(key, "converge")["outcome"])


@pytest.mark.parametrize("name", ["by-scp", "by-ssh", "by-https"])
def test_a_repository_is_known_under_every_spelling(surroundings: Outcome, name: str) -> None:
    assert converge(surroundings, f"openshift-gitops/{name}") == "passed", surroundings.output


@pytest.mark.parametrize("name", ["by-https", "to-edge"])
def test_each_destination_is_a_cluster_of_its_own(surroundings: Outcome, name: str) -> None:
    # Both own ConfigMap shared/settings: on one cluster they would take turns.
    assert converge(surroundings, f"openshift-gitops/{name}") == "passed", surroundings.output


@pytest.mark.parametrize("name", ["elsewhere", "generated-elsewhere"])
def test_an_application_in_another_namespace_is_reconciled(surroundings: Outcome, name: str) -> None:
    assert converge(surroundings, f"team-apps/{name}") == "passed", surroundings.output


def test_a_child_that_a_chart_renders_is_a_case_of_its_parents_file(surroundings: Outcome) -> None:
    child = surroundings.applications["openshift-gitops/from-a-chart"]
    assert (child["file"], child["parent"]) == ("apps/parent.yaml", "openshift-gitops/parent")
    assert converge(surroundings, "openshift-gitops/from-a-chart") == "passed", surroundings.output


@pytest.mark.parametrize("name", OF_REGISTRY)
def test_a_chart_of_a_registry_converges(surroundings: Outcome, name: str) -> None:
    assert converge(surroundings, f"openshift-gitops/{name}") == "passed", surroundings.output
    assert surroundings.stage(f"openshift-gitops/{name}", "render")["evidence"]["sourceTypes"][0] == "Helm"


def test_all_of_it_is_green(surroundings: Outcome) -> None:
    assert (surroundings.status, surroundings.not_passed) == (0, set()), surroundings.output
    assert [surroundings.asked(key) for key in surroundings.applications] == [STAGES] * 12


def test_what_an_installation_of_argo_cd_leaves_out_is_left_out_and_told(surroundings: Outcome) -> None:
    database = "openshift-gitops/database"
    found = {f for f in surroundings.findings if f[1] == "resource-excluded"}
    assert found == {(database, "resource-excluded", "warning", "database/endpoints.yaml", 6)}
    assert "by resource.exclusions, as Argo CD is installed" in str(
        surroundings.stage(database, "converge")["findings"]
    )
    assert {r["kind"] for r in surroundings.applications[database]["resources"]} == {"Service"}
