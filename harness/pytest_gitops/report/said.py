"""Findings as the items of a list: those that are open, and those that a waiver lets be."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_gitops.model import Severity
from pytest_gitops.report import markdown as md
from pytest_gitops.report.reading import FindingDict, Said, where
from pytest_gitops.report.text import joined

_MARKS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}


def found(said: Said) -> str:
    """What is wrong, by which rule, of whom, where, and what to do."""
    finding = said.finding
    text = joined(
        [
            f"- {_MARKS[Severity(finding['severity'])]}",
            f"{md.code(finding['resource'] or '')}:" if finding["resource"] else "",
            md.prose(finding["message"], 600),
            md.code(finding["rule"], 60),
            _of(said.keys),
            _at(finding),
        ],
        by=" ",
    )
    return f"{text}<br>→ {md.prose(finding['help'])}" if finding["help"] else text


def let_be(said: Said) -> str:
    """What is waived, why and for how long."""
    waiver, finding = said.finding["waiver"], said.finding
    until = f" (until {md.prose(waiver['expires'], 40)})" if waiver["expires"] else " (no end date)"
    text = joined(
        [md.code(finding["rule"], 60), md.prose(finding["message"], 200), _of(said.keys), _at(finding)],
        by=" ",
    )
    return f"- {text}<br>waived: {md.prose(waiver['reason'])}{until}"


def _of(keys: Sequence[str]) -> str:
    names = [k for k in keys if k]
    if not names:
        return ""
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"· {md.cells(lambda k: md.code(k, 80), names[:3])}{rest}"


def _at(finding: FindingDict) -> str:
    return f"· {md.code(where(finding), 200)}" if finding["file"] else ""
