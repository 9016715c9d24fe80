"""What becomes of an item, and what a person reads of it."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ElementTree

import pytest
from plugin_support import BOTH, EITHER, Repository, application, ran

FAILED = {
    "outcome": "failed",
    "code": "never-healthy",
    "message": "apps/a.yaml:1: Application argocd/a did not become Synced and Healthy\n  Argo CD  it said so",
}
ITEM = "apps/a.yaml::argocd/a::converge"


@pytest.fixture
def one(gitops: Repository) -> Repository:
    gitops.write({"apps/a.yaml": application("a")})
    return gitops


def verdict(repository: Repository, **given: object) -> None:
    repository.script(verdicts={"argocd/a converge": given})


def test_failed_blames_the_repository_with_our_text_only(one: Repository) -> None:
    verdict(one, **FAILED)
    result = one.run()
    assert ran(result)[ITEM] == "failed"
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*_ argocd/a · converge _*",
            "apps/a.yaml:1: Application argocd/a did not become Synced and Healthy",
            "  Argo CD  it said so",
            f"  again    pytest --gitops {ITEM}",
        ],
        consecutive=False,
    )


@pytest.mark.parametrize("style", ["short", "long", "line", "native", "auto"])
@pytest.mark.parametrize("outcome", ["failed", "error"])
def test_no_traceback_of_ours_is_shown(one: Repository, style: str, outcome: str) -> None:
    verdict(one, **{**FAILED, "outcome": outcome})
    text = one.run(f"--tb={style}").stdout.str()
    assert "Argo CD  it said so" in text or style == "line"
    assert "pytest_gitops" not in text
    assert "Traceback" not in text


def test_error_is_an_error_and_not_a_failure(one: Repository) -> None:
    verdict(one, outcome="error", code="tool-died", message="etcd was killed by signal 9")
    result = one.run()
    assert ran(result)[ITEM] == "error"
    assert result.ret == 1
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        ["*_ ERROR at setup of argocd/a · converge _*", "etcd was killed by signal 9"]
    )


def test_skipped_says_its_code_and_the_applications_place(one: Repository) -> None:
    verdict(one, outcome="skipped", code="no-cluster", message="not asked: there is no cluster")
    result = one.run("-rs")
    assert ran(result)[ITEM] == "skipped"
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] apps/a.yaml:1: no-cluster: not asked: there is no cluster"])


@pytest.mark.parametrize("how", ["--gitops-strict", "ini"])
def test_strict_fails_what_could_not_be_checked(one: Repository, how: str) -> None:
    verdict(one, outcome="skipped", code="no-cluster", message="not asked: there is no cluster")
    if how == "ini":
        one.write({"pytest.ini": "[pytest]\ngitops_strict = true\n"})
    result = one.run(*([] if how == "ini" else [how]))
    assert ran(result)[ITEM] == "failed"
    result.stdout.fnmatch_lines(
        ["apps/a.yaml:1: no-cluster: not asked: there is no cluster", "  strict   *(--gitops-strict)"]
    )


def test_findings_of_what_passed_are_there_to_be_read(one: Repository) -> None:
    finding = {"rule": "tag", "severity": "warning", "message": "floats", "file": "x.yaml", "line": 3}
    verdict(one, outcome="passed", findings=[finding])
    one.run("-rP").stdout.fnmatch_lines(["*Captured gitops call*", "warning: x.yaml:3: floats (tag)"])


def test_a_file_that_does_not_parse_is_one_failed_item(one: Repository) -> None:
    one.write({"apps/bad.yaml": "kind: Application\napiVersion: argoproj.io/v1alpha1\nspec: [1\n"})
    result = one.run()
    outcomes = ran(result)
    broken = [i for i in outcomes if i.startswith("apps/bad.yaml")]
    assert [outcomes[i] for i in broken] == ["failed"]
    assert [o for i, o in outcomes.items() if i not in broken] == ["passed"] * 4
    again = ran(one.run(broken[0]))
    assert again == {broken[0]: "failed"}
    result.stdout.fnmatch_lines(["*_ apps/bad.yaml · yaml-invalid _*", "apps/bad.yaml:*"])


@pytest.mark.parametrize(
    "selected", [["apps/a.yaml"], ["-k", "argocd"], [ITEM]], ids=["a file", "a keyword", "an item"]
)
def test_a_problem_of_what_was_not_asked_for_looks_like_no_failure(
    one: Repository, selected: list[str]
) -> None:
    one.write({"apps/bad.yaml": "kind: Application\napiVersion: argoproj.io/v1alpha1\nspec: [1\n"})
    result = one.run(*selected)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*✗*")
    result.stdout.fnmatch_lines(["not selected: 1 error elsewhere in the repository (apps/bad.yaml:3)"])
    (finding,) = one.report()["findings"]
    assert (finding["rule"], finding["severity"], finding["line"]) == ("yaml-invalid", "error", 3)
    result = one.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["✗ repository: not YAML*"])
    result.stdout.no_fnmatch_line("*not selected*")


def test_two_faults_on_one_line_are_two_items(one: Repository) -> None:
    nameless = "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {}}"
    listed = f"apiVersion: v1\nkind: List\nitems: [{nameless}, {nameless}]\n"
    one.write({"apps/bad.yaml": listed})
    outcomes = ran(one.run())
    assert [o for i, o in outcomes.items() if i.startswith("apps/bad.yaml")] == ["failed", "failed"]


def test_junit_has_outcome_code_file_and_line(one: Repository) -> None:
    one.write({"apps/a.yaml": "# first\n" + application("a")})
    verdict(one, **FAILED)
    one.run("--junitxml=junit.xml", "-o", "junit_family=xunit1")
    cases = {c.get("name"): c for c in ElementTree.parse(one.path / "junit.xml").iter("testcase")}
    assert cases.keys() == {"source", "render", "policy", "converge"}
    case = cases["converge"]
    assert (case.get("file"), case.get("line")) == ("apps/a.yaml", "1")
    assert {p.get("name"): p.get("value") for p in case.iter("property")} == {
        "gitops_outcome": "failed",
        "gitops_code": "never-healthy",
        "gitops_file": "apps/a.yaml",
        "gitops_line": "2",
    }
    failure = case.find("failure")
    assert failure is not None
    assert "did not become Synced" in (failure.text or "")


@BOTH
def test_a_tool_that_dies_in_mid_run_is_an_error_of_all_that_is_open(one: Repository, workers: str) -> None:
    one.script(abort={"after": 2, "message": "etcd was killed by signal 9"})
    result = one.run(workers)
    result.assert_outcomes(passed=2, errors=2)
    assert one.outcomes()["argocd/a converge"] == "error"
    assert one.report()["run"]["error"] == "etcd was killed by signal 9"
    result.stdout.fnmatch_lines(["the engine could not judge: etcd was killed by signal 9"])


@EITHER
def test_no_item_waits_for_an_engine_that_has_ended(one: Repository, workers: str) -> None:
    one.script(ends_after=1)
    result = one.run(workers)
    result.assert_outcomes(passed=1, errors=3)
    result.stdout.fnmatch_lines(["the engine ended without an answer"])


@EITHER
def test_what_was_not_selected_is_an_error_and_not_a_hang(one: Repository, workers: str) -> None:
    one.write(
        {
            "test_late.py": """
