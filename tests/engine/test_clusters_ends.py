"""A cluster that exists, when something is wrong with it or with the run: nothing is done by accident, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from runs import Outcome, command, commit, environment, gitops, report, write

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.commands import cli
from pytest_gitops.hosts.removal import leftovers
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

ACTING = ("converge", "idempotent", "self-heal", "prune")

OURS = ("--gitops-cluster", "kubeconfig", "--gitops-stages", "converge")
ALL = ("--gitops-cluster", "kubeconfig", "--gitops-stages", ",".join(ACTING))

BEGIN_SECONDS = 180.0
END_SECONDS = 120.0

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  source: {repoURL: "https://git.example.com/web.git", targetRevision: main, path: web}
  destination: {server: "https://kubernetes.default.svc", namespace: shop}
  syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}
"""

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {open: early}\n"

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: waits}
spec:
  replicas: 1
  selector: {matchLabels: {app: waits}}
  template:
    metadata: {labels: {app: waits}}
    spec:
      nodeSelector: {}
      containers: [{name: main, image: "registry.example.com/main:1.0.0"}]
"""

# No node can take it: converge goes on until something ends it.
NEVER = DEPLOYMENT.replace("nodeSelector: {}", "nodeSelector: {no-such: node}")


def repository(folder: Path, *, context: str = "outside", manifest: str = CONFIG_MAP) -> Path:
    configuration = (
        'repository: {urls: ["https://git.example.com/web.git"]}\n'
        f"clusters: [{{name: in-cluster, context: {context}}}]\n"
    )
    files = {"pytest-gitops.yaml": configuration, "web.yaml": APPLICATION, "web/web.yaml": manifest}
    return commit(write(folder / "web", files))


@pytest.fixture(scope="module")
def api(outside: Embedded) -> Api:
    return Api(outside.kubeconfig)


def namespaces(api: Api) -> set[str]:
    return {n["metadata"]["name"] for n in api.get("/api/v1/namespaces")["items"]}


def test_a_context_that_is_not_listed_is_refused(outside: Embedded, tmp_path: Path) -> None:
    folder = repository(tmp_path, context="another")
    done = gitops(
        folder, *OURS, "--gitops-context", "outside", environ={"KUBECONFIG": str(outside.kubeconfig)}
    )
    assert done.status == 4
    assert "lists (another), saw 'outside': what is not listed there" in done.output


def test_a_cluster_that_does_not_answer_is_said_before_anything_is_started(tmp_path: Path) -> None:
    done = gitops(repository(tmp_path), *OURS, environ={"KUBECONFIG": str(tmp_path / "nothing")})
    assert done.status == 3
    assert "context outside: " in done.output and "kubectl config get-contexts" in done.output
    assert done.report is not None and "context outside" in done.report["run"]["error"]


def restricted(outside: Embedded, api: Api, file: Path) -> Path:
    """A kubeconfig of somebody who may nothing; its context is "outside" too."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "tester", "namespace": "default"},
    }
    api.apply(account)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = api.post("/api/v1/namespaces/default/serviceaccounts/tester/token", request)["status"]["token"]
    known = json.loads(outside.kubeconfig.read_text())
    known["users"][0]["user"] = {"token": token}
    file.write_text(json.dumps(known))
    return file


