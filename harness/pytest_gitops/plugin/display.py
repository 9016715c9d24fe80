"""What the terminal shows: one live line while something is awaited, a header, a summary of ten lines."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.engine import Engine
    from pytest_gitops.plugin.catalog import Catalog
    from pytest_gitops.settings import Settings

PLAIN_SECONDS = 10.0
"""How often a line is written where there is no terminal to rewrite one."""


class Display:
    """Writes through pytest's own terminal writer; silent with -q -q and without a terminal reporter."""

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._lock = config, threading.Lock()
        self._text, self._live, self._last = "", False, now()
        self._began = now()
        self.header = ""

    @property
    def _reporter(self) -> pytest.TerminalReporter | None:
        return self._config.pluginmanager.getplugin("terminalreporter")

    def say(self, text: str) -> None:
        """Show what the engine is doing now; from any thread."""
        self._text = text
        self._draw(text)

    def waiting(self, engine: Engine) -> None:
        """Show how far the run is, while an item waits."""
        total, left = engine.verdicts.expected, engine.verdicts.open
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            self._draw(f"{total - left} of {total} answered · {self._text}")
            return
        with capture.global_and_fixture_disabled():
            self._draw(f"{total - left} of {total} answered · {self._text}")

    def _draw(self, text: str) -> None:
        reporter = self._reporter
        if reporter is None or self._config.option.verbose < -1:
            return
        writer = reporter._tw
        with self._lock:
            seconds = f"{now() - self._began:.0f} s"
            if reporter.isatty and os.environ.get("TERM") != "dumb":
                room = writer.fullwidth - writer.width_of_current_line - 2
                line = f"  gitops: {text} · {seconds}"[: max(room, 0)]
                # Save the cursor, write, wipe the rest of the line, go back: pytest's dots stay where they are.
                writer._file.write(f"\x1b7{line}\x1b[K\x1b8")
                writer._file.flush()
                self._live = True
            elif now() - self._last >= PLAIN_SECONDS:
                self._last = now()
                writer.line(f"gitops: {text} · {seconds}")

    def clear(self) -> None:
        """Take the live line away."""
        reporter = self._reporter
        with self._lock:
            if self._live and reporter is not None:
                reporter._tw._file.write("\x1b7\x1b[K\x1b8")
                reporter._tw._file.flush()
                self._live = False

    def ready(self, settings: Settings, engine: Engine) -> None:
        """The header: what judges, and how long it took to come up."""
        versions = engine.versions
        parts = [
            f"{settings.provider.value} cluster" if settings.provider.value != "none" else "no cluster",
            f"Argo CD {versions.argocd}",
            f"Kubernetes {versions.kubernetes}" if versions.kubernetes else "",
            f"OPA {versions.opa}",
        ]
        self.header = f"gitops: {', '.join(p for p in parts if p)}, ready in {now() - self._began:.1f} s"
        self._began = now()

    def listed(self, sets: Sequence[str]) -> None:
        self.header = "gitops: listing what files declare; nothing is started"
        if sets:
            self.header += f". Applications that {', '.join(sets)} will generate are not listed"

    def summary(
        self,
        reporter: pytest.TerminalReporter,
        catalog: Catalog,
        document: dict[str, Any] | None,
        written: Sequence[Path],
        engine: Engine | None,
    ) -> None:
        """The last lines: what was judged, what failed and where, where the reports are."""
        reporter.section("gitops", sep="-")
        if not catalog.entries and not catalog.faults:
            reporter.write_line(f"found no Application in {catalog.root.name}/ ({catalog.root})", red=True, bold=True)
        if document is not None:
            from pytest_gitops.report.terminal import summary

            for text, style in summary(document):
                reporter.write_line(text, **{style: True} if style else {})
        for path in written:
            reporter.write_line(f"report: {_short(path)}")
        if engine is not None and engine.settings.keep and engine.kubeconfig is not None:
            reporter.write_line(f"kept: export KUBECONFIG={engine.kubeconfig}")


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
