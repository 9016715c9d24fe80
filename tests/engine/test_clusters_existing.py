"""A cluster that exists, on the real Argo CD: what goes there, where to, and that nothing else there is touched.

The cluster is an embedded one that is started outside of the run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, Outcome, commit, gitops, write

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.isolation import LABEL
from pytest_gitops.removal import leftovers

pytestmark = pytest.mark.engine

OURS = ("--gitops-cluster", "kubeconfig", "--gitops-context", "outside")


@pytest.fixture(scope="module")
def api(outside: Embedded) -> Api:
    return Api(outside.kubeconfig)


def everything(api: Api) -> dict[str, Any]:
    """What a run must leave as it is: names and versions of what others have there."""
    found = {}
    for path in ("/api/v1/namespaces", "/api/v1/configmaps", "/api/v1/secrets", "/apis/apps/v1/deployments",
                 "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"):  # fmt: skip
        for each in api.get(path)["items"]:
            meta = each["metadata"]
            found[path, meta.get("namespace"), meta["name"]] = meta["uid"]
    return found


def run_on(outside: Embedded, folder: Path, *args: str) -> Outcome:
    return gitops(folder, *args, environ={"KUBECONFIG": str(outside.kubeconfig)})


@pytest.fixture(scope="module")
def grid(outside: Embedded, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = shutil.copytree(ROOT / "fixtures" / "two-clusters", tmp_path_factory.mktemp("grid") / "grid")
    file = folder / "pytest-gitops.yaml"
    file.write_text(
        file.read_text("utf-8").replace("- name: omega-dev\n", "- name: omega-dev\n    context: outside\n")
    )
    before = everything(api)
    result = run_on(outside, commit(folder), *OURS)
    assert everything(api) == before, result.output
    return result


def test_the_grid_is_as_green_on_a_cluster_that_exists(grid: Outcome) -> None:
    assert grid.status == 0, grid.output
    assert {a["outcome"] for a in grid.applications.values()} == {"passed"}
    assert grid.report is not None
    assert grid.report["run"]["cluster"]["provider"] == "kubeconfig"


def test_what_is_on_it_is_in_namespaces_of_the_run(grid: Outcome) -> None:
    places = {key: {r["namespace"] for r in a["resources"]} for key, a in grid.applications.items()}
    (dev,) = places["argocd/omega-dev-btc-oracle"]
    assert dev.startswith("gitops-") and dev.endswith("-omega-grid-dev")
    assert places["argocd/omega-prod-btc-oracle"] == {"omega-grid-prod"}


def test_the_report_says_what_was_changed(grid: Outcome) -> None:
    assert grid.report is not None
    first, second, *_ = grid.report["run"]["cluster"]["simulated"]
    assert first.startswith(
        "Changed for omega-dev (context outside, Kubernetes 1.37.2): spec.destination of 2 Applications"
    )
    assert second.startswith("Every other cluster, and that of `upgrade`, is an embedded one")


SHOP = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: shop
  source: {{repoURL: "https://git.example.com/shop.git", targetRevision: main, path: {name}}}
  destination: {{server: "https://kubernetes.default.svc", namespace: {namespace}}}
  syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true]}}
"""

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: shop, namespace: argocd}
spec:
  sourceRepos: ["https://git.example.com/shop.git"]
  destinations:
  - {server: "https://kubernetes.default.svc", namespace: "shop*"}
  - {server: "https://kubernetes.default.svc", namespace: argocd}
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
"""

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{more}}}\ndata: {{open: early}}\n"

ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader}\nrules: []\n"

NEVER = """\
apiVersion: example.com/v1
kind: Nobody
metadata: {name: nobody}
"""

HOOK = """\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {argocd.argoproj.io/hook: PreSync}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "example.com/migrate:1"}]}
"""

SHOP_FILES = {
    "pytest-gitops.yaml": """\
