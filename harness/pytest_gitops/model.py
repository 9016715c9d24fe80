"""The values everybody speaks in: cases, findings, verdicts, the run. Frozen; nothing of ours is imported here.

Words are Argo CD's and pytest's. `to_dict` of these values is what `report.json` holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is. An error fails its stage; a warning or info is only shown."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Outcome(StrEnum):
    """What became of a stage: failed blames the repository, error blames us or the environment."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class Origin(StrEnum):
    """How an Application comes to be."""

    FILE = "file"  # a manifest in a file of the repository
    RENDERED = "rendered"  # part of what another Application renders to (app-of-apps)
    GENERATED = "generated"  # made by an ApplicationSet


REVIEW_STAGES = ("source", "render", "admit", "policy", "change")
"""What will change, and may it: the stages that need no cluster to act."""

VERIFY_STAGES = ("converge", "idempotent", "self-heal", "upgrade", "prune")
"""Will it work: the stages that Argo CD proves on a cluster."""

IN_CLUSTER = "https://kubernetes.default.svc"
"""The name under which Argo CD knows the cluster that it runs in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Why a finding does not count, and until when (ISO date, or empty: for good)."""

    reason: str
    expires: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"reason": self.reason, "expires": self.expires or None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong or worth knowing. `file` is relative to the repository's root, `line` counts from 1.

    `rule` is a stable kebab-case code (`missing-path`, `image-tag-mutable`); `resource` is
    "Kind namespace/name" or empty; `help` says what to do; a waived finding keeps its severity.
    """

    rule: str
    severity: Severity
    message: str
    file: str = ""
    line: int | None = None
    resource: str = ""
    help: str = ""
    waiver: Waiver | None = None

    @property
    def where(self) -> str:
        """ "file:line", "file", or empty."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    @property
    def counts(self) -> bool:
        """True if this finding fails its stage."""
        return self.severity is Severity.ERROR and self.waiver is None

    def to_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "message": self.message,
            "file": self.file or None,
            "line": self.line,
            "resource": self.resource or None,
            "help": self.help or None,
            "waiver": self.waiver.to_dict() if self.waiver else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """The finding that `to_dict` wrote."""
        waiver = data["waiver"]
        return cls(
            rule=data["rule"],
            severity=Severity(data["severity"]),
            message=data["message"],
            file=data["file"] or "",
            line=data["line"],
            resource=data["resource"] or "",
            help=data["help"] or "",
            waiver=Waiver(reason=waiver["reason"], expires=waiver["expires"] or "") if waiver else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One entry of an Application's spec.source or spec.sources, as written."""

    repo_url: str
    target_revision: str = ""
    path: str = ""
    chart: str = ""
    ref: str = ""
    tag_prefix: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "repoURL": self.repo_url,
            "targetRevision": self.target_revision or None,
            "path": self.path or None,
            "chart": self.chart or None,
            "ref": self.ref or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an Application deploys to: `server` or `name` of the cluster, its one name where `known`, a namespace."""

    server: str = ""
    name: str = ""
    namespace: str = ""
    known: str = ""

    @property
    def cluster(self) -> str:
        return self.known or self.server or self.name or IN_CLUSTER

    def to_dict(self) -> dict[str, Any]:
        return {"server": self.server or None, "name": self.name or None, "namespace": self.namespace or None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One Application under test.

    `namespace` is the control namespace it lives in; `file` and `line` say where it is declared, for a
    child where its generator is; `parent` is the generator's "namespace/name", empty for a root;
    `manifest` is the Application object as declared or as rendered by its parent.
    """

    name: str
    namespace: str
    project: str
    file: str
    line: int
    origin: Origin = Origin.FILE
    parent: str = ""
    parent_kind: str = ""  # "Application" or "ApplicationSet" where there is a parent
    sources: tuple[Source, ...] = ()
    destination: Destination = Destination()
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """ "namespace/name", unique in a control plane."""
        return f"{self.namespace}/{self.name}"

    @property
    def id(self) -> str:
        """The node id without its stage: "file::namespace/name"."""
        return f"{self.file}::{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What one stage found for one Application. `code` is stable and machine-readable, empty when passed;
    `message` is the whole text for a person; `duration` is in seconds; `evidence` is JSON."""

    stage: str
    outcome: Outcome
    code: str = ""
    message: str = ""
    duration: float = 0.0
    findings: tuple[Finding, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "outcome": self.outcome.value,
            "code": self.code or None,
            "message": self.message or None,
            "durationSeconds": round(self.duration, 3),
            "findings": [f.to_dict() for f in self.findings],
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StageResult:
        """The result that `to_dict` wrote."""
        return cls(
            stage=data["stage"],
            outcome=Outcome(data["outcome"]),
            code=data["code"] or "",
            message=data["message"] or "",
            duration=data["durationSeconds"],
            findings=tuple(Finding.from_dict(f) for f in data["findings"]),
            evidence=data["evidence"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One object that an Application manages, in Argo CD's words for sync and health, and what became of it since
    base (empty: not known)."""

    api_version: str
    kind: str
    namespace: str
    name: str
    sync: str = ""
    health: str = ""
    message: str = ""
    wave: int = 0
    hook: str = ""
    change: str = ""

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name" for a cluster-scoped object."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace or None,
            "name": self.name,
            "sync": self.sync or None,
            "health": self.health or None,
            "message": self.message or None,
            "wave": self.wave,
            "hook": self.hook or None,
            "change": self.change or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Sync and health of an Application from `at` on, in seconds after it was applied."""

    at: float
    sync: str
    health: str
    phase: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "at": round(self.at, 2),
            "sync": self.sync or None,
            "health": self.health or None,
            "phase": self.phase or None,
        }


NOT_COMPARED: Mapping[str, Any] = {
    "change": None, "changeUnknown": None, "changeOf": None,
    "changeEffect": {"effect": None, "effectText": None, "data": None},
    "applicationFields": [], "applicationNoise": {}, "changes": [], "movedAway": [], "changeCounts": None,
}  # fmt: skip
"""What stands where a comparison would tell what a pull request does to one Application."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Everything said of one Application. `change` has the keys of `NOT_COMPARED`, as a comparison tells them."""

    case: Case
    stages: tuple[StageResult, ...] = ()
    resources: tuple[Resource, ...] = ()
    timeline: tuple[Moment, ...] = ()
    change: Mapping[str, Any] = field(default_factory=lambda: NOT_COMPARED)

    @property
    def outcome(self) -> Outcome:
        """The worst of the stages: error, failed, passed, skipped (when nothing at all was checked)."""
        seen = {s.outcome for s in self.stages}
        worst_first = (Outcome.ERROR, Outcome.FAILED, Outcome.PASSED)
        return next((o for o in worst_first if o in seen), Outcome.SKIPPED)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(f for s in self.stages for f in s.findings)

    def to_dict(self) -> dict[str, Any]:
        case = self.case
        return {
            "id": case.id,
            "name": case.name,
            "namespace": case.namespace,
            "project": case.project,
            "file": case.file,
            "line": case.line,
            "origin": case.origin.value,
            "parent": case.parent or None,
            "sources": [s.to_dict() for s in case.sources],
            "destination": case.destination.to_dict(),
            "outcome": self.outcome.value,
            **self.change,
            "stages": [s.to_dict() for s in self.stages],
            "resources": [r.to_dict() for r in self.resources],
            "timeline": [m.to_dict() for m in self.timeline],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The versions that took part, without a leading "v"."""

    argocd: str
    kubernetes: str
    opa: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One whole run. `repository` is a title (a URL or a folder's name, never a path of the machine); `head` and `base`
    are {"name": …, "commit": …} or None; `simulated` is what the cluster only pretends; `hosts` were refused or out of
    reach; `changes` is what the pull request does, None without a base; `expectations` are those of `rbac:`, met or
    not; `scenarios` are as `scenarios.values` tells them; `hide` takes the values of Secrets out of a text."""

    version: str
    tools: Tools
    repository: str
    head: Mapping[str, Any]
    base: Mapping[str, Any] | None
    started: str
    duration: float
    provider: str
    simulated: tuple[str, ...]
    stages: tuple[str, ...]
    command: str = "pytest --gitops"
    findings: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    scenarios: tuple[Mapping[str, Any], ...] = ()
    hosts: tuple[Mapping[str, Any], ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    changes: Mapping[str, Any] | None = None
    expectations: tuple[Mapping[str, Any], ...] = ()
    error: str = ""  # why the engine could not judge, when it could not
    shard: Mapping[str, Any] | None = None  # which part of the run this is, where it is one
    idle_waivers: tuple[Finding, ...] = ()  # of waivers that covered nothing of what was asked
    hide: Callable[[str], str] = field(default=str, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The `report.json` document (schema: report/report.schema.json), without the summary that is counted from
        it."""
        idle = [f.to_dict() for f in self.idle_waivers]
        return {
            "schemaVersion": "1",
            "tool": {
                "name": "pytest-gitops",
                "version": self.version,
                **asdict(self.tools),
            },
            "run": {
                "repository": self.repository,
                "head": dict(self.head),
                "base": dict(self.base) if self.base else None,
                "started": self.started,
                "durationSeconds": round(self.duration, 3),
                "cluster": {"provider": self.provider, "simulated": list(self.simulated)},
                "stages": list(self.stages),
                "command": self.command,
                "hosts": [dict(h) for h in self.hosts],
                "timings": {k: round(v, 3) for k, v in self.timings.items()},
                "error": self.error or None,
                "shard": {**self.shard, "idleWaivers": idle} if self.shard else None,
                "shards": [],
            },
            "changes": dict(self.changes) if self.changes is not None else None,
            "findings": [f.to_dict() for f in self.findings],
            "expectations": [dict(e) for e in self.expectations],
            "applications": [v.to_dict() for v in self.verdicts],
            "scenarios": [dict(s) for s in self.scenarios],
        }
