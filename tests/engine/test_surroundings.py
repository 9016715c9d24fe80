"""What production looks like beyond one cluster and https: ssh URLs, other clusters, other namespaces, child charts."""

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
  sourceRepos: ["git@git.example.com:acme/grid.git", "ssh://git@git.example.com/acme/grid.git", "https://git.example.com/acme/grid"]
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
  source: {{repoURL: "{url}", targetRevision: HEAD, path: {path}}}
  destination: {{{destination}, namespace: {namespace}}}
  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}
"""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
"""

LOCAL = "server: https://kubernetes.default.svc"


def application(name: str, *, url: str, path: str = "settings", destination: str = LOCAL, control: str = "openshift-gitops",
                namespace: str = "") -> str:  # fmt: skip
    return APPLICATION.format(
        name=name, url=url, path=path, destination=destination, control=control, namespace=namespace or name
    )


@pytest.fixture(scope="module")
def surroundings(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    child = application("CHILD", url="https://git.example.com/acme/grid").replace(
        "CHILD", "{{ .Values.child }}"
    )
    folder = write(
        tmp_path_factory.mktemp("surroundings") / "grid",
        {
            "project.yaml": PROJECT,
            "settings/settings.yaml": CONFIG_MAP,
            "apps/scp.yaml": application("by-scp", url="git@git.example.com:acme/grid.git"),
            "apps/ssh.yaml": application("by-ssh", url="ssh://git@git.example.com/acme/grid.git"),
            "apps/https.yaml": application("by-https", url="https://git.example.com/acme/grid"),
            "apps/prod.yaml": application(
                "to-prod", url="https://git.example.com/acme/grid",
                destination="server: https://prod.example.internal:6443", namespace="shared",
            ),
            "apps/edge.yaml": application(
                "to-edge", url="https://git.example.com/acme/grid", destination="name: edge", namespace="shared",
            ),
            "apps/elsewhere.yaml": application(
                "elsewhere", url="https://git.example.com/acme/grid", control="team-apps"
            ),
            "apps/parent.yaml": application(
                "parent", url="https://git.example.com/acme/grid", path="children", namespace="openshift-gitops"
            ),
            "children/Chart.yaml": "apiVersion: v2\nname: children\nversion: 1.0.0\n",
            "children/values.yaml": "child: from-a-chart\n",
            "children/templates/child.yaml": child,
        },
    )  # fmt: skip
    commit(folder)
    run("git", "remote", "add", "origin", "git@git.example.com:acme/grid.git", cwd=folder)
    return gitops(folder, "--gitops-stages", "source,render,policy,converge")


@pytest.mark.parametrize("name", ["by-scp", "by-ssh", "by-https"])
def test_a_repository_is_known_under_every_spelling(surroundings: Outcome, name: str) -> None:
    assert surroundings.applications[f"openshift-gitops/{name}"]["outcome"] == "passed", surroundings.output


@pytest.mark.parametrize("name", ["to-prod", "to-edge"])
def test_each_destination_is_a_cluster_of_its_own(surroundings: Outcome, name: str) -> None:
    # Both own ConfigMap shared/settings: on one cluster they would take turns.
    assert surroundings.applications[f"openshift-gitops/{name}"]["outcome"] == "passed", surroundings.output


def test_an_application_in_another_namespace_is_reconciled(surroundings: Outcome) -> None:
    assert surroundings.applications["team-apps/elsewhere"]["outcome"] == "passed", surroundings.output


def test_a_child_that_a_chart_renders_is_a_case_of_its_parents_file(surroundings: Outcome) -> None:
    child = surroundings.applications["openshift-gitops/from-a-chart"]
    assert (child["outcome"], child["parent"]) == ("passed", "openshift-gitops/parent"), surroundings.output
    assert child["file"] == "apps/parent.yaml"


def test_all_of_it_is_green(surroundings: Outcome) -> None:
    assert surroundings.status == 0, surroundings.output
    assert len(surroundings.applications) == 8
