"""upgrade, with phases that answer as they are told: who is asked in which, and what comes out of three answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from stage_support import Answers, make_context, make_plan

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.values import ApplicationChange, ChangeKind, Comparison, Radius
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Case, Destination, Finding, Moment, Outcome, Severity, StageResult
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages import crossing, upgrade
from pytest_gitops.stages.approving import Approving
from pytest_gitops.stages.context import Context
from pytest_gitops.stages.inventory import Clusters, Key

PHASES = ("base", "head", "rollback")


def case(name: str, *, parent: str = "") -> Case:
    manifest = {"metadata": {"name": name}, "spec": {"destination": {"namespace": name}}}
    more: dict[str, Any] = {"parent": f"argocd/{parent}", "parent_kind": "Application"} if parent else {}
    return case_of(manifest, control="argocd", file=f"{name}.yaml", line=1, **more)


@dataclass
class FakeApi:
    """Applications by path; deletes what it is told to, unless a finalizer holds it."""

    applications: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    objects: Mapping[str, Any] = field(default_factory=dict)  # by path
    deleted: list[str] = field(default_factory=list)

    def get(self, path: str) -> dict[str, Any]:
        if path.endswith("/applications"):
            return {"items": list(self.applications.values())}
        if path in self.objects:
            return {"metadata": self.objects[path]}
        name = path.rpartition("/")[2]
        if name not in self.applications:
            raise ApiError("gone", status=404, reason="NotFound")
        return self.applications[name]

    def delete(self, path: str) -> None:
        name = path.rpartition("/")[2]
        self.deleted.append(name)
        if name not in self.held:
            self.applications.pop(name, None)

    def path_of(self, api_version: str, kind: str, namespace: str, name: str) -> str:
        return f"{api_version}/{kind}/{namespace}/{name}"

    def is_namespaced(self, version: str, kind: str) -> bool:
        return True


@dataclass
class FakeGround:
    api: FakeApi
    moves: list[str] = field(default_factory=list)
    app_state: None = None
    destinations: Mapping[str, Any] = field(default_factory=lambda: {"https://prod:6443": FakeApi()})

    def start(self) -> None:
        self.moves.append("start")

    def move(self, *, to_head: bool) -> None:
        self.moves.append("head" if to_head else "base")

    def close(self) -> None:
        self.moves.append("close")


class Stage:
    """One run of the stage over `base` and `head`; `says` maps (phase, name) to a code, "!" before it an error, "~" a skip."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        base: Sequence[Case],
        head: Sequence[Case],
        says: Mapping[tuple[str, str], str] | None = None,
        live: Sequence[Mapping[Key, str]] = ({}, {}),
        objects: tuple[Mapping[str, Sequence[Any]], Mapping[str, Sequence[Any]]] = ({}, {}),
        held: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        stops_in: str = "",
        going: float = 0.0,
        confirmed: Sequence[str] = (),
    ) -> None:
        self.asked: dict[str, list[str]] = {}
        self.created: list[list[str]] = []
        self.refreshed: list[str] = []
        self.terminated: list[str] = []
        said, phases, inventories = says or {}, iter(PHASES), iter(live)
        api = FakeApi(
            {c.name: {"metadata": {"name": c.name, "namespace": "argocd", "finalizers": ["f"]}} for c in base}
        )
        api.held, api.objects = set(held), metadata or {}
        self.ground = FakeGround(api)
        stage = self

        class FakeDrive:
            def __init__(
                self,
                context: Context,
                cases: Sequence[Case],
                publish: Any,
                *,
                stage: str,
                begin: Any,
                again: bool,
                moved: Any,
            ) -> None:
                self.context, self.cases, self.publish, self.begin = context, cases, publish, begin
                self.again = again

            def run(self) -> None:
                phase = next(phases)
                assert self.again is (phase != "base")
                stage.asked[phase] = [c.name for c in self.cases]
                self.begin(lambda *_: None)
                if phase == stops_in:
                    self.context.stopping.set()
                    return
                for each in self.cases:
                    self.context.timelines[each.id] = [Moment(at=1, sync="Synced", health="Healthy")] * 99
                    self.publish(each, answer(each, said.get((phase, each.name), "")))

        class FakeApplications:
            def __init__(self, api: Any) -> None:
                pass

            def create(self, cases: Sequence[Case], failed: Callable[[Case, Exception], None]) -> None:
                stage.created.append([c.name for c in cases])

            def refresh(self, application: Mapping[str, Any]) -> None:
                stage.refreshed.append(application["metadata"]["name"])

            def terminate(self, application: Mapping[str, Any]) -> None:
                stage.terminated.append(application["metadata"]["name"])

        monkeypatch.setattr(upgrade, "Drive", FakeDrive)
        monkeypatch.setattr(upgrade, "Applications", FakeApplications)
        monkeypatch.setattr(upgrade, "GOING", going)
        approving = Approving(cast(Any, None))
        approving.confirmed |= set(confirmed)
        monkeypatch.setattr(upgrade, "Approving", lambda _: nullcontext(approving))
        monkeypatch.setattr(Clusters, "live", lambda *_: next(inventories, live[-1]))
        self.context = make_context()
        old = self.context.base = make_context()
        old.stopping = self.context.stopping  # the engine has one
        old.plan = make_plan(base)
        known = {c.key: c for c in base}
        here = {c.key for c in head}
        removed = tuple(c for c in base if c.key not in here)
        self.context.plan = make_plan(head, removed=removed)
        for side, cases, rendered in ((old, base, objects[0]), (self.context, head, objects[1])):
            side.renders = {c.id: Rendered(objects=tuple(rendered.get(c.name, ()))) for c in cases}
        changes = [
            ApplicationChange(
                kind=ChangeKind.CHANGED if c.key in known else ChangeKind.ADDED, old=known.get(c.key), new=c
            )
            for c in head
        ]
        changes += [ApplicationChange(kind=ChangeKind.REMOVED, old=c, new=None) for c in removed]
        radius = Radius(applications=(), namespaces=(), clusters=())
        self.context.comparison = Comparison(applications=tuple(changes), images=(), radius=radius)
        self.context.upgrade_ground = lambda: cast(Any, self.ground)
        self.answers = Answers()
        upgrade.run(self.context, [*head, *removed], self.answers)

    def of(self, name: str) -> StageResult:
        return self.answers.of(f"argocd/{name}")


