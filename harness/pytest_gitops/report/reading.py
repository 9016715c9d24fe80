"""How the writers read a document: which stages belong to which report, who needs attention, what counts.

Nothing here formats; a writer that only asks these functions says the same as the other ones.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pytest_gitops.model import VERIFY_STAGES, Outcome, Severity

Document = Mapping[str, Any]
Application = Mapping[str, Any]
Stage = Mapping[str, Any]
FindingDict = Mapping[str, Any]
Scenario = Mapping[str, Any]


class Family(StrEnum):
    """The two questions, and the report that answers each."""

    REVIEW = "review"
    VERIFICATION = "verification"


class State(StrEnum):
    """What one report says of one Application, the worst first."""

    FAILED = "failed"
    ERROR = "error"
    WARNING = "warning"
    SKIPPED = "skipped"
    PASSED = "passed"
    ABSENT = "absent"  # no stage of this report was asked for


RANK = {state: place for place, state in enumerate(State)}
NEEDS_ATTENTION = (State.FAILED, State.ERROR, State.WARNING, State.SKIPPED)

_URL = re.compile(r"[a-z+]+://")
_SEVERITY_RANK = {severity.value: place for place, severity in enumerate(Severity)}


def family_of(stage: str) -> Family:
    """The report a stage belongs to; a stage nobody knows is shown in the review rather than lost."""
    return Family.VERIFICATION if stage in VERIFY_STAGES else Family.REVIEW


def asked_for(document: Document, family: Family) -> tuple[str, ...]:
    """The stages of this family that the run was asked for, in order."""
    return tuple(s for s in document["run"]["stages"] if family_of(s) is family)


def stages_of(application: Application, family: Family | None = None) -> list[Stage]:
    """The Application's stages, those of one family or all."""
    return [s for s in application["stages"] if family is None or family_of(s["stage"]) is family]


def key_of(application: Application) -> str:
    """ "namespace/name"."""
    return f"{application['namespace']}/{application['name']}"


def scenarios_of(document: Document, family: Family | None = None) -> list[Scenario]:
    """The scenarios, those of one report or all."""
    return [s for s in document.get("scenarios") or () if family is None or s["family"] == family.value]


def bad_scenarios(document: Document, family: Family | None = None) -> list[Scenario]:
    """Those that failed or could not be judged."""
    return [s for s in scenarios_of(document, family) if s["outcome"] in {Outcome.FAILED, Outcome.ERROR}]


def repository_title(document: Document) -> str:
    """The repository's name for people: "github.com/owner/repo" of a URL, otherwise as it is."""
    title = str(document["run"]["repository"])
    return title.partition("://")[2].removesuffix(".git") if _URL.match(title) else title


def host_title(host: Mapping[str, Any]) -> str:
    """ "host", "host:port" where it is not the usual one, with the path where one was meant."""
    port = f":{host['port']}" if host["port"] not in {0, 80, 443} else ""
    return f"{host['host']}{port}" + (f"/{host['path']}" if host["path"] else "")


def where(item: Mapping[str, Any]) -> str:
    """ "file:line", "file", or empty, of an Application or a finding."""
    file, line = item["file"] or "", item["line"]
    return f"{file}:{line}" if file and line else file


def is_open(finding: FindingDict) -> bool:
    """True unless the finding is waived."""
    return finding["waiver"] is None


def is_met(expectation: Mapping[str, Any]) -> bool:
    """Whether Argo CD answers as an entry of `rbac:` expects."""
    return expectation["code"] is None


def findings_of(application: Application, family: Family | None = None) -> list[FindingDict]:
    """All findings of the Application's stages, the worst first."""
    return worst_first(f for s in stages_of(application, family) for f in s["findings"])


def worst_first(findings: Iterable[FindingDict]) -> list[FindingDict]:
    """Open before waived, then by severity; otherwise in the document's order."""
    return sorted(findings, key=lambda f: (not is_open(f), _SEVERITY_RANK.get(f["severity"], 9)))


def state_of(application: Application, family: Family | None = None) -> State:
    """What is to be said of the Application as a whole, or in one report."""
    stages = stages_of(application, family)
    seen = {s["outcome"] for s in stages}
    if not stages:
        return State.ABSENT if family else State.SKIPPED
    if Outcome.ERROR in seen:  # the order of Verdict.outcome
        return State.ERROR
    if Outcome.FAILED in seen:
        return State.FAILED
    if Outcome.PASSED not in seen:
        return State.SKIPPED
    loud = (f for s in stages for f in s["findings"] if is_open(f))
    return State.WARNING if any(f["severity"] == Severity.WARNING for f in loud) else State.PASSED


