"""Waivers: which findings do not count, why, and until when. Pure functions; the date is given.

A waiver names a rule, and may name an Application ("namespace/name") and an object ("Kind namespace/name");
each is a pattern with `*`, `?` and `[…]`. It holds through the day it expires on; from the next day on it
waives nothing and is an error itself, so that nobody has to remember it.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding, Severity, Waiver

EXPIRED, UNUSED, UNKNOWN = "waiver-expired", "waiver-unused", "waiver-unknown-rule"

FIELDS = ("rule", "application", "object", "reason", "expires")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverEntry:
    """One waiver of the configuration; `file` and `line` say where it stands there, `base` on which side where that is
    not the working tree's."""

    rule: str
    reason: str
    application: str = "*"
    object: str = "*"
    expires: date | None = None
    file: str = ""
    line: int | None = None
    base: str = ""

    @property
    def title(self) -> str:
        """The patterns, as in "limits-missing for argocd/news, Deployment news/* in main"."""
        narrowed = ", ".join(p for p in (self.application, self.object) if p != "*")
        return (
            self.rule + (f" for {narrowed}" if narrowed else "") + (f" in {self.base}" if self.base else "")
        )

    @property
    def claim(self) -> tuple[str, str, str, date | None]:
        """What it waives and until when, whatever reason it gives."""
        return self.rule, self.application, self.object, self.expires

    def expired(self, today: date) -> bool:
        return self.expires is not None and today > self.expires

    def covers(self, finding: Finding, *, application: str) -> bool:
        """Whether it speaks of this finding on this Application (empty: of the repository as a whole)."""
        return (
            # A waiver must never hide what is said about waivers.
            finding.rule not in (EXPIRED, UNUSED, UNKNOWN)
            and fnmatchcase(finding.rule, self.rule)
            and fnmatchcase(application, self.application)
            and fnmatchcase(finding.resource, self.object)
        )


def parse(
    entries: Sequence[Mapping[str, Any]], *, file: str = "", lines: Sequence[int] = (), base: str = ""
) -> tuple[WaiverEntry, ...]:
    """The waivers of a configuration, which may be that of `base`; `lines` has each one's line in `file`.

    Raises ConfigError naming the waiver: an unknown field, no rule, no reason, a date that is none.
    """
    return tuple(
        _entry(e, n, file, lines[n] if n < len(lines) else None, base) for n, e in enumerate(entries)
    )


def apply(
    findings: Iterable[Finding], waivers: Sequence[WaiverEntry], *, application: str, today: date
) -> tuple[Finding, ...]:
    """The findings of one Application ("namespace/name"; empty: the repository), waived where a waiver holds.

    The first waiver that holds is the one that is shown.
    """

    def waived(finding: Finding) -> Finding:
        for entry in waivers:
            if not entry.expired(today) and entry.covers(finding, application=application):
                until = entry.expires.isoformat() if entry.expires else ""
                return replace(finding, waiver=Waiver(reason=entry.reason, expires=until))
        return finding

    return tuple(waived(finding) for finding in findings)


def expired(
    waivers: Sequence[WaiverEntry], *, today: date, head: Sequence[WaiverEntry] | None = None
) -> tuple[Finding, ...]:
    """An error for each waiver whose day has passed, in their order. Where `head` has the waivers that are to come,
    one that it has no more, or with another date, is only worth a warning: else nothing could ever take it out."""
    found = [entry for entry in waivers if entry.expired(today)]
    still = None if head is None else {entry.claim for entry in head}
    return tuple(_expired(entry, goes=still is not None and entry.claim not in still) for entry in found)


def unused(
    waivers: Sequence[WaiverEntry], judged: Iterable[tuple[str, Finding]], *, today: date
) -> tuple[Finding, ...]:
    """What is to be said about waivers that covered nothing, in their order.

    `judged` has every finding with its Application's "namespace/name" (empty: the repository's). Only of a complete
    run, in which nothing was deselected or skipped, can this be known: ask it of no other.
    """
    seen = tuple(judged)
    return tuple(
        _unused(entry)
        for entry in waivers
        if not entry.expired(today)
        and not any(entry.covers(finding, application=app) for app, finding in seen)
    )


def unknown(
    waivers: Sequence[WaiverEntry], rules: Collection[str], *, others: Collection[str] = ()
) -> tuple[Finding, ...]:
    """An error for each waiver whose rule is none, in their order: a slip of the pen, or a rule that has gone.

    `rules` are all codes that a policy can give; `others` are codes of other stages, which may be patterns, too.
    """
    known = [*rules, *others]
    return tuple(
        _unknown(entry, sorted(known))
        for entry in waivers
        if not any(fnmatchcase(code, entry.rule) or fnmatchcase(entry.rule, code) for code in known)
    )


def counts(finding: Finding, fail_on: Severity = Severity.ERROR) -> bool:
    """Whether a finding fails what it is about, if `fail_on` is the least severity that does."""
    order = list(Severity)  # the worst comes first
    return finding.waiver is None and order.index(finding.severity) <= order.index(fail_on)


def _unknown(entry: WaiverEntry, known: Sequence[str]) -> Finding:
    close = difflib.get_close_matches(entry.rule, known, n=1, cutoff=0.7)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return Finding(
        rule=UNKNOWN,
        severity=Severity.ERROR,
        message=f"waiver {entry.title}: expected the code of a rule, saw {entry.rule!r}{hint}",
        file=entry.file,
        line=entry.line,
        help="Correct the code, or remove the waiver; `pytest-gitops policy list` has the codes of all policies.",
    )


def _expired(entry: WaiverEntry, *, goes: bool) -> Finding:
    return Finding(
        rule=EXPIRED,
        severity=Severity.WARNING if goes else Severity.ERROR,
        message=f"waiver {entry.title}: it expired on {entry.expires} (reason: {entry.reason})"
        + ("; head does not have it any more" if goes else ""),
        file=entry.file,
        line=entry.line,
        help="Repair what it waived, or set a new date if the reason still holds.",
    )


def _unused(entry: WaiverEntry) -> Finding:
    return Finding(
        rule=UNUSED,
        severity=Severity.INFO,
        message=f"waiver {entry.title}: expected a finding that it covers, saw none",
        file=entry.file,
        line=entry.line,
        help="Remove it.",
    )


def _entry(entry: Mapping[str, Any], number: int, file: str, line: int | None, base: str) -> WaiverEntry:
    name = f"{file} in {base}" if base else file
    where = f"{name}:{line}" if name and line else name

    def refuse(message: str) -> ConfigError:
        return ConfigError(f"waiver {number + 1}: {message}", where=where)

    for field in entry:
        if field not in FIELDS:
            raise refuse(f"unknown field {field!r}. Known ones: {', '.join(FIELDS)}")
    texts: dict[str, str] = {}
    for field, default in (("rule", ""), ("reason", ""), ("application", "*"), ("object", "*")):
        value = entry.get(field, default)
        if not isinstance(value, str) or not value.strip():
            raise refuse(f"{field}: expected a text, saw {value!r}")
        texts[field] = value.strip()
    return WaiverEntry(
        **texts,
        expires=_date(entry["expires"], refuse) if entry.get("expires") is not None else None,
        file=file,
        line=line,
        base=base,
    )


def _date(value: Any, refuse: Any) -> date:
    # YAML makes a date of an unquoted one.
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        error: ConfigError = refuse(f"expires: expected a date such as 2030-12-31, saw {value!r}")
        raise error from None
