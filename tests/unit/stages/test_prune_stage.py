"""prune over a cluster that deletes as it is told: which trees go, in what order, how each is told, and when it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from stage_support import Answers, make_context, make_plan

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.bounds import Bounds
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case, Outcome
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages import departing, prune, tracks
from pytest_gitops.stages.approving import APPROVED
from pytest_gitops.stages.context import Context

FINALIZER = "resources-finalizer.argocd.argoproj.io"
PLURALS = {"applications": "Application", "applicationsets": "ApplicationSet", "appprojects": "AppProject"}
CLUSTER_SCOPED = {"Namespace"}

Object = dict[str, Any]


def application(name: str, *, finalizer: bool = True, project: str = "default", **spec: Any) -> Object:
    meta = {"name": name, "namespace": "argocd", "finalizers": [FINALIZER] if finalizer else []}
    spec = {"project": project, "destination": {"namespace": name}, **spec}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": meta,
        "spec": spec,
    }


def thing(kind: str, name: str, namespace: str = "", api_version: str = "v1", **annotations: str) -> Object:
    notes = {f"argocd.argoproj.io/{k.replace('_', '-')}": v for k, v in annotations.items()}
    meta: Object = {"name": name, "annotations": notes}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {**meta, **({"namespace": namespace} if namespace else {})},
    }


class FakeCluster:
    """All objects; deletes an Application with what it renders, as soon as its finalizers are gone. `held` are names
    of objects that stay on their way out, `asks` of Applications that want a confirmation."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.renders: dict[str, Sequence[Object]] = {}
        self.held: set[str] = set()
        self.asks: set[str] = set()
        self.slow: set[str] = set()
        self.fails: dict[str, str] = {}
        self.owned: dict[str, list[str]] = {}  # what an ApplicationSet made
        self.log: list[str] = []
        self._act: list[Callable[[str, Object], None]] = []
        self._uid = 0

    def add(self, manifest: Mapping[str, Any]) -> None:
        self._uid += 1
        meta = {**manifest["metadata"], "uid": str(self._uid)}
        self.objects[_at(manifest)] = {**manifest, "metadata": meta}

    # what the stage asks

    def kinds(self) -> tuple[tuple[str, str], ...]:
        return tuple(dict.fromkeys((o["apiVersion"], o["kind"]) for o in self.objects.values()))

    def collection(self, version: str, kind: str) -> str:
        return f"{version} {kind}"

    def is_namespaced(self, version: str, kind: str) -> bool:
        return kind not in CLUSTER_SCOPED

    def metadata(self, path: str) -> list[Object]:
        kind = PLURALS.get(path.rpartition("/")[2]) or path.rpartition(" ")[2]
        return [o["metadata"] for o in list(self.objects.values()) if o["kind"] == kind]

    def get(self, path: str) -> Object:
        return self.objects[self._found(path)]

    def patch(self, path: str, body: Mapping[str, Any], **_: Any) -> Object:
        key = self._found(path)
        old = self.objects[key]
        meta = {**old["metadata"], **body.get("metadata", {})}
        self.objects[key] = {**old, "metadata": meta}
        self.log.append(f"patch {key[2]} {', '.join(body.get('metadata', {}))}")
        if key[0] == "AppProject":
            del self.objects[key]
        if APPROVED in (meta.get("annotations") or {}):
            self.asks.discard(key[2])
            self._delete(key)
        return self.objects.get(key, old)

    def delete(self, path: str) -> None:
        key = self._found(path)
        self.log.append(f"delete {key[2]}")
        if key[0] == "ApplicationSet":
            del self.objects[key]
            for name in self.owned[key[2]]:
                self._delete(("Application", "argocd", name))
        else:
            self._delete(key)

    def watch(
        self, path: str, act: Callable[[str, Object], None], *, stop: threading.Event, **_: Any
    ) -> None:
        self._act.append(act)
        for each in [o for o in self.objects.values() if o["kind"] == "Application"]:
            act("ADDED", each)
        stop.wait(10)

    # what happens then

    def _found(self, path: str) -> tuple[str, str, str]:
        *_, namespace, plural, name = path.split("/")
        key = (PLURALS[plural], namespace, name)
        if key not in self.objects:
            raise ApiError("gone", status=404, reason="NotFound")
        return key

    def _delete(self, key: tuple[str, str, str]) -> None:
        if key not in self.objects:
            return
        kind, _, name = key
        old = self.objects[key]
        if kind == "Application":
            status: Object = {"resources": [{"requiresDeletionConfirmation": name in self.asks}]}
            if name in self.fails:
                status["conditions"] = [{"type": "DeletionError", "message": self.fails[name]}]
            going = {**old, "metadata": {**old["metadata"], "deletionTimestamp": "now"}, "status": status}
            self.objects[key] = going
            self._tell("MODIFIED", going)
            if name in self.asks or name in self.fails:
                return
            for each in self.renders.get(name, ()) if FINALIZER in old["metadata"]["finalizers"] else ():
                if not _stays(each):
                    self._delete(_at(each))
            left = [e for e in self.renders.get(name, ()) if _at(e) in self.objects and not _stays(e)]
            if any(e["kind"] != "AppProject" for e in left):
                return
            del self.objects[key]
            self._tell("DELETED", going)
        elif name in self.held:
            finalizer = FINALIZER if kind == "AppProject" else "example.com/held"
            meta = {**old["metadata"], "deletionTimestamp": "now", "finalizers": [finalizer]}
            self.objects[key] = {**old, "metadata": meta}
        elif name not in self.slow and not _stays(old):
            del self.objects[key]

    def _tell(self, kind: str, each: Object) -> None:
        for act in self._act:
            act(kind, each)


