"""One Application on the right side of the page: stages, causes, findings, timeline, objects, evidence."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.model import IN_CLUSTER, Outcome
from pytest_gitops.report.markup import (
    Content,
    Html,
    code,
    copyable,
    el,
    inner,
    mark,
    outcome_mark,
    severity_mark,
    spaced,
)
from pytest_gitops.report.page_drifts import drift_table
from pytest_gitops.report.page_evidence import evidence
from pytest_gitops.report.page_objects import objects
from pytest_gitops.report.page_owners import owners
from pytest_gitops.report.page_rollouts import rollouts
from pytest_gitops.report.page_timeline import timeline
from pytest_gitops.report.reading import (
    NEEDS_ATTENTION,
    Application,
    Document,
    Family,
    FindingDict,
    Stage,
    again,
    cause_of,
    findings_of,
    is_open,
    stages_of,
    state_of,
    where,
)
from pytest_gitops.report.reading_changes import change_word
from pytest_gitops.report.text import clip, clip_lines, counted, seconds

_MOST_FINDINGS = 1_000
_MESSAGE = 4_000  # characters; report.json has them all


def article(
    document: Document, application: Application, *, anchor: str, parent: str | None, changed: Html | None
) -> Html:
    """Everything said of one Application; `parent` is the anchor of the one that makes it, if it is here; `changed`
    is the part about its changes."""
    state = state_of(application)
    bad = [s for s in application["stages"] if s["outcome"] in {Outcome.FAILED, Outcome.ERROR}]
    skipped = [s for s in application["stages"] if s["outcome"] == Outcome.SKIPPED]
    return el(
        "article",
        el("p", el("a", "← All Applications", href="#overview"), class_="back"),
        el("h2", mark(state), el("span", application["name"]), tabindex="-1"),
        _origin(application, parent),
        _stages(application),
        [_cause(document, application, s) for s in bad],
        _findings(findings_of(application)),
        changed,
        _skipped(skipped),
        rollouts(application),
        timeline(application),
        drift_table(application),
        owners(application),
        objects(application["resources"]),
        _facts(application),
        evidence(application["stages"]),
        el("p", "To see this Application again:", class_="label"),
        copyable(f"{document['run']['command']} -k {shlex.quote(application['name'])}"),
        id=anchor,
        class_="application attention" if state in NEEDS_ATTENTION else "application",
    )


def _origin(application: Application, parent: str | None) -> Html:
    made_by = application["parent"]
    link: Content = el("a", made_by, href=f"#{parent}") if parent else made_by
    return el("p", spaced(code(where(application)), "made by" if made_by else None, link), class_="subtitle")


def _facts(application: Application) -> Html:
    destination = application["destination"]
    cluster = destination["name"] or destination["server"] or IN_CLUSTER
    facts: list[tuple[str, Content]] = [
        ("Namespace", spaced(code(application["namespace"]), "project", code(application["project"]))),
        ("Sources", [el("div", s) for s in (_source(s) for s in application["sources"])]),
        (
            "Destination",
            spaced(
                code(cluster),
                "namespace" if destination["namespace"] else None,
                code(destination["namespace"]),
            ),
        ),
        ("Change", change_word(application)),
        ("Selected because", [el("div", why) for why in application.get("selectedBecause", ())]),
    ]
    told = [[el("dt", name), el("dd", value)] for name, value in facts if value]
    return el("section", el("h3", "Application"), el("dl", told, class_="facts"), class_="part")


def _source(source: Mapping[str, Any]) -> list[Content]:
    return spaced(
        code(source["repoURL"]),
        "chart" if source["chart"] else None,
        code(source["chart"]),
        "path" if source["path"] else None,
        code(source["path"]),
        "at",
        code(source["targetRevision"] or "HEAD"),
        f"as ${source['ref']}" if source["ref"] else None,
    )


def _stages(application: Application) -> Html:
    groups = [(f.value.capitalize(), stages_of(application, f)) for f in Family]
    return el(
        "div",
        [
            el(
                "section",
                el("h3", title),
                el("ol", [_stage(s) for s in stages]),
            )
            for title, stages in groups
            if stages
        ],
        class_="stages",
    )


def _stage(stage: Stage) -> Html:
    told = stage["code"] if stage["outcome"] == Outcome.SKIPPED and stage["code"] else None
    return el(
        "li",
        outcome_mark(stage["outcome"]),
        el("span", stage["stage"], class_="name"),
        el("span", told or seconds(stage["durationSeconds"]), class_="time"),
        class_=f"stage {stage['outcome']}",
    )


def _cause(document: Document, application: Application, stage: Stage) -> Html:
    failed = stage["outcome"] == Outcome.FAILED
    worst = next((f["message"] for f in stage["findings"] if is_open(f)), None)
    message = stage["message"] or worst or "No reason was given."
    known = cause_of(stage)
    return el(
        "section",
        el(
            "h3",
            outcome_mark(stage["outcome"]),
            el("span", f"{stage['stage']} {'failed' if failed else 'could not be judged'}"),
            code(stage["code"]),
        ),
        el("p", el("b", known["cause"]), " ", code(known["class"])) if known else None,
        el("p", f"→ {known['next']}", class_="help") if known else None,
        el("pre", clip_lines(message, lines=2_000, width=4_000), tabindex="0"),
        copyable(again(document, application, stage["stage"])),
        class_=f"cause {stage['outcome']}",
    )


def findings_list(findings: Sequence[FindingDict]) -> Html:
    """The findings as a list: severity, rule, message, place, help. What is beyond the first thousand is counted."""
    left = len(findings) - _MOST_FINDINGS
    return el(
        "ul",
        [_finding(f) for f in findings[:_MOST_FINDINGS]],
        el("li", el("span"), el("p", f"… and {counted(left, 'more finding')} in report.json."))
        if left > 0
        else None,
        class_="findings",
    )


def _findings(findings: Sequence[FindingDict]) -> list[Html]:
    live = [f for f in findings if is_open(f)]
    waived = [f for f in findings if not is_open(f)]
    parts = []
    if live:
        parts.append(el("section", el("h3", "Findings ", _number(live)), findings_list(live), class_="part"))
    if waived:
        parts.append(
            el(
                "details",
                el("summary", counted(len(waived), "waived finding")),
                findings_list(waived),
                class_="part",
            )
        )
    return parts


def _finding(finding: FindingDict) -> Html:
    waiver = finding["waiver"]
    ends = (waiver["expires"] and f"until {waiver['expires']}") or "no end date" if waiver else ""
    return el(
        "li",
        severity_mark(finding["severity"]),
        el(
            "div",
            el("p", clip(finding["message"], _MESSAGE), class_="message"),
            el("p", f"→ {finding['help']}", class_="help") if finding["help"] else None,
            el("p", f"Waived ({ends}): {waiver['reason']}", class_="help") if waiver else None,
            el(
                "p",
                spaced(
                    code(where(finding), class_="place"),
                    code(finding["resource"]),
                    code(finding["rule"], class_="rule"),
                ),
                class_="origin",
            ),
        ),
    )


def _skipped(stages: Sequence[Stage]) -> Html | None:
    if not stages:
        return None
    return el(
        "section",
        el("h3", "Not checked ", _number(stages)),
        el(
            "ul",
            [
                el(
                    "li",
                    outcome_mark(s["outcome"]),
                    el(
                        "div",
                        el("p", el("b", s["stage"]), " ", code(s["code"])),
                        el("p", s["message"], class_="help") if s["message"] else None,
                    ),
                )
                for s in stages
            ],
            class_="findings",
        ),
        class_="part",
    )


def _number(items: Sequence[Any]) -> Html:
    return el("span", inner(f"{len(items):,}"), class_="number")
