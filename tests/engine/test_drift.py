"""self-heal among objects that may not be touched, and settings that hide changes; what Replace=true writes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import Outcome, gitops

pytestmark = pytest.mark.engine

URL = "https://git.example.com/grid.git"
ADDED = "label and field added by another manager"


def application(name: str, *, options: str = "CreateNamespace=true", more: str = "") -> str:
    return (
        textwrap.dedent(f"""\
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {{name: {name}, namespace: argocd}}
        spec:
          project: {"own" if name == "whole" else "default"}
          source: {{repoURL: "{URL}", targetRevision: main, path: sources/{name}}}
          destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
          syncPolicy: {{automated: {{selfHeal: true}}, syncOptions: [Validate=false, "{options}"]}}
        """)
        + more
    )


def config(name: str, metadata: str = "", data: str = "{mode: grid}") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{metadata}}}\ndata: {data}\n"


POD = "{metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: db}]}}"
KEPT = f"""
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db, labels: {{app: db}}}}
spec:
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template: {POD}
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: cache}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec:
  schedule: 0 3 * * *
  jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: a}}]}}}}}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: once}}
spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: a}}]}}}}}}
---
{config("declared", ', annotations: {argocd.argoproj.io/sync-options: "Prune=false"}')}---
{config("held", ", finalizers: [example.com/hold]")}"""

REPLACED = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: db}}}}
  template: {POD}
"""

REVISED = REPLACED.replace(
    "metadata: {name: web}", 'metadata: {name: web, annotations: {deployment.kubernetes.io/revision: "5"}}'
)
"""Kubernetes writes another revision, each sync writes this one, and nobody compares them."""

FILES = {
    "pytest-gitops.yaml": f"version: 1\nrepository: {{urls: ['{URL}']}}\n",
    "pytest.ini": "[pytest]\ngitops_stages = converge idempotent self-heal\n",
    "apps/kept.yaml": application("kept"),
    "sources/kept/all.yaml": KEPT,
    "apps/replaced.yaml": application("replaced", options="Replace=true"),
    "sources/replaced/all.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: replaced}\n---"
    + REPLACED,
    "apps/revised.yaml": application(
        "revised",
        options="Replace=true",
        more="  ignoreDifferences:\n    - group: apps\n      kind: Deployment\n"
        "      jsonPointers: [/metadata/annotations/deployment.kubernetes.io~1revision]\n",
    ),
    "sources/revised/all.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: revised}\n---" + REVISED,
    "apps/whole.yaml": application("whole", options="CreateNamespace=false"),
    "project.yaml": textwrap.dedent("""\
        apiVersion: argoproj.io/v1alpha1
        kind: AppProject
        metadata: {name: own, namespace: argocd}
        spec:
          sourceRepos: ["*"]
          destinations: [{server: "*", namespace: "*"}]
          clusterResourceWhitelist: [{group: "*", kind: "*"}]
        """),
    "sources/whole/all.yaml": textwrap.dedent("""\
        apiVersion: v1
        kind: Namespace
        metadata: {name: whole, annotations: {owner: grid}}
        ---
        apiVersion: argoproj.io/v1alpha1
        kind: AppProject
        metadata: {name: own, namespace: argocd, labels: {team: grid}}
        spec:
          sourceRepos: ["*"]
          destinations: [{server: "*", namespace: "*"}]
          clusterResourceWhitelist: [{group: "*", kind: "*"}]
        ---
        """)
    + config("settings"),
    "apps/quiet.yaml": application("quiet"),
    "sources/quiet/all.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: session}\nstringData: {key: not-a-key}\n",
    "apps/scaled.yaml": application(
        "scaled",
        more="  ignoreDifferences:\n    - {group: apps, kind: Deployment, managedFieldsManagers: [argocd-controller]}\n",
    ),
    "sources/scaled/all.yaml": REPLACED,
    "apps/central.yaml": application("central"),
    "sources/central/all.yaml": textwrap.dedent("""\
        apiVersion: policy/v1
        kind: PodDisruptionBudget
        metadata: {name: web}
        spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
        """),
    "cm.yaml": textwrap.dedent("""\
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: argocd-cm, namespace: argocd, labels: {app.kubernetes.io/part-of: argocd}}
        data:
          resource.customizations.ignoreResourceUpdates.Secret: "jsonPointers: [/data]"
          resource.customizations.ignoreDifferences.policy_PodDisruptionBudget: "jsonPointers: [/spec/maxUnavailable]"
        """),
}


