"""The parts of review.md that say what the pull request does: images, what is touched, what goes, the diffs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_gitops.report import markdown as md
from pytest_gitops.report.reading import Application, Document, key_of
from pytest_gitops.report.reading_changes import (
    SIGNS,
    Change,
    Generated,
    Going,
    application_sets,
    change_word,
    changed_applications,
    going,
    noise,
    not_compared,
    object_facts,
    object_title,
    real_changes,
    selection,
    shares,
    signs,
)
from pytest_gitops.report.text import clip, counted, joined

_WIDTH = 180  # characters of one line of a diff
_LEAST = 420  # an Application's diffs are not begun in less room than this
_MOST_FIELDS = 20
_OVERHEAD = 90  # what a fold and a fence need beside what is in them
_CUT = 60  # and the line that says how much is missing
_NOTE = 300


def summary(page: md.Page, document: Document, *, share: int) -> None:
    """What changes, in two or three lines."""
    page.grant(share)
    changes = document["changes"]
    # With --gitops-changed the others are not in the document.
    chosen = changes.get("selection") or {}
    touched, total = len(changed_applications(document)), chosen.get("of", len(document["applications"]))
    counts = changes["counts"]
    if touched:
        verb = "changes" if touched == 1 else "change"
        told = joined(
            [
                f"**{touched} of {counted(total, 'Application')} {verb}**",
                f"objects {signs(counts)}" if signs(counts) else "",
                counted(len(changes["images"]), "image") if changes["images"] else "",
                noise(counts),
            ],
            by=" · ",
        )
    else:
        told = joined(["**No Application changes**", noise(counts)], by=" · ")
    page.add(told)
    page.add(_radius(changes["radius"]))
    if told := selection(document):
        page.add(f"{md.prose(told, _NOTE)}.")
    if lost := not_compared(document):
        names = md.cells(lambda k: md.code(k, 80), [key_of(a) for a in lost[:3]])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        page.add(
            f"⚠️ **{counted(len(lost), 'Application')} could not be compared**, which says nothing of what is "
            f"removed or added there: {names}{more}. {md.prose(str(lost[0]['changeUnknown']), 300)}"
        )
    page.items(
        [
            joined([f"- {md.prose(n['message'], _NOTE)}", md.code(n["application"] or "", 80)], by=" ")
            for n in changes["notes"]
        ],
        share=0,
        shown=0,
        title="",
        noun="note about the comparison",
        reserve=200,
    )


def _radius(radius: dict[str, Any]) -> str:
    def some(words: Sequence[str], noun: str, most: int) -> str:
        if not words:
            return ""
        names = md.cells(lambda w: md.code(w, 60), words[:most])
        more = f" and {len(words) - most} more" if len(words) > most else ""
        return f"{counted(len(words), noun)} ({names}{more})"

    told = joined([some(radius["namespaces"], "namespace", 6), some(radius["clusters"], "cluster", 4)])
    return f"Touches {told}." if told else ""


def selected(page: md.Page, document: Document, *, share: int) -> None:
    """Why each Application was judged, where only those that change were (`--gitops-changed`)."""
    page.items(
        [
            f"- {md.code(key_of(a), 120)}: {md.prose(joined(a['selectedBecause'], by='; '), 400)}"
            for a in document["applications"]
            if a.get("selectedBecause")
        ],
        share=share,
        shown=0,
        title="",
        noun="selection reason",
        reserve=200,
    )


def images(page: md.Page, document: Document, *, share: int) -> None:
    """The images, from which version to which, and where."""
    rows = []
    for each in document["changes"]["images"]:
        keys = each["applications"]
        more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
        rows.append(
            " | ".join(
                (
                    md.code(each["name"], 120, cell=True),
                    _version(each["old"], "added"),
                    _version(each["new"], "removed"),
                    md.cells(lambda k: md.code(k, 60, cell=True), keys[:3]) + more,
                )
            )
        )
    page.rows(
        ["image", "base", "head", "Applications"], rows, share=share, shown=10, noun="image", reserve=300
    )


def _version(version: str | None, word: str) -> str:
    if not version:
        return f"*{word}*"
    name, at, digest = version.rpartition("@")
    # Of a digest, its beginning tells it apart; index.html has all of it.
    return md.code(name + at + digest[:19] if digest.startswith("sha256:") else version, 90, cell=True)


def sets(page: md.Page, document: Document, *, share: int) -> None:
    """Each ApplicationSet's change as the Applications that it creates, changes and deletes."""
    page.items(
        md.Each(_set, application_sets(document)),
        share=share,
        shown=6,
        title="**ApplicationSets**",
        noun="ApplicationSet",
        reserve=200,
    )


def _set(made: Generated) -> str:
    words = (
        ("added", "creates"),
        ("changed", "changes"),
        ("renamed", "renames"),
        ("removed", "no longer makes"),
        ("unknown", "could not be compared for"),
    )
    parts = []
    for kind, verb in words:
        if names := made.names.get(kind):
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""
            parts.append(f"{verb} {md.cells(lambda n: md.code(n, 60), names[:8])}{more}")
    if same := made.names.get("unchanged"):
        parts.append(f"leaves {len(same)} as {'it is' if len(same) == 1 else 'they are'}")
    fate = f"<br>→ {md.prose(made.fates[0], _NOTE)}" if made.fates else ""
    return f"- {md.code(made.key, 100)} {'; '.join(parts)}{fate}"


