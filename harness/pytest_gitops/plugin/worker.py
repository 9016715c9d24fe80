"""An xdist worker: collects what the owner found, and asks it for every verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gitops.model import StageResult
from pytest_gitops.plugin.bridge import Asker
from pytest_gitops.plugin.catalog import Catalog
from pytest_gitops.plugin.collection import Collecting

HANDLE = "gitops"
"""The key in `workerinput` under which the owner leaves what a worker needs."""


class Worker(Collecting):
    """Attached to the run that pytest's own process owns."""

    def __init__(self, catalog: Catalog, asker: Asker) -> None:
        self.catalog, self._asker, self.answers = catalog, asker, self

    @classmethod
    def attach(cls, config: pytest.Config) -> Worker:
        handle = config.workerinput[HANDLE]  # type: ignore[attr-defined]  # xdist's, on workers only
        catalog = Catalog.loads(Path(handle["catalog"]).read_text("utf-8"))
        return cls(catalog, Asker((handle["host"], handle["port"]), handle["key"]))

    def result(self, config: pytest.Config, case_id: str, stage: str) -> StageResult:
        del config
        return self._asker.result(case_id, stage)
