"""Applications that live in one namespace, with one definition, under one parent: what is done to one, and what is wrong
with one, is never another one's verdict, on the real Argo CD."""

from __future__ import annotations

import pytest
from runs import Outcome, gitops
from upgrade_support import application, config_map, deployment, pull

pytestmark = pytest.mark.engine

ALL = ("converge", "idempotent", "self-heal", "upgrade", "prune")


def neighbour(name: str) -> str:
    """All of them have the namespace `street`; each takes along what it brought."""
    return application(name, finalizer=True, namespace="street")


def lamps(more: str = "") -> str:
    """A definition by which watts grow and never shrink: a drift of them is for good."""
    return f"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: lamps.example.com}}
spec:
  group: example.com
  scope: Namespaced
  names: {{plural: lamps, singular: lamp, kind: Lamp}}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                colour: {{type: string}}
                watts: {{type: integer, x-kubernetes-validations: [{{rule: self >= oldSelf, message: watts only grow}}]}}
{more}"""


COLUMN = "      additionalPrinterColumns: [{name: Colour, type: string, jsonPath: .spec.colour}]\n"


def lamp(name: str, spec: str) -> str:
    return f"apiVersion: example.com/v1\nkind: Lamp\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def reader(verbs: str) -> str:
    return f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: lamp-reader}}
rules: [{{apiGroups: [example.com], resources: [lamps], verbs: {verbs}}}]
"""


URGENT = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: urgent}\nvalue: 1000\n"

BASE = {
    # what all of them need
    "apps/platform.yaml": neighbour("platform"),
    "platform/lamps.yaml": lamps(),
    "platform/reader.yaml": reader("[get]"),
    "platform/urgent.yaml": URGENT,
    # a parent, with one child that is as it should be and one that is not
    "apps/parent.yaml": neighbour("parent"),
    "parent/green.yaml": neighbour("green"),
    "parent/dim.yaml": neighbour("dim"),
    "green/lamp.yaml": lamp("green", "{colour: green}"),
    "green/web.yaml": deployment("green", "green").replace(
        "spec: {containers", "spec: {priorityClassName: urgent, containers"
    ),
    "green/settings.yaml": config_map("settings", "green"),
    "dim/lamp.yaml": lamp("dim", "{watts: 40}"),
    # one that does not survive the merge, and one that goes
    "apps/stubborn.yaml": neighbour("stubborn"),
    "stubborn/web.yaml": deployment("stubborn", "one"),
    "apps/leaves.yaml": neighbour("leaves"),
    "leaves/settings.yaml": config_map("of-one-that-leaves", "blue"),
}
HEAD: dict[str, str | None] = {
    "platform/lamps.yaml": lamps(COLUMN),
    "platform/reader.yaml": reader("[get, list]"),
    "green/lamp.yaml": lamp("green", "{colour: bright green}"),
    "green/settings.yaml": config_map("settings", "bright"),
    "stubborn/web.yaml": deployment("stubborn", "another"),
    "apps/leaves.yaml": None,
    "leaves/settings.yaml": None,
}


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = pull(tmp_path_factory.mktemp("pull-request") / "street", BASE, HEAD)
    return gitops(folder, "--gitops-base", "main", "--gitops-stages", ",".join(ALL))


def test_what_is_wrong_with_two_of_them_is_their_verdict_alone(street: Outcome) -> None:
    assert street.not_passed == {
        ("argocd/dim", "self-heal", "failed", "drift-not-undone"),
        ("argocd/stubborn", "upgrade", "failed", "sync-failed"),
        # All that these have is needed by others.
        ("argocd/parent", "self-heal", "skipped", "no-safe-drift"),
        ("argocd/platform", "self-heal", "skipped", "no-safe-drift"),
    }, street.output


def test_each_was_asked_everything(street: Outcome) -> None:
    for name in ("platform", "parent", "green", "dim", "stubborn"):
        assert street.asked(f"argocd/{name}") == ALL, name
    assert street.stage("argocd/leaves", "upgrade")["outcome"] == "passed"


@pytest.mark.parametrize(
    ("name", "objects", "reasons"),
    [
        (
            "platform",
            ("ClusterRole lamp-reader", "CustomResourceDefinition lamps.example.com", "PriorityClass urgent"),
            {
                "all objects of its kind depend on it",
                "it is cluster-scoped, and others may need it",
                "it is cluster-scoped, and others may need it as it is",
            },
        ),
        ("parent", ("Application argocd/dim", "Application argocd/green"), {"it is a test case of its own"}),
    ],
)
def test_of_what_others_need_nothing_is_changed_that_they_could_notice(
    street: Outcome, name: str, objects: tuple[str, ...], reasons: set[str]
) -> None:
    seen = street.stage(f"argocd/{name}", "self-heal")["evidence"]
    assert {d["drift"] for d in seen["drifts"]} == {"label and field added by another manager"}
    for drift in ("deleted", "field changed"):
        left = {o for each in seen["leftInPeace"] if each["drift"] == drift for o in each["objects"]}
        assert left == set(objects), drift
    assert {each["reason"] for each in seen["leftInPeace"]} == reasons


def test_beside_them_one_is_changed_in_every_way(street: Outcome) -> None:
    drifts = street.stage("argocd/green", "self-heal")["evidence"]["drifts"]
    assert {(d["object"], d["drift"]) for d in drifts if d.get("how") == "self-heal"} >= {
        ("Deployment street/green", "deleted"),
        ("Deployment street/green", "field changed"),
        ("Deployment street/green", "replicas scaled"),
        ("ConfigMap street/settings", "deleted"),
    }
