"""What the pull request does as a whole, as a part of the overview: counts, images, what is deleted, who is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.report.markup import Content, Html, code, el, mark, spaced
from pytest_gitops.report.reading import Document, State, key_of
from pytest_gitops.report.reading_changes import (
    SIGNS,
    Generated,
    Going,
    application_sets,
    change_word,
    changed_applications,
    going,
    is_compared,
    noise,
    not_compared,
    selection,
    signs,
)
from pytest_gitops.report.text import counted, joined, one_line

_MOST = 200
_IN_VIEW = 15


def pull_request(document: Document, anchors: Mapping[int, str]) -> Html | None:
    """The part of the overview; None without a base."""
    if not is_compared(document):
        return None
    changes, touched = document["changes"], changed_applications(document)
    counts = changes["counts"]
    # With --gitops-changed the others are not in the document.
    total = (changes.get("selection") or {}).get("of", len(document["applications"]))
    told = joined(
        [
            f"{len(touched)} of {counted(total, 'Application')}",
            f"objects {signs(counts)}" if signs(counts) else "",
            noise(counts),
        ],
        by=" · ",
    )
    gone = going(document)
    return el(
        "section",
        el("h3", "The pull request changes ", el("span", told, class_="number")),
        el("p", f"{chosen}.", class_="help") if (chosen := selection(document)) else None,
        _touched(changes["radius"]),
        _rows([_application(a, anchors[id(a)]) for a in touched]),
        _unknown(document, anchors),
        _images(changes["images"]),
        _listed("What Argo CD will delete", [_going(g) for g in gone if g.deletes]),
        _listed("What goes from git and is not deleted", [_going(g) for g in gone if not g.deletes]),
        _listed("ApplicationSets", [_set(s) for s in application_sets(document)]),
        _listed(
            "About the comparison", [el("li", el("span"), el("p", n["message"])) for n in changes["notes"]]
        ),
        class_="part pull",
    )


def _touched(radius: Mapping[str, Sequence[str]]) -> Html | None:
    def some(words: Sequence[str], noun: str) -> list[Content]:
        if not words:
            return []
        more = f" and {len(words) - 12} more" if len(words) > 12 else ""
        return [f"{counted(len(words), noun)} ", spaced(*(code(w) for w in words[:12])), more, " "]

    told = [*some(radius["namespaces"], "namespace"), *some(radius["clusters"], "cluster")]
    return el("p", "Touches ", told, class_="help") if told else None


def _unknown(document: Document, anchors: Mapping[int, str]) -> Html | None:
    lost = not_compared(document)
    if not lost:
        return None
    return _listed(
        "Could not be compared",
        [
            el(
                "li",
                mark(State.SKIPPED, label=""),
                el("p", el("a", key_of(a), href=f"#{anchors[id(a)]}"), f" {one_line(a['changeUnknown'])}"),
            )
            for a in lost
        ],
    )


def _application(application: Mapping[str, Any], anchor: str) -> Html:
    kind = str(application["change"])
    return el(
        "li",
        el("span", SIGNS.get(kind, "~"), class_=f"sign {kind}", title=kind),
        el("p", el("a", key_of(application), href=f"#{anchor}"), f" {change_word(application)} ",
           el("span", signs(application["changeCounts"]), class_="quiet")),
    )  # fmt: skip


def _images(images: Sequence[Mapping[str, Any]]) -> Html | None:
    if not images:
        return None

    def row(image: Mapping[str, Any]) -> Html:
        keys = [str(k) for k in image["applications"]]
        more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
        return el(
            "tr",
            el("th", code(str(image["name"])), scope="row"),
            el("td", code(str(image["old"])) if image["old"] else el("span", "added", class_="quiet")),
            el("td", code(str(image["new"])) if image["new"] else el("span", "removed", class_="quiet")),
            el("td", ", ".join(keys[:4]) + more),
        )

    left = len(images) - _MOST
    return el(
        "div",
        el("h4", "Images"),
        el(
            "div",
            el(
                "table",
                el(
                    "thead",
                    el("tr", [el("th", h, scope="col") for h in ("Image", "Base", "Head", "Applications")]),
                ),
                el("tbody", [row(i) for i in images[:_MOST]]),
            ),
            class_="scroll images",
            tabindex="0",
            role="region",
            aria_label="Images",
        ),
        el("p", f"… and {counted(left, 'more image')} in report.json.", class_="quiet") if left > 0 else None,
    )


def _going(each: Going) -> Html:
    state = {"lost": State.FAILED, "unknown": State.WARNING}.get(each.data or "", State.ABSENT)
    label = {"lost": "data lost", "unknown": "data may be lost"}.get(each.data or "", "")
    own = None if each.title == f"Application {each.key}" else f"of {each.key}"
    return el(
        "li",
        mark(state, label=label),
        el(
            "div",
            el("p", spaced(code(each.title), own, el("b", label) if label else None)),
            el("p", each.text, class_="help"),
        ),
    )


def _set(made: Generated) -> Html:
    words = (
        ("added", "creates"),
        ("changed", "changes"),
        ("renamed", "renames"),
        ("removed", "no longer makes"),
        ("unknown", "could not be compared for"),
        ("unchanged", "leaves as they are"),
    )
    told = [f"{verb} {len(names)}: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}"
            for kind, verb in words if (names := made.names.get(kind))]  # fmt: skip
    return el(
        "li",
        el("span", "∗", class_="sign", aria_hidden="true"),
        el(
            "div",
            el("p", code(made.key), " ", "; ".join(told)),
            el("p", made.fates[0], class_="help") if made.fates else None,
        ),
    )


def _listed(title: str, rows: Sequence[Html]) -> Html | None:
    return el("div", el("h4", f"{title} ({len(rows):,})"), _rows(rows)) if rows else None


def _rows(rows: Sequence[Html]) -> list[Html]:
    """A list, its end folded, and what is far beyond counted."""
    if not rows:
        return []
    told = [el("ul", rows[:_IN_VIEW], class_="findings short")]
    if folded := rows[_IN_VIEW:_MOST]:
        told.append(
            el("details", el("summary", f"{len(folded):,} more"), el("ul", folded, class_="findings short"))
        )
    if (left := len(rows) - _MOST) > 0:
        told.append(el("p", f"… and {left:,} more in report.json.", class_="quiet"))
    return told
