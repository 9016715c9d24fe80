"""The Rollouts of one Application on the page: their steps on the way to head and back, moment by moment."""

from __future__ import annotations

from pytest_gitops.report.markup import Html, el
from pytest_gitops.report.reading import Application
from pytest_gitops.report.rollouts import Rollout, line, remarks, rollouts_of
from pytest_gitops.report.text import since

_HEAD = ("After", "Phase", "Step", "New Pods", "What was done, or is said")


def rollouts(application: Application) -> Html | None:
    """One part for all of them; None where there are none."""
    found = list(rollouts_of(application))
    if not found:
        return None
    return el(
        "section",
        el("h3", "Progressive delivery"),
        [_one(way, rollout) for way, rollout in found],
        class_="part",
    )


def _one(way: str, rollout: Rollout) -> Html:
    return el(
        "details",
        el("summary", f"{rollout['rollout']} {way}: {line(rollout)}"),
        [el("p", remark) for remark in remarks(rollout)],
        el(
            "table",
            el("thead", el("tr", [el("th", h, scope="col") for h in _HEAD])),
            el("tbody", [_row(m) for m in rollout["moments"]]),
        ),
    )


def _row(moment: Rollout) -> Html:
    step = f"{moment['step']} of {moment['steps']}: {moment['doing']}" if moment["step"] else "–"
    weight = f", {moment['weight']} % of the traffic" if moment["weight"] is not None else ""
    return el(
        "tr",
        el("td", since(moment["at"]), class_="number"),
        el("td", moment["phase"] or "–"),
        el("td", step),
        el("td", f"{moment['updated']} of {moment['replicas']}{weight}"),
        el("td", moment["did"] or moment["message"] or "–"),
    )
