"""self-heal, against an Argo CD that answers by a script: what it makes of drift makes the verdict."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from stage_support import URL, Answers, declare, make_context, make_plan

from pytest_gitops.argocd.applications import HEALS as COUNT
from pytest_gitops.argocd.applications import REFRESH, heals_of
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.bounds import Bounds
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Outcome, StageResult
from pytest_gitops.stages import drifting, following, self_heal

APPLICATION = f"""
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: {URL}, targetRevision: main, path: web}}
  destination: {{server: https://kubernetes.default.svc, namespace: web}}
"""
CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "web"},
    "data": {"mode": "grid"},
}
FILES = {"web/settings.yaml": "# first\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"}
PATH = "v1/ConfigMap/web/settings"
HEALS = {"automated": {"selfHeal": True}}


class FakeArgo:
    """The API server and Argo CD behind it. `reacts` is what happens when the object differs from what it was:
    "heals", "sees", "nothing", "fails" (it tries), "other" (something else restores it), "goes" (the Application),
    "ails" (it heals, and the Application does not become Healthy), "drags" (it is at it until it is asked to end, and
    then for as long as nobody asks again); `sync` is what a sync does: "heals" or "fails".
    """

    def __init__(
        self, reacts: str = "heals", *, sync: str = "heals", live: Mapping[str, Any] | None = None
    ) -> None:
        self.reacts, self.sync_does = reacts, sync
        self.words = "configmaps is forbidden: exceeded quota: few"
        self.refuses: Callable[[str], str] = lambda _: ""
        self.added_too = False  # whether another manager's fields count
        self.blind: Exception | None = None
        self.asked: list[str] = []
        self.uid = 1
        first = copy.deepcopy(CONFIG)
        first["metadata"] |= {"uid": "1", "resourceVersion": "1"}
        self.first = {**first, **(live or {})}
        self.live: dict[str, Any] | None = copy.deepcopy(self.first)
        resource = {"version": "v1", "kind": "ConfigMap", "namespace": "web", "name": "settings"}
        spec = {"source": {"repoURL": URL, "path": "web"}, "destination": {"namespace": "web"}}
        self.application: dict[str, Any] = {
            "metadata": {"name": "web", "namespace": "argocd", "resourceVersion": "10"},
            "spec": {**copy.deepcopy(spec), "syncPolicy": HEALS},
            "status": {
                "sync": {"status": "Synced", "comparedTo": copy.deepcopy(spec)},
                "health": {"status": "Healthy"},
                "resources": [{**resource, "status": "Synced"}],
                "operationState": {"phase": "Succeeded", "startedAt": "0"},
            },
        }
        self._act: Callable[[str, dict[str, Any]], None] = lambda *_: None

    # ------------------------------------------------------------------ the API server

    def watch(
        self, path: str, act: Callable[[str, dict[str, Any]], None], *, stop: threading.Event, **_: Any
    ) -> None:
        assert path.endswith("/applications")
        if self.blind is not None:
            raise self.blind
        self._act = act
        self._tell()
        stop.wait(10)

    def path_of(self, api_version: str, kind: str, namespace: str, name: str = "") -> str:
        return "/".join(filter(None, [api_version, kind, namespace, name]))

    def get(self, path: str, **_: Any) -> dict[str, Any]:
        if path.endswith("/events"):
            return {"items": []}
        assert path == PATH
        if self.live is None:
            raise ApiError("gone", status=404, reason="NotFound")
        return copy.deepcopy(self.live)

    def _refuse(self, what: str) -> None:
        if message := self.refuses(what):
            raise ApiError(message, status=422, reason="Invalid")

    def delete(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert path == PATH and body["preconditions"]["uid"]
        self._refuse("delete")
        self.asked.append("delete")
        self.live = None
        self._drifted()
        return {}

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert path == "v1/ConfigMap/web"
        self._refuse("create")
        self.asked.append("create")
        self._restore()
        return dict(body)

    def patch(self, path: str, body: Any, *, content_type: str = "", **_: Any) -> dict[str, Any]:
        if path != PATH:
            return self._of_application(body)
        assert self.live is not None
        if content_type == drifting.APPLY:
            self._refuse("add")
            self.asked.append("add" if "data" in body else "take back")
            self.live["metadata"]["annotations"] = body["metadata"].get("annotations") or {}
            if self.added_too:
                self._drifted()
        else:
            self._refuse("edit")
            test, write = body
            key = test["path"].rpartition("/")[2]
            assert self.live["data"][key] == test["value"]
            self.asked.append(f"{key}={write['value']}")
            self.live["data"][key] = write["value"]
            if self.live["data"] != self.first["data"]:
                self._drifted()
        return copy.deepcopy(self.live)

    def _of_application(self, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = copy.deepcopy(self.application)
        answer["metadata"]["resourceVersion"] = self._next()
        if "operation" in body:
            assert body["operation"]["sync"]["resources"][0]["name"] == "settings"
            self.asked.append("sync")
            self._operation("Succeeded" if self.sync_does == "heals" else "Failed")
            if self.sync_does == "heals":
                self._restore()
                self._status("Synced")
        elif "operation" in (body.get("status") or {}).get("operationState", {}):
            assert body["status"]["operationState"] == {"operation": {"sync": {COUNT: None}}}
            del self.application["status"]["operationState"]["operation"]["sync"][COUNT]
            self.asked.append("forget")
        elif "status" in body:
            self.asked.append("terminate")
            self.application["status"]["operationState"] |= body["status"]["operationState"]
        else:
            self.asked.append(body["metadata"]["annotations"][REFRESH])
            if self.application["status"]["operationState"]["phase"] == "Terminating":
                self._operation("Failed", heal=1)
                self._restore()
        self._tell()
        return answer

    # ------------------------------------------------------------------ Argo CD

    def _drifted(self) -> None:
        if self.reacts == "goes":
            self._act("DELETED", self.application)
        elif self.reacts == "other":
            self._restore()
        elif self.reacts != "nothing":
            self._status("OutOfSync")
            self._tell()
            if heals_of(self.application):
                return  # it waits, as Argo CD does between one heal and the next
            if self.reacts in {"heals", "ails"}:
                self._operation("Succeeded", heal=1)
                self._restore()
                self._status("Synced")
                if self.reacts == "ails":
                    self.application["status"]["health"]["status"] = "Degraded"
            elif self.reacts in {"fails", "drags"}:
                self._operation("Failed" if self.reacts == "fails" else "Running", heal=1)
            self._tell()

    def _operation(self, phase: str, heal: int = 0) -> None:
        before = self.application["status"]["operationState"]
        self.application["status"]["operationState"] = {
            "phase": phase,
            "startedAt": before["startedAt"] + "0",
            "message": self.words if phase == "Failed" else "",
            "operation": {"sync": {COUNT: heal}},
        }

    def _restore(self) -> None:
        if self.live is None:
            self.uid += 1
            self.live = copy.deepcopy(self.first)
            self.live["metadata"]["uid"] = str(self.uid)
        self.live["data"] = copy.deepcopy(self.first["data"])
        self.live["metadata"].pop("annotations", None)

    def _status(self, word: str) -> None:
        self.application["status"]["sync"]["status"] = word
        self.application["status"]["resources"][0]["status"] = word

    def _tell(self) -> None:
        self._next()
        self._act("MODIFIED", copy.deepcopy(self.application))

    def _next(self) -> str:
        number = str(int(self.application["metadata"]["resourceVersion"]) + 1)
        self.application["metadata"]["resourceVersion"] = number
        return number


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for an Argo CD that answers at once."""
    monkeypatch.setattr(following, "TICK", 0.01)
    for module in (following, drifting):
        monkeypatch.setattr(module, "ASK_AGAIN", 0.0)
        monkeypatch.setattr(module, "QUIET", 0.0)


def judge(
    argo: FakeArgo,
    *,
    policy: Any = HEALS,
    rendered: Any = CONFIG,
    bounds: Bounds | None = None,
    timeout: float = 5,
    **spec: Any,
) -> StageResult:
    context = make_context(FILES, api=argo, timeout=timeout)
    case = declare(context, APPLICATION)
    context.bounds = {case.destination.server: bounds} if bounds else {}
    context.plan = make_plan([case])
    context.renders = {case.id: Rendered(objects=(rendered,))}
    argo.application["spec"] |= {"syncPolicy": policy, **spec}
    answers = Answers()
    self_heal.run(context, [case], answers)
    return answers.of("argocd/web")


def drifts(result: StageResult) -> list[tuple[str, str]]:
    return [(d["drift"], d["expectation"]) for d in result.evidence["drifts"]]


ADDED = "label and field added by another manager"


def test_what_is_healed_passes_and_every_drift_is_in_the_evidence() -> None:
    argo = FakeArgo()
    result = judge(argo)
    assert (result.outcome, result.code, result.findings) == (Outcome.PASSED, "", ())
    assert drifts(result) == [(ADDED, "left alone"), ("field changed", "undone"), ("deleted", "undone")]
    edited = result.evidence["drifts"][1]
    assert (edited["field"], edited["how"], edited["restored"]) == ("data.mode", "self-heal", True)
    assert argo.asked == [
        "add",
        "normal",
        "normal",
        "take back",
        "mode=grid-drift",
        "forget",
        "delete",
        "normal",
    ]
    assert result.evidence["selfHeal"] is True


def test_without_self_heal_it_is_seen_and_a_sync_of_the_object_puts_it_right() -> None:
    argo = FakeArgo("sees")
    result = judge(argo, policy={"automated": {}})
    assert result.outcome is Outcome.PASSED
    assert drifts(result)[1:] == [("field changed", "seen as OutOfSync"), ("deleted", "seen as OutOfSync")]
    assert argo.asked.count("sync") == 2
    assert result.evidence["drifts"][1]["how"] == "repaired by a sync of the object"


def test_drift_that_is_not_undone_is_red_with_the_cause_and_nothing_more_is_tried() -> None:
    argo = FakeArgo("fails")
    result = judge(argo)
    assert (result.outcome, result.code) == (Outcome.FAILED, "drift-not-undone")
    (finding,) = result.findings
    assert finding.where == "web/settings.yaml:2"
    assert (
        "ConfigMap web/settings: data.mode was changed; expected selfHeal to undo that, saw it still so"
        in finding.message
    )
    assert "Argo CD  configmaps is forbidden: exceeded quota: few" in finding.message
    assert "cause    the namespace's quota is used up" in finding.message
    assert result.evidence["cause"] == {
        "class": "quota-exceeded",
        "cause": "the namespace's quota is used up",
        "next": finding.help,
    }
    assert "delete" not in argo.asked
    # What we did is taken back by ourselves.
    assert argo.asked[-1] == "mode=grid" and result.evidence["drifts"][-1]["restored"] is True


def test_what_a_running_sync_writes_is_waited_for_before_anything_is_taken_back() -> None:
    argo = FakeArgo("drags")
    result = judge(argo, timeout=0.2)
    assert result.code == "drift-not-undone"
    assert result.evidence["drifts"][-1]["restored"] is True
    # Argo CD itself has put it back; what we write into the midst of it, it would not know of.
    assert argo.asked[-2:] == ["terminate", "normal"] and "mode=grid" not in argo.asked


def test_the_next_step_of_an_object_that_was_taken_before_is_not_to_correct_it() -> None:
    argo = FakeArgo("fails")
    argo.words = 'ConfigMap "settings" is invalid: data.mode: Invalid value: "grid"'
    result = judge(argo)
    (finding,) = result.findings
    assert finding.help == result.evidence["cause"]["next"] == self_heal.HELP["drift-not-undone"]
    assert result.evidence["cause"]["class"] == "invalid-object"


def test_what_cannot_be_taken_back_is_told() -> None:
    argo = FakeArgo("fails", live={"immutable": True})
    argo.refuses = lambda what: (
        "field is immutable" if what == "edit" else "no room" if what == "create" else ""
    )
    result = judge(argo)
    assert result.code == "drift-not-undone"
    assert result.evidence["drifts"][-1] | {"seenSeconds": 0} == {
        "object": "ConfigMap web/settings",
        "drift": "deleted",
        "expectation": "undone",
        "seenSeconds": 0,
        "restored": False,
    }


@pytest.mark.parametrize("policy", [HEALS, {"automated": {}}])
def test_drift_that_two_comparisons_do_not_show_is_red(policy: Any) -> None:
    argo = FakeArgo("nothing")
    result = judge(argo, policy=policy)
    assert (result.outcome, result.code) == (Outcome.FAILED, "drift-not-seen")
    assert "expected Argo CD to see that as OutOfSync, saw Synced" in result.message
    at = argo.asked.index("mode=grid-drift")
    assert argo.asked[at + 1 : at + 3] == ["normal", "normal"]


def test_a_sync_that_does_not_put_it_right_is_red() -> None:
    result = judge(FakeArgo("sees", sync="fails"), policy=None)
    assert (result.outcome, result.code) == (Outcome.FAILED, "drift-not-repaired")


def test_an_application_that_is_ill_after_it_was_healed_is_red() -> None:
    result = judge(FakeArgo("ails"))
    assert (result.outcome, result.code) == (Outcome.FAILED, "unhealthy-after-drift")
    assert (
        "that was undone; expected the Application to become Synced, Healthy again, saw Synced, Degraded"
        in result.message
    )


IGNORED = [{"kind": "ConfigMap", "jsonPointers": ["/data/mode"]}]


def test_what_is_ignored_is_held_while_the_rest_is_healed_and_then_taken_back() -> None:
    argo = FakeArgo("nothing")
    argo.refuses = lambda what: "not now" if what == "delete" else ""
    result = judge(argo, ignoreDifferences=IGNORED)
    assert result.outcome is Outcome.PASSED
    assert drifts(result) == [("field changed", "left alone"), (ADDED, "left alone")]
    assert argo.asked.index("mode=grid") > argo.asked.index("normal")


@pytest.mark.parametrize("reacts", ["sees", "heals"])
def test_what_is_ignored_and_not_left_alone_is_red(reacts: str) -> None:
    result = judge(FakeArgo(reacts), ignoreDifferences=IGNORED)
    assert (result.outcome, result.code) == (Outcome.FAILED, "ignored-drift-undone")
    assert "for ignoreDifferences names it, saw it" in result.message


def test_what_another_manager_added_has_to_be_kept_out_where_argocd_minds_it() -> None:
    argo = FakeArgo()
    argo.added_too = True
    result = judge(argo)
    assert result.outcome is Outcome.PASSED
    assert drifts(result)[0] == (ADDED, "undone")


def test_what_something_else_undoes_proves_nothing_and_is_in_the_evidence() -> None:
    result = judge(FakeArgo("other"))
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "no-safe-drift")
    told = {p["drift"]: p["reason"] for p in result.evidence["leftInPeace"]}
    assert told == dict.fromkeys(["field changed", "deleted"], "something else than Argo CD undoes it")


def test_a_drift_that_the_api_server_refuses_is_left() -> None:
    argo = FakeArgo()
    argo.refuses = lambda what: "field is immutable" if what == "edit" else ""
    result = judge(argo)
    assert result.outcome is Outcome.PASSED
    assert {"field changed": "the API server does not take the drift: field is immutable"}.items() <= {
        p["drift"]: p["reason"] for p in result.evidence["leftInPeace"]
    }.items()


def test_where_nothing_can_be_changed_nothing_is_said_to_be_proven() -> None:
    owned = {**CONFIG["metadata"], "uid": "1", "ownerReferences": [{"kind": "Certificate", "name": "web"}]}  # type: ignore[dict-item]
    argo = FakeArgo(live={"metadata": owned})
    result = judge(argo)
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "no-safe-drift")
    assert result.evidence["leftInPeace"][0]["reason"] == "Certificate web owns it"
    assert argo.asked == []


