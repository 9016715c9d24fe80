"""What the writers say of scenarios: how many went as they say, and which did not, with the text of each."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from pytest_gitops.model import Outcome
from pytest_gitops.report import markdown as md
from pytest_gitops.report.markup import Html, copyable, el, mark
from pytest_gitops.report.reading import Document, Family, Scenario, State, bad_scenarios, scenarios_of
from pytest_gitops.report.text import clip, clip_lines, counted, first_line, joined, seconds

_MARKS = {Outcome.FAILED: "❌", Outcome.ERROR: "⛔", Outcome.SKIPPED: "⏭️", Outcome.PASSED: "✅"}
_ORDER = (Outcome.FAILED, Outcome.ERROR, Outcome.PASSED, Outcome.SKIPPED)
_SHOWN = 5
_MOST = 200


def tally(scenarios: Sequence[Scenario]) -> str:
    """ "1 failed, 3 passed"."""
    outcomes = Counter(s["outcome"] for s in scenarios)
    return joined([f"{outcomes[o]} {o}" for o in _ORDER if outcomes[o]])


def again(document: Document, scenario: Scenario) -> str:
    """The command that runs it alone."""
    return f"{document['run']['command']} {shlex.quote(scenario['id'])}"


def section(page: md.Page, document: Document, family: Family, *, share: int) -> None:
    """The scenarios of a report: a count, and each that did not go as it says with its text."""
    scenarios = scenarios_of(document, family)
    title = f"**Scenarios** {tally(scenarios)}"
    items = [_block(document, s) for s in scenarios if s["outcome"] != Outcome.PASSED]
    if scenarios and not items:
        page.add(title)
    page.blocks(items, share=share, title=title, noun="scenario")


def _block(document: Document, scenario: Scenario) -> str:
    title = joined([scenario["name"], f"{scenario['file']}:{scenario['line']}"], by=" · ")
    text = [
        md.block(scenario["message"] or scenario["code"] or "", lines=24, width=200),
        "again: " + md.code(again(document, scenario), 400),
    ]
    named = md.html_text(title, 200).replace("]", "&#93;")  # a loop's name is not to look like a link
    return md.fold(f"{_MARKS[scenario['outcome']]} <b>{named}</b>", "\n\n".join(text))


def terminal(document: Document) -> list[tuple[str, str]]:
    """Lines for the terminal, each with its style."""
    scenarios, bad = scenarios_of(document), bad_scenarios(document)
    if not scenarios:
        return []
    # Where nothing else was asked, the first line of all has their number already.
    head = (f"{counted(len(scenarios), 'scenario')}: {tally(scenarios)}", "red" if bad else "")
    lines = [head] if document["applications"] else []
    for each in bad[:_SHOWN]:
        word = "✗" if each["outcome"] == Outcome.FAILED else "!"
        lines.append((f"{word} {clip(each['name'], 60)}: {first_line(each['message'] or '')}", "red"))
    if len(bad) > _SHOWN:
        lines.append((f"… and {counted(len(bad) - _SHOWN, 'more scenario')}", "red"))
    return lines


def on_page(document: Document) -> Html | None:
    """The part of the page that lists them, each with its steps."""
    scenarios = scenarios_of(document)
    if not scenarios:
        return None
    listed = sorted(scenarios, key=lambda s: _ORDER.index(s["outcome"]))
    return el(
        "section",
        el("h3", "Scenarios ", el("span", f"{len(scenarios):,}", class_="number")),
        el("ul", [_entry(document, s) for s in listed[:_MOST]], class_="findings"),
        el("p", f"… and {counted(len(listed) - _MOST, 'more scenario')}, in report.json.")
        if len(listed) > _MOST
        else None,
        class_="part",
    )


def _entry(document: Document, scenario: Scenario) -> Html:
    steps = joined(
        [f"{_MARKS[s['outcome']]} {s['name']} ({seconds(s['seconds'])})" for s in scenario["steps"]], by=" · "
    )
    text = scenario["message"]
    return el(
        "li",
        mark(State(scenario["outcome"])),
        el(
            "div",
            el("p", el("b", scenario["name"]), f" {scenario['file']}:{scenario['line']}"),
            el("p", steps, class_="help") if steps else None,
            el("pre", clip_lines(text, lines=40, width=400), tabindex="0") if text else None,
            copyable(again(document, scenario)) if text else None,
        ),
    )
