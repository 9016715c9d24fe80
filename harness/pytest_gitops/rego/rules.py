"""What a rule is: read from OPA's METADATA, or, for conftest's `deny`, `warn`, `violation`, from its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
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

ALL_NAMESPACES = ("*",)

_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

_WORDS = ("rule", "subject", "severity", "help")
"""What METADATA has in `custom` for us; other tools have words of their own there."""

_SAID = {
    "code": "custom.rule",
    "subject": "custom.subject",
    "severity": "custom.severity",
    "title": "title",
    "help": "custom.help",
}
"""Where METADATA says what a rule is, by the rule's fields."""


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
    annotations: Iterable[Annotation],
    heads: Iterable[Head],
    constraints: Iterable[Rule] = (),
    *,
    namespaces: Sequence[str] = ALL_NAMESPACES,
) -> Reading:
    """All rules there are, with Gatekeeper's `constraints`.

    A rule with `custom.subject` (its own METADATA's or its package's) is one of ours; any other of conftest's
    names is conftest's, if its package fits one of `namespaces`. A package's subject holds for what has METADATA
    or one of conftest's names; the rest are helpers. A rule whose METADATA cannot be read, or says two things, or
    whose code is another's, is a problem and no rule: of those, the built-in one stays, then the first one.
    """
    annotated = sorted(annotations, key=lambda a: (a.file, a.line))
    ordered = sorted(heads, key=lambda h: (h.file, h.line))
    packages = {
        a.path: {k: v for k, v in _custom(a).items() if k != "rule"}
        for a in annotated
        if a.scope == "package"
    }
    described: dict[tuple[str, ...], list[Annotation]] = {}
    for annotation in annotated:
        if annotation.scope in {"rule", "document"}:
            described.setdefault(annotation.path, []).append(annotation)
    for head in ordered:
        package = packages.get(head.package, {})
        if "subject" in package and (named := CONFTEST_NAME.fullmatch(head.name)):
            described.setdefault((*head.package, head.name), [_undescribed(head, named, package)])
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

    for path, blocks in described.items():
        read(partial(_declared, path, _speaking(blocks, packages.get(path[:-1], {}))), path)
    excepting = {h.package for h in ordered if h.name == "exception"}
    for head in ordered:
        path = (*head.package, head.name)
        named = CONFTEST_NAME.fullmatch(head.name)
        if path not in seen and named and in_namespaces(head.package, namespaces):
            blocks = _speaking(described.get(path, ()), {})
            parts = tuple(f"{h.file}:{h.line}" for h in ordered if (*h.package, h.name) == path)
            make = partial(_conftest, exceptions=head.package in excepting, parts=parts if parts[1:] else ())
            read(partial(make, head, named, blocks), path)
    codes: dict[str, Rule] = {}
    for rule in sorted([*found, *constraints], key=lambda r: (not r.builtin, r.file, r.line)):
        other = codes.setdefault(rule.code, rule)
        if other is not rule:
            problems.append(_taken(rule, other))
    return Reading(rules=tuple(codes[code] for code in sorted(codes)), problems=tuple(problems))


def in_namespaces(package: Sequence[str], namespaces: Sequence[str]) -> bool:
    """Whether conftest's rules of a package are asked; `namespaces` are patterns."""
    return any(fnmatchcase(".".join(package), pattern) for pattern in namespaces)


class _Wrong(Exception):
    """METADATA that cannot be read."""

    def __init__(self, message: str, annotation: Annotation, **told: str) -> None:
        self.finding = invalid(message, file=annotation.file, line=annotation.line, **told)
        super().__init__(message)


def _taken(rule: Rule, other: Rule) -> Finding:
    another = "name" if rule.constraint else "custom.rule"
    return invalid(
        f"rule code {rule.code!r}: expected a code of its own, it is taken by {other.where}",
        file=rule.file,
        line=rule.line,
        help=f"give one of the two another {another}",
    )