def by_urgency(applications: Iterable[Application], family: Family | None = None) -> list[Application]:
    """The Applications, those first that somebody must look at; otherwise by name."""

    def order(application: Application) -> tuple[int, int, str]:
        errors = sum(f["severity"] == Severity.ERROR for f in findings_of(application, family) if is_open(f))
        return RANK[state_of(application, family)], -errors, key_of(application)

    return sorted(applications, key=order)


def unhealthy(resources: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The objects whose sync or health is known and not what it should be."""
    return [
        r for r in resources if (r["sync"] or "Synced") != "Synced" or (r["health"] or "Healthy") != "Healthy"
    ]


def resource_title(resource: Mapping[str, Any]) -> str:
    """ "Kind namespace/name", or "Kind name" for a cluster-scoped object."""
    name = f"{resource['namespace']}/{resource['name']}" if resource["namespace"] else resource["name"]
    return f"{resource['kind']} {name}"


def again(document: Document, application: Application, stage: str) -> str:
    """The command that runs one item again."""
    return f"{document['run']['command']} {shlex.quote(application['id'] + '::' + stage)}"


def begun(application: Application) -> list[tuple[float, str]]:
    """When each stage that acted on the Application's cluster began, in seconds on the timeline's clock."""
    found = [(s["evidence"].get("startedAtSeconds"), s["stage"]) for s in application["stages"]]
    return sorted((float(at), name) for at, name in found if isinstance(at, (int, float)))


def steps_of(application: Application) -> list[Mapping[str, Any]]:
    """What the sync of `converge` came to, and when: its waves, its hooks, what it waited for."""
    steps = next(
        (s["evidence"].get("steps") for s in application["stages"] if s["stage"] == "converge"), None
    )
    return list(steps or ())


def cause_of(stage: Stage) -> Mapping[str, Any] | None:
    """The known cause behind a stage's failure ({"class", "cause", "next"}), None where none is known."""
    evidence = stage["evidence"]
    parts = [evidence, *(evidence.get(k) for k in ("head", "rollback", "base"))]
    found = (p.get("cause") for p in parts if isinstance(p, Mapping))
    return next((c for c in found if isinstance(c, Mapping)), None)


def settled_after(application: Application) -> float | None:
    """Seconds until the Application was Synced and Healthy for good; None if it never was."""
    since: float | None = None
    for moment in application["timeline"]:
        good = moment["sync"] == "Synced" and moment["health"] == "Healthy"
        since = (moment["at"] if since is None else since) if good else None
    return since


@dataclass(slots=True)
class Said:
    """One finding, and the Applications it was said of ("" stands for the repository)."""

    finding: FindingDict
    keys: list[str] = field(default_factory=list)


def grouped_findings(document: Document, family: Family) -> list[Said]:
    """Every distinct finding once, the worst first; what concerns the repository is part of the review."""
    groups: dict[tuple[Any, ...], Said] = {}
    for key, finding in _all_findings(document, family):
        waiver = finding["waiver"] and (finding["waiver"]["reason"], finding["waiver"]["expires"])
        parts = ("severity", "rule", "message", "file", "line", "resource")
        said = groups.setdefault((*(finding[p] for p in parts), waiver), Said(finding))
        if key not in said.keys:
            said.keys.append(key)
    order = {id(f): i for i, f in enumerate(worst_first(s.finding for s in groups.values()))}
    return sorted(groups.values(), key=lambda s: order[id(s.finding)])


def _all_findings(document: Document, family: Family) -> Iterator[tuple[str, FindingDict]]:
    if family is Family.REVIEW:
        yield from (("", f) for f in document["findings"])
    for application in document["applications"]:
        yield from ((key_of(application), f) for s in stages_of(application, family) for f in s["findings"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """A check that did not take place, why, and for which Applications."""

    stage: str
    outcome: str
    code: str
    reason: str
    keys: tuple[str, ...]


def unchecked(document: Document, family: Family | None = None) -> list[Unchecked]:
    """What could not be checked, errors first, equal reasons together."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for application in document["applications"]:
        for stage in stages_of(application, family):
            if stage["outcome"] in {Outcome.ERROR, Outcome.SKIPPED}:
                reason = (stage["outcome"], stage["stage"], stage["code"] or "", stage["message"] or "")
                groups.setdefault(reason, []).append(key_of(application))
    return [
        Unchecked(stage=stage, outcome=outcome, code=code, reason=reason, keys=tuple(keys))
        for (outcome, stage, code, reason), keys in sorted(groups.items())
    ]
