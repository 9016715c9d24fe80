"""verification.md: what was proven on a cluster, what was not, and what the cluster only pretended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gitops.model import Outcome, Severity
from pytest_gitops.report import markdown as md
from pytest_gitops.report import scenarios
from pytest_gitops.report.markdown_evidence import by_cause
from pytest_gitops.report.reading import (
    Application,
    Document,
    Family,
    State,
    asked_for,
    by_urgency,
    grouped_findings,
    is_open,
    key_of,
    settled_after,
    stages_of,
    state_of,
)
from pytest_gitops.report.reading_drifts import drifts
from pytest_gitops.report.rollouts import line, remarks, rollouts_of
from pytest_gitops.report.said import found, let_be
from pytest_gitops.report.sections import MARKS, again_line, causes, header, hosts, not_checked
from pytest_gitops.report.text import counted, seconds, sentences

PRUNE = "prune"

FEW = 3
"""As many objects as a cell names."""


def render(document: Document) -> str:
    """The Markdown of verification.md, shorter than GitHub's 65,536 characters for any document."""
    page = md.Page()
    page.grant(5_000)
    header(page, document, Family.VERIFICATION)
    if not asked_for(document, Family.VERIFICATION):
        page.add("No stage of the verification was asked for (`--gitops-stages`), so nothing was proven.")
        return page.text()
    page.add(_simulated(document))
    by_cause(page, document, share=5_000)
    causes(page, document, Family.VERIFICATION, share=12_000)
    _warned(page, document, share=4_000)
    scenarios.section(page, document, Family.VERIFICATION, share=6_000)
    not_checked(page, document, Family.VERIFICATION, share=7_000)
    _proven(page, document, share=9_000)
    _drifts(page, document, share=4_000)
    _rollouts(page, document, share=4_000)
    _deleted(page, document, share=5_000)
    hosts(page, document, share=3_000)
    page.grant(1_500)
    page.add(again_line(document))
    return page.text()


def _simulated(document: Document) -> str:
    cluster = document["run"]["cluster"]
    provider = md.code(cluster["provider"], 40)
    pretended = cluster["simulated"]
    if not pretended:
        return f"> **Simulated:** nothing; everything ran on the {provider} cluster."
    left = [f"And {len(pretended) - 12} more"] if len(pretended) > 12 else []
    told = sentences([*(md.prose(s, 200) for s in pretended[:12]), *left])
    return f"> **Simulated** on the {provider} cluster: {told}"