def _at(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace", ""), meta["name"]


def _stays(manifest: Mapping[str, Any]) -> bool:
    return "Delete=false" in str(manifest["metadata"].get("annotations"))


class Stage:
    """A repository whose roots are `roots`; `renders` has the objects of each, by name, Applications among them."""

    def __init__(
        self,
        roots: Sequence[Object],
        renders: Mapping[str, Sequence[Object]],
        *,
        sets: Mapping[str, Sequence[Object]] | None = None,
        before: Sequence[Object] = (),
        others: Mapping[str, Any] | None = None,
    ) -> None:
        self.cluster = FakeCluster()
        self.answers = Answers()
        cases = [self._case(r) for r in roots]
        for each in cases:
            for child in renders.get(each.name, ()):
                known = {c.name for c in cases}  # one that contains itself is planned once
                if child["kind"] == "Application" and child["metadata"]["name"] not in known:
                    cases.append(self._case(child, parent=each.key, kind="Application"))
        for name, made in (sets or {}).items():
            cases += [self._case(m, parent=f"argocd/{name}", kind="ApplicationSet") for m in made]
        self.cases = cases
        self.context = make_context(api=self.cluster)
        self.context.settings = replace(self.context.settings, stages=("converge", "prune"))
        self.context.plan = make_plan(cases)
        for each in cases:
            objects = tuple(renders.get(each.name, ()))
            self.context.renders[each.id] = cast(Any, _rendered(objects))
        self.context.destinations = others or {}
        self.context.bounds = dict.fromkeys(others or {}, Bounds(namespaces=("gitops-ab-web",)))
        for each in before:
            self.cluster.add(each)
        prune.take_stock(self.context)
        self.cluster.renders = dict(renders)
        for name, made in (sets or {}).items():
            self.cluster.owned[name] = [m["metadata"]["name"] for m in made]
            self.cluster.add(thing("ApplicationSet", name, "argocd", "argoproj.io/v1alpha1"))
        for case in cases:
            self.cluster.add(case.manifest)
            for each in renders.get(case.name, ()):
                if each["kind"] != "Application":
                    self.cluster.add(each)

    @staticmethod
    def _case(manifest: Object, *, parent: str = "", kind: str = "") -> Case:
        file = f"{manifest['metadata']['name']}.yaml"
        return case_of(manifest, control="argocd", file=file, line=1, parent=parent, parent_kind=kind)

    def run(self, *names: str) -> Answers:
        asked = [c for c in self.cases if not names or c.name in names]
        prune.run(self.context, asked, self.answers)
        return self.answers

    def deleted(self) -> list[str]:
        return [line.removeprefix("delete ") for line in self.cluster.log if line.startswith("delete ")]


def _rendered(objects: Sequence[Object]) -> Rendered:
    rendered = object.__new__(Rendered)
    object.__setattr__(rendered, "objects", objects)
    return rendered


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"TICK": 0.002, "LOOK": 0.004, "SOON": 0.002, "QUIET": 0.1}.items():
        monkeypatch.setattr(departing, name, seconds)
    monkeypatch.setattr(tracks, "STILL", 0.3)


