"""Where the engine's answers arrive and items wait for them. Thread-safe; knows neither pytest nor Argo CD."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

from pytest_gitops.model import Finding, Outcome, StageResult
from pytest_gitops.redaction import NOTHING, Hidden

Key = tuple[str, str]
"""A case's id and a stage's name."""


class Verdicts:
    """One result for each (case id, stage); the first one given stays. `hidden` takes the values of Secrets out of
    every answer, before pytest or a report sees it."""

    def __init__(self) -> None:
        self.hidden: Hidden = NOTHING
        self._results: dict[Key, StageResult] = {}
        self._expected: set[Key] = set()
        self._changed = threading.Condition()

    def expect(self, keys: Iterable[Key]) -> None:
        """Say what will be answered."""
        with self._changed:
            self._expected.update(keys)

    def give(self, case_id: str, result: StageResult) -> None:
        result = self._safe(result)
        with self._changed:
            self._results.setdefault((case_id, result.stage), result)
            self._changed.notify_all()

    def fail_rest(self, *, code: str, message: str) -> None:
        """Answer everything that is still open with an error: could not check is never passed."""
        message = self.hidden(message)
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

    def _safe(self, result: StageResult) -> StageResult:
        if not self.hidden:
            return result
        return replace(
            result,
            message=self.hidden(result.message),
            findings=tuple(hidden_finding(f, self.hidden) for f in result.findings),
            evidence=self.hidden.value(result.evidence),
        )


def hidden_finding(finding: Finding, hidden: Hidden) -> Finding:
    """The finding without values of Secrets."""
    return replace(
        finding,
        message=hidden(finding.message),
        resource=hidden(finding.resource),
        help=hidden(finding.help),
    )
