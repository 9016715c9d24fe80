"""What the terminal says beside pytest's own lines: a header, the live line, a summary of about ten lines."""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gitops.plugin.live import LiveLine
from pytest_gitops.settings.settings import Provider, Settings
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.run.engine import Engine


class Display:
    """Writes through pytest's own terminal reporter; silent where there is none."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._settings, self._start = settings, config.invocation_params.dir
        self._reporters = config.pluginmanager
        self._began = now()
        self.live = LiveLine(config, dumb=settings.environ.get("TERM") == "dumb")
        self.header = ""
        self.not_listed = ""

    def ready(self, engine: Engine) -> None:
        """The header: what judges, and how long it took to come up."""
        versions, provider = engine.versions, self._settings.provider
        parts = [
            "no cluster" if provider is Provider.NONE else f"{provider.value} cluster",
            *(
                f"{name} {version}"
                for name, version in (
                    ("Argo CD", versions.argocd),
                    ("Kubernetes", versions.kubernetes if provider is not Provider.NONE else ""),
                    ("OPA", versions.opa),
                )
                if version
            ),
            *([f"shard {self._settings.shard}"] if self._settings.shard else []),
        ]
        self.header = f"gitops: {', '.join(parts)}; ready in {now() - self._began:.1f} s"

    def error(self, text: str) -> bool:
        """Show why nothing can be done; False where there is nobody to show it to."""
        reporter: pytest.TerminalReporter | None = self._reporters.getplugin("terminalreporter")
        if reporter is None:
            return False
        for line in text.splitlines():
            reporter.write_line(line, red=True)
        return True

    def listed(self, sets: Sequence[str]) -> None:
        """The header of a run that only lists. What the ApplicationSets `sets` generate is not known."""
        self.header = "gitops: what files declare; nothing is started"
        if self._settings.shard:
            self.header += ", and nothing split: what stays together only a render tells"
        self.not_listed = "not listed: what only a render tells, such as the children of a chart"
        if sets:
            self.not_listed = f"not listed: Applications that {', '.join(sets)} will generate"

    def summary(
        self,
        reporter: pytest.TerminalReporter,
        *,
        nothing: str,
        document: dict[str, Any] | None,
        failed: Collection[tuple[str, str, int]],
        written: Sequence[Path],
        trouble: str,
        engine: Engine | None,
    ) -> None:
        """The last lines: what was judged, what failed and where, where the reports are.

        `nothing` says where no Application was found, `trouble` why there are no reports; both may be empty.
        `failed` are the repository's own problems that failed as items: rule, file and line.
        """
        reporter.write_sep("-", "gitops")
        if nothing:
            self._write(reporter, nothing, "red")
        if document is not None and (
            document["applications"]
            or document["scenarios"]
            or document["findings"]
            or document["run"]["error"]
            or document.get("changes")
            or document["run"]["shard"]
        ):
            from pytest_gitops.report.terminal import summary

            for text, style in summary(document, failed=failed):
                self._write(reporter, text, style)
        if trouble:
            self._write(reporter, trouble, "red")
        if self.not_listed:
            self._write(reporter, self.not_listed, "")
        if written:
            self._write(reporter, self.reports(written), "bold")
        if engine is not None and self._settings.keep and engine.kubeconfig is not None:
            kept = shlex.quote(str(engine.kubeconfig))
            self._write(reporter, f"kept running, to look around: export KUBECONFIG={kept}", "")

    def reports(self, written: Sequence[Path]) -> str:
        """Where the reports are, the first one to open in full."""
        first, *rest = written
        others = f" (beside it: {', '.join(p.name for p in rest)})" if rest else ""
        return f"reports: {self._short(first)}{others}"

    def _short(self, path: Path) -> str:
        relative = os.path.relpath(path, self._start)
        return str(path) if relative.startswith("..") else relative

    def _write(self, reporter: pytest.TerminalReporter, text: str, style: str) -> None:
        markup = {style: True} if style else {}
        width = reporter.config.get_terminal_writer().fullwidth  # pytest's, so never below 40 columns
        for line in textwrap.wrap(
            text, width - 1, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        ):
            reporter.write_line(line, **markup)