def answer(case: Case, code: str) -> StageResult:
    if not code:
        return StageResult(stage="upgrade", outcome=Outcome.PASSED)
    if code.startswith("~"):
        return StageResult(stage="upgrade", outcome=Outcome.SKIPPED, code=code[1:], message="not asked")
    if code.startswith("!"):
        return StageResult(stage="upgrade", outcome=Outcome.ERROR, code=code[1:], message="ours")
    finding = Finding(
        rule=code,
        severity=Severity.ERROR,
        message="it is immutable",
        file=case.file,
        line=1,
        resource="ConfigMap x/x",
    )
    return StageResult(
        stage="upgrade", outcome=Outcome.FAILED, code=code, message=f"{code} of Argo CD", findings=(finding,)
    )


def test_without_a_base_it_is_not_asked() -> None:
    answers, web = Answers(), case("web")
    context = make_context()
    context.plan = make_plan([web])
    upgrade.run(context, [web], answers)
    assert (answers.of("argocd/web").outcome, answers.of("argocd/web").code) == (Outcome.SKIPPED, "no-base")


def test_forth_and_back_and_green(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, [case("web")], [case("web")])
    result = stage.of("web")
    assert (result.outcome, result.code, result.message) == (Outcome.PASSED, "", "")
    assert stage.ground.moves == ["start", "head", "base", "close"]
    assert stage.refreshed == ["web", "web"]
    assert stage.terminated == ["web"]  # only whoever goes back ends what is running
    assert [result.evidence[p]["outcome"] for p in PHASES] == ["passed"] * 3
    assert [len(result.evidence[p]["timeline"]) for p in PHASES] == [crossing.MOMENTS] * 3


