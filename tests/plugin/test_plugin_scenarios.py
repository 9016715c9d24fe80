"""Scenarios and users' own tests as items: collected, selected, judged and reported, in this process and in workers."""

from __future__ import annotations

import pytest
from plugin_support import ARGS, BOTH, EITHER, Repository, application, ran

from pytest_gitops.plugin import options

FILE = "omega.gitops-test.yaml"

SCENARIOS = """\
scenarios:
- name: heals
  tags: [slow]
  applications: [alpha, beta]
  steps:
  - wait:
- name: "draws :: it"
  steps:
  - render: {absent: [{kind: Secret}], application: alpha}
"""

HEALS = [f"{FILE}::heals[{a}]" for a in ("alpha", "beta")]
DRAWS = f"{FILE}::draws : : it"

TESTS = """\
import pytest


def test_green(gitops_app, rendered, gitops_run):
    assert gitops_run.applications == ("argocd/alpha", "argocd/beta")
    app = gitops_app("alpha")
    app.drift("ConfigMap", "settings", patch={"data": {"key": "other"}})
    assert app.status().sync == "OutOfSync"
    assert app.object("ConfigMap", "settings")["data"]["key"] == "other"
    assert rendered("alpha").one(kind="ConfigMap")["data"]["key"] == "value"


@pytest.mark.parametrize("number", range(4))
def test_put_back(gitops_app, number):
    app = gitops_app("alpha")
    app.expect(sync="Synced", health="Healthy")
    app.drift("ConfigMap", "settings", patch={"data": {"key": str(number)}})


def test_red(gitops_app):
    gitops_app("beta").expect(sync="OutOfSync", within=0.1)


def test_nobody(gitops_app):
    gitops_app("nobody")
"""


@pytest.fixture
def omega(gitops: Repository) -> Repository:
    gitops.write({"apps/a.yaml": application("alpha", "beta"), FILE: SCENARIOS})
    return gitops


def test_a_scenario_passes_or_fails_as_an_item(omega: Repository) -> None:
    message = f"{FILE}:6: step 1, wait beta: expected Synced, Healthy; saw OutOfSync, Healthy\n  Argo CD  no"
    failed = {"outcome": "failed", "code": "scenario-failed", "message": message}
    omega.script(verdicts={"heals[beta] scenario": failed})
    result = omega.run(FILE)
    assert ran(result) == {HEALS[0]: "passed", HEALS[1]: "failed", DRAWS: "passed"}
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            f"{FILE}:6: step 1, wait beta: expected Synced, Healthy; saw OutOfSync, Healthy",
            "  Argo CD  no",
            f"  again    pytest --gitops '{HEALS[1]}'",
            "3 scenarios: 1 failed, 2 passed in *",
        ]
    )
    found = {s["name"]: (s["outcome"], s["family"], s["line"]) for s in omega.report()["scenarios"]}
    assert found == {
        "heals[alpha]": ("passed", "verification", 2),
        "heals[beta]": ("failed", "verification", 2),
        "draws : : it": ("passed", "review", 7),
    }


@pytest.mark.parametrize("outcome", ["error", "skipped"])
def test_a_scenario_that_was_not_judged_is_no_pass(omega: Repository, outcome: str) -> None:
    omega.script(verdicts={"draws : : it scenario": {"outcome": outcome, "code": "no", "message": "why"}})
    result = omega.run(DRAWS)
    assert ran(result) == {DRAWS: outcome}
    assert result.ret == (1 if outcome == "error" else 0)


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (["-k", "heals"], {*HEALS}),
        (["-m", "slow"], {*HEALS}),
        (["-m", "gitops_scenario and gitops_review"], {DRAWS}),
        (["-m", "gitops_scenario and not slow"], {DRAWS}),
        ([HEALS[1]], {HEALS[1]}),
        ([FILE, "--gitops-stages", "converge"], {*HEALS}),
        ([FILE, "--gitops-stages", "policy"], {DRAWS}),
    ],
)
def test_a_scenario_is_selected_like_any_item(
    omega: Repository, selection: list[str], wanted: set[str]
) -> None:
    result = omega.run("--strict-markers", *selection)
    assert set(ran(result)) == wanted
    assert result.ret == 0


@EITHER
def test_only_scenarios_about_what_changes_are_judged(omega: Repository, workers: str) -> None:
    omega.script(changed=["argocd/beta"])
    result = omega.run(workers, FILE)
    assert set(ran(result)) == {HEALS[1]}


