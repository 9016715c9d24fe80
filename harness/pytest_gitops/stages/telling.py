"""How a failed convergence is told: the finding, and a text with Argo CD's words, the cause and the next step."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_gitops.argocd.applications import SKIP_RECONCILE, Applications
from pytest_gitops.argocd.causes import cause_of
from pytest_gitops.argocd.convergence import Observation
from pytest_gitops.argocd.known_causes import Cause
from pytest_gitops.argocd.sharing import Shared
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import GitOpsError
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.shapes import mapping, some
from pytest_gitops.stages.evidence import SHOWN as MOST_FIELDS
from pytest_gitops.stages.evidence import Difference, said_otherwise
from pytest_gitops.stages.evidence import told as fields_told
from pytest_gitops.stages.patience import Progress

NEVER_HEALTHY = {"progressing", "degraded", "missing", "suspended", "unknown", "syncing"}
"""Codes of an observation that are one to people."""

SHOWN = 8
"""As many objects as a text names."""

BLOCKED = "blocked by sync window"
"""Argo CD's words for a sync that its project's windows keep from beginning (controller/sync.go)."""


_WAITED_FOR = re.compile(r"^waiting for .*? (?P<group>[\w.-]*)/(?P<kind>\w+)/(?P<name>[\w.:-]+)")
"""Argo CD's words for the object that keeps a sync from going on (gitops-engine sync_context.go)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A failure in words; `cause` and `events` are for the evidence."""

    finding: Finding
    text: str
    cause: Cause | None = None
    events: tuple[str, ...] = ()

    def at(self, place: tuple[str, int] | None) -> Told:
        """The same, found at another place."""
        if place is None:
            return self
        moved = replace(self.finding, file=place[0], line=place[1])
        _, _, rest = self.text.partition(f"{self.finding.where}: ")
        return replace(self, finding=moved, text=f"{moved.where}: {rest}" if rest else self.text)

    def evidence(self) -> dict[str, Any]:
        return {
            **({"cause": self.cause.to_dict()} if self.cause else {}),
            **({"events": list(self.events)} if self.events else {}),
        }


