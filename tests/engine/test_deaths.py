"""A tool that dies in mid-run: the error names it and shows its last lines, nobody waits, the reports are written."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from git import Repo
from runs import commit, pull_request, write

from pytest_gitops.argocd.applications import application_path
from pytest_gitops.model import Case, Outcome
from pytest_gitops.processes.process import MARK
from pytest_gitops.report import document
from pytest_gitops.report.write import write as write_reports
from pytest_gitops.run.asking import Selection
from pytest_gitops.run.engine import Engine
from pytest_gitops.settings.settings import Base, Provider, Settings, default_cache, environment
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

# A Deployment that no node can take: converge goes on until something ends it.
NEVER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: waits}
spec:
  selector: {matchLabels: {app: waits}}
  template:
    metadata: {labels: {app: waits}}
    spec:
      nodeSelector: {no-such: node}
      containers: [{name: main, image: "registry.example.com/main:1.0.0"}]
"""

# The same Deployment with a selector that cannot be changed: head's sync is tried again and again.
BASE, HEAD = (
    NEVER.replace("nodeSelector: {no-such: node}", "nodeSelector: {}").replace("app: waits", f"app: {label}")
    for label in ("base", "head")
)

# A ConfigMap that does not go: prune waits for it for some time.
HELD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: waits, finalizers: [example.com/held]}
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: waits, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://git.example.com/waits.git, path: waits, targetRevision: main}
  destination: {server: https://kubernetes.default.svc, namespace: default}
  syncPolicy: {automated: {}}
"""

# A rule that computes for longer than anybody waits: policy goes on until something ends it.
ENDLESS = """\
package endless

deny contains "x" if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b < 0
}
"""

HANG_SECONDS = 60.0

# What OPA computes until it may go on no longer, if it is not the one that dies.
RULE_SECONDS = 2.0

# What is killed, and how its process is told from others: by the end of its program's path and a word of its arguments.
VICTIMS = {
    "etcd": ("etcd", ""),
    "kube-apiserver": ("kube-apiserver", ""),
    "kube-controller-manager": ("kube-controller-manager", ""),
    "argocd-application-controller": ("argocd", "argocd-application-controller"),
    "argocd-repo-server": ("argocd", "argocd-repo-server"),
    "redis": ("redis", ""),
    "opa": ("opa", ""),
}

# The stage in which it dies, if that is not converge.
IN = {"kube-controller-manager": "upgrade", "argocd-application-controller": "prune"}

# Those that write down what goes wrong, and here nothing did.
SILENT = {"argocd-repo-server"}

# Those that a run has, and needs, without a cluster.
WITHOUT_CLUSTER = ("argocd-repo-server", "redis", "opa")


@pytest.fixture
def settings(toolbox: dict[str, Path], tmp_path: Path) -> Callable[..., Settings]:
    """Of a run of `stage` and what it needs on an Application of one object; with `base` at base that is another one."""

    def make(stage: str, manifest: str, *, base: str = "") -> Settings:
        files = {"apps/waits.yaml": APPLICATION, "rules/endless.rego": ENDLESS}
        path = "waits/object.yaml"
        root = commit(write(tmp_path / "waits", {**files, path: base or manifest}))
        if base:
            root = pull_request(root, {path: manifest})
        return Settings(
            root=root,
            report=tmp_path / "report",
            cache=default_cache(environment()),
            environ=environment(),
            stages=("source", "render", *dict.fromkeys(["converge", stage])),
            urls=("https://git.example.com/waits.git",),
            base=Base(name="main", commit=Repo(root).commit("main").hexsha) if base else None,
        )

    return make


def marked(mark: str, program: str, role: str) -> list[int]:
    """The processes of a run that run `program`; `role` is what ARGOCD_BINARY_NAME says."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environ = (entry / "environ").read_bytes().split(b"\0")
            argv = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        words = " ".join(Path(a.decode(errors="replace")).name for a in argv[:3])
        named = not role or f"ARGOCD_BINARY_NAME={role}".encode() in environ
        if f"{MARK}={mark}".encode() in environ and program in words and named:
            found.append(int(entry.name))
    return found


def is_compared(engine: Engine, case: Case) -> bool:
    """Whether Argo CD has written of it."""
    context = engine._context
    assert context is not None
    return any(m.sync for m in context.timelines.get(case.id, ()))


def has_converged(engine: Engine, case: Case) -> bool:
    return engine.verdicts.get(case.id, "converge") is not None


def is_deleted(engine: Engine, case: Case) -> bool:
    """Whether it is on its way out."""
    if not has_converged(engine, case):
        return False
    assert engine._ground.api is not None
    return "deletionTimestamp" in engine._ground.api.get(application_path(case))["metadata"]


def dies(settings: Settings, stage: str, victim: str, *, begun: Callable[[Engine, Case], bool]) -> None:
    """Kill `victim` in the middle of `stage`: what is said of that."""
    engine = Engine(settings)
    plan = engine.prepare()
    try:
        (case,) = plan.cases
        engine.begin(Selection(((case.id, "source"), (case.id, stage))))
        wait_until(lambda: begun(engine, case), limit=HANG_SECONDS, what=f"{stage} is under way")
        run_id = engine._ground.supervisor.run_id
        program, role = VICTIMS[victim]
        pids = marked(run_id, program, role)
        assert pids, f"{victim} does not run"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        result = engine.wait(case.id, stage, limit=HANG_SECONDS)
        # In upgrade there are two of most, and one is told of.
        tails = [d.tail() for d in engine._ground.supervisor._daemons if victim in d.name and not d.alive]
    finally:
        run = engine.finish()
    assert result is not None, "it hangs"
    assert (result.outcome, result.code) == (Outcome.ERROR, "tool-died")
    assert victim in result.message
    assert "signal 9" in result.message
    assert any((f"Its last lines:\n{t}" if t else "It wrote nothing.") in result.message for t in tails)
    assert any(tails) or victim in SILENT
    assert victim in run.error
    paths = write_reports(document.build(run), engine.settings.report)
    report = json.loads(next(p for p in paths if p.name == "report.json").read_text("utf-8"))
    assert report["applications"][0]["outcome"] == "error"
    assert report["applications"][0]["stages"][0]["outcome"] == "passed"
    assert not marked(run_id, "", "")


@pytest.mark.parametrize("victim", [v for v in VICTIMS if v not in WITHOUT_CLUSTER])
def test_a_death_is_an_error_that_names_the_dead(settings: Callable[..., Settings], victim: str) -> None:
    stage = IN.get(victim, "converge")
    manifest, base, begun = {
        "converge": (NEVER, "", is_compared),
        "upgrade": (HEAD, BASE, has_converged),
        "prune": (HELD, "", is_deleted),
    }[stage]
    dies(settings(stage, manifest, base=base), stage, victim, begun=begun)


@pytest.mark.parametrize("victim", WITHOUT_CLUSTER)
def test_a_death_without_a_cluster_is_one_too(settings: Callable[..., Settings], victim: str) -> None:
    """While `policy` asks OPA, which does not answer."""
    asked = settings("policy", NEVER)
    without = replace(
        asked,
        stages=("source", "render", "policy"),
        provider=Provider.NONE,
        policy_folders=(asked.root / "rules",),
        policy_timeout=RULE_SECONDS,
    )
    dies(
        without,
        "policy",
        victim,
        begun=lambda engine, case: engine.verdicts.get(case.id, "source") is not None,
    )
