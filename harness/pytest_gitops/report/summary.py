"""The numbers at the top of report.json, counted from what stands below: of one run's document, or of many as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gitops.model import Outcome, Severity


def summary(
    applications: Sequence[Mapping[str, Any]],
    findings: Iterable[Mapping[str, Any]],
    scenarios: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """How many Applications, stages, scenarios and findings there are of each kind; `findings` are the repository's
    own."""
    stages = [s for a in applications for s in a["stages"]]
    every = [*findings, *(f for s in stages for f in s["findings"])]
    opened = [f for f in every if f["waiver"] is None]
    return {
        "applications": len(applications),
        "outcomes": {o.value: sum(a["outcome"] == o for a in applications) for o in Outcome},
        "stages": {o.value: sum(s["outcome"] == o for s in stages) for o in Outcome},
        "scenarios": {o.value: sum(s["outcome"] == o for s in scenarios) for o in Outcome},
        "findings": {
            **{s.value: sum(f["severity"] == s for f in opened) for s in Severity},
            "waived": len(every) - len(opened),
        },
    }
