"""The words and numbers that every report shares: clean text, clipped text, counts, durations."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_gitops.report.redact import redact_text

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


# The private directory of a run, as boot names it: gone when the text is read, and new in every run.
_RUN_NAME = "/pytest-gitops-"
_RUN = re.compile(rf"(?:/[^\s/\"'`:=<>]+)*{_RUN_NAME}[0-9]{{14}}-[0-9a-f]{{8}}")

# What the log readers of CI systems take for commands: GitHub's `::add-mask::` at the beginning of a line, and its
# `##[…]`, Azure's `##vso[…]` and TeamCity's `##teamcity[…]`.
_COMMAND = re.compile(r"^(?P<margin>[^\S\n]*):(?=:)|#(?=#\w*\[)", re.MULTILINE)


def clean(text: str) -> str:
    """The text without colour codes, and with a mark in place of what could hide or reorder other text.

    Control and bidirectional characters and lone surrogates become U+FFFD; line ends become newlines; the run's
    private directory becomes `<run>`.
    """
    if not text.isprintable():  # as nothing is that has any of these
        text = _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        text = _CONTROL.sub("\ufffd", text)
    return _RUN.sub("<run>", text) if _RUN_NAME in text else text


def for_log(text: str) -> str:
    """The text as a terminal and a CI system's log may have it: clean, without secrets, and nobody's command."""
    return _COMMAND.sub(lambda m: f"{m['margin'] or ''}{m[0].lstrip()} ", redact_text(clean(text)))


def one_line(text: str) -> str:
    """Cleaned text on one line, runs of white space made one space."""
    return " ".join(clean(text).split())


def first_line(text: str | None) -> str:
    """The first line that says something, or empty."""
    return next((line.strip() for line in clean(text or "").splitlines() if line.strip()), "")


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis where something was cut off."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clip_lines(text: str, *, lines: int, width: int) -> str:
    """At most `lines` lines of at most `width` characters; the last line says how many were left out."""
    all_lines = clean(text).strip("\n").split("\n")
    kept = [clip(line.rstrip(), width) for line in all_lines[:lines]]
    if (left := len(all_lines) - len(kept)) > 0:
        kept.append(f"… {counted(left, 'more line')}")
    return "\n".join(kept)


def counted(number: int, noun: str) -> str:
    """ "1 warning", "2,000 warnings"."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def joined(parts: list[str], *, by: str = ", ") -> str:
    """The parts that are not empty, joined."""
    return by.join(p for p in parts if p)


def sentences(parts: Iterable[str]) -> str:
    """The parts as sentences, each with one full stop."""
    return " ".join(f"{part.rstrip(' .')}." for part in parts)


def since(value: float) -> str:
    """A moment on a timeline: "0 s" for its beginning, otherwise as `seconds`."""
    return "0 s" if value <= 0 else seconds(value)


def seconds(value: float) -> str:
    """A duration for people: "<0.1 s", "4.1 s", "31 s", "2 min 5 s"."""
    if value < 0.05:
        return "<0.1 s"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
