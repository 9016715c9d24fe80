"""What is kept of an Application: differences, tree, steps, bounds. From values."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from stage_support import make_context

from pytest_gitops.argocd.appstate import Managed, Node
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.stages.evidence import MOST, bounded, differences, seen_of, steps, told, tree


def managed(kind: str = "ConfigMap", *, hook: bool = False, live: Any = None, desired: Any = None) -> Managed:
    return Managed(group="", kind=kind, namespace="web", name="a", hook=hook, desired=desired, live=live)


def application(*resources: dict[str, Any], **operation: Any) -> dict[str, Any]:
    return {"status": {"resources": list(resources), **({"operationState": operation} if operation else {})}}


def out(kind: str = "ConfigMap", status: str = "OutOfSync", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "namespace": "web", "name": "a", "status": status, **more}


# ---------------------------------------------------------------- differences


def test_a_list_that_was_changed_is_named_item_by_item() -> None:
    found = differences(
        [managed(live={"rules": [{"verbs": ["get", "list"]}]}, desired={"rules": [{"verbs": ["get"]}]})],
        application(out()),
    )
    assert [str(d) for d in found] == ["ConfigMap web/a: rules[0].verbs[1]: desired not there, live 'list'"]


def test_only_what_argo_cd_calls_out_of_sync_differs_and_no_hook() -> None:
    other = {"live": {"a": 1}, "desired": {"a": 2}}
    assert differences([managed(**other)], application(out(status="Synced"))) == ()
    assert differences([managed(hook=True, **other)], application(out())) == ()


def test_an_object_that_is_not_there_or_should_not_be_is_said() -> None:
    assert (
        told(differences([managed(desired={"a": 1})], application(out())))
        == "ConfigMap web/a: it is not there"
    )
    gone = differences([managed(live={"a": 1})], application(out()))
    assert told(gone) == "ConfigMap web/a: it should not be there"
    assert gone[0].to_dict()["path"] == "(the whole object)"


def test_of_a_secret_only_the_path_is_told() -> None:
    secret = managed("Secret", live={"data": {"key": "b2xk"}}, desired={"data": {"key": "bmV3"}})
    (found,) = differences([secret], application(out("Secret")))
    assert str(found) == "Secret web/a: data.key is another (value hidden)"
    assert found.to_dict() == {
        "object": "Secret web/a", "path": "data.key", "desired": "(value hidden)", "live": "(value hidden)",
    }  # fmt: skip


def test_a_field_with_a_telling_name_is_hidden_in_every_kind() -> None:
    both = {
        "live": {"data": {"db.password": "old", "port": "1"}},
        "desired": {"data": {"db.password": "new", "port": "2"}},
    }
    first, second = differences([managed(**both)], application(out()))
    assert str(first) == 'ConfigMap web/a: data["db.password"] is another (value hidden)'
    assert str(second) == "ConfigMap web/a: data.port: desired '2', live '1'"


def test_the_first_differences_are_told_and_the_rest_counted() -> None:
    many = managed(
        live={"data": {f"k{n}": "a" for n in range(9)}}, desired={"data": {f"k{n}": "b" for n in range(9)}}
    )
    assert told(differences([many], application(out()))).endswith("; and 5 more")


# ---------------------------------------------------------------- tree and steps


def node(kind: str, owner: str = "", health: str = "") -> Node:
    return Node(group="", kind=kind, namespace="web", name="a", owner=owner, health=health)


def test_owners_come_before_what_they_own_with_wave_and_hook() -> None:
    nodes = [
        node("Pod", "ReplicaSet web/a"),
        node("ReplicaSet", "Deployment web/a"),
        node("Deployment"),
        node("Job"),
    ]
    hook = {"kind": "Job", "namespace": "web", "name": "a", "hookType": "PreSync", "hookPhase": "Succeeded"}
    rows = tree(nodes, application(out("Deployment", syncWave=2), syncResult={"resources": [hook]}))
    assert [(r["object"], r["owner"], r["wave"], r["hook"]) for r in rows] == [
        ("Job web/a", None, 0, "PreSync"),
        ("Deployment web/a", None, 2, None),
        ("ReplicaSet web/a", "Deployment web/a", None, None),
        ("Pod web/a", "ReplicaSet web/a", None, None),
    ]


def test_a_circle_of_owners_ends_and_an_unknown_owner_is_none() -> None:
    circle = [node("A", "B web/a"), node("B", "A web/a"), node("C", "Gone web/a"), node("D", "D web/a")]
    assert [r["object"] for r in tree(circle, application())] == ["C web/a", "D web/a"]


def test_steps_are_waves_hooks_and_what_is_waited_for() -> None:
    results = [
        {"kind": "Namespace", "name": "web", "status": "Synced", "syncPhase": "PreSync"},
        {**out(status="Synced"), "syncPhase": "Sync"},
        {"kind": "Job", "name": "b", "hookType": "PreSync", "hookPhase": "Running", "syncPhase": "PreSync"},
    ]
    said = {"message": "waiting for healthy state of /Namespace/web", "syncResult": {"resources": results}}
    assert steps(application(out(syncWave=3), **said)) == (
        ("wave", "wave 3"),
        ("hook", "PreSync Job b: Running"),
        ("wait", "waiting for healthy state of /Namespace/web"),
    )
    assert steps({}) == ()


# ---------------------------------------------------------------- the whole


def case() -> Case:
    return Case(name="web", namespace="argocd", project="default", file="a.yaml", line=1)


def test_hooks_have_no_logs_where_no_container_runs_and_that_is_said() -> None:
    hook = {"kind": "Job", "name": "b", "hookType": "PreSync", "hookPhase": "Succeeded", "message": "done"}
    found = seen_of(make_context(), case(), application(phase="Succeeded", syncResult={"resources": [hook]}))
    assert found["hookLogs"] == "none: no container runs on the embedded cluster"
    assert found["operationObjects"] == [
        {"object": "Job b", "syncPhase": None, "hook": "PreSync", "status": "Succeeded", "message": "done"}
    ]


def test_a_tree_that_cannot_be_read_is_said_and_nothing_else_is_lost() -> None:
    def broken(key: str) -> Any:
        raise EngineError("Argo CD's cache cannot be read: no")

    context = make_context()
    context.app_state = cast(Any, SimpleNamespace(tree=broken))
    found = seen_of(context, case(), application(phase="Succeeded"))
    assert found["treeUnknown"] == "Argo CD's cache cannot be read: no"
    assert found["operation"]["phase"] == "Succeeded"


def test_long_lists_are_cut_and_counted() -> None:
    assert bounded("rows", []) == {}
    found = bounded("rows", [{"n": n} for n in range(MOST + 3)])
    assert (len(found["rows"]), found["rowsLeftOut"]) == (MOST, 3)