def role(*rules: dict[str, Any]) -> list[dict[str, Any]]:
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "tester", "namespace": "default"}
    made = {"apiVersion": f"{group}/v1", "metadata": {"name": "tester"}}
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": "tester"}
    return [
        {**made, "kind": "ClusterRole", "rules": list(rules)},
        {**made, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
    ]


def test_what_may_not_be_done_is_listed_before_anything_is(
    outside: Embedded, api: Api, tmp_path: Path
) -> None:
    before = namespaces(api)
    kubeconfig = restricted(outside, api, tmp_path / "kubeconfig")
    folder = repository(tmp_path, manifest=CONFIG_MAP + "---\n" + DEPLOYMENT)
    done = gitops(folder, *ALL, environ={"KUBECONFIG": str(kubeconfig)})
    stage = done.stage("argocd/web", "converge")
    assert (done.status, stage["outcome"]) == (1, "error"), done.output
    assert "context outside may not do what is needed, and nothing was changed there" in stage["message"]
    assert "\n  create namespaces\n" in stage["message"]
    assert "  create configmaps in gitops-" in stage["message"]
    assert "  patch deployments.apps/scale in gitops-" in stage["message"]
    assert "  list replicasets.apps in gitops-" in stage["message"]
    assert namespaces(api) == before


def test_no_more_is_needed_than_is_asked_for(outside: Embedded, api: Api, tmp_path: Path) -> None:
    sync = ["get", "list", "watch", "create", "patch", "update", "delete"]
    for each in role(
        {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "verbs": ["get", "list", "create", "patch", "delete"],
        },
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": sync},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": sync},
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]},
        {"apiGroups": ["", "apps"], "resources": ["replicasets", "pods"], "verbs": ["list"]},
    ):
        api.apply(each)
    kubeconfig = restricted(outside, api, tmp_path / "kubeconfig")
    folder = repository(tmp_path, manifest=CONFIG_MAP + "---\n" + DEPLOYMENT)
    done = gitops(folder, *ALL, environ={"KUBECONFIG": str(kubeconfig)})
    assert done.status == 0, done.output
    stages = done.applications["argocd/web"]["stages"]
    assert {s["stage"]: s["outcome"] for s in stages} == dict.fromkeys(ACTING, "passed"), done.output
    drifts = done.stage("argocd/web", "self-heal")["evidence"]["drifts"]
    assert {d["drift"] for d in drifts} >= {"replicas scaled", "deleted", "field changed"}
    # What may not be listed is said: a kind that an operator makes would be one.
    assert "Secret" in done.stage("argocd/web", "prune")["evidence"]["notListed"]
    assert leftovers(api) == ()


def begun(outside: Embedded, api: Api, folder: Path, *args: str) -> Popen[bytes]:
    """A run that has brought its Application to the cluster, and waits for it for ever."""
    environ = environment(KUBECONFIG=str(outside.kubeconfig))
    log = folder.parent / "log.txt"
    with log.open("wb") as out:
        process = Popen(command(*OURS, *args), cwd=folder, env=environ, stdout=out, stderr=out)

    def is_there() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        return any(d["metadata"]["name"] == "waits" for d in api.get("/apis/apps/v1/deployments")["items"])

    wait_until(is_there, limit=BEGIN_SECONDS, what="the Application on the cluster")
    return process


def test_after_an_interrupt_nothing_is_left(outside: Embedded, api: Api, tmp_path: Path) -> None:
    folder = repository(tmp_path, manifest=NEVER)
    process = begun(outside, api, folder)
    process.send_signal(signal.SIGINT)
    assert process.wait(END_SECONDS) == 2
    assert leftovers(api) == ()
    assert report(folder) is not None


def test_what_a_killed_run_left_is_shown_and_removed(
    outside: Embedded,
    api: Api,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    process = begun(outside, api, repository(tmp_path, manifest=NEVER))
    process.kill()
    process.wait(END_SECONDS)
    (left,) = leftovers(api)
    monkeypatch.setenv("KUBECONFIG", str(outside.kubeconfig))
    assert cli.main(["clean", "--context", "outside"]) == 0
    told = capsys.readouterr().out
    assert left.namespace in told and left.run in told and "add --yes" in told
    assert leftovers(api) == (left,), "showing removes nothing"
    assert cli.main(["clean", "--context", "outside", "--run", left.run, "--yes"]) == 0
    assert capsys.readouterr().out.endswith("removed 1\n")
    assert leftovers(api) == ()
    assert cli.main(["clean", "--context", "outside"]) == 0
    assert capsys.readouterr().out == "outside: nothing that a run left\n"


def test_a_cluster_that_goes_away_is_no_fault_of_the_application(
    outside: Embedded, api: Api, tmp_path: Path
) -> None:
    folder = repository(tmp_path, manifest=NEVER)
    process = begun(outside, api, folder, "--gitops-timeout", "40")
    for daemon in outside.daemons:
        os.kill(daemon.pid, signal.SIGKILL)
    assert process.wait(END_SECONDS) == 1
    written = report(folder)
    assert written is not None
    done = Outcome(status=1, output="", report=written, folder=folder)
    stage = done.stage("argocd/web", "converge")
    assert (stage["outcome"], stage["code"]) == ("error", "cluster-gone")
    assert [f["rule"] for f in written["findings"]] == ["not-removed"]
