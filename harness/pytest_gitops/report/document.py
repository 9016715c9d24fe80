"""The document of a run, the content of report.json: built from the model, made safe, put in order."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Any

from pytest_gitops.model import REVIEW_STAGES, VERIFY_STAGES, Run, Severity
from pytest_gitops.report.redact import redacted
from pytest_gitops.report.summary import summary
from pytest_gitops.report.text import clean

Document = dict[str, Any]

_STAGE_ORDER = {stage: place for place, stage in enumerate((*REVIEW_STAGES, *VERIFY_STAGES))}
_SEVERITY_ORDER = {severity.value: place for place, severity in enumerate(Severity)}


def build(run: Run) -> Document:
    """The document of this run: plain JSON values, no secrets, an order that does not depend on timing."""
    document: Document = redacted(plain(run.to_dict()), hide=run.hide)
    return summarized(arranged(document))


def summarized(document: Document) -> Document:
    """The same document with the summary of what is in it."""
    counted = summary(document["applications"], document["findings"], document["scenarios"])
    first = {name: document[name] for name in ("schemaVersion", "tool", "run")}
    return {**first, "summary": counted, **{k: v for k, v in document.items() if k != "summary"}}


def arranged(document: Document) -> Document:
    """The same document with its lists in their one order; the input is left alone."""
    return {
        **document,
        "findings": sorted(document["findings"], key=_finding_order),
        "applications": sorted(
            (_arranged_application(a) for a in document["applications"]),
            key=lambda a: (a["namespace"], a["name"], a["file"], a["line"]),
        ),
        "run": {**document["run"], "hosts": sorted(document["run"]["hosts"], key=_host_order)},
    }


def to_json(document: Document) -> str:
    """The text of report.json."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """The value in JSON's own types: evidence holds whatever YAML or Kubernetes gave (dates, tuples, NaN)."""
    match value:
        case Enum():
            return plain(value.value)
        case str():
            return clean(value)
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {clean(str(k)): plain(v) for k, v in value.items()}
        case list() | tuple():
            return [plain(v) for v in value]
        case set() | frozenset():
            return sorted((plain(v) for v in value), key=_canonical)
        case date():
            return value.isoformat()
        case bytes():
            return f"({len(value)} bytes)"
        case _:
            return clean(str(value))


def _arranged_application(application: Document) -> Document:
    return {
        **application,
        "stages": [
            {**s, "findings": sorted(s["findings"], key=_finding_order)}
            for s in sorted(application["stages"], key=lambda s: (_stage_order(s["stage"]), s["stage"]))
        ],
        "resources": sorted(
            application["resources"],
            key=lambda r: (r["wave"], r["kind"], r["namespace"] or "", r["name"], r["apiVersion"]),
        ),
        "timeline": sorted(application["timeline"], key=lambda m: float(m["at"])),
    }


def _stage_order(stage: str) -> int:
    return _STAGE_ORDER.get(stage, len(_STAGE_ORDER))


def _finding_order(finding: Document) -> tuple[Any, ...]:
    return (
        _SEVERITY_ORDER.get(finding["severity"], len(_SEVERITY_ORDER)),
        finding["file"] or "",
        finding["line"] or 0,
        finding["rule"],
        finding["resource"] or "",
        finding["message"],
    )


def _host_order(host: Document) -> tuple[Any, ...]:
    return host["host"], host["port"], host["path"] or "", host["reason"], host["detail"] or ""


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
