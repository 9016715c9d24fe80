"""The part of the page shown first: the tally, what needs attention and why, what is known of the run."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_gitops.model import Outcome
from pytest_gitops.report import scenarios
from pytest_gitops.report.markup import Content, Html, code, copyable, el, mark, spaced
from pytest_gitops.report.page_detail import findings_list
from pytest_gitops.report.page_pull import pull_request
from pytest_gitops.report.reading import (
    NEEDS_ATTENTION,
    Application,
    Document,
    FindingDict,
    State,
    by_urgency,
    findings_of,
    host_title,
    is_met,
    is_open,
    key_of,
    state_of,
    unchecked,
    where,
    worst_first,
)
from pytest_gitops.report.text import clip_lines, counted, first_line, joined, one_line, seconds

_MOST_ROWS = 500
_IN_VIEW = 25


def overview(document: Document, anchors: Mapping[int, str]) -> Html:
    """The part shown first: tally, who needs attention and why, the repository's findings, the run."""
    return el(
        "article",
        el("h2", "Overview", tabindex="-1", class_="unseen"),
        _error(document),
        _tally(document),
        _attention(document, anchors),
        scenarios.on_page(document),
        pull_request(document, anchors),
        _repository(document),
        _unchecked(document),
        _expectations(document),
        _hosts(document),
        _run(document),
        id="overview",
    )


def _error(document: Document) -> Html | None:
    error = document["run"]["error"]
    if not error:
        return None
    return el(
        "section",
        el("h3", mark(State.ERROR), el("span", "The engine could not judge")),
        el("pre", clip_lines(error, lines=500, width=4_000), tabindex="0"),
        class_="cause error",
    )


def _tally(document: Document) -> Html:
    summary = document["summary"]
    outcomes = [
        (State(o.value), summary["outcomes"][o])
        for o in (Outcome.FAILED, Outcome.ERROR, Outcome.PASSED, Outcome.SKIPPED)
    ]
    findings = summary["findings"]
    told = [
        counted(findings["error"], "error") if findings["error"] else "",
        counted(findings["warning"], "warning") if findings["warning"] else "",
        counted(findings["info"], "note") if findings["info"] else "",
        f"{findings['waived']} waived" if findings["waived"] else "",
    ]
    return el(
        "div",
        el(
            "ul",
            [
                el(
                    "li",
                    mark(state, label=""),
                    el("b", f"{number:,}"),
                    el("span", state.value),
                    class_=None if number else "none",
                )
                for state, number in outcomes
            ],
        ),
        el(
            "p",
            joined(
                [
                    counted(sum(summary["stages"].values()), "check"),
                    joined(
                        [
                            f"{n:,} {o}"
                            for o in ("failed", "error", "passed", "skipped")
                            if (n := summary["stages"][o])
                        ]
                    ),
                ],
                by=": ",
            ),
            el("br"),
            f"Findings: {joined(told) or 'none'}",
        ),
        class_="tally",
    )


def _attention(document: Document, anchors: Mapping[int, str]) -> Html | None:
    listed = [a for a in by_urgency(document["applications"]) if state_of(a) in NEEDS_ATTENTION]
    if not listed:
        return None
    left = len(listed) - _MOST_ROWS
    rows = [_row(a, anchors[id(a)]) for a in listed[:_MOST_ROWS]]
    return el(
        "section",
        el("h3", "Needs attention ", el("span", f"{len(listed):,}", class_="number")),
        el("ul", rows[:_IN_VIEW], class_="attention-list"),
        el(
            "details",
            el("summary", f"{len(rows) - _IN_VIEW:,} more"),
            el("ul", rows[_IN_VIEW:], class_="attention-list"),
        )
        if len(rows) > _IN_VIEW
        else None,
        el("p", f"… and {counted(left, 'more Application')}, in the tree.") if left > 0 else None,
        class_="part",
    )


def _said(finding: FindingDict) -> str:
    """Its message, and of which object it is where the message does not say so."""
    message, resource = one_line(finding["message"]), one_line(finding["resource"] or "")
    return f"{resource}: {message}" if resource and resource not in message else message


