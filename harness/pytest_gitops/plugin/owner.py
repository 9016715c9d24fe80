"""pytest's own process: owns the engine, hands out verdicts, writes the reports."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.model import Finding, Outcome, StageResult
from pytest_gitops.plugin import options
from pytest_gitops.plugin.catalog import Catalog, catalog
from pytest_gitops.plugin.collection import Collecting
from pytest_gitops.plugin.display import Display
from pytest_gitops.plugin.items import StageItem
from pytest_gitops.plugin.worker import HANDLE

if TYPE_CHECKING:
    from pytest_gitops.engine import Engine, Selection
    from pytest_gitops.plugin.bridge import Server
    from pytest_gitops.settings import Settings

CANNOT_START = 3
"""pytest's exit code for an internal error: the engine could not be started, nothing was judged."""


def make_engine(settings: Settings, say: Callable[[str], None]) -> Engine:
    """The engine of a run. A seam: the plugin's own tests put a fake here."""
    from pytest_gitops.engine import Engine

    return Engine(settings, say=say)


class Owner(Collecting):
    """One run's owner."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.answers = config, self
        self.display = Display(config)
        self.settings: Settings | None = None
        self.engine: Engine | None = None
        self._bridge: Server | None = None
        self._begun = False
        self._handler: Any = None
        self._written: tuple[Path, ...] = ()
        self._document: dict[str, Any] | None = None
        self._reported = False

    # ------------------------------------------------------------------ start

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        try:
            self.settings = settings = options.read(self.config)
            self._catch_sigterm()
            if self.config.option.collectonly:
                self._list_only(settings)
                return
            self.engine = make_engine(settings, self.display.say)
            plan = self.engine.prepare()
        except ConfigError as error:
            self._close()
            raise pytest.UsageError(f"gitops: {error}") from error
        except EngineError as error:
            self.display.clear()
            self._report()
            raise pytest.exit.Exception(f"gitops: {error}", returncode=CANNOT_START) from error
        finally:
            self.display.clear()
        self.catalog = catalog(
            settings.root,
            stages=settings.stages,
            strict=settings.strict,
            cases=plan.cases,
            faults=((p.file, p.finding, _told(p.finding)) for p in plan.problems),
        )
        self.display.ready(settings, self.engine)
        if self.config.args_source is self.config.ArgsSource.TESTPATHS:
            # `testpaths` says where the user's own tests are; manifests lie elsewhere.
            self.config.args += [str(settings.root / f) for f in self.catalog.files]

    def pytest_report_header(self) -> str:
        return self.display.header

    def _list_only(self, settings: Settings) -> None:
        """`--collect-only` reads files and starts nothing; what only a render tells is said to be missing."""
        from pytest_gitops.listing import declared_cases

        cases, faults, sets = declared_cases(settings)
        self.catalog = catalog(
            settings.root,
            stages=settings.stages,
            strict=settings.strict,
            cases=cases,
            faults=((p.file, p.finding, _told(p.finding)) for p in faults),
        )
        self.display.listed(sets)

    def _catch_sigterm(self) -> None:
        """A cancelled CI job sends SIGTERM: end as with Ctrl-C, with reports, instead of at once."""

        def interrupt(number: int, frame: Any) -> None:
            del number, frame
            raise KeyboardInterrupt("SIGTERM")

        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._handler = signal.signal(signal.SIGTERM, interrupt)

    # ------------------------------------------------------------------ run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Without xdist: everything is collected and selected now. (Under xdist there are no items here.)"""
        if self.config.option.collectonly:
            return
        pairs = [(i.entry.id, i.stage) for i in session.items if isinstance(i, StageItem)]
        if pairs:
            self._begin(pairs)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist makes a worker: it gets the catalog's file and a way to ask."""
        if self.engine is None or self.catalog is None:
            return
        if self._bridge is None:
            from pytest_gitops.plugin.bridge import Server

            self._bridge = Server(lambda case, stage: self._wait(case, stage))
        handed = self.engine.hand_over("catalog.json", self.catalog.dumps())
        host, port = self._bridge.address
        node.workerinput[HANDLE] = {"catalog": str(handed), "host": host, "port": port, "key": self._bridge.key}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Iterable[str]) -> None:
        """Every worker selects the same; the first one to say so starts the engine."""
        del node
        if self._begun or self.catalog is None:
            return
        known = {e.id for e in self.catalog.entries}
        pairs = [p for p in (self._pair(i) for i in ids) if p is not None and p[0] in known]
        if pairs:
            self._begin(pairs)

    def _pair(self, nodeid: str) -> tuple[str, str] | None:
        """(case id, stage) of a node id; its file is relative to pytest's rootdir, a case's to ours."""
        assert self.catalog is not None
        parts = nodeid.split("@", 1)[0].rsplit("::", 2)  # "@group" is what --dist loadgroup appends
        if len(parts) != 3:
            return None
        file = self.catalog.relative((self.config.rootpath / parts[0]).resolve())
        return (f"{file}::{parts[1]}", parts[2]) if file is not None and parts[2] in self.catalog.stages else None

    def _begin(self, pairs: list[tuple[str, str]]) -> None:
        from pytest_gitops.engine import Selection

        assert self.engine is not None
        self._begun = True
        selection: Selection = Selection(tuple(dict.fromkeys(pairs)))
        self.engine.begin(selection)

    def result(self, config: pytest.Config, case_id: str, stage: str) -> StageResult:
        del config
        assert self.engine is not None
        while True:
            found = self.engine.wait(case_id, stage, limit=0.2)
            if found is not None:
                self.display.clear()
                return found
            self.display.waiting(self.engine)

    def _wait(self, case_id: str, stage: str) -> StageResult:
        assert self.engine is not None
        found = self.engine.wait(case_id, stage)
        if found is None:
            return StageResult(stage=stage, outcome=Outcome.ERROR, code="not-answered", message="no answer")
        return found

    # ------------------------------------------------------------------ end

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        del session
        if not self.config.option.collectonly:
            self._report()

    def _report(self) -> None:
        """Write the reports, once, whatever happened before."""
        if self._reported or self.engine is None or self.settings is None:
            return
        self._reported = True
        from pytest_gitops.report import document, write

        run = self.engine.finish()
        self._document = document.build(run)
        self._written = write.write(self._document, self.settings.report)
        if self._bridge is not None:
            self._bridge.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.settings is None or self.catalog is None:
            return
        self.display.summary(terminalreporter, self.catalog, self._document, self._written, self.engine)

    def pytest_unconfigure(self) -> None:
        self._close()

    def _close(self) -> None:
        if self.engine is not None:
            if not self._reported and not self.config.option.collectonly and self.catalog is None:
                self.engine.close()
            else:
                self._report()
                self.engine.close()
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)
            self._handler = None


def _told(finding: Finding) -> str:
    from pytest_gitops.stages.base import told

    return told(finding)


