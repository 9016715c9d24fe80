"""An engine that starts nothing: its cases are the repository's, its verdicts come from `fake-engine.json`.

A pytest plugin: `-p fake_engine` puts it in the real one's place. The file, at the repository's top, may have

    verdicts        {"argocd/name stage": {"outcome", "code", "message", "findings", …}}; all others pass; a scenario's
                    key is its name and "scenario"
    boot            seconds that `prepare` takes; that it has begun is told by a file, `BOOTING`
    delay           seconds between two answers, or before those of a stage: {stage: seconds}
    prepare         {"config" | "engine": text}: the error that `prepare` raises
    abort           {"after": answers given, "message": text}: a tool that dies in mid-run
    ends_after      answers after which the engine's own thread ends without a word
    changed         keys of the only Applications that differ from base
    lots            {key: name of the lot that it is judged in}; all others are alone
    finish          text of the EngineError that `finish` raises
    rbac            {line: a finding}: what is wrong with the expectation of that line; all others are met
    problems        findings about the repository as a whole, which fail as items of their own

Every worker loads it and none asks it, so what is heavy is imported where it is used.

PYTEST_DONT_REWRITE: it is imported before pytest loads it as a plugin.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gitops.errors import ConfigError, EngineError, GitOpsError
from pytest_gitops.model import Finding, Outcome, Run, Severity, StageResult, Tools, Verdict
from pytest_gitops.run.verdicts import Verdicts
from pytest_gitops.stages import NAMES

if TYPE_CHECKING:
    from fake_desk import FakeDesk

    from pytest_gitops.planning.plan import Plan
    from pytest_gitops.run.asking import Selection
    from pytest_gitops.settings.expectations import Answered
    from pytest_gitops.settings.settings import Settings

SCRIPT = "fake-engine.json"

BOOTING = ".git/booting"


class FakeEngine:
    """The engine's interface, obeying a script."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.settings, self._say = settings, say
        self.verdicts = Verdicts()
        self.versions = Tools(argocd="3.6.1", kubernetes="1.37.2", opa="1.22.2")
        self.kubeconfig: Path | None = Path("/run/fake/kubeconfig")
        self._over = threading.Event()
        self._failure = ""
        self._plan: Plan | None = None
        self._desk: FakeDesk | None = None
        self._selection: Selection | None = None
        self._worker: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        path = settings.root / SCRIPT
        self._script: Mapping[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}

    def prepare(self) -> Plan:
        from fake_desk import FakeDesk

        from pytest_gitops.planning.listing import declared
        from pytest_gitops.planning.plan import Plan
        from pytest_gitops.repository.discovery import Problem
        from pytest_gitops.scenarios.choosing import asked, left_alone

        self._say("starting the control plane")
        if boot := self._script.get("boot", 0):
            (self.settings.root / BOOTING).touch()
            self._over.wait(boot)
        match self._script.get("prepare"):
            case {"config": text}:
                raise ConfigError(text, where="pytest-gitops.yaml:1")
            case {"engine": text}:
                raise EngineError(text)
        found = declared(self.settings)
        cases = found.cases
        said = _findings({"findings": self._script.get("problems", ())})
        problems = (*found.problems, *(Problem(file=f.file, finding=f) for f in said))
        scenarios = asked(found.scenarios, self.settings.stages)
        only = self._script.get("changed")
        self._desk = FakeDesk([c.key for c in cases])
        self._plan = Plan(
            cases=cases,
            duplicates={},
            cycles=frozenset(),
            projects=(),
            problems=problems,
            answered=tuple(self._answered()),
            changed={c.id: ("it is said so",) for c in cases if c.key in only} if only is not None else None,
            lots=self._script.get("lots", {}),
            scenarios=scenarios,
            left_alone=left_alone(scenarios, only, differs=lambda _: False)
            if only is not None
            else frozenset(),
        )
        return self._plan

    def _answered(self) -> Iterator[Answered]:
        from pytest_gitops.settings.expectations import Answered

        given = self._script.get("rbac", {})
        for each in self.settings.rbac if "policy" in self.settings.stages else ():
            said = (
                [{**given[str(each.line)], "file": each.file, "line": each.line}]
                if str(each.line) in given
                else []
            )
            yield Answered(expectation=each, finding=next(_findings({"findings": said}), None))

    def begin(self, selection: Selection) -> None:
        self._selection = selection
        self.verdicts.expect(selection.pairs)
        self._worker = threading.Thread(target=self._run, args=(selection,), daemon=True, name="fake-engine")
        self._worker.start()

    def _run(self, selection: Selection) -> None:
        try:
            for number, (case_id, stage) in enumerate(selection.pairs):
                abort = self._script.get("abort")
                if abort and number == abort["after"]:
                    self.abort(EngineError(abort["message"]))
                if self._over.is_set() or number == self._script.get("ends_after"):
                    return
                self._say(f"{stage}: {len(selection.cases(stage))} Applications")
                delay = self._script.get("delay", 0)
                self._over.wait(delay.get(stage, 0) if isinstance(delay, dict) else delay)
                self.verdicts.give(case_id, self._verdict(case_id.split("::")[-1], stage))
        finally:
            self.verdicts.fail_rest(code="not-answered", message="the engine ended without an answer")

    def _verdict(self, key: str, stage: str) -> StageResult:
        given = self._script.get("verdicts", {}).get(f"{key} {stage}", {})
        return StageResult(
            stage=stage,
            outcome=Outcome(given.get("outcome", "passed")),
            code=given.get("code", ""),
            message=given.get("message", ""),
            duration=given.get("duration", 0.0),
            findings=tuple(_findings(given)),
        )

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        assert self._desk is not None, "prepare comes before"
        return self._desk.call(holder, question, given)

    def release(self, holder: str) -> None:
        assert self._desk is not None
        self._desk.release(holder)

    def wait(self, case_id: str, stage: str, *, limit: float | None = None) -> StageResult | None:
        return self.verdicts.wait(case_id, stage, limit=limit)

    def abort(self, error: GitOpsError) -> None:
        self._failure = self._failure or str(error)
        self._over.set()
        self.verdicts.fail_rest(code="tool-died", message=str(error))

    def finish(self) -> Run:
        self._over.set()
        self.verdicts.fail_rest(code="interrupted", message="the run ended before this was answered")
        if self._worker is not None:
            self._worker.join(10)
        self.close()
        if text := self._script.get("finish"):
            raise EngineError(text)
        return Run(
            version="0",
            tools=self.versions,
            repository=self.settings.root.name,
            head={"name": "main", "commit": "", "dirty": True},
            base=None,
            started="2026-01-01T00:00:00+00:00",
            duration=1.0,
            provider=self.settings.provider.value,
            simulated=("containers do not run",),
            stages=self.settings.stages,
            command=self.settings.command,
            findings=tuple(self._told()),
            verdicts=tuple(self._judged()),
            expectations=tuple(a.to_dict() for a in self._plan.answered) if self._plan else (),
            scenarios=tuple(self._played()),
            error=self._failure,
        )

    def _told(self) -> Iterator[Finding]:
        if self._plan:
            yield from (p.finding for p in self._plan.problems)
            yield from (a.finding for a in self._plan.answered if a.finding)

    def _played(self) -> Iterator[dict[str, Any]]:
        from pytest_gitops.scenarios.values import STAGE, told

        for scenario in self._plan.scenarios if self._plan else ():
            if (result := self.verdicts.get(scenario.id, STAGE)) is not None:
                yield told(scenario, result)

    def _judged(self) -> Iterator[Verdict]:
        asked = set(self._selection.pairs) if self._selection else set()
        for case in self._plan.cases if self._plan else ():
            results = {r.stage: r for r in self.verdicts.of(case.id) if (case.id, r.stage) in asked}
            if results:
                yield Verdict(case=case, stages=tuple(results[s] for s in NAMES if s in results))

    def close(self) -> None:
        self._over.set()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def hand_over(self, name: str, text: str) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="pytest-gitops-fake-")
        path = Path(self._folder.name) / name
        path.write_text(text, "utf-8")
        return path


def _findings(given: Mapping[str, Any]) -> Iterator[Finding]:
    for each in given.get("findings", ()):
        yield Finding(**{**each, "severity": Severity(each["severity"])})


_patch = pytest.MonkeyPatch()


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    from pytest_gitops.plugin import owner

    _patch.setattr(owner, "make_engine", lambda settings, say: FakeEngine(settings, say=say))


def pytest_unconfigure() -> None:
    _patch.undo()
