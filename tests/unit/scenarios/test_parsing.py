"""Files of scenarios: what they mean, and what is wrong with them, with its line."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.scenarios.parsing import parse, seconds
from pytest_gitops.scenarios.reading import read
from pytest_gitops.scenarios.values import Action, Scenario

FILE = "shop.gitops-test.yaml"
KNOWN = ("argocd/omega-a", "argocd/omega-b", "argocd/twin", "team/twin")


def scenarios(text: str, **given: Any) -> tuple[Scenario, ...]:
    return parse(text.encode(), file=FILE, applications=KNOWN, **given)


def steps(*lines: str) -> str:
    """A scenario whose steps begin in line 4."""
    return "scenarios:\n- name: s\n  steps:\n" + "".join(f"  {line}\n" for line in lines)


def wrong(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        scenarios(text)
    return str(caught.value)


def test_a_scenario_has_steps_with_names_lines_and_limits() -> None:
    (one,) = scenarios(
        "scenarios:\n- name: heals\n  tags: [slow, heal]\n  application: omega-a\n  steps:\n"
        "  - sync:\n"
        "  - name: three of them\n    drift: {object: {kind: Deployment, name: web}, scale: 3}\n    within: 500ms\n"
        "  - expect:\n      sync: Synced\n      objects:\n      - kind: Deployment\n        spec: {replicas: 2}\n"
        "  always:\n  - wait: omega-b\n"
    )
    assert (one.id, one.line, one.tags) == (f"{FILE}::heals", 2, ("slow", "heal"))
    assert [(s.name, s.action, s.line, s.within) for s in one.every_step] == [
        ("sync omega-a", Action.SYNC, 6, None),
        ("three of them", Action.DRIFT, 7, 0.5),
        ("expect omega-a", Action.EXPECT, 10, None),
        ("wait omega-b", Action.WAIT, 16, None),
    ]
    assert one.applications == ("omega-a", "omega-b")
    assert one.steps[2].line_of("objects", 0, "spec", "replicas") == 14
    assert one.acts
    assert not one.checks_out


def test_variables_are_filled_in_and_keep_their_type() -> None:
    (one,) = scenarios(
        "variables: {count: 3, kind: Deployment}\nscenarios:\n- name: s\n  application: omega-a\n"
        "  variables: {kind: StatefulSet, label: 'x-${application}'}\n  steps:\n"
        "  - drift: {object: {kind: '${kind}', name: 'a-${application}-${count}'}, scale: '${count}'}\n"
        "  - drift: {object: {kind: A, name: b}, patch: {a: '$${count}', b: {c: ['${count}']}}}\n"
    )
    assert one.steps[0].arguments["object"] == {"kind": "StatefulSet", "name": "a-omega-a-3"}
    assert one.steps[0].arguments["scale"] == 3
    assert one.steps[1].arguments["patch"] == {"a": "${count}", "b": {"c": [3]}}


def test_a_loop_is_a_scenario_for_each_application() -> None:
    text = "scenarios:\n- name: s\n  applications: [{0}]\n  steps:\n  - wait:\n"
    found = scenarios(text.format('"omega-*", omega-a'))
    assert [(s.name, s.applications) for s in found] == [
        ("s[omega-a]", ("omega-a",)),
        ("s[omega-b]", ("omega-b",)),
    ]
    assert [s.name for s in scenarios(text.format("twin"))] == ["s[argocd/twin]", "s[team/twin]"]
    assert [s.name for s in scenarios(text.format('"team/*"'))] == ["s[team/twin]"]


def test_where_not_all_applications_are_known_a_loop_over_others_is_no_error() -> None:
    text = "scenarios:\n- name: s\n  applications: [{0}]\n  steps:\n  - wait:\n"
    assert [s.name for s in scenarios(text.format("child"), complete=False)] == ["s[child]"]
    assert scenarios(text.format('"child-*"'), complete=False) == ()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["- sync: a", "  wait: b"], ":4: expected one of sync, wait, expect, drift, checkout, render, rbac in a step, saw sync, wait"),
        (["- name: nothing"], ":4: expected one of sync, wait, expect, drift, checkout, render, rbac in a step, saw none of them"),
        (["- sleep: 5s"], ":4: unknown key 'sleep'; known here: checkout, drift, expect, name, rbac, render, sync, wait, within"),
        (["- wait:"], ":4: wait: expected an Application, saw no name of one"),
        (["- wait: a", "  within: soon"], ":5: scenarios.0.steps.0.within: 'soon' does not match '^[0-9]+(\\\\.[0-9]+)?(ms|s|m)$'"),
        (["- expect: {application: a}"], ":4: expect: expected one of sync, health, operation, conditions, status, objects, absent, events; saw none"),
        (["- expect:", "    application: a", "    health: {$is: Healthy}"], ":6: expected one of $equals, $not, $matches, $contains, $exists, $min, $max, $length; saw $is"),
        (["- expect:", "    application: a", "    sync: {$matches: '('}"], ":6: $matches: not a regular expression: missing ), unterminated subpattern at position 0"),
        (["- expect:", "    application: a", "    status: {a: {$min: 1, b: 2}}"], ":6: $min compares, so it cannot stand beside fields"),
        (["- drift: {application: a, object: {kind: A, name: b}}"], ":4: drift: expected one of patch, scale, delete; saw none"),
        (["- drift: {application: a, object: {kind: A, name: b}, scale: 1, delete: true}"], ":4: drift: expected one of patch, scale, delete; saw more"),
        (["- drift: {application: a, object: {kind: A, name: b}, scale: '${n}'}"], ":4: expected a variable, saw no 'n'; known here: there are none"),
        (["- sync: a", "  n: 1"], ":4: expected a text as key, saw False: write it in quotes"),
        (["- render: {application: a, golden: ../x.yaml}"], ":4: scenarios.0.steps.0.render.golden: '../x.yaml' does not match '\\\\.gitops-golden\\\\.yaml$'"),
        (["- rbac: {action: get, resource: logs, expect: deny}"], ":4: scenarios.0.steps.0.rbac: {'action': 'get', 'resource': 'logs', 'expect': 'deny'} is not valid under any of the given schemas"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(lines: list[str], message: str) -> None:
    assert wrong(steps(*lines)) == FILE + message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: expected scenarios, saw an empty file"),
        ("a: [", ":1: did not find expected node content"),
        ("scenarios: []", ":1: scenarios: [] should be non-empty"),
        ("a: 1\n---\nb: 1\n", ":3: expected one YAML document, saw a second"),
        (steps("- sync: a") + "- name: s\n  steps: [{wait: a}]\n", ":5: expected each name once, saw 's' again"),
        ("scenarios:\n- name: s\n  name: t\n  steps: []\n", ":3: expected each key once, saw 'name' again"),
        ("scenarios:\n- name: s\n  tags: [a-b]\n  steps: [{wait: a}]\n", ":3: scenarios.0.tags.0: 'a-b' does not match '^[a-z][a-z0-9_]*$'"),
        ("scenarios:\n- name: s\n  applications: [x]\n  application: z\n  steps: [{wait: }]\n", ":3: expected `application` or `applications`, saw both"),
        ("scenarios:\n- name: s\n  applications: [omega-a, 'x*']\n  steps: [{wait: }]\n", ":3: expected a name or glob of Applications, saw 'x*', which means none; there are argocd/omega-a, argocd/omega-b, argocd/twin, team/twin"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_one_error(text: str, message: str) -> None:
    assert wrong(text) == FILE + message


@pytest.mark.parametrize(("within", "wanted"), [("30s", 30), ("1.5m", 90), ("250ms", 0.25), (7, 7)])
def test_a_duration_has_a_unit(within: str | float, wanted: float) -> None:
    assert seconds(within) == wanted


def test_one_bad_file_is_one_problem_and_the_others_are_read() -> None:
    files = {
        FILE: steps("- wait: omega-a").encode(),
        "bad.gitops-test.yml": b"scenarios: 1",
        "other.yaml": b"x",
    }
    found, problems = read(files, lambda paths: {p: files[p] for p in paths}, applications=KNOWN)
    assert [s.id for s in found] == [f"{FILE}::s"]
    (problem,) = problems
    assert (problem.file, problem.finding.rule) == ("bad.gitops-test.yml", "scenario-invalid")
    assert (problem.finding.file, problem.finding.line) == ("bad.gitops-test.yml", 1)
    assert problem.finding.message == "scenarios: 1 is not of type 'array'"
