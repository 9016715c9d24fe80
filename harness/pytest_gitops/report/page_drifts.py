"""What one Application was made to do by `self-heal`, as a table, and what was left in peace."""

from __future__ import annotations

from pytest_gitops.report.markup import Html, el, mark
from pytest_gitops.report.reading import Application, State
from pytest_gitops.report.reading_drifts import Told, drifts, peace
from pytest_gitops.report.text import counted


def drift_table(application: Application) -> Html | None:
    """The part about drift; None if nothing drifted and nothing was left in peace."""
    told, left = drifts(application), peace(application)
    if not told and not left:
        return None
    return el(
        "section",
        el("h3", "Drift ", el("span", counted(len(told), "drift"), class_="number")),
        el(
            "div",
            el(
                "table",
                el("thead", el("tr", [el("th", h, scope="col") for h in ("Object", "Drift", "Argo CD")])),
                el("tbody", [_row(t) for t in told]),
            ),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label="Drift",
        )
        if told
        else None,
        el(
            "details",
            el("summary", "Left in peace, or not tried"),
            [el("p", el("b", objects), ": ", reason, class_="help") for objects, reason in left],
        )
        if left
        else None,
        class_="part",
    )


def _row(told: Told) -> Html:
    kind, _, name = told.object.partition(" ")
    return el(
        "tr",
        el("th", el("span", kind, class_="kind"), " ", el("span", name, class_="object"), scope="row"),
        el("td", told.drift),
        el("td", mark(State.PASSED if told.good else State.FAILED), " ", told.came),
        class_=None if told.good else "bad",
    )
