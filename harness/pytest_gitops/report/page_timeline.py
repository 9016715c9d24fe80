"""The timeline of one Application: sync and health as bands over seconds, what happened marked, all in words too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.report.markup import Html, el
from pytest_gitops.report.reading import Application, begun, steps_of
from pytest_gitops.report.text import since

Moment = Mapping[str, Any]

_GOOD = {"Synced", "Healthy"}
_BAD = {"Degraded"}
_WAITING = {"OutOfSync", "Progressing", "Suspended", "Missing"}
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TICKS = 6
_LABELLED = 16.0  # percent of the width that a word needs
_CHARACTER = 1.25  # the same of one character of a mark's word

PHASES = (("base", "base"), ("head", "head"), ("rollback", "back to base"))
"""What an upgrade comes through: keys of its evidence, and their titles."""


def timeline(application: Application) -> Html | None:
    """Sync and health as bands, with the stages and the sync's steps marked, then base, head and the way back of an
    upgrade; None where nothing was seen."""
    parts = [_course(application), *_upgrade(application)]
    return el("section", el("h3", "Timeline"), parts, class_="part") if any(parts) else None


def _course(application: Application) -> list[Html]:
    moments: Sequence[Moment] = application["timeline"]
    if not moments:
        return []
    began, steps = begun(application), steps_of(application)
    end = _end(application)
    drawn = [
        _marks("Stages", [(at, name, "stage") for at, name in began], end) if len(began) > 1 else None,
        *_bands(moments, end),
        _marks("Steps", [(s["at"], s["step"], s["kind"]) for s in steps], end) if steps else None,
        _axis(end),
    ]
    rows = [
        *((m["at"], 1, [m[k] or "–" for k in ("sync", "health", "phase")], "") for m in moments),
        *((at, 0, ["", "", ""], f"{name} begins") for at, name in began),
        *((s["at"], 2, ["", "", ""], s["step"]) for s in steps),
    ]
    return [el("div", drawn, class_="timeline"), _listed(rows)]


def _upgrade(application: Application) -> list[Html]:
    """Base, head and the way back, each on a clock of its own: they were on another cluster."""
    evidence: Mapping[str, Any] = next(
        (s["evidence"] for s in application["stages"] if s["stage"] == "upgrade"), {}
    )
    phases = [(title, evidence.get(key) or {}) for key, title in PHASES]
    seen = [(title, p, p["timeline"]) for title, p in phases if p.get("timeline")]
    parts: list[Html] = []
    for title, phase, moments in seen:
        steps = phase.get("steps") or ()
        last = float(moments[-1]["at"])
        end = max(last * 1.1, last + 0.5, *(float(s["at"]) for s in steps))
        parts.append(
            el(
                "div",
                el("h4", f"Upgrade: {title} ", el("span", phase.get("outcome") or "", class_="number")),
                _bands(moments, end),
                _marks("Steps", [(s["at"], s["step"], s["kind"]) for s in steps], end) if steps else None,
                _axis(end),
                class_="timeline",
            )
        )
    return parts


def _bands(moments: Sequence[Moment], end: float) -> list[Html]:
    return [
        _band("Sync", [(m["at"], m["sync"]) for m in moments], end),
        _band("Health", [(m["at"], m["health"]) for m in moments], end),
    ]


def _listed(rows: Sequence[tuple[float, int, list[str], str]]) -> Html:
    heads = ("After", "Sync", "Health", "Operation", "Step")
    return el(
        "details",
        el("summary", "Moment by moment"),
        el(
            "table",
            el("thead", el("tr", [el("th", h, scope="col") for h in heads])),
            el(
                "tbody",
                [
                    el(
                        "tr",
                        el("td", since(max(at, 0.0)), class_="number"),
                        [el("td", w) for w in words],
                        el("td", step),
                    )
                    for at, _, words, step in sorted(rows, key=lambda r: r[:2])
                ],
            ),
        ),
    )


def _marks(title: str, marks: Sequence[tuple[float, str, str]], end: float) -> Html:
    """A row of marks, each with its word as a title; words are written where they have room."""
    drawn: list[Html] = []
    ordered = sorted((max(at, 0.0), word, kind) for at, word, kind in marks if at <= end)
    for place, (at, word, kind) in enumerate(ordered):
        left = _percent(at, end)
        following = _percent(ordered[place + 1][0], end) if place + 1 < len(ordered) else 100.0
        room = following - left >= _CHARACTER * (len(word) + 2)
        drawn.append(
            el(
                "g",
                el("title", f"{word}, {since(at)}"),
                el("rect", x=f"{left:.2f}%", width=4, height="100%", class_=f"step {kind}"),
                el("text", word, x=f"{left + 0.8:.2f}%", y="68%", class_="step") if room else None,
            )
        )
    told = ", ".join(f"{word} at {since(at)}" for at, word, _ in ordered)
    return el(
        "div",
        el("span", title),
        el("svg", drawn, role="img", aria_label=f"{title}: {told}"),
        class_="band marks",
    )


def _end(application: Application) -> float:
    """Where the bands end: the last state lasts as long as the stage that watched it."""
    last = float(application["timeline"][-1]["at"])
    began = {name: at for at, name in begun(application)}
    watched = [
        began.get(s["stage"], 0.0) + s["durationSeconds"]
        for s in application["stages"]
        if s["stage"] == "converge" or s["stage"] in began
    ]
    return float(max(last * 1.1, last + 0.5, *watched, *(s["at"] for s in steps_of(application))))


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
