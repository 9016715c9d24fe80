"""The runner: which steps run, what becomes of the whole, and what a failure says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_gitops.model import Outcome
from pytest_gitops.scenarios.api import (
    App,
    Call,
    GitOpsFailure,
    GitOpsRun,
    Unmet,
    answered,
    failed,
    not_answered,
    value_of,
)
from pytest_gitops.scenarios.parsing import parse
from pytest_gitops.scenarios.running import Ran, run

DEPLOYMENT = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}}


class Script:
    """Answers calls: {question: answer}, everything else with nothing. Notes what was asked."""

    def __init__(self, **answers: Mapping[str, Any]) -> None:
        self.answers, self.asked = answers, list[tuple[str, Mapping[str, Any]]]()

    def __call__(self, question: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append((question, given))
        if question == "take":
            return answered(f"argocd/{given['application']}")
        return self.answers.get(question, answered(None))


def ran(script: Call, *steps: str, always: str = "") -> Ran:
    text = "scenarios:\n- name: s\n  application: shop\n  steps:\n" + "".join(f"  - {s}\n" for s in steps)
    text += f"  always:\n  - {always}\n" if always else ""
    (scenario,) = parse(text.encode(), file="a.gitops-test.yaml", applications=["argocd/shop"])
    return run(scenario, GitOpsRun(script))


SYNCED = answered({"phase": "Succeeded", "message": "done"})
STATUS = answered({"sync": "Synced", "health": "Healthy", "phase": "", "message": "", "application": {}})


def test_each_step_is_a_call() -> None:
    script = Script(
        sync=SYNCED,
        wait=STATUS,
        rbac=answered(True),
        rendered=answered({"key": "k", "objects": [], "namespace": "ns"}),
    )
    result = ran(
        script,
        "sync: {prune: true}",
        "{wait: shop, within: 2s}",
        "{expect: {sync: Synced}, within: 3s}",
        "drift: {object: {kind: A, name: b, namespace: c}, patch: {x: 1}}",
        "drift: {object: {kind: A, name: b}, delete: true}",
        "drift: {object: {kind: A, name: b}, scale: 0}",
        "checkout: base",
        "rbac: {subject: bob, groups: [g], action: get, resource: logs, expect: allow}",
        "render: {absent: [{kind: Secret}]}",
    )
    assert (result.outcome, result.code, result.message) == (Outcome.PASSED, "", "")
    reference = {"kind": "A", "name": "b"}
    assert [a for a in script.asked if a[0] != "take"] == [
        ("sync", {"application": "argocd/shop", "prune": True, "within": None}),
        ("wait", {"application": "argocd/shop", "within": 2.0}),
        ("expect", {"application": "argocd/shop", "expected": {"sync": "Synced"}, "within": 3.0}),
        ("drift", {"application": "argocd/shop", "object": {**reference, "namespace": "c"}, "within": None, "patch": {"x": 1}}),
        ("drift", {"application": "argocd/shop", "object": reference, "within": None, "delete": True}),
        ("drift", {"application": "argocd/shop", "object": reference, "within": None, "scale": 0}),
        ("checkout", {"revision": "base", "within": None}),
        ("rbac", {"subject": "bob", "action": "get", "resource": "logs", "object": "*", "groups": ["g"], "default_role": None}),
        ("rendered", {"application": "shop"}),
    ]  # fmt: skip


def test_the_first_failure_ends_the_steps_but_not_those_that_come_always() -> None:
    script = Script(sync=answered({"phase": "Failed", "message": "namespaces not found"}), wait=STATUS)
    result = ran(script, "sync:", "expect: {health: Healthy}", always="wait:")
    assert [s.outcome for s in result.steps] == [Outcome.FAILED, Outcome.SKIPPED, Outcome.PASSED]
    assert (result.outcome, result.code) == (Outcome.FAILED, "scenario-failed")
    assert result.message == (
        "a.gitops-test.yaml:5: step 1, sync shop: the sync of Application argocd/shop: expected Succeeded, saw Failed\n"
        "  Argo CD  namespaces not found"
    )
    assert "expect" not in [question for question, _ in script.asked]


def test_a_step_that_comes_always_can_fail_too() -> None:
    result = ran(Script(sync=SYNCED, wait=failed(GitOpsFailure("it is stuck"))), "sync:", always="wait:")
    assert [s.outcome for s in result.steps] == [Outcome.PASSED, Outcome.FAILED]
    assert result.outcome is Outcome.FAILED
    assert result.message == "a.gitops-test.yaml:7: step 2, wait shop: it is stuck"


def test_what_could_not_be_asked_is_an_error_and_no_failure() -> None:
    result = ran(Script(sync=not_answered("etcd died")), "sync:")
    assert (result.outcome, result.code) == (Outcome.ERROR, "scenario-not-judged")
    assert result.message == "a.gitops-test.yaml:5: step 1, sync shop: could not be asked: etcd died"


def test_a_failure_names_the_lines_of_what_does_not_hold() -> None:
    unmet = Unmet(path=("objects", 0, "spec"), what="A b", field="spec", expected="1", seen="2")
    script = Script(expect=failed(GitOpsFailure("not so", unmet=[unmet], said=["words"], help="mend it")))
    result = ran(script, "expect:\n      objects:\n      - kind: A\n        spec: 1")
    assert result.message.splitlines() == [
        "a.gitops-test.yaml:5: step 1, expect shop: not so",
        "  line 8: spec of A b: expected 1, saw 2",
        "  Argo CD  words",
        "  next     mend it",
    ]


@pytest.mark.parametrize(
    ("render", "told"),
    [
        ("{objects: [{kind: Deployment, spec: {replicas: 3}}]}", "  line 5: spec.replicas of Deployment web: expected 3, saw 2"),
        ("{objects: [{kind: Deployment, metadata: {name: api}}]}", "  line 5: what Application argocd/shop renders to: expected Deployment api, saw Deployment web"),
        ("{objects: [{kind: Service}]}", "  line 5: what Application argocd/shop renders to: expected Service, saw no Service at all"),
        ("{absent: [{kind: Deployment}]}", "  line 5: what Application argocd/shop renders to: expected no Deployment, saw Deployment web"),
    ],
)  # fmt: skip
def test_rendered_objects_are_looked_at(render: str, told: str) -> None:
    script = Script(rendered=answered({"key": "argocd/shop", "objects": [DEPLOYMENT], "namespace": "ns"}))
    result = ran(script, f"render: {render}")
    assert result.message.splitlines()[1] == told
    fine = "render: {objects: [{kind: Deployment, metadata: {namespace: ns}, spec: {replicas: 2}}], absent: [{kind: Deployment, name: api}]}"
    assert ran(script, "render: {absent: [{kind: Deployment, namespace: ns}]}").outcome is Outcome.FAILED
    assert (
        ran(script, "render: {objects: [{kind: Deployment, metadata: {namespace: m}}]}").outcome
        is Outcome.FAILED
    )
    assert ran(script, fine).outcome is Outcome.PASSED


def test_an_answer_of_rbac_is_held_against_what_is_expected() -> None:
    step = "rbac: {{subject: bob, action: get, resource: logs, expect: {0}}}"
    assert ran(Script(rbac=answered(False)), step.format("deny")).outcome is Outcome.PASSED
    assert "expected allow, saw deny" in ran(Script(rbac=answered(False)), step.format("allow")).message
    assert "expected deny, saw allow" in ran(Script(rbac=answered(True)), step.format("deny")).message


def test_the_words_of_a_sync_may_be_expected() -> None:
    script = Script(sync=answered({"phase": "Failed", "message": "no such host"}))
    assert ran(script, "sync: {phase: Failed, message: {$contains: host}}").outcome is Outcome.PASSED
    result = ran(script, "sync: {phase: Failed, message: {$contains: port}}")
    assert "something that contains 'port', saw 'no such host'" in result.message


def test_a_failure_travels_as_plain_values() -> None:
    unmet = Unmet(path=("a", 0), what="w", field="f", expected="1", seen="2")
    with pytest.raises(GitOpsFailure) as caught:
        value_of(failed(GitOpsFailure("m", said=["s"], help="h", unmet=[unmet])))
    assert str(caught.value) == "m\n  field    f of w: expected 1, saw 2\n  Argo CD  s\n  next     h"


def test_a_rendered_object_is_found_or_what_is_there_is_listed() -> None:
    objects = [DEPLOYMENT, {"kind": "Service", "metadata": {"name": "web", "namespace": "ns"}}]
    rendered = GitOpsRun(
        Script(rendered=answered({"key": "argocd/shop", "objects": objects, "namespace": "m"}))
    ).rendered("shop")
    assert rendered.one(kind="Service")["metadata"]["namespace"] == "ns"
    assert len(rendered.all(name="web")) == len(rendered) == 2
    assert rendered.all(namespace="m") == [DEPLOYMENT], "what says no namespace is in the destination's"
    with pytest.raises(
        GitOpsFailure, match=r"expected one Ingress that .* saw none; there is Deployment web, Service ns/web"
    ):
        rendered.one(kind="Ingress")
    with pytest.raises(GitOpsFailure, match=r"expected one object web that .* saw 2; there are"):
        rendered.one(name="web")


def test_an_expectation_that_looks_at_nothing_is_no_green() -> None:
    app = App(Script(), "argocd/shop")
    with pytest.raises(TypeError, match=r"expected some of sync, health, .* saw helth"):
        app.expect(helth="Healthy")
    with pytest.raises(TypeError, match="saw nothing"):
        app.expect()
    with pytest.raises(TypeError, match=r"sync.\$is: expected one of \$equals"):
        app.expect(sync={"$is": "Synced"})
    with pytest.raises(TypeError, match="expected one of patch, scale, delete"):
        app.drift("Deployment", "web")


def test_one_object_of_many_is_none() -> None:
    app = App(Script(objects=answered([])), "argocd/shop")
    with pytest.raises(
        GitOpsFailure, match=r"expected Service web on the cluster of Application argocd/shop, saw none"
    ):
        app.object("Service", "web")