SETTINGS = thing("ConfigMap", "settings", "web")


def test_a_root_is_deleted_with_all_it_has() -> None:
    stage = Stage([application("web")], {"web": [SETTINGS]})
    result = stage.run().of("argocd/web")
    assert result.outcome is Outcome.PASSED, result.message
    assert result.evidence["gone"] == 1 and result.evidence["deletedSeconds"] is not None
    assert result.evidence["with"] is None and result.evidence["finalizer"] is True
    assert stage.cluster.log == ["delete web"]


def test_a_finalizer_that_is_missing_is_added_first() -> None:
    stage = Stage([application("web", finalizer=False)], {"web": [SETTINGS]})
    result = stage.run().of("argocd/web")
    assert stage.cluster.log == ["patch web finalizers", "delete web"]
    assert result.outcome is Outcome.PASSED and result.findings == ()
    assert result.evidence["finalizer"] is False


def test_children_go_with_their_root_whoever_is_asked() -> None:
    child = application("child")
    stage = Stage(
        [application("root")], {"root": [child], "child": [thing("ConfigMap", "settings", "child")]}
    )
    answers = stage.run("child")
    assert stage.deleted() == ["root"]
    assert [key for key, _ in answers.given] == ["argocd/child"]
    assert answers.of("argocd/child").evidence["with"] == "Application argocd/root"
    assert answers.of("argocd/child").evidence["gone"] == 1


def test_a_tree_of_which_nothing_is_asked_stays() -> None:
    stage = Stage([application("web"), application("shop")], {})
    stage.run("web")
    assert stage.deleted() == ["web"]


def test_an_applicationset_is_deleted_and_not_its_applications() -> None:
    made = application("made")
    stage = Stage([], {"made": [thing("ConfigMap", "settings", "made")]}, sets={"set": [made]})
    result = stage.run().of("argocd/made")
    assert stage.deleted() == ["set"]
    assert result.evidence["with"] == "ApplicationSet argocd/set" and result.evidence["gone"] == 1


def test_what_a_set_preserves_stays_rightly() -> None:
    made = application("made", finalizer=False)
    stage = Stage([], {"made": [thing("ConfigMap", "settings", "made")]}, sets={"set": [made]})
    # Without its finalizer the Application goes, and its objects do not.
    stage.cluster.renders = {}
    result = stage.run().of("argocd/made")
    assert result.outcome is Outcome.PASSED, result.message
    assert [k["why"] for k in result.evidence["kept"]] == [prune.PRESERVED]


def test_an_application_that_its_set_lets_go_stays_rightly() -> None:
    made = application("made")
    stage = Stage([], {"made": [thing("ConfigMap", "settings", "made")]}, sets={"set": [made]})
    stage.cluster.owned["set"] = []
    result = stage.run().of("argocd/made")
    assert result.outcome is Outcome.PASSED, result.message
    assert [k["why"] for k in result.evidence["kept"]] == [prune.RELEASED]


def test_a_set_that_an_application_renders_goes_with_that() -> None:
    made, the_set = application("made"), thing("ApplicationSet", "set", "argocd", "argoproj.io/v1alpha1")
    stage = Stage([application("root")], {"root": [the_set]}, sets={"set": [made]})
    stage.run("made")
    assert stage.deleted() == ["root"]


