"""A cluster that exists, on the real Argo CD: what goes there, where to, and that nothing else there is touched.

The cluster is an embedded one that is started outside of the run.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, Outcome, commit, gitops, write

from pytest_gitops.changes.identity import TRACKING
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.hosts.isolation import LABEL
from pytest_gitops.hosts.removal import leftovers
from pytest_gitops.stages.edits import MARK as DRIFT
from pytest_gitops.stages.inventory import NOT_LOOKED_AT, Clusters, Key
from pytest_gitops.stages.live import content
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

OURS = ("--gitops-cluster", "kubeconfig", "--gitops-context", "outside")


THEIR_ARGO_CD = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {
        "name": "argocd-application-controller",
        "namespace": "delivery",
        "labels": {"app.kubernetes.io/name": "argocd-application-controller"},
    },
    "spec": {
        "serviceName": "argocd",
        "replicas": 1,
        "selector": {"matchLabels": {"app": "argocd"}},
        "template": {
            "metadata": {"labels": {"app": "argocd"}},
            "spec": {
                "containers": [
                    {"name": "main", "image": "quay.io/argoproj/argocd:v3.5.1@sha256:" + "ab" * 32}
                ]
            },
        },
    },
}


def theirs(name: str, namespace: str, application: str) -> dict[str, Any]:
    """An object that an Argo CD of theirs has made for an Application that is called as one of ours."""
    mark = f"{application}:/ConfigMap:{namespace}/{name}"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "annotations": {TRACKING: mark}},
        "data": {"open": "theirs"},
    }


@pytest.fixture(scope="module")
def api(outside: Embedded) -> Api:
    """The cluster with what others have there: an Argo CD, and what it made under the names of the fixtures."""
    api = Api(outside.kubeconfig)
    for name in ("delivery", "shop", "omega-grid-dev"):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.apply(THEIR_ARGO_CD)
    api.apply(theirs("settings", "shop", "web"))
    api.apply(theirs("left-over", "shop", "web"))
    api.apply(theirs("settings", "omega-grid-dev", "omega-dev-btc-oracle"))

    def settled() -> bool:
        items = api.get("/api/v1/configmaps")["items"]
        maps = {m["metadata"]["namespace"] for m in items if m["metadata"]["name"] == "kube-root-ca.crt"}
        path = "/apis/apps/v1/namespaces/delivery/statefulsets/argocd-application-controller"
        return {"delivery", "shop", "omega-grid-dev"} <= maps and bool(
            api.get(path)["status"].get("readyReplicas")
        )

    wait_until(settled, limit=60, what="what others have")
    return api


def everything(api: Api) -> dict[Key, Any]:
    """What a run must leave as it is: all that others have there, word for word, but for what controllers write."""
    restless = {"Node", "CSINode", "APIService", "FlowSchema", "PriorityLevelConfiguration"}
    return {
        key: content(api.get(api.path_of(version, kind, key.namespace, key.name)))
        for version, kind in api.kinds()
        if kind not in restless | NOT_LOOKED_AT
        for key in Clusters(api, {})._things(api, version, kind)
    }


def run_on(outside: Embedded, folder: Path, *args: str) -> Outcome:
    # What gets stuck is to say so before the run counts as hanging.
    words = (*args, "--gitops-timeout", "120")
    return gitops(folder, *words, environ={"KUBECONFIG": str(outside.kubeconfig)})


@pytest.fixture(scope="module")
def grid(outside: Embedded, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = shutil.copytree(ROOT / "fixtures" / "two-clusters", tmp_path_factory.mktemp("grid") / "grid")
    file = folder / "pytest-gitops.yaml"
    file.write_text(
        file.read_text("utf-8").replace("- name: omega-dev\n", "- name: omega-dev\n    context: outside\n")
    )
    write(folder, UNWANTED)
    before = everything(api)
    # What the stages between these do there is seen with `shop`.
    result = run_on(outside, commit(folder), *OURS, "--gitops-stages", "converge,prune")
    assert everything(api) == before, result.output
    return result


UNWANTED = {
    "apps/root.yaml": """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: root, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://github.com/fsiqueira/omega-btc-ai.git", targetRevision: main, path: children}
  destination: {server: "https://kubernetes.default.svc", namespace: argocd}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
""",
    "children/readers.yaml": """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: readers, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}
spec:
  project: default
  source: {repoURL: "https://github.com/fsiqueira/omega-btc-ai.git", targetRevision: main, path: readers}
  destination: {name: omega-dev, namespace: readers}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
