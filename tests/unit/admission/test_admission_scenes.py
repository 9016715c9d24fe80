"""Which clusters share an API server: none may be judged by what another one has."""

from __future__ import annotations

from typing import Any

import pytest
from admission_support import items, request

from pytest_gitops.admission.furniture import PRESENT, Scene, scenes
from pytest_gitops.admission.needs import missing
from pytest_gitops.admission.values import Request
from pytest_gitops.model import Severity

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
QUOTA = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {pods: '1'}}\n"
LIMITS = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: l}\n"
STRICT = "apiVersion: v1\nkind: Namespace\nmetadata: {name: web, labels: {level: strict}}\n"
CUSTOM = "apiVersion: example.com/v1\nkind: Box\nmetadata: {name: a}\n"
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: boxes.example.com}\nspec: {group: example.com, names: {kind: Box}}\n"
POLICY = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: p}\n"
PRIORITY = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: p}\nglobalDefault: true\n"


def of(*requests: Request, present: dict[str, set[str]] | None = None) -> list[Scene]:
    return scenes(requests, items(*requests), [], present=present or {})


def pair(one: str, two: str, **more: Any) -> list[Scene]:
    return of(request(one, id="one", cluster="one"), request(two, id="two", cluster="two", **more))


@pytest.mark.parametrize(
    "text", [MAP, STRICT + "---\n" + MAP, CRD + "---\n" + CUSTOM, POLICY, PRIORITY, LIMITS]
)
def test_clusters_that_have_the_same_share(text: str) -> None:
    (scene,) = pair(text, text)
    assert scene.clusters == ("one", "two")
    assert [r.id for r in scene.requests] == ["one", "two"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (STRICT + "---\n" + MAP, MAP),
        (LIMITS + "---\n" + MAP, MAP),
        (CRD + "---\n" + CUSTOM, CUSTOM),
        (POLICY, MAP),
        (PRIORITY, MAP),
        (QUOTA, QUOTA),
    ],
    ids=["labels", "limits", "definition", "policy", "default class", "quota"],
)
def test_clusters_that_contradict_each_other_do_not_share(one: str, two: str) -> None:
    assert [s.clusters for s in pair(one, two)] == [("one",), ("two",)]


@pytest.mark.parametrize("text", [STRICT, LIMITS, CRD, QUOTA])
def test_what_the_other_one_does_not_use_is_no_contradiction(text: str) -> None:
    assert [s.clusters for s in pair(text, MAP, namespace="db")] == [("one", "two")]


def test_a_namespace_is_what_is_rendered_and_what_argocd_adds() -> None:
    (scene,) = of(request(STRICT, creates=True, labels={"team": "a"}, annotations={"b": "c"}))
    space = scene.spaces["web"]
    assert space.known
    assert space.body["metadata"] == {
        "name": "web", "labels": {"level": "strict", "team": "a"}, "annotations": {"b": "c"},
    }  # fmt: skip


def test_a_namespace_is_known_if_something_makes_it() -> None:
    (scene,) = of(
        request(MAP, id="a", namespace="created", creates=True),
        request(MAP, id="b", namespace="absent"),
        request(MAP, id="c", namespace="argocd"),
        present={"main": {"argocd"}},
    )
    assert {name for name, space in scene.spaces.items() if space.known} == {"created", "argocd", *PRESENT}


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {serviceAccountName: builder, priorityClassName: p, runtimeClassName: r}\n"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: builder}\n"


def test_what_nobody_brings_is_told_once_for_each_application_and_stood_in_for() -> None:
    asked = items(request(POD + "---\n" + POD, id="a"), request(POD, id="b"))
    absent = missing(asked, {})
    told = ["namespace-missing", "priority-class-missing", "runtime-class-missing"]
    assert [(case, hit.rule) for case, hit in absent.hits] == [(case, rule) for case in "ab" for rule in told]
    assert {hit.severity for _, hit in absent.hits} == {Severity.WARNING}
    assert [body["metadata"]["name"] for _, body in (*absent.accounts, *absent.classes)] == [
        "builder",
        "p",
        "r",
    ]


def test_what_another_application_of_the_cluster_brings_is_there() -> None:
    (scene,) = of(request("", creates=True))
    mine = [request(POD, id="a"), request(ACCOUNT + "---\n" + PRIORITY, id="b")]
    assert [hit.rule for _, hit in missing(items(*mine), scene.spaces).hits] == ["runtime-class-missing"]
    assert missing(items(*mine), scene.spaces).accounts == ()
    mine[1] = request(ACCOUNT, id="b", cluster="other")
    assert [body["metadata"]["name"] for _, body in missing(items(*mine), scene.spaces).accounts] == [
        "builder"
    ]


@pytest.mark.parametrize("name", ["default", "''", "~"])
def test_every_namespace_has_the_default_account(name: str) -> None:
    (scene,) = of(request("", creates=True))
    pod = (
        POD.replace("builder", name)
        .replace("p,", "system-node-critical,")
        .replace(", runtimeClassName: r", "")
    )
    assert missing(items(request(pod)), scene.spaces).hits == ()