def _warned(page: md.Page, document: Document, *, share: int) -> None:
    """What was found without being a failure, and what is waived. Errors are told under what failed, and what rightly
    stays (info) under what was deleted."""
    said = grouped_findings(document, Family.VERIFICATION)
    warnings = [s for s in said if is_open(s.finding) and s.finding["severity"] == Severity.WARNING]
    waived = [s for s in said if not is_open(s.finding)]
    page.items(md.Each(found, warnings), share=share * 3 // 4, shown=6, title="**Warnings**", noun="warning")
    page.items(md.Each(let_be, waived), share=share // 4, shown=5, title="**Waived**", noun="waived finding")


def _proven(page: md.Page, document: Document, *, share: int) -> None:
    stages = asked_for(document, Family.VERIFICATION)
    live = [
        a
        for a in by_urgency(document["applications"], Family.VERIFICATION)
        if any(s["outcome"] == Outcome.PASSED for s in stages_of(a, Family.VERIFICATION))
    ]
    if not live:
        page.grant(share)
        page.add("**Proven:** nothing.")
        return
    page.add(f"**Proven** for {counted(len(live), 'Application')}")
    page.rows(
        ["", "Application", "Synced and Healthy", "objects", *(md.prose(s, 30) for s in stages)],
        [" | ".join(_row(a, stages)) for a in live],
        share=share,
        shown=15,
        noun="Application",
    )


def _drifts(page: md.Page, document: Document, *, share: int) -> None:
    """What `self-heal` did, those that went wrong first."""
    told = [
        (key_of(a), drift)
        for a in by_urgency(document["applications"], Family.VERIFICATION)
        for drift in drifts(a)
    ]
    if told:
        page.add(f"**Drift**: {counted(len(told), 'drift')} made and followed")
    page.rows(
        ["", "Application", "object", "drift", "Argo CD"],
        [
            f"{MARKS[State.PASSED if d.good else State.FAILED]} | {md.code(key, 120, cell=True)} | "
            f"{md.code(d.object, 120, cell=True)} | {md.prose(d.drift, 120)} | {md.prose(d.came, 120)}"
            for key, d in sorted(told, key=lambda t: t[1].good)
        ],
        share=share,
        shown=5,
        noun="drift",
    )


def _deleted(page: md.Page, document: Document, *, share: int) -> None:
    """What `prune` deleted, and what of each Application stays."""
    pruned = [
        (a, s["evidence"])
        for a in by_urgency(document["applications"], Family.VERIFICATION)
        for s in a["stages"]
        if s["stage"] == PRUNE and "gone" in s["evidence"]
    ]
    if not pruned:
        page.grant(share)
        return
    gone = counted(sum(int(e["gone"]) for _, e in pruned), "object")
    page.add(
        f"**Deleted** with {counted(len(pruned), 'Application')}: {gone}. What is still there, Applications aside:"
    )
    page.rows(
        ["Application", "gone", "after", "stays, rightly", "should have gone"],
        [" | ".join(_remains(a, e)) for a, e in pruned if e["kept"] or e["left"]],
        share=share,
        shown=8,
        noun="Application",
    )


def _remains(application: Application, evidence: Mapping[str, Any]) -> list[str]:
    after = evidence["deletedSeconds"]
    kept = [f"{md.code(k['object'], 80, cell=True)} ({md.prose(k['why'], 80)})" for k in evidence["kept"]]
    left = [
        " ".join([md.code(e["object"], 80, cell=True), *(md.code(f, 60, cell=True) for f in e["finalizers"])])
        for e in evidence["left"]
    ]
    return [
        md.code(key_of(application), 120, cell=True),
        str(evidence["gone"]),
        seconds(after) if after is not None else "never",
        _few(kept),
        _few(left),
    ]


def _few(told: list[str]) -> str:
    """The first of them, for a cell of a table."""
    more = [f"and {len(told) - FEW} more"] if len(told) > FEW else []
    return "; ".join([*told[:FEW], *more]) or "–"


def _rollouts(page: md.Page, document: Document, *, share: int) -> None:
    told = [
        f"- {md.code(rollout['rollout'], 120)} {way}: {md.prose('; '.join([line(rollout), *remarks(rollout)]), 900)}"
        for application in by_urgency(document["applications"], Family.VERIFICATION)
        for way, rollout in rollouts_of(application)
    ]
    if told:
        page.items(told, share=share, shown=10, title="**Progressive delivery**", noun="update")


def _row(application: Application, stages: tuple[str, ...]) -> list[str]:
    after = settled_after(application)
    results = {s["stage"]: s for s in stages_of(application, Family.VERIFICATION)}
    told = []
    for name in stages:
        stage = results.get(name)
        if stage is None:
            told.append("–")
        elif stage["outcome"] == Outcome.PASSED:
            told.append(f"{MARKS[State.PASSED]} {seconds(stage['durationSeconds'])}")
        else:
            told.append(
                f"{MARKS[State(stage['outcome'])]} {md.code(stage['code'] or '', 40, cell=True)}".rstrip()
            )
    return [
        MARKS[state_of(application, Family.VERIFICATION)],
        md.code(key_of(application), 120, cell=True),
        f"after {seconds(after)}" if after is not None else "–",
        str(len(application["resources"])) if application["resources"] else "–",
        *told,
    ]
