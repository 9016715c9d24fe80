"""Who is judged together, and who has to be there for whom."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.model import Case, Destination
from pytest_gitops.selection.companions import lots, needs

CLUSTER_KINDS = {"ClusterRole", "Namespace"}


def case(
    name: str,
    namespace: str = "",
    *,
    parent: str = "",
    kind: str = "Application",
    cluster: str = "",
    project: str = "",
) -> Case:
    return Case(
        name=name,
        namespace="argocd",
        project=project or "default",
        file=f"{name}.yaml",
        line=1,
        parent=f"argocd/{parent}" if parent else "",
        parent_kind=kind if parent else "",
        destination=Destination(namespace=namespace or name, server=cluster),
    )


def thing(kind: str, name: str = "x", *, api: str = "v1", namespace: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


Rendered = tuple[Case, list[dict[str, Any]]]


def together(*rendered: Rendered, same: tuple[tuple[str, str], ...] = ()) -> set[frozenset[str]]:
    """The lots, by the names of the Applications in them."""
    found = lots(
        rendered,
        is_namespaced=lambda _, kind: kind not in CLUSTER_KINDS,
        same=[(f"argocd/{a}", f"argocd/{b}") for a, b in same],
    )
    assert set(found) == {c.key for c, _ in rendered}
    for name in found.values():
        assert name == min(key for key, lot in found.items() if lot == name), (
            "a lot is called by its first key"
        )
    return {
        frozenset(k.removeprefix("argocd/") for k, lot in found.items() if lot == name)
        for name in found.values()
    }


def sets(*names: str) -> set[frozenset[str]]:
    return {frozenset(each.split()) for each in names}


def needed(*rendered: Rendered) -> dict[str, list[str]]:
    return {
        key.removeprefix("argocd/"): [k.removeprefix("argocd/") for k in keys]
        for key, keys in needs(rendered).items()
    }


def test_strangers_are_lots_of_their_own() -> None:
    assert together((case("a"), [thing("ConfigMap")]), (case("b"), [thing("ConfigMap")])) == sets("a", "b")
    assert together() == set()


def test_descendants_stay_with_their_root_whatever_the_order() -> None:
    family = [
        (case("leaf", parent="middle"), []),
        (case("root"), []),
        (case("other"), []),
        (case("middle", parent="root"), []),
    ]
    assert together(*family) == together(*reversed(family)) == sets("root middle leaf", "other")


def test_an_orphan_and_a_circle_are_lots_too() -> None:
    assert together(
        (case("orphan", parent="gone"), []), (case("x", parent="y"), []), (case("y", parent="x"), [])
    ) == sets("orphan", "x y")


def test_what_one_applicationset_makes_is_one_lot_with_who_renders_the_set() -> None:
    made = [(case(n, parent="set", kind="ApplicationSet"), []) for n in ("one", "two")]
    assert together(*made, (case("set"), [])) == sets("one two", "set")
    brings = thing("ApplicationSet", "set", api="argoproj.io/v1alpha1", namespace="argocd")
    assert together(*made, (case("bringer"), [brings])) == sets("one two bringer")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (thing("ConfigMap", namespace="web"), thing("ConfigMap", namespace="web")),
        (thing("ClusterRole"), thing("ClusterRole")),
        (
            thing("Service", "a", spec={"type": "NodePort", "ports": [{"nodePort": 30080}]}),
            thing("Service", "b", spec={"ports": [{"port": 1}, {"nodePort": 30080, "protocol": "TCP"}]}),
        ),
        (
            thing("Service", "a", spec={"clusterIP": "10.0.0.9"}),
            thing("Service", "b", spec={"clusterIP": "10.0.0.9"}),
        ),
        (thing("ResourceQuota", "q", namespace="web"), thing("Pod", "p", namespace="web")),
    ],
    ids=["object", "cluster-object", "node-port", "address", "quota"],
)
def test_those_that_get_in_each_others_way_are_one_lot(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert together((case("a"), [one]), (case("b"), [two])) == sets("a b")
    far = "https://elsewhere:6443"
    assert together((case("a"), [one]), (case("b", cluster=far), [two])) == sets("a", "b")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (thing("ConfigMap"), thing("ConfigMap")),  # in two namespaces
        (
            thing("Service", "a", spec={"ports": [{"nodePort": 30053, "protocol": "UDP"}]}),
            thing("Service", "b", spec={"ports": [{"nodePort": 30053}]}),
        ),
        (
            thing("Service", "a", spec={"clusterIP": "None"}),
            thing("Service", "b", spec={"clusterIP": "None"}),
        ),
        (thing("Service", "a", spec={"ports": "http", "clusterIP": ""}), thing("Service", "b", spec=[1])),
        (thing("ResourceQuota", "q", namespace="web"), thing("Pod", "p", namespace="shop")),
    ],
)
def test_those_that_do_not_are_two(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert together((case("a"), [one]), (case("b"), [two])) == sets("a", "b")


def test_everybody_in_a_namespace_with_a_quota_is_one_lot() -> None:
    assert together(
        (case("quota"), [thing("ResourceQuota", namespace="web")]),
        (case("a", "web"), [thing("Pod", "a")]),
        (case("b"), [thing("Pod", "b", namespace="web")]),
        (case("c"), [thing("Pod", "c")]),
    ) == sets("quota a b", "c")


def test_base_and_head_of_one_application_are_one_and_so_are_both_its_names() -> None:
    base = (case("old"), [thing("ConfigMap", namespace="web")])
    assert together(base, (case("new"), []), same=(("old", "new"),)) == sets("old new")
    # What head gives to another: both had or have it.
    assert together(base, (case("old"), []), (case("b"), [thing("ConfigMap", namespace="web")])) == sets(
        "old b"
    )


DEFINITION = thing(
    "CustomResourceDefinition", "things.example.com", api="apiextensions.k8s.io/v1",
    spec={"group": "example.com", "names": {"kind": "Thing"}},
)  # fmt: skip
POD = {
    "template": {
        "spec": {"serviceAccountName": "runner", "volumes": [{"persistentVolumeClaim": {"claimName": "d"}}]}
    }
}


@pytest.mark.parametrize(
    ("brought", "wants"),
    [
        (DEFINITION, thing("Thing", api="example.com/v1")),
        (thing("Namespace", "b"), thing("ConfigMap")),
        (thing("Namespace", "web"), thing("ConfigMap", namespace="web")),
        (thing("LimitRange", namespace="b"), thing("Pod")),
        (thing("ServiceAccount", "runner", namespace="b"), thing("Deployment", spec=POD)),
        (thing("PersistentVolumeClaim", "d", namespace="b"), thing("Deployment", spec=POD)),
        (thing("PriorityClass", "high"), thing("Pod", spec={"priorityClassName": "high"})),
        (thing("StorageClass", "fast"), thing("PersistentVolumeClaim", spec={"storageClassName": "fast"})),
        (thing("PersistentVolume", "disk"), thing("PersistentVolumeClaim", spec={"volumeName": "disk"})),
        (thing("RuntimeClass", "kata"), thing("Pod", spec={"runtimeClassName": "kata"})),
        (thing("ValidatingAdmissionPolicy"), thing("ConfigMap")),
        (thing("ValidatingAdmissionPolicyBinding"), thing("ConfigMap")),
        (thing("PriorityClass", "usual", globalDefault=True), thing("ConfigMap")),
    ],
)
def test_what_one_brings_the_other_needs_and_not_the_other_way(
    brought: dict[str, Any], wants: dict[str, Any]
) -> None:
    rendered = (case("a"), [brought]), (case("b"), [wants])
    assert needed(*rendered) == {"b": ["a"]}
    assert together(*rendered) == sets("a", "b")


@pytest.mark.parametrize(
    "brought",
    [
        thing("ServiceAccount", "runner", namespace="elsewhere"),
        thing("ServiceAccount", "other", namespace="b"),
        thing("LimitRange", namespace="elsewhere"),
        thing("Namespace", "elsewhere"),
        thing("ConfigMap", "runner", namespace="b"),
        {**DEFINITION, "spec": "nonsense"},
        {"kind": "Namespace"},
    ],
)
def test_what_has_nothing_to_do_with_it_is_not_needed(brought: dict[str, Any]) -> None:
    assert needed((case("a"), [brought]), (case("b"), [thing("Deployment", spec=POD)])) == {}


def test_a_default_storage_class_and_a_rendered_project_are_needed() -> None:
    default = thing("StorageClass", "fast")
    default["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert needed((case("a"), [default]), (case("b"), [])) == {"b": ["a"]}
    team = thing("AppProject", "team", api="argoproj.io/v1alpha1")
    assert needed((case("a"), [team]), (case("b", project="team"), []), (case("c"), [])) == {"b": ["a"]}


def test_who_brings_it_itself_needs_nobody_and_several_are_all_needed() -> None:
    assert needed((case("a", "web"), [thing("Namespace", "web")])) == {}
    twice = [(case(n), [thing("Namespace", "web")]) for n in ("y", "x")]
    assert needed(*twice, (case("b", "web"), [])) == {"b": ["x", "y"]}
