"""The Pods and claims that controllers would make of a workload."""

from __future__ import annotations

from typing import Any

import pytest
from admission_support import objects, workload

from pytest_gitops.admission import pods

ARGO = "argoproj.io/v1alpha1"
CLAIMED = workload(
    "StatefulSet",
    spec="volumeClaimTemplates: [{metadata: {name: data, labels: {a: b}}, spec: {accessModes: [x]}}, {spec: {}}, 3]",
    pod="volumes: [{name: data, emptyDir: {}}, {name: kept, emptyDir: {}}]",
)


def one(text: str) -> dict[str, Any]:
    (found,) = objects(text)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Rollout"])
def test_a_pod_is_made_of_the_template_and_named_after_the_workload(kind: str) -> None:
    pod = pods.pod(one(workload(kind, api=ARGO if kind == "Rollout" else "apps/v1")), 2)
    assert pod is not None
    assert pod["metadata"] == {"labels": {"app": "web"}, "annotations": {"a": "b"}, "name": "web-2"}
    assert pod["spec"] == {"containers": [{"name": "main", "image": "web"}]}


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
        "apiVersion: example.com/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {}}}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: []\n",
        f"apiVersion: {ARGO}\nkind: Rollout\nmetadata: {{name: web}}\nspec: {{workloadRef: {{name: web}}}}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: 3}}\n",
    ],
)
def test_what_has_no_template_makes_no_pod(text: str) -> None:
    assert pods.pod(one(text)) is None


def test_a_cron_jobs_template_is_that_of_its_jobs() -> None:
    text = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {generateName: c-}\nspec: {jobTemplate: {spec: {template: {spec: {a: b}}}}}"
    pod = pods.pod(one(text))
    assert pod is not None
    assert (pod["metadata"]["name"], pod["spec"]) == ("c-0", {"a": "b"})


def test_a_stateful_sets_claims_are_its_pods_volumes() -> None:
    workload = one(CLAIMED)
    pod = pods.pod(workload, 1)
    assert pod is not None
    assert pod["spec"]["volumes"] == [
        {"name": "kept", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}},
    ]
    (claim,) = pods.claims(workload, 1)
    assert claim["metadata"] == {"labels": {"a": "b"}, "name": "data-web-1"}
    assert claim["spec"] == {"accessModes": ["x"]}


def test_a_long_name_leaves_room_for_the_number() -> None:
    long = one(workload()) | {"metadata": {"name": "a" * 253}}
    pod = pods.pod(long, 499)
    assert pod is not None
    assert len(pod["metadata"]["name"]) <= 253


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (workload(), 1),
        (workload(spec="replicas: 4"), 4),
        (workload("Rollout", spec="replicas: 4", api=ARGO), 4),
        (workload(spec="replicas: 0"), 0),
        (workload(spec="replicas: true"), 1),
        (workload(spec="replicas: many"), 1),
        (workload("DaemonSet", spec="replicas: 4"), 1),
        (workload("Job", spec="parallelism: 3", api="batch/v1"), 3),
        (
            workload(
                "Job",
                spec="{parallelism: 3, completions: 2}".strip("{}").replace(", ", "\n  "),
                api="batch/v1",
            ),
            2,
        ),
        ("apiVersion: batch/v1\nkind: CronJob\nspec: {jobTemplate: {spec: {parallelism: 2}}}", 2),
    ],
)
def test_replicas_are_those_that_run_at_once(text: str, number: int) -> None:
    assert pods.replicas(one(text)) == number
