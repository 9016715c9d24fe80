"""Gatekeeper's ConstraintTemplates and Constraints in policy folders: read, and made into modules and rules.

As Gatekeeper does it (frameworks/constraint, pkg/client/drivers/rego): each template is compiled for itself, its
libraries (`data.lib`) are its own, and `violation` is asked with `input.review` and `input.parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.model import Finding, Severity
from pytest_gitops.rego.constraint import Constraint, mistakes
from pytest_gitops.rego.problems import invalid, not_checked
from pytest_gitops.rego.rules import Rule, SubjectKind, code_of
from pytest_gitops.repository.manifest import Document
from pytest_gitops.shapes import mapping

ROOT = "gitops_gatekeeper"
"""The first word of the packages that templates get here."""

TARGET = "admission.k8s.gatekeeper.sh"
TEMPLATES, CONSTRAINTS = "templates.gatekeeper.sh", "constraints.gatekeeper.sh"

OURS = ("gator.gatekeeper.sh", "validation.gatekeeper.sh", "vap.k8s.io")
"""Enforcement points whose action is ours, the first one first: gator's, who checks files too, then admission."""

AUDIT = "audit.gatekeeper.sh"

SEVERITIES = {"deny": Severity.ERROR, "warn": Severity.WARNING, "dryrun": Severity.INFO}

NOT_HERE = {
    ("expansion.gatekeeper.sh", "ExpansionTemplate"): "what a workload expands to is not made here",
    ("externaldata.gatekeeper.sh", "Provider"): "policies have no network here, so no provider is asked",
}
"""Objects of Gatekeeper that change what its constraints say, and are not done here."""