""",
    "readers/role.yaml": """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: readers}
rules: []
""",
}


def test_one_that_is_kept_out_does_not_keep_its_parent_from_its_end(grid: Outcome) -> None:
    assert {s["outcome"] for s in grid.applications["argocd/root"]["stages"]} <= {"passed", "skipped"}
    assert grid.stage("argocd/root", "prune")["outcome"] == "passed"
    asked = {s["stage"]: s["code"] for s in grid.applications["argocd/readers"]["stages"]}
    assert (asked["converge"], asked["prune"]) == ("shared-object", "needs-converge")


def test_the_grid_is_as_green_on_a_cluster_that_exists(grid: Outcome) -> None:
    assert grid.status == 0, grid.output
    outcomes = {k: a["outcome"] for k, a in grid.applications.items() if k != "argocd/readers"}
    assert set(outcomes.values()) == {"passed"}
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
    assert second.startswith(
        "Every other cluster, and those of `upgrade` and of scenarios, is an embedded one"
    )


SHOP = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: shop
  source: {{repoURL: "https://git.example.com/shop.git", targetRevision: main, path: {name}}}
  destination: {{server: "https://kubernetes.default.svc", namespace: {namespace}}}
  syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true, Validate=false]}}
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
def marks(api: Api) -> Iterator[dict[str, set[str]]]:
    """What Argo CD wrote on the ConfigMaps of runs, whenever it did: names of labels and annotations."""
    found: dict[str, set[str]] = {"labels": set(), "annotations": set()}
    stop = threading.Event()

    def note(_kind: str, each: dict[str, Any]) -> None:
        meta = each["metadata"]
        if meta["name"] == "settings" and meta["namespace"].startswith("gitops-"):
            for what in found:
                found[what] |= set(meta.get(what) or {})

    watch = threading.Thread(target=api.watch, args=("/api/v1/configmaps", note), kwargs={"stop": stop})
    watch.start()
    yield found
    stop.set()
    watch.join()


@pytest.fixture(scope="module")
def shop(
    outside: Embedded, api: Api, marks: dict[str, set[str]], tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    before = everything(api)
    folder = commit(write(tmp_path_factory.mktemp("shop") / "shop", SHOP_FILES))
    result = run_on(outside, folder, *OURS, "--gitops-stages", "converge,idempotent,self-heal,prune")
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


def test_drift_and_deletion_stay_in_the_runs_namespaces(shop: Outcome) -> None:
    for stage, root in (("self-heal", ("skipped", "no-safe-drift")), ("prune", ("passed", None))):
        assert verdicts(shop, stage) == {
            "root": root,
            "web": ("passed", None),
            "fixed": ("skipped", "needs-converge"),
            "roles": ("skipped", "needs-converge"),
            "unknown": ("skipped", "needs-converge"),
        }, shop.output
    drifts = shop.stage("argocd/web", "self-heal")["evidence"]["drifts"]
    assert {d["object"].partition("/")[0].partition("-")[0] for d in drifts} == {"ConfigMap gitops"}
    assert {d["drift"] for d in drifts} >= {"deleted", "field changed"}
    # Argo CD calls the first one after a sync that somebody else began no healing.
    assert {d["how"] for d in drifts if d["expectation"] == "undone"} <= {"self-heal", "an automated sync"}
    pruned = shop.stage("argocd/web", "prune")["evidence"]
    assert (pruned["gone"], pruned["left"], pruned["notListed"]) == (2, [], []), (
        "a ConfigMap and a hook's Job"
    )
    assert all(n.startswith("gitops-") for n in pruned["lookedAt"])
    assert any(n.endswith("-shop") for n in pruned["lookedAt"])


def test_an_argo_cd_that_is_there_is_named_and_can_take_nothing_of_the_runs_for_its_own(
    shop: Outcome, marks: dict[str, set[str]]
) -> None:
    assert shop.report is not None
    assert (
        "Argo CD 3.5.1 (namespace delivery) is there, and was not used"
        in (shop.report["run"]["cluster"]["simulated"][0])
    )
    assert TRACKING not in marks["annotations"]
    labels = marks["labels"] - {DRIFT}
    assert {label.partition(".")[2] for label in labels} == {"pytest-gitops/application"}


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
    # What never becomes Synced would be waited for.
    files = {path: text for path, text in SHOP_FILES.items() if "unknown" not in path}
    folder = commit(write(tmp_path_factory.mktemp("shared") / "shop", files))
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
