"""The calls that scenarios and users' tests make: what the fake desk answers, the real one answers too."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.errors import EngineError
from pytest_gitops.processes.process import run
from pytest_gitops.run.engine import Engine
from pytest_gitops.scenarios.api import GitOpsFailure, GitOpsRun, value_of
from pytest_gitops.settings.settings import Settings, default_cache, explicit_tools, tool_mirrors

sys.path.append(str(Path(__file__).parent.parent / "plugin"))

from fake_desk import FakeDesk

LIMIT = 300.0

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: https://git.example.com/grid.git, path: {name}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{syncOptions: [CreateNamespace=true]}}
"""


class Holder:
    """One test that asks: its run, and its end."""

    def __init__(self, desk: Any, name: str) -> None:
        self._desk, self._name = desk, name
        self.run = GitOpsRun(self.call)

    def call(self, question: str, given: Any) -> Any:
        return self._desk.call(self._name, question, given)

    def release(self) -> None:
        self._desk.release(self._name)


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.engine)])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "fake":
        yield FakeDesk(["argocd/alpha", "argocd/omega"])
        return
    root = tmp_path_factory.mktemp("calls") / "grid"
    for name in ("omega", "alpha"):
        (root / name).mkdir(parents=True)
        (root / f"{name}.yaml").write_text(APPLICATION.format(name=name))
        (root / name / "settings.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {key: value}\n"
        )
    run("git", "init", "--quiet", "--initial-branch=main", cwd=root)
    environ = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="gitops-") as folder:
        patch.setattr(tempfile, "tempdir", folder)  # a short path: Argo CD has a unix socket in there
        engine = Engine(
            Settings(
                root=root,
                report=root.parent / "report",
                cache=default_cache(environ),
                environ=environ,
                stages=("render", "converge"),
                urls=("https://git.example.com/grid.git",),
                timeout=LIMIT,
                tools=explicit_tools(environ),
                mirrors=tool_mirrors(environ),
            )
        )
        try:
            engine.prepare()
            yield engine
        finally:
            engine.close()


@pytest.fixture
def one(desk: Any, request: pytest.FixtureRequest) -> Iterator[Holder]:
    holder = Holder(desk, request.node.name)
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

    def test_what_a_test_changed_is_put_back_before_the_next_one_has_it(self, desk: Any, one: Holder) -> None:
        app, other = one.run.app("alpha"), Holder(desk, "other")
        app.drift("ConfigMap", "settings", patch=CHANGED)
        seen: list[Any] = []

        def look() -> None:
            waiting = other.run.app("alpha")
            seen.append((waiting.status().sync, waiting.object("ConfigMap", "settings")["data"]))
            other.release()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        assert Holder(desk, "third").run.app("omega").status().sync == "Synced", "another one is had at once"
        assert seen == []
        one.release()
        thread.join(LIMIT)
        assert seen == [("Synced", {"key": "value"})]
        desk.release("third")