def test_who_lives_in_a_namespace_goes_before_it() -> None:
    room = thing("Namespace", "room")
    tenant = application("tenant", destination={"namespace": "room"})
    renders = {"landlord": [room], "tenant": [thing("ConfigMap", "settings", "room")]}
    stage = Stage([application("landlord"), tenant], renders)
    answers = stage.run()
    assert stage.deleted() == ["tenant", "landlord"]
    assert [f.rule for f in answers.of("argocd/landlord").findings] == ["deletes-others"]


def test_who_belongs_to_a_project_goes_before_it_and_a_circle_goes_at_once() -> None:
    projects = {
        n: thing("AppProject", n, "argocd", "argoproj.io/v1alpha1", sync_wave="-1") for n in ("one", "two")
    }
    roots = [application("first", project="two"), application("second")]
    stage = Stage(roots, {"first": [], "second": [projects["two"]]})
    stage.run()
    assert stage.deleted() == ["first", "second"]
    roots = [application("first", project="two"), application("second", project="one")]
    stage = Stage(roots, {"first": [projects["one"]], "second": [projects["two"]]})
    stage.run()
    assert stage.deleted() == ["first", "second"]


def test_what_is_stuck_is_given_up_and_others_are_judged() -> None:
    renders = {"web": [SETTINGS], "shop": [thing("ConfigMap", "wares", "shop")]}
    stage = Stage([application("web"), application("shop")], renders)
    stage.cluster.held = {"settings"}
    answers = stage.run()
    assert (answers.of("argocd/web").code, answers.of("argocd/shop").code) == ("stuck-finalizer", "")
    assert answers.of("argocd/web").evidence["left"] == [
        {"object": "ConfigMap web/settings", "finalizers": ["example.com/held"]}
    ]


def test_what_argocd_cannot_delete_is_told_in_its_words() -> None:
    stage = Stage([application("web")], {"web": [SETTINGS]})
    stage.cluster.fails = {"web": "PostDelete hook(s) failed: web/farewell"}
    result = stage.run().of("argocd/web")
    assert result.code == "deletion-error"
    assert "cause    a hook of the deletion failed" in result.message
    assert result.evidence["cause"]["class"] == "deletion-hook-failed"


def test_what_ails_argocd_itself_is_an_error_and_no_failure() -> None:
    stage = Stage([application("web")], {"web": [SETTINGS]})
    stage.cluster.fails = {"web": "rpc error: code = Unavailable desc = connection error"}
    result = stage.run().of("argocd/web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")


def test_a_project_that_waits_for_nobody_any_more_is_looked_at() -> None:
    project = thing("AppProject", "grid", "argocd", "argoproj.io/v1alpha1")
    stage = Stage([application("web", project="grid")], {"web": [project]})
    stage.cluster.held = {"grid"}
    result = stage.run().of("argocd/web")
    assert result.outcome is Outcome.PASSED, result.message
    assert stage.cluster.log == ["delete web", "patch grid annotations"]


def test_what_is_only_slow_is_given_up_when_nothing_else_moves() -> None:
    stage = Stage([application("web")], {"web": [SETTINGS]})
    stage.cluster.slow = {"settings"}
    result = stage.run().of("argocd/web")
    assert result.code == "not-deleted"
    assert result.evidence["left"] == [{"object": "ConfigMap web/settings", "finalizers": []}]


def test_a_confirmation_that_is_asked_for_is_given() -> None:
    stage = Stage([application("web")], {"web": [SETTINGS]})
    stage.cluster.asks = {"web"}
    result = stage.run().of("argocd/web")
    assert result.outcome is Outcome.PASSED, result.message
    assert result.evidence["confirmed"] is True
    assert stage.cluster.log == ["delete web", "patch web annotations"]


def test_a_child_that_its_parent_leaves_stays_with_its_objects() -> None:
    child = application("child")
    child["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Delete=false"}
    stage = Stage(
        [application("root")], {"root": [child], "child": [thing("ConfigMap", "settings", "child")]}
    )
    answers = stage.run()
    assert answers.of("argocd/root").outcome is Outcome.PASSED
    assert [k["why"] for k in answers.of("argocd/child").evidence["kept"]] == ["Delete=false"]


