"""`pytest-gitops policy`: every rule listed, and users' own tests run by the real OPA."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_gitops.commands.cli import main

pytestmark = pytest.mark.engine

RULE = """package team

import data.gitops.lib.pods

# METADATA
# title: Owner missing
# scope: document
# custom:
#   rule: owner-missing
#   subject: object
#   severity: warning
#   help: Add the label owner.
owner_missing contains "no owner" if {
	count(pods.containers) > 0
	not input.object.metadata.labels.owner
}
"""

TESTS = """package team_test

import data.gitops.testing
import data.team

test_owner_missing_denies if {
	pod := {"kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": {"containers": [{}]}}
	count(team.owner_missing) == 1 with input as testing.rendered(pod)
}

test_a_change_is_made_of_two_sides if {
	testing.change(null, {}).change == "added"
	testing.change({}, null).change == "removed"
	testing.change_with({"a": 1}, {}, {"effect": "pruned"}).effect == "pruned"
}

test_settings_are_those_of_the_configuration if data.settings.own == 7
"""

CONFIGURATION = "policy:\n  folders: [rules]\n  data: {own: 7}\n"

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path,
    toolbox: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    monkeypatch.setenv("PYTEST_GITOPS_TOOL_OPA", str(toolbox["opa"]))
    monkeypatch.chdir(tmp_path)

    def command(*words: str, files: dict[str, str]) -> tuple[int, str, str]:
        for name, text in {"pytest-gitops.yaml": CONFIGURATION, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        status = main(["policy", *words])
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


def test_tests_see_our_library_the_helpers_and_the_configurations_data(command: Command) -> None:
    files = {"rules/team.rego": RULE, "rules/team_test.rego": TESTS}
    status, out, err = command("test", files=files)
    assert (status, out, err) == (0, "3 passed\n", "")


def test_a_failing_test_is_named_with_its_line_and_what_was_seen(command: Command) -> None:
    files = {"rules/team.rego": RULE, "rules/team_test.rego": TESTS.replace("== 1 with", "== 2 with")}
    status, out, _ = command("test", files=files)
    assert status == 1
    assert out.startswith("FAILED  rules/team_test.rego:6  team_test.test_owner_missing_denies (")
    assert "rules/team_test.rego:8:" in out
    assert '{"no owner"}' in out
    assert out.endswith("1 failed, 2 passed\n")


def test_coverage_tells_the_lines_that_no_test_runs(command: Command) -> None:
    more = RULE + '\nwarn contains "never" if {\n\tinput.kind == "Never"\n}\n'
    files = {"rules/team.rego": more, "rules/team_test.rego": TESTS}
    status, out, err = command("test", "--coverage", "--threshold", "90", files=files)
    assert status == 1
    assert " 60.0 %  rules/team.rego  not run: lines 18-19\n" in out
    assert err == "error: coverage: expected 90 %, saw 60.0 %. Add tests for the lines above.\n"
    assert command("test", "--coverage", "--threshold", "50", files=files)[0] == 0


def test_tests_can_be_chosen_and_named(command: Command) -> None:
    files = {"rules/team.rego": RULE, "rules/team_test.rego": TESTS}
    status, out, _ = command("test", "-v", "--run", "settings", files=files)
    assert status == 0
    assert out.startswith("PASSED  rules/team_test.rego:17  team_test.test_settings_are")


def test_tests_have_no_network_either(command: Command) -> None:
    text = 'package a_test\n\ntest_x if http.send({"method": "get", "url": "http://localhost"})\n'
    status, _, err = command("test", files={"rules/a_test.rego": text})
    assert status == 1
    assert err.startswith("error: rules/a_test.rego:3: the policy does not compile")
    assert "http.send is not there" in err


def test_no_tests_is_no_success(command: Command) -> None:
    status, out, _ = command("test", files={"rules/team.rego": RULE})
    assert (status, out) == (5, "no tests: expected rules called test_…, saw none\n")


def test_every_rule_is_listed_with_its_help_and_place(command: Command) -> None:
    status, out, _ = command("list", files={"rules/team.rego": RULE})
    lines = out.splitlines()
    mine = next(n for n, line in enumerate(lines) if line.startswith("owner-missing "))
    assert lines[mine].split(None, 3)[1:] == ["warning", "object", "Owner missing"]
    assert [line.strip() for line in lines[mine + 1 : mine + 3]] == [
        "Add the label owner.",
        "rules/team.rego:13",
    ]
    assert any(line.startswith("privileged ") for line in lines)
    assert status == 0
    assert lines[-1].endswith(" rules, 1 of them yours")


def test_the_list_can_be_read_by_programs(command: Command) -> None:
    status, out, _ = command(
        "list", "--json", "others", files={"others/a.rego": 'package a\n\ndeny contains "x"\n'}
    )
    rules = {r["rule"]: r for r in json.loads(out)}
    assert status == 0
    assert rules["a-deny"] == {
        "rule": "a-deny",
        "severity": "error",
        "subject": "object",
        "title": "a.deny",
        "description": "",
        "help": "",
        "file": "others/a.rego",
        "line": 3,
        "builtin": False,
        "style": "conftest",
    }


def test_a_policy_that_does_not_compile_is_told_beside_the_list(command: Command) -> None:
    status, out, err = command("list", files={"rules/a.rego": "package a\n\ndeny contains }\n"})
    assert status == 1
    assert "privileged " in out
    assert err.startswith(
        "error: rules/a.rego:3: the policy does not compile, so no rule of this file is asked"
    )
