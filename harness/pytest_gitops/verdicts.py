"""Where the engine's answers arrive and items wait for them. Thread-safe; knows neither pytest nor Argo CD."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from pytest_gitops.model import Outcome, StageResult

Key = tuple[str, str]
"""A case's id and a stage's name."""


class Verdicts:
    """One result for each (case id, stage); the first one given stays."""

    def __init__(self) -> None:
        self._results: dict[Key, StageResult] = {}
        self._expected: set[Key] = set()
        self._changed = threading.Condition()

    def expect(self, keys: Iterable[Key]) -> None:
        """Say what will be answered."""
        with self._changed:
            self._expected.update(keys)

    def give(self, case_id: str, result: StageResult) -> None:
        with self._changed:
            self._results.setdefault((case_id, result.stage), result)
            self._changed.notify_all()

    def fail_rest(self, *, code: str, message: str) -> None:
        """Answer everything that is still open with an error: could not check is never passed."""
        with self._changed:
            for case_id, stage in self._expected - self._results.keys():
                self._results[case_id, stage] = StageResult(
                    stage=stage, outcome=Outcome.ERROR, code=code, message=message
                )
            self._changed.notify_all()

    def get(self, case_id: str, stage: str) -> StageResult | None:
        with self._changed:
            return self._results.get((case_id, stage))

    def wait(self, case_id: str, stage: str, *, limit: float | None = None) -> StageResult | None:
        """The result, when it is there; None if it is not within `limit` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: (case_id, stage) in self._results, timeout=limit)
            return self._results.get((case_id, stage))

    def of(self, case_id: str) -> tuple[StageResult, ...]:
        """All results of a case."""
        with self._changed:
            return tuple(r for (c, _), r in self._results.items() if c == case_id)

    @property
    def open(self) -> int:
        """How many answers are still awaited."""
        with self._changed:
            return len(self._expected - self._results.keys())

    @property
    def expected(self) -> int:
        with self._changed:
            return len(self._expected)
