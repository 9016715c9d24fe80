"""review.md: what a pull request's reviewer reads in ten seconds, the most important first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pytest_gitops.model import Outcome, Severity
from pytest_gitops.report import markdown as md
from pytest_gitops.report.reading import (
    NEEDS_ATTENTION,
    Application,
    Document,
    Family,
    FindingDict,
    Said,
    Stage,
    State,
    asked_for,
    by_urgency,
    findings_of,
    grouped_findings,
    is_open,
    key_of,
    stages_of,
    state_of,
    where,
)
from pytest_gitops.report.sections import MARKS, again_line, causes, header, hosts, not_checked
from pytest_gitops.report.text import counted, joined

_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SEVERITY_MARKS = {Severity.ERROR: "❌", Severity.WARNING: "⚠️", Severity.INFO: "ℹ️"}


def render(document: Document) -> str:
    """The Markdown of review.md, shorter than GitHub's 65,536 characters for any document."""
    page = md.Page()
    page.grant(3_500)
    header(page, document, Family.REVIEW)
    if not asked_for(document, Family.REVIEW):
        page.add("No stage of the review was asked for (`--gitops-stages`), so nothing was reviewed.")
        return page.text()
    _applications(page, document)
    said = grouped_findings(document, Family.REVIEW)
    live = [s for s in said if is_open(s.finding)]
    errors = [s for s in live if s.finding["severity"] == Severity.ERROR]
    warnings = [s for s in live if s.finding["severity"] == Severity.WARNING]
    notes = [s for s in live if s.finding["severity"] == Severity.INFO]
    causes(page, document, Family.REVIEW, share=11_000)
    page.items([_finding(s) for s in errors], share=12_000, shown=12, title="**Dangers**", noun="error")
    page.items([_finding(s) for s in warnings], share=8_000, shown=6, title="**Warnings**", noun="warning")
    not_checked(page, document, Family.REVIEW, share=8_000)
    hosts(page, document, share=3_000)
    waived = [_waived(s) for s in said if not is_open(s.finding)]
    page.items(waived, share=4_000, shown=5, title="**Waived**", noun="waived finding")
    page.items([_finding(s) for s in notes], share=3_000, shown=0, title="**Notes**", noun="note")
    page.grant(1_500)
    page.add(again_line(document))
    return page.text()


def _applications(page: md.Page, document: Document) -> None:
    applications = by_urgency(document["applications"], Family.REVIEW)
    states = {id(a): state_of(a, Family.REVIEW) for a in applications}
    # What the pull request changes is worth a row even where all is well.
    listed = [a for a in applications if states[id(a)] in NEEDS_ATTENTION or _changed(a)]
    diffed = any(a["change"] for a in applications)
    head = ["", "Application", *(["change", "objects"] if diffed else []), "checks", "findings"]
    page.rows(
        head,
        [" | ".join(_row(a, states[id(a)], diffed)) for a in listed],
        share=9_000,
        shown=12,
        noun="Application",
    )
    rest = [a for a in applications if a not in listed]
    same = [a for a in rest if a["change"] == "unchanged"]
    fine = len(rest) - len(same)
    page.add(
        joined(
            [
                f"{counted(fine, 'Application')} passed with nothing to say." if fine else "",
                f"{counted(len(same), 'Application')} unchanged." if same else "",
            ],
            by=" ",
        )
    )


def _changed(application: Application) -> bool:
    return application["change"] in {"added", "removed", "changed"}


def _row(application: Application, state: State, diffed: bool) -> list[str]:
    name = md.code(key_of(application), 120, cell=True)
    return [
        MARKS[state],
        f"**{name}**" if state in {State.FAILED, State.ERROR} else name,
        *([application["change"] or "–", _objects(application)] if diffed else []),
        _checks(stages_of(application, Family.REVIEW)),
        _counts(findings_of(application, Family.REVIEW)),
    ]


def _objects(application: Application) -> str:
    signs = {"changed": "~", "added": "+", "removed": "−"}
    seen = Counter(r["change"] for r in application["resources"])
    return " ".join(f"{sign}{seen[change]}" for change, sign in signs.items() if seen[change]) or "–"


def _checks(stages: Sequence[Stage]) -> str:
    bad = [s for s in stages if s["outcome"] != Outcome.PASSED]
    told = [
        joined(
            [MARKS[State(s["outcome"])], md.prose(s["stage"], 40), md.code(s["code"] or "", 40, cell=True)],
            by=" ",
        )
        for s in bad[:4]
    ]
    return joined([*told, f"{len(bad) - 4} more" if len(bad) > 4 else ""]) or "passed"


def _counts(findings: Sequence[FindingDict]) -> str:
    live = Counter(Severity(f["severity"]) for f in findings if is_open(f))
    waived = len(findings) - live.total()
    parts = [counted(live[s], word) if live[s] else "" for s, word in _WORDS.items()]
    return joined([*parts, f"{waived} waived" if waived else ""]) or "–"


def _finding(said: Said) -> str:
    finding = said.finding
    text = joined(
        [
            f"- {_SEVERITY_MARKS[Severity(finding['severity'])]}",
            f"{md.code(finding['resource'] or '')}:" if finding["resource"] else "",
            md.prose(finding["message"], 600),
            md.code(finding["rule"], 60),
            _of(said.keys),
            _at(finding),
        ],
        by=" ",
    )
    return f"{text}<br>→ {md.prose(finding['help'])}" if finding["help"] else text


def _waived(said: Said) -> str:
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
