"""The Rego module of a run, made by us: it runs every rule on every subject at once, or one rule alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pytest_gitops.rego.rules import Rule, SubjectKind

RUN_PACKAGE = "gitops_run"
RESULTS = "results"
SKIP = "gitops_skip"

MANIFEST, REVIEW = "manifest", "review"
"""What conftest's and Gatekeeper's rules are asked about, beside the kinds of subjects."""

NOTHING = "[set(), [], {}, false, null]"
"""Answers that say nothing was found."""

ANY = "array.concat({}, [])"
"""A list whose items have any type: OPA refuses expressions whose types cannot fit, and would know those of users'
rules."""


def alone(number: int) -> str:
    """The name under which one rule is asked by itself."""
    return f"rule_{number}"


def asked_about(rule: Rule) -> str:
    """The list of the input that a rule is asked about."""
    if rule.constraint is not None:
        return REVIEW
    return MANIFEST if rule.conftest else rule.subject.value


def module(rules: Sequence[Rule]) -> str:
    """The Rego module of the run.

    Rules of one subject are evaluated under one `with`, so that what they share (a workload's containers) is
    computed once for each subject. `input.<kind>` is the list of subjects of that kind, `input.review` that of
    reviews with the constraints that match them, `input.skip` the users' rules that are not to be asked.
    """
    about = [asked_about(rule) for rule in rules]
    lists = [kind.value for kind in SubjectKind] + [MANIFEST, REVIEW]
    results = ", ".join(f"{json.dumps(name)}: each_{name}" for name in lists)
    parts = [f"package {RUN_PACKAGE}", f"{RESULTS} := {{{results}}}"]
    for name in lists:
        mine = [n for n, each in enumerate(about) if each == name]
        parts += [_each(name, [rules[n] for n in mine]), _all(name, rules, mine)]
    parts += [_alone(n, rule) for n, rule in enumerate(rules) if not rule.builtin]
    return "\n\n".join(parts) + "\n"


def _with(name: str, rules: Sequence[Rule]) -> str:
    """What a rule sees instead of the run's own input and data."""
    told = f"with input as {'subject.object' if name == MANIFEST else 'subject'}"
    if any(not rule.builtin for rule in rules):
        told += f" with data.{SKIP} as input.skip"
    if any(rule.constraint and rule.constraint.inventory for rule in rules):
        told += " with data.inventory as input.inventories[subject.cluster]"
    return told


def _list(name: str) -> str:
    return SubjectKind.OBJECT.value if name == MANIFEST else name


def _each(name: str, rules: Sequence[Rule]) -> str:
    return (
        f"each_{name}[i] := found if {{\n\tsome i, subject in input.{_list(name)}\n"
        f"\tfound := all_{name} {_with(name, rules)}\n\tcount(found) > 0\n}}"
    )


def _all(name: str, rules: Sequence[Rule], mine: Sequence[int]) -> str:
    # A comprehension around each rule keeps one that is undefined from making the others undefined.
    lines = [f"\t\t{_key(n)}: [value | {_unskipped(n, rules[n])}{_value(n, rules[n])}]," for n in mine]
    table = "{\n" + "\n".join([f'\t\t"": {ANY.format("[]")},', *lines]) + "\n\t}"
    return (
        f"all_{name} := {{number: values[0] |\n\tsome number, values in {table}\n"
        f"\tnot values[0] in {NOTHING}\n}}"
    )


def _alone(number: int, rule: Rule) -> str:
    name = asked_about(rule)
    return (
        f"{alone(number)}[i] := found if {{\n\tsome i, subject in input.{_list(name)}\n"
        f"\tvalues := {ANY.format(f'[value | {_value(number, rule)}]')} {_with(name, [rule])}\n"
        f"\tfound := values[0]\n\tnot found in {NOTHING}\n}}"
    )


def _key(number: int) -> str:
    return json.dumps(str(number))


def _unskipped(number: int, rule: Rule) -> str:
    return "" if rule.builtin else f"not data.{SKIP}[{_key(number)}]; "


def _value(number: int, rule: Rule) -> str:
    package = "data" + "".join(f"[{json.dumps(part)}]" for part in rule.package)
    if rule.constraint is not None:
        parameters = json.dumps(rule.constraint.parameters)
        given = f'{{"review": input.request, "parameters": {parameters}}}'
        return f"input.constraints[{_key(number)}]; value := {package}.violation with input as {given}"
    value = f"value := {package}[{json.dumps(rule.name)}]"
    if rule.excepted is not None:
        given = ANY.format(f"[given | given := {package}.exception]")
        names = f"{{name | some names in {given}[0]; some name in names}}"
        value += f"; not {json.dumps(rule.excepted)} in {names}"
    return value
