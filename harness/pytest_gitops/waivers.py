"""Waivers: which findings do not count, why, and until when. Pure functions; the date is given.

A waiver names a rule, and may name an Application ("namespace/name") and an object ("Kind namespace/name");
each is a pattern with `*`, `?` and `[…]`. It holds through the day it expires on; from the next day on it
waives nothing and is an error itself, so that nobody has to remember it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding, Severity, Waiver

EXPIRED, UNUSED = "waiver-expired", "waiver-unused"

FIELDS = ("rule", "application", "object", "reason", "expires")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverEntry:
    """One waiver of the configuration; `file` and `line` say where it stands there."""

    rule: str
    reason: str
    application: str = "*"
    object: str = "*"
    expires: date | None = None
    file: str = ""
    line: int | None = None

    @property
    def title(self) -> str:
        """The patterns, as in "limits-missing for argocd/news, Deployment news/*"."""
        narrowed = ", ".join(p for p in (self.application, self.object) if p != "*")
        return f"{self.rule} for {narrowed}" if narrowed else self.rule

    def expired(self, today: date) -> bool:
        return self.expires is not None and today > self.expires

    def covers(self, finding: Finding, *, application: str) -> bool:
        """Whether it speaks of this finding on this Application (empty: of the repository as a whole)."""
        return (
            # A waiver must never hide what is said about waivers.
            finding.rule not in (EXPIRED, UNUSED)
            and fnmatchcase(finding.rule, self.rule)
            and fnmatchcase(application, self.application)
            and fnmatchcase(finding.resource, self.object)
        )


def parse(
    entries: Sequence[Mapping[str, Any]], *, file: str = "", lines: Sequence[int] = ()
) -> tuple[WaiverEntry, ...]:
    """The waivers of a configuration; `lines` has each one's line in `file`.

    Raises ConfigError naming the waiver: an unknown field, no rule, no reason, a date that is none.
    """
    return tuple(_entry(e, n, file, lines[n] if n < len(lines) else None) for n, e in enumerate(entries))


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


def expired(waivers: Sequence[WaiverEntry], *, today: date) -> tuple[Finding, ...]:
    """An error for each waiver whose day has passed, in their order."""
    return tuple(_expired(entry) for entry in waivers if entry.expired(today))


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


def _expired(entry: WaiverEntry) -> Finding:
    return Finding(
        rule=EXPIRED,
        severity=Severity.ERROR,
        message=f"waiver {entry.title}: it expired on {entry.expires} (reason: {entry.reason})",
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


def _entry(entry: Mapping[str, Any], number: int, file: str, line: int | None) -> WaiverEntry:
    where = f"{file}:{line}" if file and line else file

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