def test_on_a_cluster_of_others_what_is_outside_of_the_runs_namespaces_is_left_in_peace() -> None:
    argo = FakeArgo()
    result = judge(argo, bounds=Bounds(namespaces=("gitops-ab-web",)))
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "no-safe-drift")
    (peace,) = result.evidence["leftInPeace"]
    assert (peace["objects"], peace["reason"]) == (["ConfigMap web/settings"], self_heal.OUTSIDE)
    assert argo.asked == []
    assert judge(argo, bounds=Bounds(namespaces=("web",))).outcome is Outcome.PASSED


def test_an_application_that_is_not_settled_does_not_drift() -> None:
    argo = FakeArgo()
    argo.application["status"]["sync"]["status"] = "OutOfSync"
    result = judge(argo)
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "not-settled")
    assert argo.asked == []


def test_an_application_that_goes_meanwhile_is_red() -> None:
    result = judge(FakeArgo("goes"))
    assert (result.outcome, result.code) == (Outcome.FAILED, "deleted")


def test_without_a_watch_nobody_is_blamed() -> None:
    argo = FakeArgo()
    argo.blind = EngineError("no route")
    result = judge(argo)
    assert (result.outcome, result.code) == (Outcome.ERROR, "engine-error")


def test_a_server_that_fails_is_no_fault_of_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ApiError("etcdserver: no leader", status=500, reason="InternalError")

    argo = FakeArgo()
    monkeypatch.setattr(argo, "delete", fail)
    result = judge(argo)
    assert (result.outcome, result.code) == (Outcome.ERROR, "engine-error")
    assert drifts(result)[-1] == ("field changed", "undone")


def test_a_run_that_ends_is_not_answered() -> None:
    context = make_context(api=FakeArgo())
    case = declare(context, APPLICATION)
    context.stopping.set()
    answers = Answers()
    self_heal.run(context, [case], answers)
    assert answers.given == []


def test_who_scales_what_is_known_from_all_applications() -> None:
    context = make_context()
    case = declare(context, APPLICATION)
    context.plan = make_plan([case])
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    context.renders = {case.id: Rendered(objects=(scaler,))}
    assert self_heal.scalers(context) == {
        "https://kubernetes.default.svc": {("Deployment", "web", "web"): "HorizontalPodAutoscaler web"}
    }