def test_late(request):
    ours = request.config.pluginmanager.getplugin("gitops-run")
    assert ours.result("apps/a.yaml::argocd/other", "source").code == "not-answered"
"""
        }
    )
    assert ran(one.run(workers))["test_late.py::test_late"] == "passed"


def test_the_short_summary_has_the_code_and_what_was_said(one: Repository) -> None:
    verdict(one, **FAILED)
    result = one.run("-vv")
    result.stdout.fnmatch_lines([f"FAILED {ITEM} - never-healthy: Application argocd/a did not become*"])


def test_workers_judge_and_say_what_this_process_does(one: Repository) -> None:
    nameless = "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {}}"
    one.write(
        {
            "apps/a.yaml": application("a", "b"),
            "apps/bad.yaml": "kind: Application\napiVersion: argoproj.io/v1alpha1\nspec: [1\n",
            "apps/two.yaml": f"apiVersion: v1\nkind: List\nitems: [{nameless}, {nameless}]\n",
        }
    )
    finding = {"rule": "tag", "severity": "warning", "message": "floats", "file": "x.yaml", "line": 3}
    one.script(
        verdicts={
            "argocd/a source": {"outcome": "passed", "findings": [finding]},
            "argocd/a render": {
                "outcome": "error",
                "code": "tool-died",
                "message": "etcd was killed by signal 9",
            },
            "argocd/a policy": {"outcome": "skipped", "code": "no-cluster", "message": "there is no cluster"},
            "argocd/a converge": FAILED,
        }
    )
    outcomes = one.alike("-rA", "--junitxml=junit.xml", "-o", "junit_family=xunit1")
    of_a = [outcome for item, outcome in outcomes.items() if "::argocd/a::" in item]
    assert of_a == ["passed", "error", "skipped", "failed"]
    assert [outcome for item, outcome in outcomes.items() if "::argocd/" not in item] == ["failed"] * 3
    written = ElementTree.parse(one.path / "junit.xml")  # by the run in workers
    properties = {(p.get("name"), p.get("value")) for p in written.iter("property")}
    assert {
        ("gitops_code", "never-healthy"),
        ("gitops_file", "apps/a.yaml"),
        ("gitops_line", "1"),
    } <= properties
    # What was not asked for is no failure, and what could not be checked is one where that is wanted.
    (broken,) = (item for item in outcomes if item.startswith("apps/bad.yaml"))
    skipped = "apps/a.yaml::argocd/a::policy"
    assert one.alike("-k", "argocd and a and policy") == {
        skipped: "skipped",
        skipped.replace("/a::", "/b::"): "passed",
    }
    assert one.alike("--gitops-strict", broken, skipped) == {broken: "failed", skipped: "failed"}


def test_a_collection_error_of_the_users_own_stops_the_run_as_ever(one: Repository) -> None:
    one.write({"test_mine.py": "import nothing_of_this_name\n"})
    result = one.run()
    assert result.ret == 2
    assert ran(result) == {}
    assert one.outcomes() == {}


def command(result: pytest.RunResult) -> list[str]:
    """The words of the command that a failure shows."""
    lines = [line for line in result.outlines if line.startswith("  again")]
    return shlex.split(re.sub(r"^  again +", "", lines[0]))


@pytest.mark.parametrize(
    ("folder", "workers"), [(".", "-n0"), ("apps", "-n0"), ("apps/a b", "-n0"), ("apps/a b", "-n1")]
)
def test_the_command_of_a_failure_works_when_it_is_pasted(
    gitops: Repository, workers: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitops.write({"apps/a b/o'mega.yaml": application("a", "b"), "pytest.ini": "[pytest]\n"})
    verdict(gitops, **FAILED)
    monkeypatch.chdir(gitops.path / folder)
    first = gitops.run(workers, "-k", "converge", "--gitops-timeout", "7", "--gitops-strict")
    words = command(first)
    assert words[:4] == ["pytest", "--gitops", "--gitops-timeout=7", "--gitops-strict"]
    second = gitops.pytester.runpytest_inprocess("-p", "fake_engine", *words[1:])
    assert ran(second) == {"apps/a b/o'mega.yaml::argocd/a::converge": "failed"}


@EITHER
def test_the_command_of_a_failure_works_for_a_repository_elsewhere(gitops: Repository, workers: str) -> None:
    gitops.write({"apps/a.yaml": application("a"), "policies/x.rego": "package x\n"}, into="grid")
    gitops.write({"pytest.ini": "[pytest]\n"})
    (gitops.path / "grid" / "fake-engine.json").write_text('{"abort": {"after": 0, "message": "died"}}')
    arguments = (
        "--gitops-policy",
        "grid/policies",
        "--gitops-report",
        "out",
        "--rootdir",
        "grid",
        "-k",
        "source",
        "grid/apps",
    )
    words = command(gitops.run(workers, *arguments))
    assert words[:2] == ["pytest", "--gitops"]
    assert "--gitops-report" not in words
    second = gitops.pytester.runpytest_inprocess("-p", "fake_engine", *words[1:])
    assert ran(second) == {"apps/a.yaml::argocd/a::source": "error"}