repository: {urls: ["https://git.example.com/shop.git"]}
clusters: [{name: in-cluster, context: outside}]
""",
    "project.yaml": PROJECT,
    "root.yaml": SHOP.format(name="root", namespace="argocd"),
    "root/web.yaml": SHOP.format(name="web", namespace="shop"),
    "root/fixed.yaml": SHOP.format(name="fixed", namespace="shop-fixed"),
    "root/roles.yaml": SHOP.format(name="roles", namespace="shop-roles"),
    "root/unknown.yaml": SHOP.format(name="unknown", namespace="shop-unknown"),
    "web/settings.yaml": CONFIG_MAP.format(name="settings", more=""),
    "web/migrate.yaml": HOOK,
    "fixed/settings.yaml": CONFIG_MAP.format(name="settings", more=", namespace: default"),
    "roles/role.yaml": ROLE,
    "unknown/nobody.yaml": NEVER,
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(outside: Embedded, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    before = everything(api)
    folder = commit(write(tmp_path_factory.mktemp("shop") / "shop", SHOP_FILES))
    result = run_on(outside, folder, *OURS, "--gitops-stages", "converge,idempotent")
    assert everything(api) == before, result.output
    return result


def verdicts(result: Outcome, stage: str) -> dict[str, tuple[str, str | None]]:
    found = {key: result.stage(key, stage) for key in result.applications}
    return {key.removeprefix("argocd/"): (s["outcome"], s["code"]) for key, s in found.items()}


def test_only_what_stays_in_the_runs_namespaces_goes_there(shop: Outcome) -> None:
    assert verdicts(shop, "converge") == {
        "root": ("passed", None),
        "web": ("passed", None),
        "fixed": ("skipped", "shared-object"),
        "roles": ("skipped", "shared-object"),
        "unknown": ("failed", "sync-failed"),
    }, shop.output
    assert "ConfigMap default/settings" in shop.stage("argocd/fixed", "converge")["message"]
    assert "ClusterRole reader" in shop.stage("argocd/roles", "converge")["message"]
    assert verdicts(shop, "idempotent")["web"] == ("passed", None)
    # A sync writes the children's own destinations, which the policy then replaces: no defect of the repository.
    assert verdicts(shop, "idempotent")["root"] == ("skipped", "existing-cluster")
    web = shop.applications["argocd/web"]["resources"]
    assert all(r["namespace"].startswith("gitops-") for r in web)


@pytest.fixture(scope="module")
def shared(
    outside: Embedded,
    api: Api,
    controllers_restart: Callable[[], AbstractContextManager[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    """The same, allowed to go outside; the ConfigMap default/settings is somebody else's. The cluster's controllers are
    restarted in mid-stage, which is nobody's failure."""
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "default"},
    }
    api.apply({**theirs, "data": {"open": "theirs"}})
    before = everything(api)
    folder = commit(write(tmp_path_factory.mktemp("shared") / "shop", SHOP_FILES))
    with controllers_restart():
        result = run_on(outside, folder, *OURS, "--gitops-allow-shared", "--gitops-stages", "converge")
    assert everything(api) == before, result.output
    assert api.get("/api/v1/namespaces/default/configmaps/settings")["data"] == {"open": "theirs"}
    return result


def test_what_is_not_there_yet_may_be_made_and_is_removed(shared: Outcome, api: Api) -> None:
    found = verdicts(shared, "converge")
    assert (found["roles"], found["fixed"]) == (("passed", None), ("skipped", "shared-object")), shared.output
    assert "may be there already" in shared.stage("argocd/fixed", "converge")["message"]
    (role,) = shared.applications["argocd/roles"]["resources"]
    assert (role["kind"], role["sync"]) == ("ClusterRole", "Synced")
    roles = api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles")["items"]
    assert "reader" not in {r["metadata"]["name"] for r in roles}
    assert shared.report is not None
    assert "Outside of them it made ClusterRole reader." in shared.report["run"]["cluster"]["simulated"][0]


def test_nothing_of_a_run_is_left(grid: Outcome, shop: Outcome, shared: Outcome, api: Api) -> None:
    assert grid.report is not None and shop.report is not None and shared.report is not None
    assert leftovers(api) == ()
    assert not api.get("/api/v1/namespaces", labelSelector=LABEL)["items"]