def deleted(page: md.Page, document: Document, *, share: int) -> None:
    """What Argo CD will delete, data first; then what it will leave behind."""
    everything = going(document)
    gone = [g for g in everything if g.deletes]
    page.items(
        md.Each(_going, gone),
        share=share * 2 // 3,
        shown=8,
        title=f"**What Argo CD will delete** ({len(gone)})",
        noun="deletion",
    )
    stays = [g for g in everything if not g.deletes]
    page.items(
        md.Each(_going, stays),
        share=share - share * 2 // 3,
        shown=0,
        title=f"**What goes from git and is not deleted** ({len(stays)})",
        noun="object",
        reserve=250,
    )


def _going(each: Going) -> str:
    mark = {"lost": "💥 **data lost** ", "unknown": "⚠️ ", None: ""}.get(each.data, "")
    own = "" if each.title == f"Application {each.key}" else f" · {md.code(each.key, 80)}"
    return f"- {mark}{md.code(each.title, 120)}{own}: {md.prose(each.text or each.effect, _NOTE)}"


def diffs(page: md.Page, document: Document, *, share: int) -> None:
    """The diffs, folded: each Application gets a fair share of the room, and in it each object."""
    room = page.grant(share) - 250
    found = [a for a in changed_applications(document) if a["applicationFields"] or a["changes"]]
    if not found:
        return
    found.sort(key=lambda a: (a["change"] == "removed", -len(real_changes(a))))
    kept = found[: max(room // _LEAST, 0)]
    wants = [_wanted(a) for a in kept]
    page.add("**Diffs**")
    for each, allowed in zip(kept, shares(wants, room), strict=True):
        page.add(_application(each, allowed))
    left = len(found) - len(kept)
    if left:
        page.add(f"… the diffs of {counted(left, 'Application')} more are in the full report, `index.html`.")


def _wanted(application: Application) -> int:
    """About how many characters all of its diffs take."""
    lines = sum(min(len(line), _WIDTH) + 1 for c in application["changes"] for line in c["diff"])
    return 600 + lines + 450 * len(application["changes"]) + 160 * len(application["applicationFields"])


def _application(application: Application, room: int) -> str:
    counts = application["changeCounts"]
    told = joined([key_of(application), change_word(application), signs(counts), noise(counts)], by=" · ")
    summary = f"<b>{md.html_text(told, 240)}</b>"
    parts: list[str] = []
    room -= md.size(summary) + _OVERHEAD
    if fields := application["applicationFields"]:
        own = _fields(fields, room // 3)
        parts.append(own)
        room -= md.size(own) + 2
    parts += _objects(real_changes(application), room)
    return md.fold(summary, "\n\n".join(p for p in parts if p) or "No field or object differs.")


def _fields(fields: Sequence[Change], room: int) -> str:
    """The fields of the Application manifest, as lines of a diff."""
    lines = []
    for each in fields[:_MOST_FIELDS]:
        path = each["path"] or "(all)"
        if each["op"] in {"remove", "replace", "reorder"}:
            lines.append(f"-{path}: {_value(each['old'])}")
        if each["op"] in {"add", "replace", "reorder"}:
            lines.append(f"+{path}: {_value(each['new'])}")
    return f"The Application itself:\n\n{_fenced(lines, room, more=len(fields) - _MOST_FIELDS)}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else md.json_text(value)


def _objects(changes: Sequence[Change], room: int) -> list[str]:
    # Of many objects some are only named, so that the others can be read.
    shown = changes[: max(room // 260, 1)]
    wants = [sum(min(len(x), _WIDTH) + 1 for x in c["diff"]) + 420 for c in shown]
    left = len(changes) - len(shown)
    room -= 120 if left else 0
    told = [_object(c, allowed) for c, allowed in zip(shown, shares(wants, room), strict=True)]
    if left > 0:
        told.append(f"… {counted(left, 'object')} more in the full report, `index.html`.")
    return told


def _object(change: Change, room: int) -> str:
    told = joined([f"{SIGNS[change['change']]} {object_title(change)}", *object_facts(change)], by=" · ")
    summary = md.html_text(told, 170)
    fate = md.prose(change["effectText"] or "", 180)
    room -= md.size(summary) + md.size(fate) + _OVERHEAD
    body = [fate] if fate else []
    if change["diff"]:
        body.append(_fenced(change["diff"], room))
    return md.fold(summary, "\n\n".join(body) or "Only where it belongs differs.")


def _fenced(lines: Sequence[str], room: int, *, more: int = 0) -> str:
    """As many lines of a diff as there is room for, and how many there are beside them."""
    kept: list[str] = []
    used = _CUT
    for line in lines:
        line = clip(line, _WIDTH)
        used += md.size(line) + 1
        if used > room:
            break
        kept.append(line)
    left = len(lines) - len(kept) + max(more, 0)
    rest = f"… {counted(left, 'line')} more in the full report, `index.html`." if left else ""
    return joined([md.fence("\n".join(kept), language="diff") if kept else "", rest], by="\n\n")