def test_what_is_broken_at_base_is_no_fault_of_head(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [case("web"), case("db")]
    stage = Stage(monkeypatch, both, both, {("base", "web"): "sync-failed"})
    result = stage.of("web")
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "base-broken")
    assert "sync-failed of Argo CD" in result.message
    assert stage.asked == {"base": ["web", "db"], "head": ["db"], "rollback": ["db"]}
    assert stage.of("db").outcome is Outcome.PASSED


@pytest.mark.parametrize("phase", PHASES)
def test_what_could_not_be_judged_is_an_error(monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    stage = Stage(monkeypatch, [case("web")], [case("web")], {(phase, "web"): "!not-reconciled"})
    assert (stage.of("web").outcome, stage.of("web").code) == (Outcome.ERROR, "not-reconciled")


@pytest.mark.parametrize("phase", PHASES)
def test_what_a_closed_window_keeps_back_is_neither_green_nor_red(
    monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    stage = Stage(monkeypatch, [case("web")], [case("web")], {(phase, "web"): "~sync-window"})
    assert (stage.of("web").outcome, stage.of("web").code) == (Outcome.SKIPPED, "sync-window")


def test_what_failed_is_red_though_the_way_back_was_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    says = {("head", "web"): "sync-failed", ("rollback", "web"): "~sync-window"}
    assert Stage(monkeypatch, [case("web")], [case("web")], says).of("web").outcome is Outcome.FAILED


def test_an_upgrade_that_fails_says_from_where_to_where(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, [case("web")], [case("web")], {("head", "web"): "sync-failed"})
    result = stage.of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "sync-failed")
    assert "upgrade  from 4444444, where it was Synced and Healthy, to 4444444" in result.message
    assert result.evidence["rollback"]["outcome"] == "passed"


def test_a_way_back_that_fails_has_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, [case("web")], [case("web")], {("rollback", "web"): "sync-failed"})
    result = stage.of("web")
    assert (result.outcome, result.code) == (Outcome.FAILED, "rollback-failed")
    (finding,) = result.findings
    assert (finding.rule, finding.resource) == ("rollback-failed", "ConfigMap x/x")
    assert "the upgrade works, and going back does not: it is immutable" in finding.message


def test_after_an_upgrade_that_failed_the_way_back_is_evidence_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    says = {("head", "web"): "sync-failed", ("rollback", "web"): "never-healthy"}
    result = Stage(monkeypatch, [case("web")], [case("web")], says).of("web")
    assert [f.rule for f in result.findings] == ["sync-failed"]
    assert result.evidence["rollback"]["code"] == "never-healthy"


def test_a_removed_root_is_deleted_once_head_has_settled_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(monkeypatch, [case("web"), case("old")], [case("web")])
    assert stage.ground.api.deleted == ["old"]
    assert stage.asked == {"base": ["web", "old"], "head": ["web"], "rollback": ["web", "old"]}
    assert stage.created == [["web", "old"], ["web"], ["web", "old"]]
    assert stage.of("old").outcome is Outcome.PASSED


def test_a_removed_child_is_left_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = case("root")
    stage = Stage(monkeypatch, [parent, case("old", parent="root")], [parent])
    assert stage.ground.api.deleted == []


def test_a_removed_root_that_does_not_go_says_what_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, [case("old")], [], held=["old"])
    result = stage.of("old")
    assert (result.outcome, result.code) == (Outcome.FAILED, "not-deleted")
    assert "held by f" in result.message
    assert stage.asked == {"base": ["old"], "head": [], "rollback": []}  # what has not ended cannot come back
    assert stage.created == [["old"], [], []]


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ({"deletionTimestamp": "t", "finalizers": ["example.com/hold"]}, True),
        ({"finalizers": ["example.com/hold"]}, False),
        ({"deletionTimestamp": "t", "finalizers": ["kubernetes.io/pvc-protection"]}, False),
    ],
)
def test_an_object_that_nobody_lets_go_is_named_with_its_place(
    monkeypatch: pytest.MonkeyPatch, metadata: Mapping[str, Any], named: bool
) -> None:
    there, rendered = {"v1/ConfigMap/old/settings": metadata}, ({"old": [SETTINGS]}, {})
    live = ({KEY: "1"}, {})  # what is on its way out does not count as there
    stage = Stage(monkeypatch, [case("old")], [], held=["old"], metadata=there, objects=rendered, live=live)
    (finding,) = stage.of("old").findings
    assert finding.rule == "not-deleted"
    words = "ConfigMap old/settings is held by the finalizer example.com/hold, which nobody takes away"
    assert (words in finding.message) is named
    assert finding.resource == ("ConfigMap old/settings" if named else "")
    assert stage.of("old").evidence.get("pruned", []) == ([] if named else ["ConfigMap old/settings"])


