"""What OPA is asked: the Rego module that runs every rule on every subject at once, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding
from pytest_gitops.rego.inputs import Subject
from pytest_gitops.rego.redact import redact, secret_values
from pytest_gitops.rego.rules import Rule, SubjectKind

RUN_PACKAGE = "gitops_run"
RESULTS = "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that a rule found. `resource` is "Kind namespace/name", `pointer` a JSON pointer into the
    subject; `application` is the "namespace/name" of the Application concerned, where the subject is the
    whole repository, and `file` and `line` are set where the rule itself knows them."""

    rule: Rule
    message: str
    resource: str = ""
    pointer: str = ""
    application: str = ""
    file: str = ""
    line: int | None = None

    def finding(self, *, file: str = "", line: int | None = None) -> Finding:
        """The finding; `file` and `line` say where the subject stands, if the rule does not know better."""
        return Finding(
            rule=self.rule.code,
            severity=self.rule.severity,
            message=self.message,
            file=self.file or file,
            line=self.line if self.file else line,
            resource=self.resource,
            help=self.rule.help,
        )


def module(rules: Sequence[Rule]) -> str:
    """The Rego module of the run.

    Rules of one subject are evaluated under one `with`, so that what they share (a workload's containers) is
    computed once for each subject. `input.<kind>` is the list of subjects of that kind.
    """
    parts = [f"package {RUN_PACKAGE}", f"{RESULTS} := {{{', '.join(_result(kind) for kind in SubjectKind)}}}"]
    for kind in SubjectKind:
        parts.append(_each(kind.value, "subject"))
        parts.append(_all(kind.value, rules, [r.subject is kind and not r.conftest for r in rules]))
    parts.append(_each("manifest", "subject.object", source=SubjectKind.OBJECT.value))
    parts.append(_all("manifest", rules, [r.conftest for r in rules]))
    return "\n\n".join(parts) + "\n"


def _result(kind: SubjectKind) -> str:
    parts = [kind.value, "manifest"] if kind is SubjectKind.OBJECT else [kind.value]
    return ", ".join(f"{json.dumps(p)}: each_{p}" for p in parts)


def _each(name: str, subject: str, source: str = "") -> str:
    return (
        f"each_{name}[i] := found if {{\n\tsome i, subject in input.{source or name}\n"
        f"\tfound := all_{name} with input as {subject}\n\tcount(found) > 0\n}}"
    )


def _all(name: str, rules: Sequence[Rule], asked: Sequence[bool]) -> str:
    # A comprehension around each rule keeps one that is undefined from making the others undefined.
    lines = [f"\t\t{json.dumps(str(n))}: {_value(rule)}," for n, rule in enumerate(rules) if asked[n]]
    table = "{\n" + "\n".join(lines) + "\n\t}" if lines else "{}"
    return (
        f"all_{name} := {{number: values[0] |\n\tsome number, values in {table}\n"
        "\tnot values[0] in [set(), [], {}, false, null]\n}"
    )


def _value(rule: Rule) -> str:
    package = "data" + "".join(f"[{json.dumps(part)}]" for part in rule.package)
    value = f"[value | value := {package}[{json.dumps(rule.name)}]"
    if rule.excepted is not None:
        names = f"{{name | some names in {package}.exception; some name in names}}"
        value += f"; not {json.dumps(rule.excepted)} in {names}"
    return value + "]"


def documents(subjects: Sequence[Subject]) -> dict[str, list[Mapping[str, Any]]]:
    """The input document of the run: subjects by kind, in their order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for subject in subjects:
        found.setdefault(subject.kind.value, []).append(subject.input)
    return found


def hits(
    answer: Mapping[str, Any], rules: Sequence[Rule], subjects: Sequence[Subject]
) -> list[tuple[Hit, ...]]:
    """For each subject what was found, sorted. Raises ConfigError naming a rule whose answer is no answer."""
    counters: dict[SubjectKind, int] = {}
    found = []
    for subject in subjects:
        index = str(counters.get(subject.kind, 0))
        counters[subject.kind] = int(index) + 1
        parts = [subject.kind.value] + ["manifest"] * (subject.kind is SubjectKind.OBJECT)
        answers = {k: v for part in parts for k, v in answer.get(part, {}).get(index, {}).items()}
        mine = [
            hit for number, values in answers.items() for hit in _hits(rules[int(number)], values, subject)
        ]
        found.append(tuple(sorted(set(mine), key=_order)))
    return found


def _order(hit: Hit) -> tuple[str, str, str, int, str, str, str]:
    return hit.rule.code, hit.application, hit.file, hit.line or 0, hit.resource, hit.message, hit.pointer


def _hits(rule: Rule, values: Any, subject: Subject) -> list[Hit]:
    if values is True:
        values = [rule.title]
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, list):
        raise _shape(rule, values)
    # Our own rules are known to say no value; redacting them could only garble a name.
    hidden = frozenset[str]() if rule.builtin else secret_values(subject.input)
    return [_hit(rule, value, subject, hidden) for value in values]


def _hit(rule: Rule, value: Any, subject: Subject, hidden: frozenset[str]) -> Hit:
    if isinstance(value, str):
        value = {"msg": value}
    if not isinstance(value, dict) or not isinstance(value.get("msg"), str):
        raise _shape(rule, value)
    texts = {}
    for field in ("resource", "pointer", "application", "file"):
        texts[field] = value.get(field, "") or ""
        if not isinstance(texts[field], str):
            raise _shape(rule, value)
    line = value.get("line")
    return Hit(
        rule=rule,
        message=redact(value["msg"], hidden),
        resource=redact(texts["resource"], hidden) or subject.resource,
        pointer=texts["pointer"],
        application=texts["application"],
        file=texts["file"],
        line=line if isinstance(line, int) and not isinstance(line, bool) and line > 0 else None,
    )


def _shape(rule: Rule, value: Any) -> ConfigError:
    # The value itself is not shown: it may hold a part of the subject, a secret's included.
    seen = {dict: "an object without a text `msg`", list: "an array", bool: "a boolean"}.get(
        type(value), "a number or null"
    )
    return ConfigError(
        f"rule {rule.code}: expected a set of texts or of objects with a text `msg`, saw {seen}",
        where=rule.where,
    )