_REFERENCE = re.compile(r'"(?:\\.|[^"\\\n])*"|`[^`]*`|#[^\n]*|\bdata\s*(?:\.\s*lib|\[\s*"lib"\s*\])(?![\w])')
_PACKAGE = re.compile(r"^(\s*package\s+)([A-Za-z_][\w.]*)", re.MULTILINE)
_VIOLATION = re.compile(r"^\s*violation\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A document of a policy folder and the file it stands in, as the user knows it."""

    file: str
    document: Document

    @property
    def value(self) -> Mapping[str, Any]:
        value = self.document.value
        return value if isinstance(value, Mapping) else {}

    @property
    def kind(self) -> str:
        return str(self.value.get("kind") or "")

    @property
    def group(self) -> str:
        return str(self.value.get("apiVersion") or "").rpartition("/")[0]

    @property
    def name(self) -> str:
        return str(mapping(self.value.get("metadata")).get("name") or "")

    def line(self, *path: str | int) -> int:
        return self.document.line_of(*path)

    def invalid(self, message: str, *path: str | int) -> Finding:
        return invalid(f"{self.kind} {self.name}: {message}", file=self.file, line=self.line(*path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A piece of Rego that stands in a template: the name of its file in the bundle, its text with our packages, and
    where it stands: row 1 of it is line `offset` + 1 of `file`. `old` is Rego before OPA 1."""

    path: str
    text: str
    old: bool
    file: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that can be asked; its constraints are of `kind`."""

    kind: str
    written: Written
    sources: tuple[Source, ...]
    package: tuple[str, ...]
    schema: Mapping[str, Any] = field(default_factory=dict)
    operations: frozenset[str] = frozenset()
    inventory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatekeeper:
    """All of Gatekeeper's in the policy folders: templates, and a rule for each constraint."""

    templates: tuple[Template, ...] = ()
    rules: tuple[Rule, ...] = ()
    problems: tuple[Finding, ...] = ()


def read(documents: Iterable[Written]) -> Gatekeeper:
    """Templates and constraints among `documents`; other objects are left alone."""
    given = list(documents)
    problems: list[Finding] = []
    templates: dict[str, Template | None] = {}
    for each in given:
        if (each.group, each.kind) in NOT_HERE:
            why = NOT_HERE[each.group, each.kind]
            problems.append(
                not_checked(f"{each.kind} {each.name}: {why}", file=each.file, line=each.document.line)
            )
        if each.group != TEMPLATES or each.kind != "ConstraintTemplate":
            continue
        try:
            template = _template(each)
        except _Unusable as unusable:
            problems.append(unusable.finding)
            # Its constraints are not asked about a second time.
            templates.setdefault(_kind(each), None)
            continue
        if templates.setdefault(template.kind, template) is not template:
            problems.append(each.invalid(f"a template of kind {template.kind} was read before"))
    rules = []
    for each in given:
        if each.group != CONSTRAINTS:
            continue
        if each.kind not in templates:
            problems.append(each.invalid("expected its ConstraintTemplate in the policy folders, saw none"))
        elif found := templates[each.kind]:
            try:
                if rule := _rule(each, found):
                    rules.append(rule)
            except _Unusable as unusable:
                problems.append(unusable.finding)
    return Gatekeeper(
        templates=tuple(t for t in templates.values() if t), rules=tuple(rules), problems=tuple(problems)
    )


class _Unusable(Exception):
    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


def _kind(written: Written) -> str:
    names = mapping(mapping(mapping(mapping(written.value.get("spec")).get("crd")).get("spec")).get("names"))
    return str(names.get("kind") or "")


def _template(written: Written) -> Template:
    kind, spec = _kind(written), mapping(written.value.get("spec"))
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", kind):
        raise _Unusable(written.invalid(f"spec.crd.spec.names.kind: expected a kind, saw {kind!r}", "spec"))
    targets = spec.get("targets")
    if not isinstance(targets, list) or not targets or not isinstance(targets[0], Mapping):
        raise _Unusable(written.invalid("spec.targets: expected one target, saw none", "spec"))
    target = targets[0]
    if target.get("target") != TARGET:
        saw = target.get("target")
        raise _Unusable(written.invalid(f"target: expected {TARGET}, saw {saw!r}", "spec", "targets", 0))
    texts = list(_rego(written, target))
    if not _VIOLATION.search(texts[0][0]):
        raise _Unusable(written.invalid("expected a rule violation in its Rego, saw none", *texts[0][2]))
    slug = kind.lower()
    sources = tuple(_source(written, slug, n, *text) for n, text in enumerate(texts))
    validation = mapping(mapping(mapping(spec.get("crd")).get("spec")).get("validation"))
    operations = target.get("operations")
    return Template(
        kind=kind,
        written=written,
        sources=sources,
        package=(ROOT, slug, "template"),
        schema=mapping(validation.get("openAPIV3Schema")),
        operations=frozenset(operations if isinstance(operations, list) else ()),
        inventory=any("inventory" in text for text, _, _ in texts),
    )


def _rego(written: Written, target: Mapping[str, Any]) -> Iterator[tuple[str, bool, tuple[str | int, ...]]]:
    """The Rego of a target, its libraries behind it: text, whether it is old, and where it stands."""
    at: tuple[str | int, ...] = ("spec", "targets", 0)
    held, old = target, True
    code = [c for c in target.get("code") or () if isinstance(c, Mapping)]
    if code:
        engines = [c.get("engine") for c in code]
        if "Rego" not in engines:
            told = ", ".join(map(str, engines))
            raise _Unusable(
                not_checked(
                    f"ConstraintTemplate {written.name} is written for {told}, which only Gatekeeper runs: its "
                    "constraints were not checked",
                    file=written.file,
                    line=written.line(*at, "code"),
                    help="write it in Rego too, or as a ValidatingAdmissionPolicy, which the stage admit asks",
                )
            )
        number = engines.index("Rego")
        held, at = mapping(code[number].get("source")), (*at, "code", number, "source")
        old = held.get("version") != "v1"
    if not isinstance(held.get("rego"), str):
        raise _Unusable(written.invalid("expected Rego, saw none", *at))
    yield held["rego"], old, (*at, "rego")
    libraries = held.get("libs")
    for number, text in enumerate(libraries if isinstance(libraries, list) else ()):
        yield str(text), old, (*at, "libs", number)


def _source(
    written: Written, slug: str, number: int, text: str, old: bool, at: tuple[str | int, ...]
) -> Source:
    def renamed(found: re.Match[str]) -> str:
        package = "template" if number == 0 else found[2]
        if number and package.split(".")[0] != "lib":
            raise _Unusable(written.invalid(f"expected a library of package lib.…, saw {package}", *at))
        return f"{found[1]}{ROOT}.{slug}.{package}"

    def referred(found: re.Match[str]) -> str:
        return f"data.{ROOT}.{slug}.lib" if found[0].startswith("data") else found[0]

    rewritten = _REFERENCE.sub(referred, _PACKAGE.sub(renamed, text, count=1))
    path = f"{ROOT}/{slug}/{'template' if number == 0 else f'lib{number}'}.rego"
    # A block scalar begins below its key; what follows an entry's dash does so in most files, too.
    return Source(path=path, text=rewritten, old=old, file=written.file, offset=written.line(*at))


def _rule(written: Written, template: Template) -> Rule | None:
    spec = mapping(written.value.get("spec"))
    match = spec.get("match") or {}
    if wrong := mistakes(match):
        raise _Unusable(written.invalid(wrong[0], "spec", "match"))
    severity = _severity(written, spec)
    if severity is None:
        return None
    about = mapping(mapping(template.written.value.get("metadata")).get("annotations"))
    parameters = _defaulted(mapping(spec.get("parameters")), template.schema)
    return Rule(
        code=code_of(written.kind, written.name),
        title=str(about.get("metadata.gatekeeper.sh/title") or f"{written.kind} {written.name}"),
        severity=severity,
        subject=SubjectKind.OBJECT,
        package=template.package,
        name="violation",
        file=written.file,
        line=written.document.line,
        description=" ".join(str(about.get("description") or "").split()),
        constraint=Constraint(
            kind=written.kind,
            name=written.name,
            match=match,
            parameters=parameters,
            operations=template.operations,
            inventory=template.inventory,
        ),
    )


def _severity(written: Written, spec: Mapping[str, Any]) -> Severity | None:
    """What an enforcement action means here; None where no enforcement point that is ours has one."""
    action = spec.get("enforcementAction") or "deny"
    actions = [action]
    if action == "scoped":
        scoped = spec.get("scopedEnforcementActions")
        entries = [e for e in scoped or () if isinstance(e, Mapping)] if isinstance(scoped, list) else []
        for point in OURS:
            actions = [e.get("action") for e in entries if _enforced(e, point)]
            if actions:
                break
        else:
            # Only told afterwards, by an audit.
            audited = any(_enforced(e, AUDIT) for e in entries)
            return Severity.INFO if audited else None
    for each in actions:
        if each not in SEVERITIES:
            known = ", ".join([*SEVERITIES, "scoped"])
            raise _Unusable(
                written.invalid(
                    f"enforcementAction: expected one of {known}, saw {each!r}", "spec", "enforcementAction"
                )
            )
    return min((SEVERITIES[a] for a in actions), key=list(Severity).index, default=None)


def _enforced(entry: Mapping[str, Any], point: str) -> bool:
    points = entry.get("enforcementPoints")
    names = {p.get("name") for p in points if isinstance(p, Mapping)} if isinstance(points, list) else set()
    return bool(names & {point, "*"})


def _defaulted(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value with the defaults of its structural schema, as the API server gives them to a constraint."""
    if isinstance(value, Mapping):
        filled = dict(value)
        for name, about in mapping(schema.get("properties")).items():
            if name not in filled and "default" in mapping(about):
                filled[name] = about["default"]
            if name in filled:
                filled[name] = _defaulted(filled[name], mapping(about))
        return filled
    if isinstance(value, list):
        return [_defaulted(each, mapping(schema.get("items"))) for each in value]
    return value
