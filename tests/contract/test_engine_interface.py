"""The engine's interface, as the plugin uses it, and the calls that scenarios and users' tests make: what the fake
promises and answers, the real one keeps and answers too."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.model import Outcome
from pytest_gitops.planning.plan import Plan
from pytest_gitops.processes.process import run
from pytest_gitops.processes.warden import MARK
from pytest_gitops.run.asking import Selection
from pytest_gitops.run.engine import Engine
from pytest_gitops.scenarios.api import GitOpsFailure, GitOpsRun, value_of
from pytest_gitops.settings.settings import Settings, default_cache, explicit_tools, tool_mirrors
from pytest_gitops.stages import chosen

sys.path.append(str(Path(__file__).parent.parent / "plugin"))

from fake_engine import FakeEngine

LIMIT = 120.0  # seconds for one answer of the real engine on a busy machine

STAGES = tuple(stage for stage in chosen(["all"]) if stage != "admit")
"""Without the one that has an API server of its own: what is promised of stages is the same for all."""

Make = Callable[[Settings], Any]

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  namespace: argocd
  finalizers: [resources-finalizer.argocd.argoproj.io]
spec:
  project: default
  source: {{repoURL: https://git.example.com/grid.git, path: {name}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true]}}
"""


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.engine)])
def make(request: pytest.FixtureRequest) -> Make:
    """How an engine is made."""
    return FakeEngine if request.param == "fake" else Engine


@contextlib.contextmanager
def run_directories() -> Iterator[Path]:
    """Where run directories go. Its path is short: Argo CD has a unix socket in there (107 characters)."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="gitops-") as folder:
        patch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def runs() -> Iterator[Path]:
    with run_directories() as folder:
        yield folder


def settings_in(folder: Path) -> Settings:
    """A repository of two Applications with a ConfigMap each."""
    root = folder / "grid"
    for name in ("omega", "alpha"):
        (root / name).mkdir(parents=True)
        (root / f"{name}.yaml").write_text(APPLICATION.format(name=name))
        (root / name / "settings.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {key: value}\n"
        )
    run("git", "init", "--quiet", "--initial-branch=main", cwd=root)
    environ = dict(os.environ)
    return Settings(
        root=root,
        report=folder / "report",
        cache=default_cache(environ),
        environ=environ,
        stages=STAGES,
        urls=("https://git.example.com/grid.git",),
        timeout=LIMIT,
        tools=explicit_tools(environ),
        mirrors=tool_mirrors(environ),
    )


@pytest.fixture
def settings(tmp_path: Path, runs: Path) -> Settings:
    return settings_in(tmp_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An engine that has started, its plan, and where its run directory is."""

    engine: Any
    plan: Plan
    runs: Path