def names(titles: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    return some(titles, SHOWN)


def contested(title: str, owners: Sequence[str], differ: Sequence[str]) -> str:
    """That an object has several `owners`, by their keys, the first of the fields in which they `differ` (see
    `said_otherwise`), and how many more there are."""
    message = f"{title}: expected one Application to own it, saw {', '.join(owners[:-1])} and {owners[-1]}"
    if differ:
        message += f", which differ in {differ[0]}"
        message += f", and in {len(differ) - 1} more" if len(differ) > 1 else ""
    return message


def refused(case: Case, error: Exception) -> Told:
    """The API server does not take the Application itself."""
    message = f"the API server does not accept Application {case.key}: {error}"
    finding = _finding(case, "not-accepted", message, help_="correct the manifest")
    return Told(finding=finding, text=f"{finding.where}: {message}", cause=cause_of("", str(error)))


def disputed(case: Case, shared: Shared, warning: str) -> Told:
    """Argo CD says that others own one of its objects too."""
    differ = said_otherwise(shared.claims)
    message = contested(shared.title, shared.keys, differ)
    known = cause_of("shared-resource", warning)
    finding = _finding(
        case, "shared-resource", message, resource=shared.title, help_=known.next if known else ""
    )
    lines = [
        f"{finding.where}: Application {case.key} claims an object that another one claims too",
        f"  Argo CD  SharedResourceWarning: {warning}",
        f"  object   {message}",
        *(f"  differs  {d}" for d in differ[1:MOST_FIELDS]),
        *_because(known),
    ]
    return Told(finding=finding, text="\n".join(lines), cause=known)


def never_run(case: Case, hooks: Sequence[str], *, saw: str) -> Told:
    """It is Synced and Healthy without a sync, so nobody has run its `hooks`, of which there is one at least."""
    message = f"{hooks[0]}: expected a sync to run the hook, saw {saw} without one"
    known = cause_of("hooks-never-run", "")
    assert known is not None, "it is in the list"
    finding = _finding(case, "hooks-never-run", message, resource=hooks[0], help_=known.next)
    lines = [
        f"{finding.where}: Application {case.key} is {saw}, and its hooks have not run: no sync ever begins",
        f"  hooks    {names(hooks)}",
        f"  expected a sync that runs them; saw {saw} without one",
        *_because(known),
    ]
    return Told(finding=finding, text="\n".join(lines), cause=known)


def given_up(progress: Progress, *, limit: float, late: bool, still: float) -> str:
    """Why the waiting ended, in a few words; `limit` and `still`, since when nothing new was seen, are in seconds."""
    if progress is Progress.SLOW:
        return (
            f"within {limit:g} s, though it was still getting on: what it said {still:.0f} s before was new"
        )
    if progress is Progress.CIRCLES:
        time = f"within {limit:g} s" if late else "and never will"
        return f"{time}: it comes back to the same states again and again"
    return (
        f"within {limit:g} s: nothing has moved for {still:.0f} s" if late else "and nothing moves any more"
    )


def stuck(
    case: Case,
    seen: Observation,
    *,
    why: str,
    waited: float,
    events: Callable[[Sequence[str]], Sequence[str]],
    slow: bool = False,
    differences: Sequence[Difference] = (),
) -> Told:
    """It did not become Synced and Healthy after `waited` seconds; `why` it is given up, in a few words.

    `events` gives the warnings about objects, by their titles; `slow` says that it was still getting on;
    `differences` are what keeps it OutOfSync.
    """
    titles = [c.split(": ", 1)[0] for c in seen.causes]
    if not titles and not slow and (waited_for := _WAITED_FOR.search(seen.message)):
        titles = [f"{waited_for['kind']} {waited_for['name']}"]
    warned = tuple(events(titles))
    words = " ".join([seen.message, *seen.causes])
    known = cause_of("slow" if slow else seen.code, words, warned)
    differ = differences if seen.sync == "OutOfSync" else ()
    message = seen.message or seen.summary
    finding = _finding(
        case,
        "never-healthy" if seen.code in NEVER_HEALTHY else seen.code,
        f"{message}: {fields_told(differ)}" if differ and seen.code == "out-of-sync" else message,
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
    lines += [f"  differs  {d}" for d in differ[:MOST_FIELDS]]
    if len(differ) > MOST_FIELDS:
        lines.append(f"           and {len(differ) - MOST_FIELDS} more")
    lines.append(f"  expected Synced, Healthy; saw {seen.summary} after {waited:.1f} s")
    lines += [f"  event    {e}" for e in warned]
    lines += _because(known)
    return Told(finding=finding, text="\n".join(lines), cause=known, events=warned)


def events(applications: Applications, case: Case, titles: Sequence[str]) -> tuple[str, ...]:
    """What the cluster warns of the objects with these titles, in the namespace that `case` deploys to."""
    found = [t.rsplit("/", 1)[-1].rsplit(" ", 1)[-1] for t in titles]
    if not found or not case.destination.namespace:
        return ()
    try:
        return applications.warnings(case.destination.namespace, found)
    except GitOpsError:
        return ()  # an event is a bonus; its absence must not hide the cause


def unlisted(api: Api, application: Mapping[str, Any]) -> tuple[str, ...]:
    """Why objects that are missed may be there all the same: Argo CD lists each kind in the version that the server
    prefers, and nobody converts them."""
    resources = mapping(application, "status").get("resources") or ()
    missed = {
        (r.get("group") or "", r.get("kind"))
        for r in resources
        if (r.get("health") or {}).get("status") == "Missing"
    }
    if not missed:
        return ()
    try:
        kinds = [(v, kind) for v, kind in api.kinds() if (v.rpartition("/")[0], kind) in missed]
    except GitOpsError:
        return ()  # no more than a bonus, as an event is
    said = ((kind, _unconverted(api, version, kind)) for version, kind in kinds)
    return tuple(f"{kind}: {why}" for kind, why in said if why)


def _unconverted(api: Api, version: str, kind: str) -> str:
    try:
        api.metadata(api.collection(version, kind))
    except ApiError as error:
        return error.unconverted
    return ""


def quoted(who: str, said: str, *, code: str = "") -> tuple[str, Cause | None]:
    """The lines of a message that tell what `who` said, and the known cause behind that, or else behind `code`."""
    known = cause_of(code, said)
    return f"\n  {who}  {said}" + (f"\n  cause    {known.name}" if known else ""), known


def blocked(case: Case, windows: Sequence[Mapping[str, Any]]) -> str:
    """A closed sync window kept it from being synced: nothing is known of its objects, and no manifest is wrong."""
    known = cause_of("sync-window", "")
    assert known is not None, "it is in the list"
    lines = [
        f"not asked: a closed sync window of AppProject {case.project} keeps Application {case.key} from being synced",
        "  Argo CD  Sync operation blocked by sync window",
        *(f"  window   {_window(w)}" for w in windows),
    ]
    if lets_a_person(windows):
        lines.append(f"  manual   a person may sync it all the same: argocd app sync {case.name}")
    return "\n".join([*lines, *_because(known)])


def lets_a_person(windows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there are sync windows, and each of them lets a person sync (types.go: hasDeny, manualEnabled)."""
    return bool(windows) and all(w.get("manualSync") for w in windows)


def not_reconciled(who: str, said: str, *, waited: float) -> str:
    """`who`, a controller of Kubernetes, or Argo CD where it is nobody, has not come to it; `said` is what is known."""
    return f"{who or 'Argo CD'} has not got to it within {waited:.0f} s{f': {said}' if said else ''}"


def never_stayed(settle: float) -> str:
    """It is good by turns."""
    return f"it became Synced and Healthy again and again, and never stayed so for {settle:g} s"


def not_reached(case: Case) -> str:
    """Its ApplicationSet syncs step by step, and does not get to it."""
    return (
        f"not asked: ApplicationSet {case.parent} (RollingSync) has not come to the step of Application {case.key}: "
        "an Application of an earlier step is not Healthy, or the step's maxUpdate is 0"
    )


def left_alone(case: Case, by: Case) -> str:
    """Argo CD is told not to reconcile `by`, which is the Application itself or one without which it is not there."""
    whose = "" if by.key == case.key else f", without which Application {case.key} is not created,"
    said = by.manifest["metadata"]["annotations"][SKIP_RECONCILE]
    return (
        f'not asked: Application {by.key}{whose} has the annotation {SKIP_RECONCILE}: "{said}", so Argo CD leaves it '
        "alone\n  next     take the annotation out where it is to be deployed"
    )


def not_updated(case: Case, by: Case, policy: str) -> str:
    """The ApplicationSet of `by`, which is the Application itself or one that renders it, leaves it as it is."""
    whose = "" if by.key == case.key else f", which renders Application {case.key},"
    return (
        f"not asked: Application {by.key}{whose} stays as it was made: ApplicationSet {by.parent} changes no "
        f"Application that is there (applicationsSync: {policy}), so what it says otherwise now reaches none of them\n"
        "  next     change the Application itself as well, or let its set change it (applicationsSync: sync)"
    )


def _window(window: Mapping[str, Any]) -> str:
    names = ("applications", "namespaces", "clusters")
    whom = ", ".join(f"{n} {' '.join(map(str, window[n]))}" for n in names if window.get(n))
    manual = "manual sync allowed" if window.get("manualSync") else "no manual sync"
    zone = f" {window['timeZone']}" if window.get("timeZone") else ""
    return f"{window.get('kind')} {window.get('schedule')!r}{zone} for {window.get('duration')}, {manual}; {whom}"


def _because(known: Cause | None) -> list[str]:
    return [f"  cause    {known.name}", f"  next     {known.next}"] if known else []


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
