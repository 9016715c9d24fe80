"""The objects of one Application as a table: sync, health, sync wave and hook of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.report.markup import Html, el
from pytest_gitops.report.reading import resource_title, unhealthy
from pytest_gitops.report.text import counted, joined


def objects(resources: Sequence[Mapping[str, Any]]) -> Html | None:
    """The table of objects, those that are not Synced and Healthy first; None without any."""
    if not resources:
        return None
    bad = {id(r) for r in unhealthy(resources)}
    ordered = sorted(resources, key=lambda r: id(r) not in bad)
    hooks, waves = any(r["hook"] for r in resources), any(r["wave"] for r in resources)
    head = ["Object", "Sync", "Health", *(["Wave"] if waves else []), *(["Hook"] if hooks else [])]
    told = joined([counted(len(resources), "object"), f"{len(bad)} not Synced and Healthy" if bad else ""])
    return el(
        "section",
        el("h3", "Objects ", el("span", told, class_="number")),
        el(
            "div",
            el(
                "table",
                el("thead", el("tr", [el("th", h, scope="col") for h in head])),
                el("tbody", [_resource(r, bad=id(r) in bad, waves=waves, hooks=hooks) for r in ordered]),
            ),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label="Objects",
        ),
        class_="part",
    )


def _resource(resource: Mapping[str, Any], *, bad: bool, waves: bool, hooks: bool) -> Html:
    name = f"{resource['namespace']}/{resource['name']}" if resource["namespace"] else resource["name"]
    return el(
        "tr",
        el(
            "th",
            el("span", resource["kind"], class_="kind", title=resource["apiVersion"]),
            " ",
            el("span", name, class_="object"),
            el("p", resource["message"], class_="help") if resource["message"] else None,
            scope="row",
        ),
        _word(resource["sync"], good="Synced"),
        _word(resource["health"], good="Healthy"),
        el("td", str(resource["wave"]), class_="number") if waves else None,
        el("td", resource["hook"] or "") if hooks else None,
        class_="bad" if bad else None,
        data_object=resource_title(resource),
    )


def _word(state: str | None, *, good: str) -> Html:
    if not state:
        return el("td", "–", class_="quiet")
    kind = "good" if state == good else "bad" if state == "Degraded" else "doubt"
    return el("td", el("span", state, class_=f"word {kind}"))