def test_the_wait_for_what_goes_goes_on_as_long_as_something_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look takes 9 seconds, and what is not given up for 12 is gone in three looks."""
    clock = iter(range(0, 900, 9))
    monkeypatch.setattr(upgrade, "now", lambda: float(next(clock)))
    other = KEY._replace(name="other")
    live = ({KEY: "1", other: "2"}, {KEY: "1", other: "2"}, {KEY: "1"}, {})
    both = [SETTINGS, {**SETTINGS, "metadata": {"name": "other"}}]
    monkeypatch.setattr(upgrade, "wait_until", lambda probe, **_: next(v for v in iter(probe, None) if v))
    finalizer = {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}
    old = case("old")
    old = replace(old, manifest={**old.manifest, "metadata": {"name": "old", **finalizer}})
    stage = Stage(monkeypatch, [old], [], live=live, objects=({"old": both}, {}), going=12.0)
    assert stage.of("old").outcome is Outcome.PASSED
    assert stage.of("old").evidence["pruned"] == ["ConfigMap old/other", "ConfigMap old/settings"]


def test_what_head_brings_is_judged_there_and_deleted_on_the_way_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(monkeypatch, [], [case("new")])
    assert stage.asked == {"base": [], "head": ["new"], "rollback": []}
    assert stage.ground.api.deleted == ["new"]
    assert stage.of("new").outcome is Outcome.PASSED


SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
KEY = Key("https://kubernetes.default.svc", "", "ConfigMap", "old", "settings")


@pytest.mark.parametrize(
    ("phase", "moves"), [("base", []), ("head", ["head"]), ("rollback", ["head", "base"])]
)
def test_a_run_that_is_over_is_not_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, phase: str, moves: Sequence[str]
) -> None:
    stage = Stage(monkeypatch, [case("web"), case("old")], [case("web")], stops_in=phase)
    assert stage.ground.moves == ["start", *moves, "close"]
    assert stage.ground.api.deleted == (["old"] if phase == "rollback" else [])
    assert stage.answers.given == []


def test_what_stays_on_a_cluster_that_its_application_leaves_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = (
        case("old"),
        replace(case("old"), destination=Destination(server="https://prod:6443", namespace="old")),
    )
    rendered = {"old": [SETTINGS]}
    stage = Stage(monkeypatch, [old], [new], live=({KEY: "1"}, {KEY: "1"}), objects=(rendered, rendered))
    assert (stage.of("old").outcome, stage.of("old").code) == (Outcome.FAILED, "orphaned-object")


@pytest.mark.parametrize("said", ["", "shared-resource"])
def test_a_root_of_another_name_owns_what_the_one_that_nobody_deletes_owns(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    new = replace(case("new"), destination=Destination(namespace="old"))
    rendered = ({"old": [SETTINGS]}, {"new": [SETTINGS]})
    says = {("head", "new"): said}
    stage = Stage(monkeypatch, [case("old")], [new], says, live=({KEY: "1"}, {KEY: "1"}), objects=rendered)
    assert (stage.of("new").outcome, stage.of("new").code) == (Outcome.FAILED, "shared-resource")
    assert len(stage.of("new").findings) == 1  # Argo CD's own word goes first


def test_two_roots_own_one_object_and_each_says_something_else_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    new = replace(case("new"), destination=Destination(namespace="old"))
    rendered = ({"old": [SETTINGS]}, {"new": [{**SETTINGS, "data": {"colour": "blue"}}]})
    stage = Stage(monkeypatch, [case("old")], [new], live=({KEY: "1"}, {KEY: "1"}), objects=rendered)
    said = "which differ in data: argocd/new says {'colour': 'blue'}, argocd/old not there; nothing in the repository"
    assert said in stage.of("new").message


def test_what_a_removed_application_without_a_finalizer_leaves_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = {KEY: "1"}
    stage = Stage(monkeypatch, [case("old")], [], live=(live, live), objects=({"old": [SETTINGS]}, {}))
    result = stage.of("old")
    assert (result.outcome, result.code) == (Outcome.FAILED, "orphaned-object")
    assert "ConfigMap old/settings" in result.message


def with_manifest(made: Case, **spec: Any) -> Case:
    return replace(made, manifest={**made.manifest, "spec": {**made.manifest["spec"], **spec}})


def rendered_as(child: Case) -> dict[str, Any]:
    """A child, as its parent renders it."""
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **child.manifest}


FINALIZED = {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"automated": {}}, ""),
        ({}, ""),
        ({"automated": {"prune": True}}, "not-pruned"),
        ({"automated": {"prune": True}, "syncOptions": ["Prune=false"]}, ""),
    ],
)
def test_what_kustomize_names_anew_goes_as_its_application_prunes(
    monkeypatch: pytest.MonkeyPatch, policy: Mapping[str, Any], code: str
) -> None:
    """A ConfigMap whose name ends in a hash of what is in it: the comparison takes it for the next one."""
    old = with_manifest(case("old"), syncPolicy=policy)
    live, objects = {KEY: "1"}, ({"old": [SETTINGS]}, {})
    stage = Stage(monkeypatch, [old], [old], live=(live, live), objects=objects)
    assert stage.of("old").code == code
    if not code:
        assert [f.rule for f in stage.of("old").findings] == ["kept-object"]


@pytest.mark.parametrize(
    ("root", "child", "code"),
    [
        (FINALIZED, {}, "orphaned-object"),
        (FINALIZED, FINALIZED, "not-pruned"),
        ({}, FINALIZED, "orphaned-object"),
    ],
)
def test_what_goes_with_a_removed_root_is_what_the_finalizers_say(
    monkeypatch: pytest.MonkeyPatch, root: Mapping[str, Any], child: Mapping[str, Any], code: str
) -> None:
    """The objects of a child, while the root is deleted as whoever runs Argo CD does."""
    top, below = case("root"), case("old", parent="root")
    top = replace(top, manifest={**top.manifest, "metadata": {"name": "root", **root}})
    below = replace(
        below, manifest={**below.manifest, "metadata": {"name": "old", "namespace": "argocd", **child}}
    )
    live, objects = {KEY: "1"}, ({"root": [rendered_as(below)], "old": [SETTINGS]}, {})
    stage = Stage(monkeypatch, [top, below], [], live=(live, live), objects=objects)
    assert stage.of("old").code == code


@pytest.mark.parametrize(
    ("policy", "finalizers", "code"),
    [
        ({}, FINALIZED, "not-pruned"),
        ({"applicationsSync": "create-only"}, FINALIZED, "not-pruned"),
        ({"preserveResourcesOnDeletion": True}, {}, ""),
    ],
)
def test_what_a_set_of_a_removed_root_made_goes_as_the_set_says(
    monkeypatch: pytest.MonkeyPatch, policy: Mapping[str, Any], finalizers: Mapping[str, Any], code: str
) -> None:
    top = replace(case("root"), manifest={"metadata": {"name": "root", **FINALIZED}, "spec": {}})
    made = replace(case("old", parent="set"), parent_kind="ApplicationSet")
    made = replace(made, manifest={**made.manifest, "metadata": {"name": "old", **finalizers}})
    set_ = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "set", "namespace": "argocd"},
        "spec": {"syncPolicy": policy},
    }
    live, objects = {KEY: "1"}, ({"root": [set_], "old": [SETTINGS]}, {})
    stage = Stage(monkeypatch, [top, made], [], live=(live, live), objects=objects)
    assert stage.of("old").code == code


def test_what_argocd_asks_a_person_to_confirm_is_confirmed_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [case("web"), case("db")]
    stage = Stage(monkeypatch, both, both, confirmed=["argocd/web"])
    assert stage.of("web").evidence["confirmed"] is True
    assert "confirmed" not in stage.of("db").evidence