def _undescribed(head: Head, named: re.Match[str], package: Mapping[str, Any]) -> Annotation:
    """What METADATA would say of a rule that has none, in a package that gives the subject."""
    custom = {"rule": code_of(*head.package, head.name), "severity": _level(named), **package}
    path = (*head.package, head.name)
    return Annotation(
        path=path, scope="rule", text={"custom": custom}, file=head.file, line=head.line, builtin=False
    )


def _speaking(blocks: Sequence[Annotation], package: Mapping[str, Any]) -> list[Annotation]:
    """The blocks of one rule's METADATA that say what it is, with what its package and its document say for them.

    Blocks that only describe their parts are left out, unless there are no others and all have one title.
    """
    saying = [b for b in blocks if any(word in _custom(b) for word in _WORDS)]
    speaking = blocks if "subject" in package else saying
    alike = blocks[:1] if len({b.text.get("title") for b in blocks}) == 1 else ()
    whole = [b for b in speaking if b.scope == "document"]
    chosen = [*whole, *(b for b in saying if b not in whole)] if whole else speaking or alike
    # Without a code or a severity, a part has those of its name, whatever the first has.
    shared = {k: v for b in chosen[:1] for k, v in _custom(b).items() if whole or k in {"subject", "help"}}
    return [
        replace(b, text={**chosen[0].text, **b.text, "custom": {**package, **shared, **_custom(b)}})
        for b in chosen
    ]


def _agreed(made: Sequence[tuple[Annotation, Rule]]) -> Rule:
    """The one rule that each of its blocks makes; _Wrong where they make two."""
    first, rule = made[0]
    for block, other in made[1:]:
        for name, word in _SAID.items():
            expected, seen = str(getattr(rule, name)), str(getattr(other, name))
            if seen != expected:
                raise _Wrong(
                    f"METADATA of {'.'.join(block.path)}: expected {word} {expected!r}, as at {first.where}, saw "
                    f"{seen!r}: nobody can tell which part of a rule an answer is of",
                    block,
                    help="say the same in both, say it once (scope: document), or give the part a name of its own",
                )
    return rule


def _declared(path: tuple[str, ...], blocks: Sequence[Annotation]) -> Rule | None:
    ours = any("subject" in _custom(b) for b in blocks)
    for block in blocks:
        custom = _custom(block)
        lost = "rule" in custom and not CONFTEST_NAME.fullmatch(path[-1])
        if "subject" not in custom and (ours or lost):
            raise _Wrong(
                f"METADATA of {'.'.join(path)}: expected custom.subject beside "
                f"custom.{next(word for word in _WORDS if word in custom)} ({_known(SubjectKind)}), saw none",
                block,
            )
    return _agreed([(b, _ours(b)) for b in blocks]) if ours else None


def _ours(annotation: Annotation) -> Rule:
    text, custom, name = annotation.text, _custom(annotation), annotation.path[-1]
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
    head: Head,
    named: re.Match[str],
    blocks: Sequence[Annotation],
    *,
    exceptions: bool,
    parts: tuple[str, ...],
) -> Rule:
    rule = Rule(
        code=code_of(*head.package, head.name),
        title=f"{'.'.join(head.package)}.{head.name}",
        severity=_level(named),
        subject=SubjectKind.OBJECT,
        package=head.package,
        name=head.name,
        file=head.file,
        line=head.line,
        conftest=True,
        excepted=(named["exception"] or "") if exceptions else None,
        parts=parts,
    )
    return _agreed([(b, _described(rule, b)) for b in blocks]) if blocks else rule


def _level(named: re.Match[str]) -> Severity:
    return Severity.WARNING if named["level"] == "warn" else Severity.ERROR


def _described(rule: Rule, block: Annotation) -> Rule:
    text, custom = block.text, _custom(block)
    return replace(
        rule,
        code=_code(custom.get("rule", rule.code), block),
        title=str(text.get("title", rule.title)),
        severity=_severity(custom.get("severity", rule.severity), block),
        help=" ".join(str(custom.get("help", "")).split()),
        description=" ".join(str(text.get("description", "")).split()),
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
