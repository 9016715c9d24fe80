"""The timeline of one Application: sync and health as two bands over seconds, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.report.markup import Html, el
from pytest_gitops.report.reading import Application
from pytest_gitops.report.text import since

Moment = Mapping[str, Any]

_GOOD = {"Synced", "Healthy"}
_BAD = {"Degraded"}
_WAITING = {"OutOfSync", "Progressing", "Suspended", "Missing"}
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TICKS = 6
_LABELLED = 16.0  # percent of the width that a word needs


def timeline(application: Application) -> Html | None:
    """Both bands, their axis, and the moments as a list; None where nothing was seen."""
    moments: Sequence[Moment] = application["timeline"]
    if not moments:
        return None
    end = _end(application)
    return el(
        "section",
        el("h3", "Timeline"),
        el(
            "div",
            _band("Sync", [(m["at"], m["sync"]) for m in moments], end),
            _band("Health", [(m["at"], m["health"]) for m in moments], end),
            _axis(end),
            class_="timeline",
        ),
        el(
            "details",
            el("summary", "Moment by moment"),
            el(
                "table",
                el(
                    "thead",
                    el("tr", [el("th", h, scope="col") for h in ("After", "Sync", "Health", "Operation")]),
                ),
                el(
                    "tbody",
                    [
                        el(
                            "tr",
                            el("td", since(m["at"]), class_="number"),
                            [el("td", m[k] or "–") for k in ("sync", "health", "phase")],
                        )
                        for m in moments
                    ],
                ),
            ),
        ),
        class_="part",
    )


def _end(application: Application) -> float:
    """Where the bands end: the last state lasts as long as the stage that watched it."""
    last = float(application["timeline"][-1]["at"])
    watched = [s["durationSeconds"] for s in application["stages"] if s["stage"] == "converge"]
    return float(max(last * 1.1, last + 0.5, *watched))


def _band(title: str, states: Sequence[tuple[float, str | None]], end: float) -> Html:
    spans = _spans(states, end)
    drawn: list[Html] = []
    for start, stop, state in spans:
        left, width = _percent(start, end), _percent(stop, end) - _percent(start, end)
        drawn.append(
            el(
                "svg",
                el("title", f"{state}, {since(start)} to {since(stop)}"),
                el("rect", width="100%", height="100%", class_=_kind(state)),
                el("text", state, x=6, y="68%") if width >= _LABELLED else None,
                x=f"{left:.2f}%",
                width=f"{max(width, 0.4):.2f}%",
                height="100%",
            )
        )
    told = ", ".join(f"{state} from {since(start)}" for start, _, state in spans)
    return el(
        "div", el("span", title), el("svg", drawn, role="img", aria_label=f"{title}: {told}"), class_="band"
    )


def _spans(states: Sequence[tuple[float, str | None]], end: float) -> list[tuple[float, float, str]]:
    merged: list[tuple[float, str]] = []
    for at, state in states:
        if not merged or merged[-1][1] != (state or "Unknown"):
            merged.append((max(at, 0.0), state or "Unknown"))
    stops = [at for at, _ in merged[1:]] + [end]
    return [(at, stop, state) for (at, state), stop in zip(merged, stops, strict=True)]


def _axis(end: float) -> Html:
    step = next(
        (s for s in _STEPS if end / s <= _MOST_TICKS), _STEPS[-1] * (end // (_STEPS[-1] * _MOST_TICKS) + 1)
    )
    places = [step * n for n in range(int(end / step) + 1)]
    drawn = [
        el(
            "g",
            el("line", x1=f"{_percent(p, end):.2f}%", x2=f"{_percent(p, end):.2f}%", y1=0, y2=5),
            el(
                "text",
                f"{p:g} s",
                x=f"{_percent(p, end):.2f}%",
                y=18,
                text_anchor="start" if p == 0 else "end" if _percent(p, end) > 94 else "middle",
            ),
        )
        for p in places
    ]
    return el("div", el("span"), el("svg", drawn, aria_hidden="true"), class_="band axis")


def _percent(at: float, end: float) -> float:
    return 100 * at / end


def _kind(state: str) -> str:
    if state in _GOOD:
        return "good"
    if state in _BAD:
        return "bad"
    return "waiting" if state in _WAITING else "unknown"