@pytest.fixture(scope="module")
def run(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    from runs import commit, write

    del toolbox
    return gitops(commit(write(tmp_path_factory.mktemp("self-heal") / "grid", FILES)))


@pytest.fixture
def told(run: Outcome) -> Callable[[str], dict[str, Any]]:
    def evidence(name: str) -> dict[str, Any]:
        found: dict[str, Any] = run.stage(f"argocd/{name}", "self-heal")["evidence"]
        return found

    return evidence


def test_nothing_is_red_and_everything_is_as_before(run: Outcome) -> None:
    said = {k: run.stage(k, "self-heal") for k in run.applications if k != "argocd/revised"}
    assert {(k, s["outcome"], s["code"]) for k, s in said.items()} == {
        (f"argocd/{n}", "passed", None) for n in ("kept", "replaced", "whole", "quiet", "scaled", "central")
    }, run.output
    assert {run.stage(k, "idempotent")["outcome"] for k in said} == {"passed"}, run.output
    assert all(d["restored"] for s in said.values() for d in s["evidence"]["drifts"])


def test_what_holds_data_or_takes_others_along_is_left_in_peace(
    told: Callable[[str], dict[str, Any]],
) -> None:
    peace = {(t, e["drift"]) for e in told("kept")["leftInPeace"] for t in e["objects"]}
    assert peace >= {
        ("StatefulSet kept/db", "deleted"),
        ("StatefulSet kept/db", "replicas scaled"),
        ("PersistentVolumeClaim kept/cache", "deleted"),
        ("PersistentVolumeClaim kept/cache", "field changed"),
        ("CronJob kept/nightly", "deleted"),
        ("Job kept/once", "any"),
        ("ConfigMap kept/declared", "deleted"),
        ("ConfigMap kept/held", "deleted"),
    }
    assert not any(d["drift"] == "deleted" for d in told("kept")["drifts"])


def test_an_application_may_have_its_own_namespace_and_project(told: Callable[[str], dict[str, Any]]) -> None:
    changed = {
        (d["object"], d.get("field")) for d in told("whole")["drifts"] if d["drift"] == "field changed"
    }
    assert changed == {
        ("ConfigMap whole/settings", "data.mode"),
        ("AppProject argocd/own", "metadata.labels.team"),
    }


def test_replace_undoes_too(told: Callable[[str], dict[str, Any]]) -> None:
    assert {d["drift"] for d in told("replaced")["drifts"] if d["expectation"] == "undone"} == {
        "field changed",
        "replicas scaled",
        "deleted",
    }


def test_what_replace_overwrites_again_and_again_is_seen(run: Outcome) -> None:
    found = run.stage("argocd/revised", "idempotent")
    assert (found["outcome"], found["code"]) == ("failed", "sync-changes-objects"), run.output
    (finding,) = found["findings"]
    assert (finding["file"], finding["resource"]) == ("sources/revised/all.yaml", "Deployment revised/web")


def test_what_argocd_does_not_watch_it_sees_when_it_is_asked(told: Callable[[str], dict[str, Any]]) -> None:
    (edited,) = [d for d in told("quiet")["drifts"] if d["drift"] == "field changed"]
    # Another comparison may come before the one that is asked for: then Argo CD has seen it without being asked.
    assert edited["how"] in {"self-heal, when it was asked to compare", "self-heal"}
    assert edited["restored"] and edited["expectation"] == "undone"


def test_what_the_settings_of_argocd_ignore_is_left_alone_and_the_rest_is_healed(
    told: Callable[[str], dict[str, Any]],
) -> None:
    assert {(d.get("field"), d["drift"], d["expectation"]) for d in told("central")["drifts"]} == {
        (None, ADDED, "left alone"),
        ("spec.maxUnavailable", "field changed", "left alone"),
        ("spec.selector.matchLabels.app", "field changed", "undone"),
        (None, "deleted", "undone"),
    }


def test_what_a_trusted_manager_has_is_left_to_it(told: Callable[[str], dict[str, Any]]) -> None:
    assert {d["drift"] for d in told("scaled")["drifts"]} == {ADDED, "deleted"}
