"""What a rule is: read from OPA's METADATA, or, for conftest's `deny`, `warn`, `violation`, from its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from pytest_gitops.model import Finding, Severity
from pytest_gitops.rego.constraint import Constraint
from pytest_gitops.rego.problems import invalid


class SubjectKind(StrEnum):
    """What a rule is asked about; `docs/writing-policies.md` has each one's input document."""

    APPLICATION = "application"
    OBJECT = "object"
    REPOSITORY = "repository"
    CHANGE = "change"


# (conftest v0.71.1, policy/engine.go: warningRegex, failureRegex, removeRulePrefix)
CONFTEST_NAME = re.compile(
    r"(?P<level>deny|violation|warn)(?:_(?P<exception>[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*))?"
)
"""The rules that conftest evaluates, by whole name; `exception` is what its `exception` rule calls them."""

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `code` is its stable kebab-case name; `package` is the Rego package without `data.` and
    `name` the Rego rule in it; `file` is as the user knows it, `line`, from 1, is where the rule begins.
    `conftest` rules have the rendered object itself as input. `excepted` is the name under which a conftest
    `exception` rule of the same package can except it, None where there is no such rule. `constraint` makes it one
    of Gatekeeper's, which is asked about reviews. `parts` is "file:line" of each, where it is written in several."""

    code: str
    title: str
    severity: Severity
    subject: SubjectKind
    package: tuple[str, ...]
    name: str
    file: str
    line: int
    help: str = ""
    description: str = ""
    builtin: bool = False
    conftest: bool = False
    excepted: str | None = None
    parts: tuple[str, ...] = ()
    constraint: Constraint | None = field(default=None, hash=False)

    @property
    def where(self) -> str:
        """ "file:line"."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One METADATA block: the path of what it describes (without `data`), its scope, text, and place."""

    path: tuple[str, ...]
    scope: str
    text: Mapping[str, Any]
    file: str
    line: int
    builtin: bool

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A rule of a user's file as Rego's parser sees it, with METADATA or without."""

    package: tuple[str, ...]
    name: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read: the rules, sorted by code, and what is wrong with those that are not among them."""

    rules: tuple[Rule, ...]
    problems: tuple[Finding, ...] = ()


def rules_from(
    annotations: Iterable[Annotation], heads: Iterable[Head], constraints: Iterable[Rule] = ()
) -> Reading:
    """All rules there are, with Gatekeeper's `constraints`.

    A rule with `custom.subject` (its own METADATA's or its package's) is one of ours; any other of conftest's
    names is conftest's. A rule whose METADATA cannot be read, or whose code is another's, is a problem and
    no rule: of those, the built-in one stays, then the first one.
    """
    annotated = sorted(annotations, key=lambda a: (a.file, a.line))
    packages = {
        a.path: {k: v for k, v in _custom(a).items() if k != "rule"}
        for a in annotated
        if a.scope == "package"
    }
    described: dict[tuple[str, ...], Annotation] = {}
    for annotation in annotated:
        if annotation.scope in {"rule", "document"}:
            described.setdefault(annotation.path, annotation)
    found: list[Rule] = []
    problems: list[Finding] = []
    seen: set[tuple[str, ...]] = set()

    def read(make: Callable[[], Rule | None], path: tuple[str, ...]) -> None:
        try:
            if rule := make():
                found.append(rule)
                seen.add(path)
        except _Wrong as wrong:
            problems.append(wrong.finding)
            seen.add(path)

    for path, annotation in described.items():
        custom = {**packages.get(path[:-1], {}), **_custom(annotation)}
        read(partial(_declared, path, annotation, custom), path)
    ordered = sorted(heads, key=lambda h: (h.file, h.line))
    excepting = {h.package for h in ordered if h.name == "exception"}
    for head in ordered:
        path = (*head.package, head.name)
        if path not in seen and (named := CONFTEST_NAME.fullmatch(head.name)):
            about = described.get(path)
            parts = tuple(f"{h.file}:{h.line}" for h in ordered if (*h.package, h.name) == path)
            make = partial(_conftest, exceptions=head.package in excepting, parts=parts if parts[1:] else ())
            read(partial(make, head, named, about), path)
    codes: dict[str, Rule] = {}
    for rule in sorted([*found, *constraints], key=lambda r: (not r.builtin, r.file, r.line)):
        other = codes.setdefault(rule.code, rule)
        if other is not rule:
            problems.append(_taken(rule, other))
    return Reading(rules=tuple(codes[code] for code in sorted(codes)), problems=tuple(problems))


