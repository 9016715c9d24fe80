"""upgrade, on the real Argo CD: Applications that go to another project, cluster or name, or come from a generator."""

from __future__ import annotations

import pytest
from runs import Outcome, gitops
from test_upgrade import FINALIZER, URL, application, config_map, counting, evidence, pull, verdict

pytestmark = pytest.mark.engine

ABROAD = "https://prod.example.internal:6443"

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {{name: {name}, namespace: argocd}}
spec: {{sourceRepos: ["*"], destinations: [{{server: "*", namespace: "*"}}], clusterResourceWhitelist: [{{group: "*", kind: "*"}}]}}
"""

CITIES = f"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: cities, namespace: argocd}}
spec:
  generators: [{{git: {{repoURL: "{URL}", revision: main, directories: [{{path: cities/*}}]}}}}]
  template:
    metadata: {{name: "city-{{{{path.basename}}}}", finalizers: [{FINALIZER}]}}
    spec:
      project: default
      source: {{repoURL: "{URL}", path: "{{{{path}}}}", targetRevision: main}}
      destination: {{server: https://kubernetes.default.svc, namespace: "city-{{{{path.basename}}}}"}}
      syncPolicy: {{automated: {{prune: true}}, syncOptions: [CreateNamespace=true]}}
"""

BASE = {
    "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\n",
    "projects.yaml": "---\n".join(PROJECT.format(name=n) for n in ("one", "two")),
    "apps/project.yaml": application("project", project="one"),
    "project/settings.yaml": config_map("settings", "green"),
    "apps/abroad.yaml": application("abroad"),
    "abroad/settings.yaml": config_map("settings", "green"),
    "apps/before.yaml": application("before", path="renamed").replace(
        "namespace: before", "namespace: renamed"
    ),
    "renamed/settings.yaml": config_map("settings", "green"),
    "apps/parent-one.yaml": application("parent-one").replace("namespace: parent-one", "namespace: argocd"),
    "apps/parent-two.yaml": application("parent-two").replace("namespace: parent-two", "namespace: argocd"),
    "parent-one/passed-on.yaml": application("passed-on"),
    "parent-one/settings.yaml": config_map("parent-one", "green"),
    "parent-two/settings.yaml": config_map("parent-two", "green"),
    "passed-on/settings.yaml": config_map("settings", "green"),
    "cities.yaml": CITIES,
    "cities/lisbon/settings.yaml": config_map("settings", "green"),
    "cities/porto/settings.yaml": config_map("settings", "green"),
}

HEAD: dict[str, str | None] = {
    "apps/project.yaml": application("project", project="two"),
    "project/settings.yaml": config_map("settings", "red"),
    "apps/abroad.yaml": application("abroad").replace("https://kubernetes.default.svc", ABROAD),
    "apps/before.yaml": None,
    "apps/after.yaml": application("after", path="renamed").replace("namespace: after", "namespace: renamed"),
    "parent-one/passed-on.yaml": None,
    "parent-two/passed-on.yaml": application("passed-on"),
    "passed-on/settings.yaml": config_map("settings", "red"),
    "cities/lisbon/settings.yaml": config_map("settings", "red"),
    "cities/porto/settings.yaml": None,
    "cities/evora/settings.yaml": config_map("settings", "green"),
}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = pull(tmp_path_factory.mktemp("pull-request") / "shop", BASE, HEAD)
    return gitops(folder, "--gitops-base", "main", "--gitops-stages", "converge,upgrade", "-v")


@pytest.mark.parametrize(
    "name", ["project", "passed-on", "parent-one", "parent-two", "city-lisbon", "city-porto", "city-evora"]
)
def test_what_moves_well_passes(moved: Outcome, name: str) -> None:
    assert verdict(moved, name) == ("passed", None), moved.output


def test_what_a_generator_lets_go_is_deleted_with_its_objects(moved: Outcome) -> None:
    assert evidence(moved, "city-porto")["pruned"] == ["ConfigMap city-porto/settings"]
    assert evidence(moved, "city-porto")["rollback"]["outcome"] == "passed"


def test_what_stays_on_the_cluster_that_an_application_leaves_is_named(moved: Outcome) -> None:
    assert verdict(moved, "abroad") == ("failed", "orphaned-object")
    assert counting(moved, "abroad") == [("orphaned-object", "abroad/settings.yaml", 1)]


def test_a_root_of_another_name_owns_what_the_one_that_nobody_deleted_owns(moved: Outcome) -> None:
    assert verdict(moved, "after") == ("failed", "shared-resource")
