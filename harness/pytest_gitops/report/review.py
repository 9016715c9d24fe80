"""review.md: what a pull request's reviewer reads in ten seconds, the most important first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pytest_gitops.model import Outcome, Severity
from pytest_gitops.report import markdown as md
from pytest_gitops.report import review_changes as changes
from pytest_gitops.report import scenarios
from pytest_gitops.report.reading import (
    NEEDS_ATTENTION,
    Application,
    Document,
    Family,
    FindingDict,
    Stage,
    State,
    asked_for,
    by_urgency,
    findings_of,
    grouped_findings,
    is_met,
    is_open,
    key_of,
    stages_of,
    state_of,
)
from pytest_gitops.report.reading_changes import change_word, is_changed, is_compared, signs
from pytest_gitops.report.said import found, let_be
from pytest_gitops.report.sections import MARKS, again_line, causes, header, hosts, not_checked
from pytest_gitops.report.text import counted, joined

_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}

# Shares of GitHub's limit, in characters; what one part leaves, the later ones have. Their sum is below the limit.
_ALONE = {
    "header": 3_500, "applications": 9_000, "causes": 10_000, "errors": 11_000, "warnings": 8_000, "unchecked": 7_000,
    "scenarios": 1_000, "expectations": 2_000, "hosts": 3_000, "waived": 4_000, "notes": 3_000, "again": 1_500,
}  # fmt: skip
_COMPARED = {
    "header": 3_000, "summary": 3_000, "applications": 7_000, "selected": 1_500, "images": 3_000, "sets": 2_500,
    "errors": 7_000, "deleted": 5_500, "causes": 5_000, "warnings": 5_000, "unchecked": 3_000, "scenarios": 500,
    "expectations": 1_500, "hosts": 1_500, "diffs": 10_000, "waived": 2_000, "notes": 1_500, "again": 1_500,
}  # fmt: skip


def render(document: Document) -> str:
    """The Markdown of review.md, shorter than GitHub's 65,536 characters for any document."""
    page = md.Page()
    compared = is_compared(document)
    share = _COMPARED if compared else _ALONE
    page.grant(share["header"])
    header(page, document, Family.REVIEW)
    if not asked_for(document, Family.REVIEW):
        page.add("No stage of the review was asked for (`--gitops-stages`), so nothing was reviewed.")
        return page.text()
    if compared:
        changes.summary(page, document, share=share["summary"])
    _applications(page, document, share=share["applications"])
    said = grouped_findings(document, Family.REVIEW)
    live = [s for s in said if is_open(s.finding)]
    errors = [s for s in live if s.finding["severity"] == Severity.ERROR]
    warnings = [s for s in live if s.finding["severity"] == Severity.WARNING]
    notes = [s for s in live if s.finding["severity"] == Severity.INFO]
    if compared:
        changes.selected(page, document, share=share["selected"])
        changes.images(page, document, share=share["images"])
        changes.sets(page, document, share=share["sets"])
    else:
        causes(page, document, Family.REVIEW, share=share["causes"])
    page.items(md.Each(found, errors), share=share["errors"], shown=12, title="**Dangers**", noun="error")
    if compared:
        changes.deleted(page, document, share=share["deleted"])
        causes(page, document, Family.REVIEW, share=share["causes"])
    page.items(
        md.Each(found, warnings),
        share=share["warnings"],
        shown=6,
        title="**Warnings**",
        noun="warning",
    )
    scenarios.section(page, document, Family.REVIEW, share=share["scenarios"])
    not_checked(page, document, Family.REVIEW, share=share["unchecked"])
    _expectations(page, document, share=share["expectations"])
    hosts(page, document, share=share["hosts"])
    if compared:
        changes.diffs(page, document, share=share["diffs"])
    waived = [s for s in said if not is_open(s.finding)]
    page.items(
        md.Each(let_be, waived), share=share["waived"], shown=5, title="**Waived**", noun="waived finding"
    )
    page.items(md.Each(found, notes), share=share["notes"], shown=0, title="**Notes**", noun="note")
    page.grant(share["again"])
    page.add(again_line(document))
    return page.text()


def _applications(page: md.Page, document: Document, *, share: int) -> None:
    applications = by_urgency(document["applications"], Family.REVIEW)
    states = {id(a): state_of(a, Family.REVIEW) for a in applications}
    listed: list[Application] = []
    rest: list[Application] = []
    for a in applications:  # what the pull request changes is worth a row even where all is well
        told = states[id(a)] in NEEDS_ATTENTION or is_changed(a) or a["changeUnknown"]
        (listed if told else rest).append(a)
    diffed = is_compared(document)
    head = ["", "Application", *(["change", "objects"] if diffed else []), "checks", "findings"]
    page.rows(
        head,
        md.Each(lambda a: " | ".join(_row(a, states[id(a)], diffed)), listed),
        share=share,
        shown=12,
        noun="Application",
    )
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


def _expectations(page: md.Page, document: Document, *, share: int) -> None:
    """How many of the expectations of Argo CD's RBAC are met; the finding of one that is not stands above."""
    said = document["expectations"]
    met = sum(is_met(e) for e in said)
    page.items(
        [
            joined(
                [
                    f"- {MARKS[State(e['outcome'])]} {md.prose(e['title'], 200)}:",
                    e["expect"],
                    f"(waived, {md.code(e['code'], 60)})" if e["waived"] else md.code(e["code"] or "", 60),
                ],
                by=" ",
            )
            for e in sorted(said, key=lambda e: e["outcome"])
        ],
        share=share,
        shown=0,
        title=f"**RBAC** {met} of {counted(len(said), 'expectation')} met",
        noun="expectation",
        reserve=200,
    )


def _row(application: Application, state: State, diffed: bool) -> list[str]:
    name = md.code(key_of(application), 120, cell=True)
    return [
        MARKS[state],
        f"**{name}**" if state in {State.FAILED, State.ERROR} else name,
        *(_change(application) if diffed else []),
        _checks(stages_of(application, Family.REVIEW)),
        _counts(findings_of(application, Family.REVIEW)),
    ]


def _change(application: Application) -> tuple[str, str]:
    return md.prose(change_word(application), 120) or "–", signs(application["changeCounts"]) or "–"


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
