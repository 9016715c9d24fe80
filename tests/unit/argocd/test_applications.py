"""What we do to Applications on the API server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from pytest_gitops.argocd.applications import Applications
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Case


class FakeApi:
    def __init__(self) -> None:
        self.applied: list[dict[str, Any]] = []
        self.patched: list[tuple[str, dict[str, Any], str]] = []
        self.events: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def apply(self, manifest: dict[str, Any]) -> None:
        if manifest["metadata"]["name"].startswith("bad"):
            raise ApiError("refused", status=422, reason="Invalid")
        self.applied.append(manifest)

    def patch(self, path: str, body: dict[str, Any], *, content_type: str) -> None:
        self.patched.append((path, body, content_type))

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        self.asked.append((path, params))
        return {"items": self.events}

    def watch(self, path: str, act: Callable[[str, dict[str, Any]], None], *, stop: threading.Event) -> None:
        assert path == "/apis/argoproj.io/v1alpha1/applications"
        for kind in ("ADDED", "MODIFIED", "DELETED"):
            act(kind, {"metadata": {"namespace": "cd", "name": "web"}, "spec": {}})


class Overtaken(FakeApi):
    """Has a newer Application than who asks."""

    def __init__(self, current: dict[str, Any]) -> None:
        super().__init__()
        self.current = current

    def patch(self, path: str, body: dict[str, Any], *, content_type: str) -> None:
        if body["metadata"].get("resourceVersion") == "1":
            raise ApiError("the object has been modified", status=409, reason="Conflict")
        super().patch(path, body, content_type=content_type)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self.current


def syncing(phase: str, *, version: str = "1") -> dict[str, Any]:
    meta = {"name": "web", "namespace": "cd", "resourceVersion": version}
    return {"metadata": meta, "status": {"operationState": {"phase": phase}}}


def applications(api: FakeApi) -> Applications:
    return Applications(cast(Any, api))


def case(name: str, **manifest: Any) -> Case:
    meta = {"name": name, "labels": {"a": "b"}}
    return Case(
        name=name, namespace="cd", project="p", file="a.yaml", line=1, manifest={"metadata": meta, **manifest}
    )


def test_each_is_created_as_its_manifest_says_without_what_is_argo_cds() -> None:
    api = FakeApi()
    made = case("web", spec={"project": "p"}, status={"sync": {"status": "Synced"}}, operation={"sync": {}})
    applications(api).create([made], lambda case, error: None)
    assert api.applied == [
        {"metadata": {"name": "web", "labels": {"a": "b"}, "namespace": "cd"}, "spec": {"project": "p"}}
    ]
    assert made.manifest["metadata"] == {"name": "web", "labels": {"a": "b"}}


def test_one_that_is_refused_keeps_no_other_from_being_created() -> None:
    api, failed = FakeApi(), list[tuple[str, str]]()
    cases = [case("a"), case("bad"), case("b")]
    applications(api).create(cases, lambda case, error: failed.append((case.name, str(error))))
    assert sorted(m["metadata"]["name"] for m in api.applied) == ["a", "b"]
    assert failed == [("bad", "refused")]


def test_a_sync_has_the_applications_own_options_and_retries() -> None:
    api = FakeApi()
    policy = {"syncOptions": ["CreateNamespace=true"], "retry": {"limit": 3}}
    applications(api).sync({"metadata": {"namespace": "cd", "name": "web"}, "spec": {"syncPolicy": policy}})
    applications(api).sync({"metadata": {"namespace": "cd", "name": "web"}, "spec": {}})
    (path, first, kind), (_, second, _) = api.patched
    assert path == "/apis/argoproj.io/v1alpha1/namespaces/cd/applications/web"
    assert kind == "application/merge-patch+json"
    assert first["operation"]["sync"] == {
        "syncOptions": ["CreateNamespace=true"],
        "syncStrategy": {"hook": {}},
    }
    assert first["operation"]["retry"] == {"limit": 3}
    assert second["operation"]["sync"]["syncOptions"] == []
    assert "retry" not in second["operation"]


def test_a_refresh_is_an_annotation_with_the_time_that_makes_it_one_of_its_own() -> None:
    api = FakeApi()
    one = {"metadata": {"namespace": "cd", "name": "web"}}
    applications(api).refresh(one)
    applications(api).refresh(one, hard=True)
    asked = [p[1]["metadata"]["annotations"] for p in api.patched]
    assert [a["argocd.argoproj.io/refresh"] for a in asked] == ["normal", "hard"]
    assert len({a["argocd.argoproj.io/refresh-timestamp"] for a in asked}) == 2


@pytest.mark.parametrize("heals", [0, 2])
def test_who_is_urged_is_compared_and_its_heals_are_forgotten_in_one_request(heals: int) -> None:
    api = FakeApi()
    operation = {"sync": {"autoHealAttemptsCount": heals}}
    one = {
        "metadata": {"namespace": "cd", "name": "web", "resourceVersion": "1"},
        "status": {"operationState": {"operation": operation}},
    }
    applications(api).urge(one)
    ((path, body, _),) = api.patched
    assert path.endswith("/namespaces/cd/applications/web")
    assert body["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "normal"
    forgotten = {"operationState": {"operation": {"sync": {"autoHealAttemptsCount": None}}}}
    assert body.get("status") == (forgotten if heals else None)


def healed(heals: int, *, version: str = "1") -> dict[str, Any]:
    """One that Argo CD has healed so often; 0 is that it begins anew, and has no state of a sync in that moment."""
    meta = {"name": "web", "namespace": "cd", "resourceVersion": version}
    state = {"operation": {"sync": {"autoHealAttemptsCount": heals}}}
    return {"metadata": meta, "status": {"operationState": state} if heals else {}}


def test_a_count_of_heals_that_is_gone_meanwhile_is_not_taken_back() -> None:
    begins = healed(0, version="2")
    api = Overtaken(begins)
    assert applications(api).forget_heals(healed(2)) == begins
    assert api.patched == []
    applications(api).urge(healed(2))
    ((_, body, _),) = api.patched
    assert set(body) == {"metadata"} and set(body["metadata"]) == {"annotations"}


def test_a_count_of_heals_that_others_write_meanwhile_is_taken_back() -> None:
    api = Overtaken(healed(3, version="2"))
    applications(api).forget_heals(healed(2))
    ((_, body, _),) = api.patched
    assert body["metadata"] == {"resourceVersion": "2"}
    assert body["status"] == {"operationState": {"operation": {"sync": {"autoHealAttemptsCount": None}}}}


def test_only_a_sync_that_is_running_is_ended() -> None:
    api = FakeApi()
    for phase in ("Failed", "Running", ""):
        applications(api).terminate(syncing(phase))
    applications(api).terminate({"metadata": {"name": "web", "namespace": "cd"}})
    ((path, body, _),) = api.patched
    assert path.endswith("/namespaces/cd/applications/web")
    assert body["status"] == {"operationState": {"phase": "Terminating"}}


@pytest.mark.parametrize(("phase", "ended"), [("Running", True), ("Succeeded", False)])
def test_a_sync_that_was_written_about_meanwhile_is_ended_only_if_it_goes_on(phase: str, ended: bool) -> None:
    api = Overtaken(syncing(phase, version="2"))
    applications(api).terminate(syncing("Running"))
    assert [b["metadata"]["resourceVersion"] for _, b, _ in api.patched] == (["2"] if ended else [])


def test_a_sync_that_others_write_about_without_end_is_told() -> None:
    with pytest.raises(ApiError, match="modified"):
        applications(Overtaken(syncing("Running"))).terminate(syncing("Running"))


def test_a_deleted_one_is_seen_as_nothing() -> None:
    seen: list[tuple[str, bool]] = []
    applications(FakeApi()).watch(lambda key, a: seen.append((key, bool(a))), stop=threading.Event())
    assert seen == [("cd/web", True), ("cd/web", True), ("cd/web", False)]


def test_warnings_are_those_of_the_objects_named_once_each_the_newest_last() -> None:
    api = FakeApi()

    def event(at: str | None, name: str, message: str) -> dict[str, Any]:
        about = {"kind": "Pod", "name": name}
        return {
            "lastTimestamp": at,
            "eventTime": "3",
            "involvedObject": about,
            "reason": "Failed",
            "message": message,
        }

    api.events = [event("2", "web-1", "b"), event("1", "web-0", "a"), event(None, "web-2", "c"), event("4", "db-0", "x"),
                  event("5", "web-1", "b")]  # fmt: skip
    found = applications(api).warnings("shop", ["web"])
    assert found == ("Pod web-0: Failed: a", "Pod web-1: Failed: b", "Pod web-2: Failed: c")
    assert applications(api).warnings("shop", ["web"], limit=1) == ("Pod web-2: Failed: c",)
    assert api.asked[0] == ("/api/v1/namespaces/shop/events", {"fieldSelector": "type=Warning"})
