"""HTML as text: escaped by default, built from small functions. Nothing here can carry style or script."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pytest_gitops.model import Outcome, Severity
from pytest_gitops.report.reading import State
from pytest_gitops.report.text import clean, one_line


class Html(str):
    """Markup that is safe already; any other text is escaped where it is put in."""

    __slots__ = ()


Content = str | None | Iterable["Content"]

_VOID = {"input", "br", "hr"}


def el(tag: str, *content: Content, **attributes: str | int | bool | None) -> Html:
    """An element. `class_` becomes class, `data_find` data-find; False and None leave an attribute out."""
    told = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        told.append(f" {name}" if value is True else f' {name}="{escape(clean(str(value)), quote=True)}"')
    start = f"<{tag}{''.join(told)}>"
    return Html(start if tag in _VOID else f"{start}{inner(content)}</{tag}>")


def inner(content: Content) -> Html:
    """The markup of any content: safe markup as it is, text escaped, None as nothing, the rest one by one."""
    if content is None:
        return Html("")
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(escape(clean(content), quote=False))
    return Html("".join(inner(c) for c in content))


_WORDS = {
    State.FAILED: "failed",
    State.ERROR: "error, not judged",
    State.WARNING: "passed with warnings",
    State.SKIPPED: "skipped, not checked",
    State.PASSED: "passed",
    State.ABSENT: "not asked for",
}
_SEVERITY_STATES = {
    Severity.ERROR: State.FAILED,
    Severity.WARNING: State.WARNING,
    Severity.INFO: State.ABSENT,
}


def mark(state: State, *, label: str | None = None) -> Html:
    """The sign of a state: a shape of its own and a colour, with a word for those who hear the page."""
    word = _WORDS[state] if label is None else label
    return Html(
        f'<svg class="mark {state}" viewBox="0 0 16 16" '
        + (f'role="img" aria-label="{escape(word, quote=True)}">' if word else 'aria-hidden="true">')
        + f'<use href="#mark-{state}"/></svg>'
    )


def severity_mark(severity: str) -> Html:
    """The sign of a finding's severity."""
    return mark(_SEVERITY_STATES[Severity(severity)], label=severity)


def outcome_mark(outcome: str) -> Html:
    """The sign of a stage's outcome."""
    return mark(State(Outcome(outcome).value))


def code(text: str | None, *, class_: str | None = None) -> Html | None:
    """Inline code, on one line; nothing for nothing."""
    return el("code", one_line(text), class_=class_) if text else None


def spaced(*parts: Content) -> list[Content]:
    """The parts that are there, with spaces between."""
    spread: list[Content] = []
    for part in parts:
        if part:
            spread += [" ", part] if spread else [part]
    return spread


def copyable(command: str) -> Html:
    """A command with a button that copies it (the script brings the button to life)."""
    return el(
        "div",
        el("code", one_line(command)),
        el("button", "Copy", type="button", class_="copy", hidden=True),
        class_="command",
    )