def _row(application: Application, anchor: str) -> Html:
    state = state_of(application)
    stage = next((s for s in application["stages"] if s["outcome"] in {"failed", "error"}), None)
    live = [f for f in findings_of(application) if is_open(f)]
    if stage is not None:
        why = first_line(stage["message"]) or (live[0]["message"] if live else stage["code"])
        told: Content = [el("b", stage["stage"]), " ", why]
    elif state is State.SKIPPED:
        reasons = (first_line(s["message"]) or s["code"] for s in application["stages"])
        told = [el("b", "nothing checked"), " ", next((r for r in reasons if r), "no stage was run")]
    else:
        warnings = [f for f in live if f["severity"] == "warning"]
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        told = _said(warnings[0]) + more
    return el(
        "li",
        mark(state),
        el("a", application["name"], href=f"#{anchor}", title=key_of(application)),
        el("span", told, class_="why"),
    )


def _repository(document: Document) -> Html | None:
    if not document["findings"]:
        return None
    findings = worst_first(document["findings"])
    return el(
        "section",
        el("h3", "In the repository ", el("span", f"{len(findings):,}", class_="number")),
        findings_list(findings),
        class_="part",
    )


def _unchecked(document: Document) -> Html:
    groups = unchecked(document)
    if not groups:
        return el(
            "section",
            el("h3", "Could not check"),
            el(
                "p",
                "Nothing: every check that was asked for took place."
                if document["applications"]
                else "Everything: no Application was found.",
            ),
            class_="part",
        )
    return el(
        "section",
        el("h3", "Could not check ", el("span", f"{sum(len(g.keys) for g in groups):,}", class_="number")),
        el(
            "ul",
            [
                el(
                    "li",
                    mark(State(g.outcome)),
                    el(
                        "div",
                        el("p", spaced(el("b", g.stage), code(g.code), f"· {_names(g.keys)}")),
                        el("p", first_line(g.reason), class_="help") if g.reason else None,
                    ),
                )
                for g in groups[:_MOST_ROWS]
            ],
            class_="findings",
        ),
        class_="part",
    )


def _names(keys: tuple[str, ...]) -> str:
    names = [k.partition("/")[2] for k in keys]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _expectations(document: Document) -> Html | None:
    said = document["expectations"]
    if not said:
        return None
    met = sum(map(is_met, said))
    listed = sorted(said, key=lambda e: e["outcome"])
    rows = [
        el(
            "li",
            mark(State(e["outcome"])),
            el(
                "div",
                el("p", e["title"], ": ", el("b", e["expect"])),
                el(
                    "p",
                    spaced(
                        code(where(e), class_="place"),
                        code(e["code"] or "", class_="rule"),
                        "waived" if e["waived"] else None,
                    ),
                    class_="origin",
                ),
            ),
        )
        for e in listed[:_MOST_ROWS]
    ]
    left = len(listed) - _MOST_ROWS
    return el(
        "section",
        el("h3", "RBAC ", el("span", f"{met:,} of {counted(len(said), 'expectation')} met", class_="number")),
        el("ul", rows, class_="findings"),
        el("p", f"… and {counted(left, 'more expectation')} in report.json.", class_="quiet")
        if left > 0
        else None,
        class_="part",
    )


def _hosts(document: Document) -> Html | None:
    hosts = document["run"]["hosts"]
    if not hosts:
        return None
    return el(
        "section",
        el("h3", "Hosts out of reach ", el("span", f"{len(hosts):,}", class_="number")),
        el(
            "ul",
            [
                el(
                    "li",
                    mark(State.WARNING, label=""),
                    el(
                        "div",
                        el("p", spaced(code(host_title(h)), h["reason"])),
                        el("p", h["detail"], class_="help") if h["detail"] else None,
                    ),
                )
                for h in hosts
            ],
            class_="findings",
        ),
        class_="part",
    )


def _run(document: Document) -> Html:
    run = document["run"]
    # Each is how long after the beginning that was reached.
    timings = sorted(run["timings"].items(), key=lambda t: (t[1], t[0]))
    return el(
        "section",
        el("h3", "This run"),
        el(
            "dl",
            [el("dt", "Stages"), el("dd", ", ".join(run["stages"]))],
            [el("dt", "Made with"), el("dd", f"pytest-gitops {document['tool']['version']}")],
            [
                el("dt", "Reached after"),
                el("dd", joined([f"{name} {seconds(t)}" for name, t in timings], by=" · ")),
            ]
            if timings
            else None,
            class_="facts",
        ),
        el("p", "To see it again:", class_="label"),
        copyable(run["command"]),
        class_="part",
    )
