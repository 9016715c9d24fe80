"""pytest's own process: owns the engine, hands out verdicts, writes the reports."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.model import Case, Finding, Outcome, StageResult
from pytest_gitops.plugin import options
from pytest_gitops.plugin.catalog import Catalog, catalog
from pytest_gitops.plugin.collection import Collecting
from pytest_gitops.plugin.display import Display
from pytest_gitops.plugin.items import JudgedItem
from pytest_gitops.plugin.worker import HANDLE
from pytest_gitops.report.text import for_log
from pytest_gitops.scenarios.api import not_answered
from pytest_gitops.scenarios.choosing import asked
from pytest_gitops.settings.expectations import Answered
from pytest_gitops.settings.shards import Shard, Share

if TYPE_CHECKING:
    from pytest_gitops.plugin.bridge import Pairs, Server
    from pytest_gitops.run.engine import Engine
    from pytest_gitops.scenarios.values import Scenario
    from pytest_gitops.settings.settings import Settings

CANNOT_START = 3
"""pytest's exit code for an internal error: the engine could not be started, nothing was judged."""

AT_ONCE_SECONDS = 0.2
"""How long an item waits before the live line shows that it does."""


def make_engine(settings: Settings, say: Callable[[str], None]) -> Engine:
    """The engine of a run. A seam: the plugin's own tests put a fake here."""
    from pytest_gitops.run.engine import Engine

    return Engine(settings, say=say)