class _Wrong(Exception):
    """METADATA that cannot be read."""

    def __init__(self, message: str, annotation: Annotation) -> None:
        self.finding = invalid(message, file=annotation.file, line=annotation.line)
        super().__init__(message)


def _taken(rule: Rule, other: Rule) -> Finding:
    another = "name" if rule.constraint else "custom.rule"
    return invalid(
        f"rule code {rule.code!r}: expected a code of its own, it is taken by {other.where}",
        file=rule.file,
        line=rule.line,
        help=f"give one of the two another {another}",
    )


def _declared(path: tuple[str, ...], annotation: Annotation, custom: Mapping[str, Any]) -> Rule | None:
    if "subject" in custom:
        return _ours(annotation, custom)
    if "rule" in custom and not CONFTEST_NAME.fullmatch(path[-1]):
        raise _Wrong(
            f"METADATA of {'.'.join(path)}: expected custom.subject beside custom.rule "
            f"({_known(SubjectKind)}), saw none",
            annotation,
        )
    return None


def _ours(annotation: Annotation, custom: Mapping[str, Any]) -> Rule:
    text, name = annotation.text, annotation.path[-1]
    return Rule(
        code=_code(custom.get("rule", name.replace("_", "-")), annotation),
        title=str(text.get("title", name)),
        severity=_severity(custom.get("severity", Severity.ERROR), annotation),
        subject=_subject(custom["subject"], annotation),
        package=annotation.path[:-1],
        name=name,
        file=annotation.file,
        line=annotation.line,
        help=" ".join(str(custom.get("help", "")).split()),
        description=" ".join(str(text.get("description", "")).split()),
        builtin=annotation.builtin,
    )


def _conftest(
    head: Head, named: re.Match[str], about: Annotation | None, *, exceptions: bool, parts: tuple[str, ...]
) -> Rule:
    custom = _custom(about) if about else {}
    text: Mapping[str, Any] = about.text if about else {}
    severity = Severity.WARNING if named["level"] == "warn" else Severity.ERROR
    if about and "severity" in custom:
        severity = _severity(custom["severity"], about)
    default = code_of(*head.package, head.name)
    return Rule(
        code=_code(custom["rule"], about) if about and "rule" in custom else default,
        title=str(text.get("title", f"{'.'.join(head.package)}.{head.name}")),
        severity=severity,
        subject=SubjectKind.OBJECT,
        package=head.package,
        name=head.name,
        file=head.file,
        line=head.line,
        help=" ".join(str(custom.get("help", "")).split()),
        description=" ".join(str(text.get("description", "")).split()),
        conftest=True,
        excepted=(named["exception"] or "") if exceptions else None,
        parts=parts,
    )


def code_of(*words: str) -> str:
    """A rule's code made of names: small letters, digits, dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", "-".join(words).lower()))


def _custom(annotation: Annotation) -> Mapping[str, Any]:
    custom = annotation.text.get("custom")
    return custom if isinstance(custom, dict) else {}


def _known(words: type[StrEnum]) -> str:
    return ", ".join(w.value for w in words)


def _severity(word: Any, annotation: Annotation) -> Severity:
    try:
        return Severity(word)
    except ValueError:
        raise _Wrong(
            f"custom.severity: expected one of {_known(Severity)}, saw {word!r}", annotation
        ) from None


def _subject(word: Any, annotation: Annotation) -> SubjectKind:
    try:
        return SubjectKind(word)
    except ValueError:
        raise _Wrong(
            f"custom.subject: expected one of {_known(SubjectKind)}, saw {word!r}", annotation
        ) from None


def _code(word: Any, annotation: Annotation) -> str:
    if isinstance(word, str) and _CODE.fullmatch(word):
        return word
    raise _Wrong(f"custom.rule: expected small letters, digits and single dashes, saw {word!r}", annotation)
