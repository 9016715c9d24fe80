"""idempotent, against an Argo CD that answers by a script: what it says makes the verdict."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from stage_support import URL, Answers, declare, make_context

from pytest_gitops.argocd.applications import REFRESH
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Outcome, Severity, StageResult
from pytest_gitops.stages import following, idempotent

APPLICATION = f"""
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: {URL}, targetRevision: main, path: web}}
  destination: {{server: https://kubernetes.default.svc, namespace: web}}
"""
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"mode": "grid"}}
SPEC = {"source": {"repoURL": URL, "path": "web"}, "destination": {"namespace": "web"}}

Says = Callable[[dict[str, Any], dict[str, Any]], None]
"""What a sync or refresh does to the (Application, live ConfigMap)."""


def nothing(application: dict[str, Any], live: dict[str, Any]) -> None:
    del application, live


class FakeArgo:
    """The API server and Argo CD behind it: what is asked of it is done at once, as the test says."""

    def __init__(self, **says: Says) -> None:
        self.says = says
        self.asked: list[str] = []
        self.refuse: Exception | None = None
        self.live: dict[str, Any] | None = {
            **copy.deepcopy(CONFIG),
            "metadata": {"name": "settings", "uid": "1", "resourceVersion": "1", "managedFields": []},
        }
        resource = {"version": "v1", "kind": "ConfigMap", "namespace": "web", "name": "settings"}
        self.application: dict[str, Any] = {
            "metadata": {"name": "web", "namespace": "argocd", "resourceVersion": "10"},
            "spec": copy.deepcopy(SPEC),
            "status": {
                "sync": {"status": "Synced", "comparedTo": copy.deepcopy(SPEC)},
                "health": {"status": "Healthy"},
                "resources": [{**resource, "status": "Synced"}],
                "operationState": {"phase": "Succeeded"},
            },
        }
        self._act: Callable[[str, dict[str, Any]], None] = lambda *_: None

    def watch(
        self, path: str, act: Callable[[str, dict[str, Any]], None], *, stop: threading.Event, **_: Any
    ) -> None:
        assert path.endswith("/applications")
        if self.refuse is not None:
            raise self.refuse
        self._act = act
        act("ADDED", copy.deepcopy(self.application))
        stop.wait(10)

    def path_of(self, api_version: str, kind: str, namespace: str, name: str) -> str:
        return f"{api_version}/{kind}/{namespace}/{name}"

    def get(self, path: str) -> dict[str, Any]:
        assert path == "v1/ConfigMap/web/settings"
        if self.live is None:
            raise ApiError("gone", status=404, reason="NotFound")
        return copy.deepcopy(self.live)

    def patch(self, path: str, body: Mapping[str, Any], *, content_type: str) -> dict[str, Any]:
        del path, content_type
        kind = "sync" if "operation" in body else body["metadata"]["annotations"][REFRESH]
        self.asked.append(kind)
        answer = {**copy.deepcopy(self.application), **({"operation": {}} if kind == "sync" else {})}
        answer["metadata"]["resourceVersion"] = self._next()
        self.says.get(kind, nothing)(self.application, cast(Any, self.live))
        self.application["metadata"]["resourceVersion"] = self._next()
        word = "DELETED" if self.application.pop("gone", False) else "MODIFIED"
        self._act(word, copy.deepcopy(self.application))
        return answer

    def _next(self) -> str:
        self.application["metadata"]["resourceVersion"] = str(
            int(self.application["metadata"]["resourceVersion"]) + 1
        )
        return str(self.application["metadata"]["resourceVersion"])


def judge(
    argo: FakeArgo,
    *,
    first: Mapping[str, Any] = CONFIG,
    again: Mapping[str, Any] = CONFIG,
    timeout: float = 30,
    files: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> StageResult:
    context = make_context(files or {"web/settings.yaml": ""}, api=argo, timeout=timeout)
    context.argocd_cm = settings or {}
    case = declare(context, APPLICATION)
    context.renders = {case.id: Rendered(objects=(first,))}
    context.render_again = lambda _: Rendered(objects=(again,))
    answers = Answers()
    idempotent.run(context, [case], answers)
    return answers.of("argocd/web")


def out_of_sync(application: dict[str, Any], live: dict[str, Any]) -> None:
    del live
    application["status"]["sync"]["status"] = "OutOfSync"
    application["status"]["resources"][0]["status"] = "OutOfSync"


def written(application: dict[str, Any], live: dict[str, Any]) -> None:
    del application
    entry = {"manager": "argocd-controller", "operation": "Update", "time": "2"}
    live["metadata"] |= {"resourceVersion": "2", "managedFields": [entry]}
    live["data"] = {"mode": "plain"}


def failed(application: dict[str, Any], live: dict[str, Any]) -> None:
    del live
    application["status"]["operationState"] = {"phase": "Failed", "message": "field is immutable"}


def ill(application: dict[str, Any], live: dict[str, Any]) -> None:
    del live
    application["status"]["health"]["status"] = "Degraded"


def respecified(application: dict[str, Any], live: dict[str, Any]) -> None:
    del live
    for spec in (application["spec"], application["status"]["sync"]["comparedTo"]):
        spec["source"]["path"] = "other"


def test_what_nothing_comes_of_passes_after_both_refreshes_and_a_sync() -> None:
    argo = FakeArgo()
    result = judge(argo)
    assert (result.outcome, result.code, result.findings) == (Outcome.PASSED, "", ())
    assert argo.asked == ["normal", "hard", "sync", "normal"]
    assert result.evidence["renderedTheSame"] and result.evidence["changes"] == []


@pytest.mark.parametrize("kind", ["normal", "hard"])
def test_out_of_sync_after_a_refresh_is_red_and_nothing_is_synced_any_more(kind: str) -> None:
    argo = FakeArgo(**{kind: out_of_sync})
    files = {"web/settings.yaml": "# first\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"}
    result = judge(argo, files=files)
    assert (result.outcome, result.code) == (Outcome.FAILED, "out-of-sync-after-refresh")
    assert f"after a {kind} refresh of the same revision, saw OutOfSync, Healthy" in result.message
    assert "sync" not in argo.asked
    assert [f.where for f in result.findings] == ["web/settings.yaml:2"]


def test_a_condition_after_a_refresh_keeps_its_own_code() -> None:
    def says(application: dict[str, Any], live: dict[str, Any]) -> None:
        del live
        application["status"]["conditions"] = [{"type": "ComparisonError", "message": "no such revision"}]

    result = judge(FakeArgo(hard=says))
    assert (result.outcome, result.code) == (Outcome.FAILED, "comparison-error")
    assert "ComparisonError: no such revision" in result.message


def test_a_second_sync_that_fails_is_told_with_its_words_and_the_cause() -> None:
    result = judge(FakeArgo(sync=failed))
    assert (result.outcome, result.code) == (Outcome.FAILED, "second-sync-failed")
    assert "Argo CD  field is immutable" in result.message and "cause    immutable field" in result.message


def test_what_a_second_sync_writes_is_told_with_its_path_and_both_values() -> None:
    result = judge(FakeArgo(sync=written))
    assert (result.outcome, result.code) == (Outcome.FAILED, "sync-changes-objects")
    assert "ConfigMap web/settings" in result.message
    assert "data.mode was 'grid' and is 'plain'" in result.message


def test_ill_health_after_the_second_sync_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "QUIET", 0.0)
    monkeypatch.setattr(following, "TICK", 0.01)
    result = judge(FakeArgo(sync=ill))
    assert (result.outcome, result.code) == (Outcome.FAILED, "unhealthy-after-sync")
    assert "after its second sync, saw Synced, Degraded" in result.message


OTHER = {**CONFIG, "data": {"mode": "17"}}


def test_a_rendering_that_differs_is_a_warning_where_nothing_comes_of_it() -> None:
    argo = FakeArgo()
    argo.application["spec"]["ignoreDifferences"] = [{"kind": "ConfigMap", "jsonPointers": ["/data/mode"]}]
    result = judge(argo, again=OTHER)
    assert result.outcome is Outcome.PASSED
    assert [(f.rule, f.severity) for f in result.findings] == [("render-not-deterministic", Severity.WARNING)]


def test_what_argocd_itself_rendered_anew_and_compared_in_full_is_not_rendered_once_more() -> None:
    result = judge(FakeArgo(), again=OTHER)
    assert (result.outcome, result.findings) == (Outcome.PASSED, ())
    assert result.evidence["renderedTheSame"]


@pytest.mark.parametrize(
    "setting", ["resource.customizations.ignoreDifferences.all", "resource.compareoptions"]
)
def test_what_settings_may_hide_is_rendered_once_more(setting: str) -> None:
    result = judge(FakeArgo(), again=OTHER, settings={setting: "x"})
    assert [f.rule for f in result.findings] == ["render-not-deterministic"]


def test_hooks_are_rendered_once_more_for_argocd_does_not_compare_them() -> None:
    hook = {**CONFIG, "metadata": {"name": "hook", "annotations": {"argocd.argoproj.io/hook": "PreSync"}}}
    result = judge(FakeArgo(), first=hook, again={**hook, "data": {"mode": "17"}})
    assert [f.resource for f in result.findings] == ["ConfigMap hook"]


def test_a_rendering_that_differs_is_the_cause_of_what_comes_of_it() -> None:
    result = judge(FakeArgo(hard=out_of_sync), again=OTHER)
    assert (result.outcome, result.code) == (Outcome.FAILED, "render-not-deterministic")
    (finding,) = result.findings
    assert finding.message == (
        "ConfigMap settings is not the same in two renderings of one revision: data.mode was 'grid' and is '17'; "
        "so a hard refresh makes the Application OutOfSync"
    )
    assert "cause" not in result.evidence  # which would be that the live object differs after every apply


def test_an_application_that_others_change_is_not_judged() -> None:
    result = judge(FakeArgo(normal=respecified))
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "changed-meanwhile")


def test_an_application_that_goes_is_red() -> None:
    result = judge(FakeArgo(hard=lambda application, _: application.update(gone=True)))
    assert (result.outcome, result.code) == (Outcome.FAILED, "deleted")


def test_a_refresh_that_is_not_answered_is_no_fault_of_the_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "TICK", 0.01)

    def says(application: dict[str, Any], live: dict[str, Any]) -> None:
        del live
        application["metadata"]["annotations"] = {REFRESH: "normal"}

    result = judge(FakeArgo(normal=says), timeout=0.05)
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")


def test_what_only_a_later_look_sees_of_the_second_sync_is_found() -> None:
    """Right after the sync Argo CD may not have seen yet what came of it."""

    def later(application: dict[str, Any], live: dict[str, Any]) -> None:
        if "sync" in argo.asked:
            ill(application, live)

    argo = FakeArgo(normal=later)
    result = judge(argo, timeout=1)
    assert (result.outcome, result.code) == (Outcome.FAILED, "unhealthy-after-sync")


def test_a_second_sync_that_goes_on_and_on_is_called_so() -> None:
    def runs(application: dict[str, Any], live: dict[str, Any]) -> None:
        del live
        message = "waiting for completion of hook batch/Job/migrate"
        application["status"]["operationState"] = {"phase": "Running", "message": message}

    result = judge(FakeArgo(sync=runs), timeout=1)
    assert (result.outcome, result.code) == (Outcome.FAILED, "unhealthy-after-sync")
    assert "after its second sync, saw that sync go on" in result.message
    assert "cause    a hook does not end" in result.message


def test_a_request_that_argocd_forgot_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "ASK_AGAIN", 0.0)

    def says(application: dict[str, Any], live: dict[str, Any]) -> None:
        del live
        forgotten = argo.asked == ["normal"]
        application["metadata"]["annotations"] = {REFRESH: "normal"} if forgotten else {}

    argo = FakeArgo(normal=says)
    assert judge(argo).outcome is Outcome.PASSED
    assert argo.asked == ["normal", "normal", "hard", "sync", "normal"]


def test_a_sync_that_argocd_forgot_is_brought_to_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "ASK_AGAIN", 0.0)

    def forgets(application: dict[str, Any], live: dict[str, Any]) -> None:
        del live
        application["operation"] = {}

    def remembers(application: dict[str, Any], live: dict[str, Any]) -> None:
        del live
        application.pop("operation", None)

    argo = FakeArgo(sync=forgets, normal=remembers)
    assert judge(argo).outcome is Outcome.PASSED
    assert argo.asked == ["normal", "hard", "sync", "normal", "normal"]


def test_without_a_watch_nobody_is_blamed() -> None:
    argo = FakeArgo()
    argo.refuse = EngineError("no route")
    result = judge(argo)
    assert (result.outcome, result.code) == (Outcome.ERROR, "engine-error")
    assert "cannot be watched: no route" in result.message


def test_a_run_that_ends_is_not_answered() -> None:
    context = make_context(api=FakeArgo())
    case = declare(context, APPLICATION)
    context.stopping.set()
    answers = Answers()
    idempotent.run(context, [case], answers)
    assert answers.given == []
