"""Expectations of `rbac:` as items: one each, passed or failed, in this process and in workers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from plugin_support import EITHER, Repository, application, ran

CONFIGURATION = """\
rbac:
- {subject: role:dev, action: sync, resource: applications, object: "shop/*", expect: allow}
- {groups: ["acme:ops"], action: get, resource: logs, expect: deny}
"""

FIRST = "pytest-gitops.yaml::rbac:2 role:dev sync applications shop/*"
SECOND = "pytest-gitops.yaml::rbac:3 somebody of acme:ops get logs *"

WRONG = {
    "rule": "rbac-expectation",
    "severity": "error",
    "message": "expected deny, saw allow",
    "help": "mend it",
}


@pytest.fixture
def expecting(gitops: Repository) -> Repository:
    gitops.write({"apps/a.yaml": application("a"), "pytest-gitops.yaml": CONFIGURATION})
    return gitops


@EITHER
def test_an_expectation_passes_or_fails_as_an_item(expecting: Repository, workers: str) -> None:
    expecting.script(rbac={"3": WRONG})
    result = expecting.run(workers, "--gitops-stages", "policy")
    assert ran(result) == {"apps/a.yaml::argocd/a::policy": "passed", FIRST: "passed", SECOND: "failed"}
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "pytest-gitops.yaml:3: expected deny, saw allow",
            "  rule     rbac-expectation",
            "  next     mend it",
            f"  again    pytest --gitops '{SECOND}'",
        ]
    )
    (finding,) = expecting.report()["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == (
        "rbac-expectation",
        "pytest-gitops.yaml",
        3,
    )
    said = {e["line"]: (e["outcome"], e["code"]) for e in expecting.report()["expectations"]}
    assert said == {2: ("passed", None), 3: ("failed", "rbac-expectation")}


def test_an_expectation_is_in_junit(expecting: Repository) -> None:
    expecting.script(rbac={"3": WRONG})
    expecting.run("--gitops-stages", "policy", "--junit-xml", "junit.xml")
    cases = ElementTree.parse(expecting.path / "junit.xml").findall(".//testcase")
    found = {c.get("name"): c.find("failure") is not None for c in cases}
    assert found == {"policy": False, FIRST.split("::")[1]: False, SECOND.split("::")[1]: True}


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (["-k", "rbac"], {FIRST, SECOND}),
        (["-m", "gitops_policy and not gitops_verify"], {FIRST, SECOND, "app"}),
        ([FIRST], {FIRST}),
    ],
)
def test_an_expectation_is_selected_like_any_item(
    expecting: Repository, selection: list[str], wanted: set[str]
) -> None:
    result = expecting.run("--gitops-stages", "policy", *selection)
    assert set(ran(result)) == {"apps/a.yaml::argocd/a::policy" if w == "app" else w for w in wanted}
    assert result.ret == 0


def test_an_expectation_is_listed_without_being_asked(expecting: Repository) -> None:
    lines = expecting.run("--collect-only", "-q").stdout.lines
    assert FIRST in lines
    assert SECOND in lines


def test_an_expectation_is_asked_with_the_policies(expecting: Repository) -> None:
    assert set(ran(expecting.run("--gitops-stages", "render"))) == {"apps/a.yaml::argocd/a::render"}


def test_a_waived_expectation_passes_and_says_so(expecting: Repository) -> None:
    # What only informs fails nothing either.
    expecting.script(rbac={"3": {**WRONG, "severity": "info"}})
    result = expecting.run("--gitops-stages", "policy", "-rP")
    assert ran(result)[SECOND] == "passed"
    result.stdout.fnmatch_lines(["*expected deny, saw allow (rbac-expectation)"])


def test_two_expectations_on_a_line_are_two_items(expecting: Repository) -> None:
    same = "{subject: a, action: get, resource: logs, expect: deny}"
    expecting.write({"pytest-gitops.yaml": f"rbac: [{same}, {same}]\n"})
    found = ran(expecting.run("--gitops-stages", "policy", "-k", "rbac"))
    assert set(found) == {
        "pytest-gitops.yaml::rbac:1 a get logs *",
        "pytest-gitops.yaml::rbac:1 a get logs * (2)",
    }


def test_an_expectation_of_a_base_whose_file_head_has_not_is_an_item(expecting: Repository) -> None:
    from pytest_gitops.processes.process import run

    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    run("git", "add", "-A", cwd=expecting.path)
    run("git", *identity, "commit", "-qm", "base", cwd=expecting.path)
    (expecting.path / "pytest-gitops.yaml").unlink()
    run("git", "add", "-A", cwd=expecting.path)
    run("git", *identity, "commit", "-qm", "head", cwd=expecting.path)
    expecting.script(rbac={"3": WRONG})
    given = ("--gitops-base", "HEAD~1", "--gitops-stages", "policy")
    result = expecting.run(*given)
    found = ran(result)
    assert {name: found.get(name) for name in (FIRST, SECOND)} == {FIRST: "passed", SECOND: "failed"}
    (again,) = (line.split() for line in result.outlines if line.startswith("  again"))
    assert again[-2:] == ["-k", "rbac:3"]
    assert ran(expecting.run(*given, *again[-2:])) == {SECOND: "failed"}
