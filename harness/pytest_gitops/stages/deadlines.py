"""How long one Application may take to become Synced and Healthy, and who says so.

The first one that says something counts:
1. the Application itself, by the annotation `pytest-gitops/timeout: 90s`, up to `timeout-limit` of pytest-gitops.yaml
2. the first entry of `timeouts:` in pytest-gitops.yaml whose `application` fits
3. `--gitops-timeout`, gitops_timeout, `timeout:`, the default

A pull request may so make its own Application wait longer, but never longer than the limit, which with a base is
base's.

Its time begins when Argo CD begins with it: with its first sync, or with a comparison after which there is nothing to
sync. How long it stands in Argo CD's queue says nothing of it, only of the machine and of how many others there are;
for that it has what any other has (`timeout`), or its own time if that is longer, from the stage's beginning. A child
has to wait until its parent has created it, or given it its present form, at the latest until its parent is through.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pytest_gitops.model import Case
from pytest_gitops.settings.settings import Settings

ANNOTATION = "pytest-gitops/timeout"

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """`seconds` from when Argo CD begins with the Application; `source` says where that is from. Argo CD has to begin
    `before` as many seconds are over from when the Application is applied."""

    seconds: float
    source: str
    before: float

    def to_dict(self) -> dict[str, Any]:
        return {"deadlineSeconds": self.seconds, "deadlineFrom": self.source}


def seconds_of(text: str) -> float | None:
    """The seconds of "90", "90s", "1.5m", "1h"; None for anything else, and for nothing at all ("0s")."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    seconds = float(found[1]) * _UNITS[found[2]]
    return seconds if seconds > 0 and math.isfinite(seconds) else None


def said_by(case: Case) -> str | None:
    """What the Application's annotation says, if it has one."""
    said = ((case.manifest.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION)
    return None if said is None else str(said)


def deadline_of(settings: Settings, case: Case) -> Deadline:
    """The deadline of one Application. An annotation that cannot be read counts as none: `source` has the finding."""
    seconds, source = _own(settings, case) or (settings.timeout, "timeout")
    return Deadline(seconds=seconds, source=source, before=max(seconds, settings.timeout))


def _own(settings: Settings, case: Case) -> tuple[float, str] | None:
    """The seconds that are said for this Application, and where."""
    said = said_by(case)
    seconds = seconds_of(said) if said is not None else None
    if seconds is not None:
        source = f"annotation {ANNOTATION}: {said}"
        if seconds > settings.timeout_limit:
            return settings.timeout_limit, f"{source}, cut at timeout-limit"
        return seconds, source
    for entry in settings.timeouts:
        if fnmatchcase(case.key, entry.application):
            return entry.seconds, f"timeouts: {entry.application} in pytest-gitops.yaml"
    return None