@pytest.fixture(scope="module")
def prepared(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """One run, since each costs the real one ten seconds: it answers all calls, and then for every stage."""
    settings = settings_in(tmp_path_factory.mktemp("prepared"))
    with run_directories() as runs:
        engine = make(settings)
        try:
            yield Prepared(engine=engine, plan=engine.prepare(), runs=runs)
        finally:
            engine.close()


@pytest.fixture
def engine(make: Make, settings: Settings) -> Iterator[Any]:
    made = make(settings)
    yield made
    made.close()


@pytest.fixture
def slow(settings: Settings) -> None:
    """The fake does not converge by itself, as the real one does not within the first moments."""
    (settings.root / "fake-engine.json").write_text('{"delay": {"converge": 60}}')


def run_ids(runs: Path) -> list[str]:
    """The runs that have a directory."""
    return [p.name.removeprefix("pytest-gitops-") for p in runs.iterdir()]


def marked(ids: list[str]) -> list[str]:
    """The processes that say that they belong to one of these runs."""
    marks, found = {f"{MARK}={i}".encode() for i in ids}, []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and marks & set((entry / "environ").read_bytes().split(b"\0")):
                found.append(entry.name)
    return found


class Holder:
    """One test that asks: its run, and its end."""

    def __init__(self, engine: Any, name: str) -> None:
        self._engine, self._name = engine, name
        self.run = GitOpsRun(self.call)

    def call(self, question: str, given: Any) -> Any:
        return self._engine.call(self._name, question, given)

    def release(self) -> None:
        self._engine.release(self._name)


@pytest.fixture
def one(prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Holder]:
    holder = Holder(prepared.engine, request.node.name)
    yield holder
    holder.release()


CHANGED = {"data": {"key": "other"}}


class TestCalls:
    def test_what_there_is(self, one: Holder) -> None:
        assert one.run.applications == ("argocd/alpha", "argocd/omega")
        assert one.run.has_cluster
        rendered = one.run.rendered("alpha")
        assert rendered.one(kind="ConfigMap", name="settings", namespace="alpha")["data"] == {"key": "value"}

    def test_an_application_is_at_rest_when_it_is_taken(self, one: Holder) -> None:
        app = one.run.app("argocd/alpha")
        assert (app.key, app.name) == ("argocd/alpha", "alpha")
        status = app.status()
        assert (status.sync, status.health) == ("Synced", "Healthy")
        assert status.application["status"]["sync"]["status"] == "Synced"
        assert app.wait_healthy().sync == "Synced"
        app.expect(sync="Synced", health={"$not": "Degraded"}, within=0)

    def test_drift_is_seen_and_a_sync_undoes_it(self, one: Holder) -> None:
        app = one.run.app("alpha")
        app.drift("ConfigMap", "settings", patch=CHANGED)
        assert app.object("ConfigMap", "settings")["data"] == {"key": "other"}
        assert app.status().sync == "OutOfSync"
        assert app.sync().phase == "Succeeded"
        app.expect(
            sync="Synced",
            objects=[{"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"key": "value"}}],
        )

    def test_what_is_not_so_is_told_part_by_part(self, one: Holder) -> None:
        app = one.run.app("alpha")
        wanted = {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"key": "none"}}
        with pytest.raises(GitOpsFailure) as caught:
            app.expect(health="Degraded", objects=[wanted], within=0.1)
        told = [(u.path, u.field, u.expected, u.seen) for u in caught.value.unmet]
        assert told == [
            (("health",), "health", "'Degraded'", "'Healthy'"),
            (("objects", 0, "data", "key"), "data.key", "'none'", "'value'"),
        ]

    def test_what_is_not_there_is_a_failure(self, one: Holder) -> None:
        with pytest.raises(
            GitOpsFailure, match="expected one Application 'nobody', saw none; there is argocd/alpha"
        ):
            one.run.app("nobody")
        app = one.run.app("alpha")
        assert app.objects("Pod") == []
        with pytest.raises(GitOpsFailure, match="that Application argocd/alpha manages, saw none"):
            app.drift("Deployment", "settings", scale=1)

    def test_what_nobody_knows_is_an_error(self, one: Holder) -> None:
        with pytest.raises(EngineError, match="nobody knows the question 'dance'"):
            value_of(one.call("dance", {"application": "alpha"}))

    def test_what_a_test_changed_is_put_back_before_the_next_one_has_it(
        self, prepared: Prepared, one: Holder
    ) -> None:
        app, other = one.run.app("alpha"), Holder(prepared.engine, "other")
        app.drift("ConfigMap", "settings", patch=CHANGED)
        seen: list[Any] = []

        def look() -> None:
            waiting = other.run.app("alpha")
            seen.append((waiting.status().sync, waiting.object("ConfigMap", "settings")["data"]))
            other.release()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        assert Holder(prepared.engine, "third").run.app("omega").status().sync == "Synced", (
            "another one is had at once"
        )
        assert seen == []
        one.release()
        thread.join(LIMIT)
        assert seen == [("Synced", {"key": "value"})]
        prepared.engine.release("third")


class TestEngine:
    def test_a_run_from_its_beginning_to_its_end(self, prepared: Prepared) -> None:
        """Every promise in the order of the calls. The last test that has this run: it ends it."""
        engine, plan, runs = prepared.engine, prepared.plan, prepared.runs
        assert [c.id for c in plan.cases] == ["alpha.yaml::argocd/alpha", "omega.yaml::argocd/omega"]
        assert engine.versions.argocd
        assert engine.versions.opa
        assert engine.kubeconfig is not None
        ids = run_ids(runs)

        handed = engine.hand_over("note.txt", "for a worker")
        assert handed.read_text() == "for a worker"
        assert engine.hand_over("note.txt", "again").read_text() == "again", "a worker may be replaced"

        asked = list(STAGES)
        pairs = [(c.id, s) for c in plan.cases for s in asked]
        assert engine.wait(*pairs[0], limit=0.01) is None, "nothing was begun"
        engine.begin(Selection(tuple(pairs)))
        assert engine.verdicts.expected >= len(pairs)
        results = {p: engine.wait(*p, limit=LIMIT) for p in pairs}
        assert {(r.stage, r.outcome, r.message) for r in results.values() if r} == {
            (s, Outcome.PASSED, "") for s in asked
        }
        assert engine.verdicts.open == 0
        assert engine.wait("none.yaml::argocd/none", "source", limit=0.01) is None

        found = engine.finish()
        assert [v.case.id for v in found.verdicts] == [c.id for c in plan.cases]
        assert all([s.stage for s in v.stages] == asked for v in found.verdicts)
        assert found.error == ""
        assert not handed.exists()
        assert (run_ids(runs), marked(ids)) == ([], [])
        engine.close()
        engine.close()

    @pytest.mark.usefixtures("slow")
    def test_only_what_is_selected_is_reported_and_what_is_open_at_the_end_is_an_error(
        self, engine: Any, runs: Path
    ) -> None:
        plan = engine.prepare()
        case = plan.cases[1].id
        engine.begin(Selection(((case, "source"), (case, "converge"))))
        assert engine.wait(case, "source", limit=LIMIT) is not None
        found = engine.finish()
        (verdict,) = found.verdicts
        assert verdict.case.id == case
        assert [(s.stage, s.outcome, s.code) for s in verdict.stages] == [
            ("source", Outcome.PASSED, ""),
            ("converge", Outcome.ERROR, "interrupted"),
        ]
        assert engine.wait(case, "converge").outcome is Outcome.ERROR
        assert run_ids(runs) == []

    @pytest.mark.usefixtures("slow")
    def test_an_aborted_run_answers_everything_and_says_why(self, engine: Any) -> None:
        plan = engine.prepare()
        pairs = tuple((c.id, "converge") for c in plan.cases)
        engine.begin(Selection(pairs))
        waiting = [threading.Thread(target=engine.wait, args=p) for p in pairs]
        for thread in waiting:
            thread.start()
        engine.abort(EngineError("etcd was killed by signal 9"))
        for thread in waiting:
            thread.join(10)
            assert not thread.is_alive()
        assert {engine.wait(*p).code for p in pairs} == {"tool-died"}
        assert engine.finish().error == "etcd was killed by signal 9"


class TestEngineThatNeverStarted:
    """Cheap with the real one too: none of this boots anything."""

    def test_closing_is_always_safe(self, engine: Any, runs: Path) -> None:
        engine.close()
        engine.close()
        assert run_ids(runs) == []

    def test_finish_gives_a_run_that_says_why_there_is_none(self, engine: Any) -> None:
        engine.abort(EngineError("no space left"))
        found = engine.finish()
        assert (found.verdicts, found.error) == ((), "no space left")

    def test_a_folder_without_git_is_a_configuration_error(
        self, make: Make, settings: Settings, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        made = make(dataclasses.replace(settings, root=elsewhere))
        with pytest.raises(ConfigError, match="expected a git repository"):
            made.prepare()
        made.close()

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_of_the_engine_that_fails_leaves_nobody_waiting(self, engine: Any) -> None:
        """`begin` without `prepare` is wrong, and its threads fail; whoever waits is answered still."""
        pair = ("a.yaml::argocd/a", "converge")
        if isinstance(engine, FakeEngine):
            engine._script = {"ends_after": 0}
        engine.begin(Selection((pair,)))
        answer = engine.wait(*pair, limit=10)
        assert answer is not None
        assert (answer.outcome, answer.code) == (Outcome.ERROR, "not-answered")
