"""How a failed convergence is told: the finding, and a text with Argo CD's words, the cause and the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_gitops.argocd.causes import cause_of
from pytest_gitops.argocd.convergence import Observation
from pytest_gitops.argocd.sharing import Shared
from pytest_gitops.model import Case, Finding, Severity

NEVER_HEALTHY = {"progressing", "degraded", "missing", "suspended", "unknown", "syncing"}
"""Codes of an observation that are one to people."""

SHOWN = 8
"""As many objects as a text names."""

Told = tuple[Finding, str]


def names(titles: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(titles) - SHOWN} more" if len(titles) > SHOWN else ""
    return ", ".join(titles[:SHOWN]) + more


def refused(case: Case, error: Exception) -> Told:
    """The API server does not take the Application itself."""
    message = f"the API server does not accept Application {case.key}: {error}"
    finding = _finding(case, "not-accepted", message, help_="correct the manifest")
    return finding, f"{finding.where}: {message}"


def disputed(case: Case, shared: Shared, warning: str) -> Told:
    """Argo CD says that others own one of its objects too."""
    owners = f"{', '.join(shared.keys[:-1])} and {shared.keys[-1]}"
    message = f"{shared.title}: expected one Application to own it, saw {owners}"
    known = cause_of("shared-resource", warning)
    finding = _finding(
        case, "shared-resource", message, resource=shared.title, help_=known.next if known else ""
    )
    lines = [
        f"{finding.where}: Application {case.key} claims an object that another one claims too",
        f"  Argo CD  SharedResourceWarning: {warning}",
        f"  object   {message}",
    ]
    if known:
        lines += [f"  cause    {known.name}", f"  next     {known.next}"]
    return finding, "\n".join(lines)


def stuck(
    case: Case,
    seen: Observation,
    *,
    why: str,
    waited: float,
    events: Callable[[Sequence[str]], Sequence[str]],
) -> Told:
    """It did not become Synced and Healthy after `waited` seconds; `why` it is given up, in a few words.

    `events` gives the warnings about objects, by their titles.
    """
    titles = [c.split(": ", 1)[0] for c in seen.causes]
    known = cause_of(seen.code, " ".join([seen.message, *seen.causes]))
    finding = _finding(
        case,
        "never-healthy" if seen.code in NEVER_HEALTHY else seen.code,
        seen.message or seen.summary,
        resource=titles[0] if titles else "",
        help_=known.next if known else "",
    )
    tried = f" (tried {seen.retries + 1} times)" if seen.retries else ""
    lines = [
        f"{finding.where}: Application {case.key} did not become Synced and Healthy {why}",
        f"  Argo CD  {seen.message or seen.code}{tried}",
        *(f"  object   {cause}" for cause in seen.causes[:SHOWN]),
    ]
    if len(seen.causes) > SHOWN:
        lines.append(f"           and {len(seen.causes) - SHOWN} more")
    lines.append(f"  expected Synced, Healthy; saw {seen.summary} after {waited:.1f} s")
    lines += [f"  event    {e}" for e in events(titles)]
    if known:
        lines += [f"  cause    {known.name}", f"  next     {known.next}"]
    return finding, "\n".join(lines)


def _finding(case: Case, rule: str, message: str, *, resource: str = "", help_: str) -> Finding:
    return Finding(
        rule=rule,
        severity=Severity.ERROR,
        message=message,
        file=case.file,
        line=case.line,
        resource=resource,
        help=help_,
    )
