"""An xdist worker: collects what the owner found, tells what is selected, and asks for every verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.model import StageResult
from pytest_gitops.plugin.bridge import Asker
from pytest_gitops.plugin.catalog import Catalog
from pytest_gitops.plugin.collection import Collecting
from pytest_gitops.plugin.items import JudgedItem

HANDLE = "gitops"
"""The key in `workerinput` under which the owner leaves what a worker needs."""


class Worker(Collecting):
    """Attached to the run that pytest's own process owns."""

    def __init__(self, catalog: Catalog, asker: Asker) -> None:
        super().__init__()
        self.catalog, self._asker, self.answers = catalog, asker, self

    @classmethod
    def attach(cls, config: pytest.Config) -> Worker:
        """Raises EngineError if the run that owns this worker is gone."""
        handle = config.workerinput[HANDLE]  # type: ignore[attr-defined]  # xdist's, on workers only
        asker = Asker((handle["host"], handle["port"]), handle["key"])
        worker = cls(Catalog.loads(Path(handle["catalog"]).read_text("utf-8")), asker)
        worker.know_tags(config)
        return worker

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        super().pytest_collection_finish(session)
        # All workers collect and select the same; the owner begins with the first one that says so.
        pairs = [(i.entry.id, i.stage) for i in session.items if isinstance(i, JudgedItem)]
        self._asker.select(pairs, self.collected, self.share)

    def result(self, case_id: str, stage: str) -> StageResult:
        return self._asker.result(case_id, stage)

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._asker.call(holder, question, given)

    def release(self, holder: str) -> None:
        self._asker.release(holder)

    def pytest_unconfigure(self) -> None:
        self._asker.close()