@pytest.mark.parametrize(
    "own", [thing("Namespace", "argocd"), thing("ConfigMap", "argocd-cm", "argocd")], ids=lambda o: o["kind"]
)
def test_a_tree_that_brings_argocd_itself_is_not_deleted(own: Object) -> None:
    stage = Stage([application("argocd"), application("web")], {"argocd": [own], "web": [SETTINGS]})
    answers = stage.run()
    skipped = answers.of("argocd/argocd")
    assert (skipped.outcome, skipped.code) == (Outcome.SKIPPED, "manages-argocd")
    assert stage.deleted() == ["web"] and answers.of("argocd/web").outcome is Outcome.PASSED


@pytest.mark.parametrize("renders", [{"web": ["web"]}, {"web": ["child"], "child": ["web"]}], ids=len)
def test_one_that_contains_itself_is_not_deleted(renders: dict[str, list[str]]) -> None:
    apps = {name: application(name) for name in ("web", "child", "other")}
    stage = Stage(
        [apps["web"], apps["other"]],
        {"other": [SETTINGS], **{name: [apps[c] for c in children] for name, children in renders.items()}},
    )
    answers = stage.run()
    skipped = answers.of("argocd/web")
    assert (skipped.outcome, skipped.code) == (Outcome.SKIPPED, "contains-itself")
    assert stage.deleted() == ["other"] and answers.of("argocd/other").outcome is Outcome.PASSED


def test_argocds_own_namespace_may_be_kept() -> None:
    kept = thing("Namespace", "argocd", sync_options="Delete=false")
    stage = Stage([application("argocd")], {"argocd": [kept]})
    assert stage.run().of("argocd/argocd").outcome is Outcome.PASSED


def test_what_was_there_before_is_missed() -> None:
    foreign = thing("ConfigMap", "settings", "web")
    stage = Stage([application("web")], {"web": [SETTINGS]}, before=[foreign])
    assert stage.run().of("argocd/web").code == "foreign-object-deleted"


def test_a_run_that_ends_publishes_nothing() -> None:
    stage = Stage([application("web")], {"web": [SETTINGS]})
    stage.context.stopping.set()
    assert stage.run().given == []


def test_without_a_look_before_nothing_is_judged() -> None:
    context: Context = make_context(api=FakeCluster())
    with pytest.raises(EngineError, match="could not be read"):
        prune.run(context, [], Answers())


def test_why_that_look_failed_is_said_by_prune_alone() -> None:
    class Broken(FakeCluster):
        def kinds(self) -> tuple[tuple[str, str], ...]:
            raise ApiError("no discovery", status=500, reason="InternalError")

    context = make_context(api=Broken())
    context.settings = replace(context.settings, stages=("converge", "prune"))
    prune.take_stock(context)
    with pytest.raises(EngineError, match="could not be read: no discovery"):
        prune.run(context, [], Answers())


def test_nothing_is_read_where_the_stage_is_not_asked() -> None:
    context = make_context(api=FakeCluster())
    prune.take_stock(context)
    assert context.stock is None


def test_a_cluster_of_others_that_does_not_answer_is_no_green_and_others_are_judged() -> None:
    class Gone:
        def kinds(self) -> tuple[tuple[str, str], ...]:
            raise ApiError("no answer", status=0, reason="Unreachable")

        def is_namespaced(self, version: str, kind: str) -> bool:
            return True

    there = "https://dev.existing.invalid:6443"
    stage = Stage(
        [
            application("web", destination={"server": there, "namespace": "gitops-ab-web"}),
            application("shop"),
        ],
        {"web": [SETTINGS], "shop": [thing("ConfigMap", "settings", "shop")]},
        others={there: Gone()},
    )
    answers = stage.run()
    web = answers.of("argocd/web")
    assert (web.outcome, web.code) == (Outcome.ERROR, "cluster-gone")
    assert (
        web.message == f"{there} did not answer, so what is left there of Application argocd/web is not known"
    )
    assert web.evidence["lookedAt"] == ["gitops-ab-web"]
    assert answers.of("argocd/shop").outcome is Outcome.PASSED