class Owner(Collecting):
    """One run's owner."""

    settings: Settings
    display: Display

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self.config, self.answers = config, self
        self.engine: Engine | None = None
        self._bridge: Server | None = None
        self._lock = threading.Lock()
        self._started = self._ready = self._reported = False
        self._selected: frozenset[tuple[str, str]] | None = None
        self._handler: Any = None
        self._asked_by_tests = False
        self._written: tuple[Path, ...] = ()
        self._document: dict[str, Any] | None = None
        self._trouble = ""

    # ------------------------------------------------------------------ start

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if options.is_idle(self.config):
            return
        options.check_paths(self.config)
        try:
            self.settings = options.read(self.config)
        except ConfigError as error:
            raise pytest.UsageError(f"gitops: {for_log(str(error))}") from error
        self.display = Display(self.config, self.settings)
        wanted = getattr(self.config.option, "xmlpath", None)
        self.plain_junit = bool(wanted) and self.config.getini("junit_family") == "xunit2"
        self._ready = True
        self._catch_sigterm()
        if not self.config.pluginmanager.hasplugin("terminalreporter"):
            self._start()  # from here on nobody would tell why it does not start

    def pytest_report_header(self) -> str | None:
        """Start below the first lines of pytest's header: people see at once that something happens.

        Where there is no header, xdist's first worker or the collection starts it.
        """
        if not self._ready:
            return None
        self._start()
        return self.display.header

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        if self._ready:
            self._start()
            super().pytest_collection(session)

    def _start(self) -> None:
        """Bring the engine up and learn what there is to collect; once."""
        if self._started:
            return
        self._started = True
        try:
            with self.display.live.shown():
                if self.config.option.collectonly:
                    self._list_only()
                else:
                    self._boot()
                self.know_tags(self.config)
        except ConfigError as error:
            raise pytest.UsageError(f"gitops: {for_log(str(error))}") from error
        except EngineError as error:
            raise pytest.exit.Exception(self._not_started(error), returncode=CANNOT_START) from error
        except KeyboardInterrupt:
            self._report()
            raise

    def _boot(self) -> None:
        self.display.live.say("starting")
        self.engine = make_engine(self.settings, self.display.live.say)
        plan = self.engine.prepare()
        # What is loaded by now stays to the end, and pytest collects garbage five times there (unraisableexception.py).
        gc.freeze()
        faults = ((p.file, p.finding) for p in plan.problems)
        self.catalog = self._catalog(
            plan.cases,
            faults,
            removed=plan.removed,
            answered=plan.answered,
            changed=plan.changed,
            shard=self.settings.shard,
            lots=plan.lots,
            scenarios=plan.scenarios,
            left_alone=plan.left_alone,
        )
        self.display.ready(self.engine)

    def _list_only(self) -> None:
        """`--collect-only` reads files and starts nothing; what only a render tells is said to be missing."""
        from pytest_gitops.planning.listing import declared

        self.display.live.say("reading the repository")
        found = declared(self.settings)
        answered = [Answered(expectation=e) for e in self.settings.rbac if "policy" in self.settings.stages]
        faults = ((p.file, p.finding) for p in found.problems)
        scenarios = asked(found.scenarios, self.settings.stages)
        self.catalog = self._catalog(found.cases, faults, answered=answered, scenarios=scenarios)
        self.display.listed(found.sets)

    def _catalog(
        self,
        cases: Sequence[Case],
        faults: Iterable[tuple[str, Finding]],
        removed: Sequence[Case] = (),
        answered: Sequence[Answered] = (),
        changed: Collection[str] | None = None,
        shard: Shard | None = None,
        lots: Mapping[str, str] | None = None,
        scenarios: Sequence[Scenario] = (),
        left_alone: Collection[str] = (),
    ) -> Catalog:
        return catalog(
            self.settings.root,
            start=self.config.invocation_params.dir,
            again=options.again(self.config),
            stages=self.settings.stages,
            strict=self.settings.strict,
            cases=cases,
            faults=faults,
            removed=removed,
            answered=answered,
            changed=changed,
            shard=shard,
            lots=lots,
            durations=self.settings.durations,
            scenarios=scenarios,
            left_alone=left_alone,
        )

    def _not_started(self, error: EngineError) -> str:
        """Report a run that could not be; returns what pytest is to say at its end."""
        if self.engine is not None:
            self.engine.abort(error)
            self._report()
        where = self.display.reports(self._written) if self._written else self._trouble
        text = "\n".join(line for line in (f"gitops: {for_log(str(error))}", where) if line)
        # pytest repeats what it is told in a rule of exclamation marks: the long text goes before it, once.
        return "gitops: the engine could not start" if self.display.error(text) else text

    def _catch_sigterm(self) -> None:
        """A cancelled CI job sends SIGTERM: end as with Ctrl-C, with reports. The second one ends at once."""

        def interrupt(number: int, frame: Any) -> None:
            del number, frame
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            raise KeyboardInterrupt("SIGTERM")

        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._handler = signal.signal(signal.SIGTERM, interrupt)

    # ------------------------------------------------------------------ run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Without xdist everything is collected and selected now. (With it there are no items here.)"""
        stopped = session.testsfailed and not self.config.option.continue_on_collection_errors
        if self.engine is not None and self._bridge is None and not stopped:
            self._begin([(i.entry.id, i.stage) for i in session.items if isinstance(i, JudgedItem)])

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist makes a worker, also in place of a crashed one: it gets the catalog and a way to ask."""
        self._start()
        if self.engine is None or self.catalog is None:
            return
        if self._bridge is None:
            from pytest_gitops.plugin.bridge import Server

            self._bridge = Server(ask=self._ask, select=self._select, call=self.call, release=self.release)
        handed = self.engine.hand_over("catalog.json", self.catalog.dumps())
        host, port = self._bridge.address
        node.workerinput[HANDLE] = {
            "catalog": str(handed), "host": host, "port": port, "key": self._bridge.key,
        }  # fmt: skip

    def _select(self, pairs: Pairs, collected: int, share: Share | None) -> None:
        self.collected = max(self.collected, collected)
        self.share = share
        self._begin(pairs)

    def _begin(self, pairs: Pairs) -> None:
        """Let the engine begin with the first selection; all workers select the same."""
        with self._lock:
            if self._selected is not None:
                return
            self._selected = frozenset(pairs)
            if not pairs:
                return
            from pytest_gitops.run.asking import Selection

            assert self.engine is not None
            self.display.live.restart()
            self.engine.begin(Selection(tuple(dict.fromkeys(pairs))))
        if self._bridge is not None:
            self.display.live.show(self._progress)

    def _progress(self) -> str | None:
        """How far the run is, None when there is nothing to wait for."""
        assert self.engine is not None
        verdicts = self.engine.verdicts
        return (
            f"{verdicts.expected - verdicts.open} of {verdicts.expected} answered" if verdicts.open else None
        )

    def result(self, case_id: str, stage: str) -> StageResult:
        found = self._ask(case_id, stage, limit=AT_ONCE_SECONDS)
        if found is None:
            with self.display.live.shown(self._progress):
                found = self._ask(case_id, stage)
        return found or _not_answered(stage)

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call of a user's own test."""
        if self.engine is None:
            return not_answered("there is no run")
        self._asked_by_tests = True
        return self.engine.call(holder, question, given)

    def release(self, holder: str) -> None:
        """A user's own test is over."""
        if self.engine is not None:
            self.engine.release(holder)

    def _ask(self, case_id: str, stage: str, *, limit: float | None = None) -> StageResult | None:
        """The engine answers all that was selected, whatever happens to it; nothing else is waited for."""
        if self.engine is None or self._selected is None or (case_id, stage) not in self._selected:
            return _not_answered(stage)
        return self.engine.wait(case_id, stage, limit=limit)

    # ------------------------------------------------------------------ end

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._nothing_left:
            session.exitstatus = pytest.ExitCode.OK
        self._report(session)
        if self._trouble and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            session.exitstatus = CANNOT_START

    @property
    def _nothing_left(self) -> bool:
        """Whether nothing was judged because nothing differs from base, or because all of it is other shards', and not
        because of what the user selects."""
        selects = self.config.option.keyword or self.config.option.markexpr
        divides = self._ready and (self.settings.changed or self.settings.shard is not None)
        return divides and self.collected > 0 and not selects

    def pytest_report_collectionfinish(self) -> str | None:
        return f"gitops: {self.share.title}" if self.share else None

    def _report(self, session: pytest.Session | None = None) -> None:
        """Write the reports, once, whatever happened before; `session` is the one that ends, if it came to that."""
        if self._reported or self.engine is None:
            return
        self._reported = True
        from pytest_gitops.plugin.reporting import write_reports

        self.display.live.restart()
        self.display.live.say("stopping everything, writing the reports")
        try:
            with self.display.live.shown():
                run = self.engine.finish()
                if self.share is not None and session is not None:
                    # The merged run is as good as its parts, with all that pytest ran in them.
                    ended = {"exitStatus": int(session.exitstatus), "failed": session.testsfailed}
                    run = replace(run, shard={**self.share.to_dict(), **ended})
                self._document, self._written = write_reports(run, self.settings.report)
        except EngineError as error:
            self._trouble = str(error)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int | pytest.ExitCode
    ) -> None:
        if self.catalog is None:
            return
        self.display.summary(
            terminalreporter,
            nothing=self._nothing() if exitstatus != pytest.ExitCode.USAGE_ERROR else "",
            document=self._document,
            failed=self.failed,
            written=self._written,
            trouble=self._trouble,
            engine=self.engine,
        )

    def _nothing(self) -> str:
        """What is said when no Application was found: such a run must not look like a good one."""
        assert self.catalog is not None
        if self.collected or self._asked_by_tests:
            return ""
        if not self.catalog.files:
            return f"found no Application in {self.settings.root}"
        where = ", ".join(self.config.args) or "."
        number = len(self.catalog.entries)
        return (
            f"found no Application in {where}; the repository has {number} elsewhere, in {self.settings.root}"
        )

    def pytest_unconfigure(self) -> None:
        if not self._ready:
            return
        if self._bridge is not None:
            self._bridge.close()
        if self.engine is not None:
            self.engine.close()
        self.display.live.close()
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)
            self._handler = None


def _not_answered(stage: str) -> StageResult:
    return StageResult(
        stage=stage,
        outcome=Outcome.ERROR,
        code="not-answered",
        message="the engine was not asked for this: it was selected after the run had begun",
    )
