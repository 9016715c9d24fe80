"""Configuration that changes and that no running Pod takes up is told: Argo CD is Synced and Healthy with it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from sides import API, BASE, HEAD, WEB, side
from stage_support import Answers

from pytest_gitops.model import Finding, Outcome, Severity
from pytest_gitops.settings.settings import WaiverEntry
from pytest_gitops.stages import change
from pytest_gitops.stages.unrestarted import Unrestarted

OF_KEY = {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}}]}
OF_ALL = {"envFrom": [{"configMapRef": {"name": "c"}}]}
OF_SECRET = {"envFrom": [{"secretRef": {"name": "c"}}]}
MOUNT = {"name": "v", "mountPath": "/etc/a"}
VOLUME = {"name": "v", "configMap": {"name": "c"}}


def mounted(volume: Mapping[str, Any] = VOLUME, **mount: str) -> dict[str, Any]:
    return {"volumeMounts": [{**MOUNT, **mount}], "volumes": [volume]}


def workload(
    uses: Mapping[str, Any] = OF_KEY, kind: str = "Deployment", image: str = "i:1", **more: Any
) -> dict[str, Any]:
    container = {"name": "c", "image": image, **{k: v for k, v in uses.items() if k != "volumes"}}
    pod = {"containers": [container], "volumes": uses.get("volumes", [])}
    version = "argoproj.io/v1alpha1" if kind == "Rollout" else "batch/v1" if kind == "Job" else "apps/v1"
    template = {"metadata": {"labels": {"a": "b"}, "annotations": more.pop("inner", {})}, "spec": pod}
    metadata = {"name": "d", "annotations": more.pop("annotations", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"template": template, **more}}


def holding(kind: str = "ConfigMap", /, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "c"}, "data": data}


def found(before: Mapping[str, Any], after: Mapping[str, Any], then: Any, now: Any = None) -> list[Finding]:
    """What is said of `before` that becomes `after`, and of the workload `then` that becomes `now`."""
    head = side(HEAD, renders={"web": [after, *([now or then] if then else [])]})
    head.base = side(BASE, renders={"web": [before, *([then] if then else [])]})
    change.survey(head)
    assert head.comparison is not None
    told = head.comparison.of(WEB)
    assert told is not None
    return list(Unrestarted(head).findings(WEB, told))


A, B = holding(a="1", b="1"), holding(a="2", b="1")


def test_a_variable_keeps_its_value_until_the_pod_is_replaced() -> None:
    (one,) = found(A, B, workload())
    assert (one.rule, one.severity, one.resource) == (
        "pods-not-restarted",
        Severity.WARNING,
        "ConfigMap web/c",
    )
    assert one.message == (
        "data.a: expected the Pods that start with it to be replaced, saw the Pod template of Deployment web/d as "
        "before, so they go on with what it was"
    )
    assert one.help is not None
    assert one.help.endswith("kubectl rollout restart deployment/d --namespace web")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Rollout"])
@pytest.mark.parametrize(
    "uses",
    [
        OF_ALL,
        {**OF_ALL, "env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "b"}}}]},
        mounted(subPath="a"),
        mounted(subPath="a/b"),
        mounted({"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": "x"}]}}, subPath="x"),
        mounted({"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}}]}}, subPath="a"),
    ],
    ids=["all", "all and one", "subPath", "below", "item", "projected"],
)
def test_whatever_starts_with_it_is_told(kind: str, uses: Mapping[str, Any]) -> None:
    assert len(found(A, B, workload(uses, kind))) == 1


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (workload(), workload(image="i:2")),
        (workload(), workload(inner={"checksum/config": "3f"})),
        (workload(kind="Job"), None),
        (workload(replicas=0), None),
        (workload(annotations={"reloader.stakater.com/auto": "true"}), None),
        (workload(inner={"configmap.reloader.stakater.com/reload": "c"}), None),
        (workload({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "b"}}}]}), None),
        (workload({"envFrom": [{"configMapRef": {"name": "other"}}]}), None),
        (workload(OF_SECRET), None),
        (workload(mounted()), None),
        (workload(mounted(subPath="b")), None),
        (workload({"env": "broken", "envFrom": [3], "volumeMounts": None}), None),
        (None, None),
    ],
    ids=[
        "replaced", "checksum", "job", "none run", "reloader", "reloader of the template", "another key", "another one",
        "a Secret", "mounted as a whole", "another file", "broken", "none",
    ],
)  # fmt: skip
def test_what_is_replaced_or_takes_it_up_is_not(then: Any, now: Any) -> None:
    assert found(A, B, then, now) == []


def test_a_workload_that_is_new_starts_with_what_is_new() -> None:
    head = side(HEAD, renders={"web": [B, workload()]})
    head.base = side(BASE, renders={"web": [A]})
    change.survey(head)
    assert head.comparison is not None
    told = head.comparison.of(WEB)
    assert told is not None
    assert list(Unrestarted(head).findings(WEB, told)) == []


def test_a_generated_name_is_another_one() -> None:
    before, after = (
        {**holding(a=v), "metadata": {"name": f"c-{hash_}"}}
        for v, hash_ in (("1", "abcde12345"), ("2", "fghij67890"))
    )
    names = [
        workload({"envFrom": [{"configMapRef": {"name": m["metadata"]["name"]}}]}) for m in (before, after)
    ]
    assert found(before, after, *names) == []


def test_of_a_secret_the_values_are_not_said() -> None:
    old, new = (holding("Secret", a=base64.b64encode(v).decode()) for v in (b"hunter2", b"hunter3"))
    (one,) = found(old, new, workload(OF_SECRET))
    assert one.message.startswith("data.a: expected")
    assert not {"hunter3", new["data"]["a"]} & {*one.message.split()}
    same = {**holding("Secret"), "stringData": {"a": "hunter2"}}
    assert found(old, same, workload(OF_SECRET)) == []


def test_pods_of_another_application_are_told_and_its_workload_is_named() -> None:
    """Both deploy to one namespace; the change is of who has the ConfigMap."""
    head = side(HEAD, renders={"web": [B], "api": [workload()]})
    head.base = side(BASE, renders={"web": [A], "api": [workload()]})
    change.survey(head)
    assert head.comparison is not None
    for case, count in ((WEB, 1), (API, 0)):
        told = head.comparison.of(case)
        assert told is not None
        assert len(list(Unrestarted(head).findings(case, told))) == count


def test_many_are_counted() -> None:
    old, new = holding(**dict.fromkeys("abcde", "1")), holding(**dict.fromkeys("abcde", "2"))
    (one,) = found(old, new, workload(OF_ALL))
    assert one.message.startswith("data.a, data.b, data.c and 2 more: expected")


def test_it_is_a_warning_of_change_and_may_be_waived() -> None:
    waiver = WaiverEntry(rule="pods-not-restarted", application="*", reason="they read it anew", expires=None)
    for waivers in ((), (waiver,)):
        head = side(HEAD, renders={"web": [B, workload()]}, waivers=waivers)
        head.base = side(BASE, renders={"web": [A, workload()]})
        change.survey(head)
        answers = Answers()
        change.run(head, [WEB], answers)
        result = answers.of(WEB.key)
        assert result.outcome is Outcome.PASSED
        assert [f.waiver is not None for f in result.findings] == [bool(waivers)]
