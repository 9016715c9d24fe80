"""What is live on the clusters of an upgrade, and who renders it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.bounds import Bounds
from pytest_gitops.model import IN_CLUSTER, Case
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages import telling
from pytest_gitops.stages.inventory import Clusters, Key

PROD = "https://prod.example:6443"


class FakeApi:
    """Objects by kind; knows no other kind."""

    def __init__(self, **objects: list[dict[str, Any]]) -> None:
        self.objects: Mapping[str, list[dict[str, Any]]] = {
            "PersistentVolumeClaim": [],
            "Namespace": [],
            **objects,
        }

    def collection(self, api_version: str, kind: str) -> str:
        if kind not in self.objects:
            raise ApiError("unknown", status=404, reason="UnknownKind")
        return kind

    def metadata(self, path: str) -> list[dict[str, Any]]:
        return [o["metadata"] for o in self.objects[path]]

    def get(self, path: str) -> dict[str, Any]:
        kind = "Pod" if path.startswith("/api/v1/namespaces/") else path
        return {"items": [o for o in self.objects[kind] if kind == path or _namespace(o) in path]}

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        if kind not in self.objects:
            raise ApiError("unknown", status=404, reason="UnknownKind")
        return kind != "Namespace"


def _namespace(manifest: Mapping[str, Any]) -> str:
    return f"/{manifest['metadata']['namespace']}/"


def live(name: str, uid: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "web", "uid": uid, **more}}


def case(name: str, server: str = IN_CLUSTER) -> Case:
    spec = {"destination": {"namespace": "web", "server": server}}
    return case_of({"metadata": {"name": name}, "spec": spec}, control="argocd", file="a.yaml", line=1)


def manifest(kind: str, name: str, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **meta}}


def clusters(here: FakeApi, **others: FakeApi) -> Clusters:
    return Clusters(cast(Any, here), cast(Any, others))


SETTINGS = manifest("ConfigMap", "settings")


def test_parts_of_others_and_what_goes_are_not_live() -> None:
    api = FakeApi(
        ConfigMap=[
            live("settings", "1"),
            live("part", "2", ownerReferences=[{"uid": "9"}]),
            live("going", "3", deletionTimestamp="now"),
        ]
    )
    assert clusters(api).live([SETTINGS]) == {Key(IN_CLUSTER, "", "ConfigMap", "web", "settings"): "1"}


def test_a_claim_is_looked_at_whoever_owns_it() -> None:
    """A StatefulSet that is to take its claims along becomes their owner."""
    owned = live("data-db-0", "1", ownerReferences=[{"uid": "9"}])
    going = live("data-db-1", "2", ownerReferences=[{"uid": "9"}], deletionTimestamp="now")
    found = clusters(FakeApi(PersistentVolumeClaim=[owned, going])).live([])
    assert {k.name: uid for k, uid in found.items()} == {"data-db-0": "1"}


def test_claims_and_namespaces_are_looked_at_whoever_renders_them() -> None:
    api = FakeApi(
        PersistentVolumeClaim=[live("data-db-0", "1")], Namespace=[{"metadata": {"name": "web", "uid": "2"}}]
    )
    assert clusters(api).live([]) == {
        Key(IN_CLUSTER, "", "PersistentVolumeClaim", "web", "data-db-0"): "1",
        Key(IN_CLUSTER, "", "Namespace", "", "web"): "2",
    }


def test_of_a_kind_that_the_cluster_does_not_know_there_is_nothing() -> None:
    assert clusters(FakeApi()).live([SETTINGS]) == {}


def test_the_same_object_of_another_cluster_is_another_one() -> None:
    prod = FakeApi(ConfigMap=[live("settings", "2")])
    found = Clusters(
        cast(Any, FakeApi(ConfigMap=[live("settings", "1")])), cast(Any, {PROD: prod, "prod": prod})
    )
    by_cluster = {k.cluster: uid for k, uid in found.live([SETTINGS]).items()}
    assert by_cluster == {IN_CLUSTER: "1", PROD: "2"}
    claimed = found.claims([(case("here"), [SETTINGS]), (case("there", PROD), [SETTINGS])])
    assert {k.cluster: c.case.name for k, c in claimed.items()} == {IN_CLUSTER: "here", PROD: "there"}


def test_an_object_is_claimed_in_its_namespace_or_else_in_the_applications() -> None:
    api = FakeApi(ConfigMap=[])
    objects = [SETTINGS, manifest("ConfigMap", "other", namespace="db"), manifest("Namespace", "db", namespace="x"),
               manifest("Lamp", "lamp")]  # fmt: skip
    found = clusters(api).claims([(case("web"), objects)])
    assert [(k.title) for k in found] == [
        "ConfigMap web/settings",
        "ConfigMap db/other",
        "Namespace db",
        "Lamp web/lamp",
    ]


def test_hooks_are_made_anew_with_each_sync_and_claimed_by_nobody() -> None:
    hook = manifest("ConfigMap", "hook", annotations={"argocd.argoproj.io/hook": "PreSync"})
    assert clusters(FakeApi(ConfigMap=[])).claims([(case("web"), [hook])]) == {}


def test_of_two_that_claim_one_object_the_first_is_told() -> None:
    found = clusters(FakeApi(ConfigMap=[])).claims([(case("one"), [SETTINGS]), (case("two"), [SETTINGS])])
    assert [c.case.name for c in found.values()] == ["one"]


class FakeMetadata(FakeApi):
    """Objects by kind, by their metadata alone."""

    def kinds(self) -> tuple[tuple[str, str], ...]:
        return tuple(("v1", kind) for kind in (*self.objects, "Gone"))

    def metadata(self, path: str) -> list[dict[str, Any]]:
        kind, _, namespace = path.partition(" in ")
        if kind in self.forbidden:
            raise ApiError("forbidden", status=403, reason="Forbidden")
        found = [o["metadata"] for o in self.objects[kind]]
        return [m for m in found if not namespace or m["namespace"] == namespace]

    forbidden: tuple[str, ...] = ()

    def path_of(self, version: str, kind: str, namespace: str = "", name: str = "") -> str:
        return f"{kind} in {namespace}" + (f" named {name}" if name else "")

    def get(self, path: str) -> dict[str, Any]:
        kind, _, rest = path.partition(" in ")
        namespace, _, name = rest.partition(" named ")
        for each in self.objects[kind]:
            meta = each["metadata"]
            if (meta["name"], meta.get("namespace", "")) == (name, namespace):
                return each
        raise ApiError("not found", status=404, reason="NotFound")


def test_everything_is_read_by_its_metadata_on_every_cluster() -> None:
    noted = {"argocd.argoproj.io/tracking-id": "web:/ConfigMap:web/a"}
    entries = [
        {"manager": "argocd-controller", "time": "t", "fieldsV1": {"f:data": {}}},
        {"manager": "kubelet", "subresource": "status", "time": "t"},
    ]
    full = live(
        "a",
        "1",
        annotations=noted,
        managedFields=entries,
        finalizers=["x"],
        deletionTimestamp="now",
        ownerReferences=[{"uid": "9"}],
    )
    here = FakeMetadata(ConfigMap=[full], Lease=[live("l", "7")])
    there = FakeMetadata(ConfigMap=[live("a", "2")])
    found = clusters(here, **{PROD: there}).everything()
    assert {k.cluster for k in found} == {IN_CLUSTER, PROD} and len(found) == 2
    one = found[Key(IN_CLUSTER, "", "ConfigMap", "web", "a")]
    assert (one.uid, one.owners, one.finalizers, one.deleting) == ("1", ("9",), ("x",), True)
    assert (one.application, dict(one.writes)) == ("web", {"argocd-controller": ("t", {"f:data": {}})})


def test_a_kind_that_is_not_served_yet_is_waited_for_and_one_that_is_gone_is_empty() -> None:
    class Late(FakeMetadata):
        tries = 0

        def collection(self, api_version: str, kind: str) -> str:
            self.tries += kind == "ConfigMap"
            if kind == "ConfigMap" and self.tries < 3:
                raise ApiError("storage is (re)initializing", status=429, reason="TooManyRequests")
            return super().collection(api_version, kind)

    late = Late(ConfigMap=[live("a", "1")])
    assert [k.name for k in clusters(late).everything()] == ["a"]
    assert late.tries == 3


def test_hooks_are_claimed_where_they_are_asked_for() -> None:
    hook = manifest("ConfigMap", "seed", annotations={"helm.sh/hook": "pre-delete"})
    both = clusters(FakeApi(ConfigMap=[]))
    assert both.claims([(case("web"), [hook])]) == {}
    assert [k.name for k in both.claims([(case("web"), [hook])], hooks=True)] == ["seed"]


def in_(namespace: str, name: str, uid: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": uid, **more}}


def bounded(there: FakeMetadata, *objects: tuple[str, str, str, str], mark: str = "") -> Clusters:
    bounds = {PROD: Bounds(namespaces=("gitops-ab-web",), objects=objects)}
    return Clusters(cast(Any, FakeMetadata()), cast(Any, {PROD: there}), bounds=bounds, mark=mark)


def names(found: Mapping[Key, Any]) -> set[str]:
    return {k.title for k in found}


def test_on_a_cluster_of_others_only_the_runs_own_is_looked_at() -> None:
    there = FakeMetadata(
        ConfigMap=[in_("gitops-ab-web", "a", "1"), in_("web", "theirs", "2"), in_("web", "ours", "3")],
        Namespace=[live("gitops-ab-web", "4")],
    )
    assert names(bounded(there).everything()) == {"ConfigMap gitops-ab-web/a"}
    made = ("v1", "ConfigMap", "web", "ours"), ("v1", "ConfigMap", "web", "not-made")
    assert names(bounded(there, *made).everything()) == {"ConfigMap gitops-ab-web/a", "ConfigMap web/ours"}


def test_what_may_not_be_listed_there_is_told() -> None:
    there = FakeMetadata(ConfigMap=[in_("gitops-ab-web", "a", "1")], Secret=[])
    there.forbidden = ("Secret",)
    found = bounded(there)
    assert names(found.everything()) == {"ConfigMap gitops-ab-web/a"}
    assert found.unseen == {"Secret"}


def test_one_that_does_not_answer_is_told_and_the_others_are_looked_at() -> None:
    class Gone(FakeMetadata):
        def kinds(self) -> tuple[tuple[str, str], ...]:
            raise ApiError("no answer", status=0, reason="Unreachable")

    here = FakeMetadata(ConfigMap=[live("a", "1")])
    bounds = {PROD: Bounds(namespaces=("gitops-ab-web",))}
    found = Clusters(cast(Any, here), cast(Any, {PROD: Gone()}), bounds=bounds)
    assert names(found.everything()) == {"ConfigMap web/a"}
    assert found.gone == {PROD}
    # One of our own that does not answer is the end of the run, and no detail of a verdict.
    with pytest.raises(ApiError):
        Clusters(cast(Any, here), cast(Any, {PROD: Gone()})).everything()


def test_there_a_second_look_is_at_the_kinds_that_matter() -> None:
    there = FakeMetadata(ConfigMap=[in_("gitops-ab-web", "a", "1")], Secret=[in_("gitops-ab-web", "s", "2")])
    found = bounded(there).everything(within={("", "Secret")})
    assert names(found) == {"Secret gitops-ab-web/s"}


def test_a_label_may_say_whose_an_object_is() -> None:
    noted = {
        "labels": {"run.example/of": "web"},
        "annotations": {"argocd.argoproj.io/tracking-id": "other:x"},
    }
    there = FakeMetadata(ConfigMap=[in_("gitops-ab-web", "a", "1", **noted)])
    (thing,) = bounded(there, mark="run.example/of").everything().values()
    assert thing.application == "web"


def pod(name: str, claim: str, *, node: str = "one", namespace: str = "web", **meta: Any) -> dict[str, Any]:
    volumes = [{"name": "tmp", "emptyDir": {}}, {"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    spec = {"volumes": volumes, **({"nodeName": node} if node else {})}
    return {"metadata": {"name": name, "namespace": namespace, **meta}, "spec": spec}


def test_who_uses_a_claim_is_every_pod_on_a_node_that_is_not_on_its_way_out() -> None:
    pods = [
        pod("web-2", "data"),
        pod("web-1", "data"),
        pod("ends", "data", deletionTimestamp="now"),
        pod("waits", "data", node=""),
        pod("other", "logs"),
        pod("elsewhere", "data", namespace="shop"),
        {"metadata": {"name": "plain", "namespace": "web"}, "spec": {"nodeName": "one"}},
    ]
    data, free = (Key(IN_CLUSTER, "", "PersistentVolumeClaim", "web", n) for n in ("data", "free"))
    assert clusters(FakeApi(Pod=pods)).users([data, free]) == {data: ("Pod web/web-1", "Pod web/web-2")}
    assert clusters(FakeApi(Pod=pods)).users([]) == {}


UNCONVERTED = ApiError(
    "failed to read: conversion webhook for example.com/v1beta1, Kind=Fader failed: nobody",
    status=500,
    reason="x",
)


class Unconverted(FakeApi):
    """Has a kind whose objects nobody converts into the version in which they are listed."""

    def kinds(self) -> tuple[tuple[str, str], ...]:
        return (("v1", "ConfigMap"), ("example.com/v1", "Fader"))

    def get(self, path: str) -> dict[str, Any]:
        return {"status": {"phase": "Terminating"}}

    def metadata(self, path: str) -> list[dict[str, Any]]:
        if path == "Fader":
            raise UNCONVERTED
        return super().metadata(path)


def test_a_kind_that_nobody_converts_is_not_seen_and_hides_no_other() -> None:
    seen = clusters(Unconverted(ConfigMap=[live("settings", "1")], Fader=[]))
    assert [key.title for key in seen.everything()] == ["ConfigMap web/settings"]
    assert seen.unseen == {"Fader"}
    held = seen.kept_open([Key(IN_CLUSTER, "", "Namespace", "", "web")])
    assert list(held.values()) == [f"Fader cannot be listed: {UNCONVERTED.unconverted}"]
    seen.unseen.clear()
    assert len(seen.live([SETTINGS, {**manifest("Fader", "hall"), "apiVersion": "example.com/v1"}])) == 1
    assert seen.unseen == {"Fader"}


def test_what_keeps_a_namespace_from_its_end_is_in_its_conditions() -> None:
    class Ending(FakeApi):
        def get(self, path: str) -> dict[str, Any]:
            if path != "/api/v1/namespaces/web":
                raise ApiError("not found", status=404, reason="NotFound")
            rows = [
                ("True", "Some resources are remaining: horns"),
                ("False", "All is well"),
                ("True", "They are held"),
            ]
            return {"status": {"conditions": [{"status": s, "message": m} for s, m in rows]}}

    web, gone = (Key(IN_CLUSTER, "", "Namespace", "", name) for name in ("web", "gone"))
    found = clusters(Ending()).kept_open([web, gone])
    assert found == {web: "Some resources are remaining: horns; They are held"}


def test_what_is_missed_may_be_there_if_nobody_converts_it() -> None:
    def missed(*kinds: str) -> dict[str, Any]:
        rows = [{"group": "example.com", "kind": k, "health": {"status": "Missing"}} for k in kinds]
        return {"status": {"resources": [*rows, {"group": "", "kind": "ConfigMap"}]}}

    api = cast(Any, Unconverted(Fader=[]))
    (said,) = telling.unlisted(api, missed("Fader"))
    assert said == "Fader: conversion webhook for example.com/v1beta1, Kind=Fader failed: nobody"
    assert telling.unlisted(api, missed()) == ()
    assert telling.unlisted(api, missed("Dimmer")) == ()