def test_scenarios_are_listed_and_nothing_is_started(omega: Repository) -> None:
    omega.script(prepare={"engine": "must not be started"})
    lines = omega.run("--collect-only", "-q", FILE).stdout.lines
    assert [line for line in lines if "::" in line] == [*HEALS, DRAWS]


def test_a_file_that_does_not_fit_is_one_failed_item_and_loses_nothing(omega: Repository) -> None:
    omega.write({"bad.gitops-test.yaml": "scenarios:\n- name: x\n  steps:\n  - sleep: 5s\n"})
    result = omega.run("bad.gitops-test.yaml", FILE)
    fault = "bad.gitops-test.yaml::scenario-invalid:4"
    assert ran(result) == {fault: "failed", **dict.fromkeys([*HEALS, DRAWS], "passed")}
    result.stdout.fnmatch_lines(["bad.gitops-test.yaml:4: unknown key 'sleep'; known here: *"])


def test_workers_judge_scenarios_as_this_process_does(omega: Repository) -> None:
    omega.write({"bad.gitops-test.yaml": "scenarios:\n- name: x\n  steps:\n  - sleep: 5s\n"})
    omega.script(
        verdicts={
            "heals[alpha] scenario": {"outcome": "error", "code": "no", "message": "why"},
            "heals[beta] scenario": {
                "outcome": "failed",
                "code": "scenario-failed",
                "message": f"{FILE}:6: no",
            },
            "draws : : it scenario": {"outcome": "skipped", "code": "no", "message": "why"},
        }
    )
    assert omega.alike("-rA", "bad.gitops-test.yaml", FILE) == {
        "bad.gitops-test.yaml::scenario-invalid:4": "failed",
        HEALS[0]: "error",
        HEALS[1]: "failed",
        DRAWS: "skipped",
    }


@BOTH
def test_users_own_tests_ask_the_engine(omega: Repository, workers: str) -> None:
    omega.write({"tests/test_omega.py": TESTS})
    result = omega.run(workers, "tests")
    words = {n.rpartition("::")[2]: w for n, w in ran(result).items()}
    assert words == {
        "test_green": "passed",
        **{f"test_put_back[{n}]": "passed" for n in range(4)},
        "test_red": "failed",
        "test_nobody": "failed",
    }
    result.stdout.fnmatch_lines(
        [
            '>*gitops_app("beta").expect(sync="OutOfSync", within=0.1)',
            "E*Application argocd/beta is not as expected within 0.1 s",
            "E*field    sync of Application argocd/beta: expected 'OutOfSync', saw 'Synced'",
        ]
    )
    result.stdout.fnmatch_lines(
        ["E*expected one Application 'nobody', saw none; there is argocd/alpha, argocd/beta"]
    )
    result.stdout.no_fnmatch_line("*scenarios/api.py*")


def test_users_own_tests_are_skipped_without_gitops(omega: Repository) -> None:
    omega.write({"tests/test_omega.py": TESTS})
    result = omega.pytester.runpytest_inprocess("tests")
    result.assert_outcomes(skipped=7)


def test_users_own_tests_are_marked(omega: Repository) -> None:
    omega.write({"tests/test_omega.py": "def test_plain(): pass\n" + TESTS})
    assert len(ran(omega.run("tests", "-m", "gitops_scenario"))) == 0
    assert len(ran(omega.run("tests", "-k", "test_plain"))) == 1


def test_a_worker_that_crashes_gives_back_what_it_had(omega: Repository) -> None:
    crash = "import os\ndef test_crash(gitops_app):\n    gitops_app('alpha')\n    os._exit(3)\n"
    later = "def test_later(gitops_app):\n    gitops_app('alpha').expect(sync='Synced')\n"
    omega.write({"tests/test_a.py": crash, "tests/test_b.py": later})
    result = omega.run_apart("-n1", "tests", "-rA")
    result.stdout.fnmatch_lines(["*PASSED tests/test_b.py::test_later*"])


@pytest.mark.parametrize(
    ("given", "only"),
    [
        ([FILE], True),
        ([f"{FILE}::{DRAWS.partition('::')[2]}", "tests/test_omega.py::test_green"], True),
        ([FILE, "-k", "heals"], True),
        ([FILE, "apps/a.yaml"], False),
        (["tests"], False),
        ([FILE, "."], False),
        ([], False),
        (["-k", "draws"], False),
    ],
)
def test_where_no_application_can_be_meant_the_settings_say_so(
    omega: Repository, given: list[str], only: bool
) -> None:
    omega.write({"tests/test_omega.py": TESTS})
    config = omega.pytester.parseconfigure("--gitops", *ARGS, *given)
    assert options.read(config).only_tests is only
