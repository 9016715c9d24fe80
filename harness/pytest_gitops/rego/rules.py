"""What a rule is: read from OPA's METADATA, or, for conftest's `deny`, `warn`, `violation`, from its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Severity


class SubjectKind(StrEnum):
    """What a rule is asked about; `docs/writing-policies.md` has each one's input document."""

    APPLICATION = "application"
    OBJECT = "object"
    REPOSITORY = "repository"


CONFTEST_NAME = re.compile(r"(?P<level>deny|violation|warn)(?:_(?P<exception>[A-Za-z0-9_]+))?")
"""The rules that conftest evaluates, by whole name; `exception` is what its `exception` rule calls them."""

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `code` is its stable kebab-case name; `package` is the Rego package without `data.` and
    `name` the Rego rule in it; `file` is as the user knows it, `line`, from 1, is where the rule begins.
    `conftest` rules have the rendered object itself as input. `excepted` is the name under which a conftest
    `exception` rule of the same package can except it, None where there is no such rule."""

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


def rules_from(annotations: Iterable[Annotation], heads: Iterable[Head]) -> tuple[Rule, ...]:
    """All rules, sorted by code.

    A rule with `custom.subject` (its own METADATA's or its package's) is one of ours; any other of conftest's
    names is conftest's. Raises ConfigError naming file and line: METADATA that cannot be read, or
    a code given twice.
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
    found: dict[tuple[str, ...], Rule] = {}
    for path, annotation in described.items():
        custom = {**packages.get(path[:-1], {}), **_custom(annotation)}
        if "subject" in custom:
            found[path] = _ours(annotation, custom)
        elif "rule" in custom and not CONFTEST_NAME.fullmatch(path[-1]):
            raise ConfigError(
                f"METADATA of {'.'.join(path)}: expected custom.subject beside custom.rule "
                f"({_known(SubjectKind)}), saw none",
                where=annotation.where,
            )
    seen = sorted(heads, key=lambda h: (h.file, h.line))
    excepting = {h.package for h in seen if h.name == "exception"}
    for head in seen:
        path = (*head.package, head.name)
        if path not in found and (named := CONFTEST_NAME.fullmatch(head.name)):
            found[path] = _conftest(head, named, described.get(path), exceptions=head.package in excepting)
    codes: dict[str, Rule] = {}
    for rule in found.values():
        if (other := codes.setdefault(rule.code, rule)) and other is not rule:
            raise ConfigError(
                f"rule code {rule.code!r}: expected a code of its own, it is taken by {other.where}. "
                "Give one of the two another custom.rule",
                where=rule.where,
            )
    return tuple(codes[code] for code in sorted(codes))


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


def _conftest(head: Head, named: re.Match[str], about: Annotation | None, *, exceptions: bool) -> Rule:
    custom = _custom(about) if about else {}
    text: Mapping[str, Any] = about.text if about else {}
    severity = Severity.WARNING if named["level"] == "warn" else Severity.ERROR
    if about and "severity" in custom:
        severity = _severity(custom["severity"], about)
    default = "-".join(re.findall(r"[a-z0-9]+", "-".join((*head.package, head.name)).lower()))
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
    )


def _custom(annotation: Annotation) -> Mapping[str, Any]:
    custom = annotation.text.get("custom")
    return custom if isinstance(custom, dict) else {}


def _known(words: type[StrEnum]) -> str:
    return ", ".join(w.value for w in words)


def _severity(word: Any, annotation: Annotation) -> Severity:
    try:
        return Severity(word)
    except ValueError:
        raise ConfigError(
            f"custom.severity: expected one of {_known(Severity)}, saw {word!r}", where=annotation.where
        ) from None


def _subject(word: Any, annotation: Annotation) -> SubjectKind:
    try:
        return SubjectKind(word)
    except ValueError:
        raise ConfigError(
            f"custom.subject: expected one of {_known(SubjectKind)}, saw {word!r}", where=annotation.where
        ) from None


def _code(word: Any, annotation: Annotation) -> str:
    if isinstance(word, str) and _CODE.fullmatch(word):
        return word
    raise ConfigError(
        f"custom.rule: expected small letters, digits and single dashes, saw {word!r}", where=annotation.where
    )
