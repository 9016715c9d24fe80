"""`--gitops-shard`: every item runs in exactly one shard, lots stay together, and the shards' reports merge into one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from plugin_support import BOTH, EITHER, STAGES, Repository, application, ran

from pytest_gitops.commands import cli
from pytest_gitops.report import schema

NAMES = ("alpha", "beta", "gamma", "delta", "omega")

RBAC = """\
stages: [source, policy]
rbac:
  - {subject: alice, action: sync, resource: applications, expect: allow}
"""


@pytest.fixture
def five(gitops: Repository) -> Repository:
    gitops.write({f"apps/{name}.yaml": application(name) for name in NAMES})
    return gitops


def shard(
    repository: Repository, number: int, total: int, *args: str
) -> tuple[pytest.RunResult, dict[str, Any]]:
    folder = f"shards/{number}"
    result = repository.run("--gitops-shard", f"{number}/{total}", "--gitops-report", folder, *args)
    report = repository.report(folder)
    schema.validate(report)
    return result, report


def merge(repository: Repository, *numbers: int) -> int:
    folders = [str(repository.path / f"shards/{n}") for n in numbers]
    return cli.main(["report", "merge", *folders, "--output", str(repository.path / "gitops-report")])


@BOTH
def test_every_item_runs_in_one_shard_and_lots_stay_together(five: Repository, workers: str) -> None:
    five.script(lots={"argocd/alpha": "x", "argocd/omega": "x"})
    ids: list[str] = []
    where: dict[str, int] = {}
    for number in (1, 2):
        result, report = shard(five, number, 2, workers)
        assert result.ret == 0
        ids += ran(result)
        where |= {a["name"]: number for a in report["applications"]}
        assert report["run"]["shard"]["index"] == number
        assert report["run"]["shard"]["ofLots"] == 4
        assert report["run"]["shard"]["selected"] == len(report["applications"]) * len(STAGES)
    assert len(ids) == len(set(ids)) == len(NAMES) * len(STAGES)
    assert where["alpha"] == where["omega"]
    assert merge(five, 1, 2) == 0
    assert set(five.outcomes()) == {f"argocd/{n} {s}" for n in NAMES for s in STAGES}


def test_the_others_are_deselected_and_it_is_said(five: Repository) -> None:
    result, report = shard(five, 2, 4)
    here = [a["name"] for a in report["applications"]]
    result.assert_outcomes(passed=len(here) * len(STAGES), deselected=(len(NAMES) - len(here)) * len(STAGES))
    result.stdout.fnmatch_lines([
        "gitops: embedded cluster, *, shard 2/4; ready in *",
        f"gitops: shard 2/4: {len(here)} of 5 Applications, {len(here)} of 5 lots",
        f"shard 2 of 4: {len(here)} of 5 Applications; the others are in the other shards' reports",
    ])  # fmt: skip


@BOTH
def test_an_empty_shard_is_a_good_one_and_counts(two: Repository, workers: str) -> None:
    for number in range(1, 5):
        result, report = shard(two, number, 4, workers if number == 4 else "-n0")
        assert result.ret == 0
    assert ran(result) == {} and report["applications"] == []
    result.stdout.fnmatch_lines(["shard 4 of 4: none of 3 Applications; *"])
    result.stdout.no_fnmatch_line("*found no Application*")
    assert merge(two, 1, 2, 3) == 1
    assert merge(two, 1, 2, 3, 4) == 0


def test_one_failure_fails_its_shard_and_the_whole(five: Repository) -> None:
    five.script(
        verdicts={"argocd/gamma converge": {"outcome": "failed", "code": "degraded", "message": "no"}}
    )
    found = {}
    for number in (1, 2, 3):
        result, report = shard(five, number, 3)
        found[number] = (int(result.ret), report["run"]["shard"]["failed"])
    assert sorted(found.values()) == [(0, 0), (0, 0), (1, 1)]
    assert merge(five, 1, 2, 3) == 1
    assert five.outcomes()["argocd/gamma converge"] == "failed"


@EITHER
def test_what_is_no_application_is_the_first_shards(gitops: Repository, workers: str) -> None:
    gitops.write(
        {
            "apps/alpha.yaml": application("alpha"),
            "apps/broken.yaml": "kind: Application\napiVersion: argoproj.io/v1alpha1\nspec: [1\n",
            "pytest-gitops.yaml": RBAC,
        }
    )
    gitops.script(rbac={"3": {"rule": "rbac-expectation", "severity": "error", "message": "no"}})
    first, second = shard(gitops, 1, 2, workers), shard(gitops, 2, 2, workers)
    apart = [i for i in ran(first[0]) if "::argocd/" not in i]
    assert sorted(re.sub(r":\d+.*", "", i.rpartition("::")[2]) for i in apart) == ["rbac", "yaml-invalid"]
    assert [i for i in ran(second[0]) if "::argocd/" not in i] == []
    assert (first[0].ret, second[0].ret) == (1, 0)
    assert first[1]["run"]["shard"]["failed"] == 2
    assert merge(gitops, 1, 2) == 1
    assert {f["rule"] for f in gitops.report()["findings"]} == {"yaml-invalid", "rbac-expectation"}


def test_strict_fails_a_skip_and_so_does_the_whole(five: Repository) -> None:
    five.script(
        verdicts={"argocd/beta converge": {"outcome": "skipped", "code": "no-cluster", "message": "no"}}
    )
    for number in (1, 2):
        shard(five, number, 2)
    assert merge(five, 1, 2) == 0
    rets = [int(shard(five, number, 2, "--gitops-strict")[0].ret) for number in (1, 2)]
    assert sorted(rets) == [0, 1]
    assert merge(five, 1, 2) == 1


@pytest.mark.parametrize(
    "selection",
    [
        ("-n1", "-k", "not beta"),
        ("-k", "not beta"),
        ("-m", "gitops_source"),
        ("--deselect", "apps/beta.yaml"),
    ],
)
def test_a_shard_with_a_selection_of_the_users_is_no_whole_shard(
    five: Repository, selection: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        shard(five, number, 2, *selection)
    assert merge(five, 1, 2) == 1
    assert "items of the shard, saw" in capsys.readouterr().err


def test_a_shard_whose_every_item_the_user_deselects_stays_exit_5(five: Repository) -> None:
    assert shard(five, 1, 2, "-k", "nothing")[0].ret == 5


def test_paths_say_what_is_split(five: Repository) -> None:
    five.write({"examples/a.yaml": application("example")})
    for number in (1, 2):
        report = shard(five, number, 2, "apps")[1]
        assert report["run"]["shard"]["of"] == 5
    assert merge(five, 1, 2) == 0
    assert {a["name"] for a in five.report()["applications"]} == set(NAMES)


def test_shards_of_different_paths_are_not_one_run(
    five: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    five.write({"examples/a.yaml": application("example")})
    shard(five, 1, 2, "apps")
    shard(five, 2, 2)
    assert merge(five, 1, 2) == 1
    assert "expected split sha256:" in capsys.readouterr().err


def test_the_split_goes_by_the_durations_of_a_report(five: Repository) -> None:
    five.script(verdicts={"argocd/delta converge": {"duration": 90.0}})
    five.run()
    given = ("--gitops-durations", "gitops-report/report.json")
    alone = {a["name"] for a in shard(five, 1, 2, *given)[1]["applications"]}
    assert alone == {"delta"}
    assert shard(five, 2, 2, *given)[1]["run"]["shard"]["applications"] == 4
    # The first run of all has no report yet: then evenly.
    assert shard(five, 1, 2, "--gitops-durations", "none/report.json")[1]["run"]["shard"]["applications"] == 3


@pytest.mark.parametrize("text", ["{", '{"applications": 1}', "[]", '"words"'])
def test_durations_that_are_no_report_are_a_usage_error(five: Repository, text: str) -> None:
    (five.path / "report.json").write_text(text)
    result = five.run("--gitops-shard", "1/2", "--gitops-durations", "report.json")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--gitops-durations: *report.json: expected *"])


@pytest.mark.parametrize("value", ["0/4", "5/4", "2", "auto"])
def test_a_wrong_shard_is_a_usage_error(
    five: Repository, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    for name in ("CI_NODE_INDEX", "CIRCLE_NODE_INDEX", "BUILDKITE_PARALLEL_JOB", "BITBUCKET_PARALLEL_STEP"):
        monkeypatch.delenv(name, raising=False)
    result = five.run("--gitops-shard", value)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*gitops: --gitops-shard: *expected *saw *"])


def test_ci_variables_alone_make_no_part_of_a_run(five: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_NODE_INDEX", "2")
    monkeypatch.setenv("CI_NODE_TOTAL", "4")
    assert len(ran(five.run())) == len(NAMES) * len(STAGES)
    assert five.report()["run"]["shard"] is None
    five.run("--gitops-shard", "auto")
    assert five.report()["run"]["shard"]["index"] == 2
    monkeypatch.setenv("PYTEST_GITOPS_SHARD", "auto")
    five.run()
    assert five.report()["run"]["shard"]["index"] == 2
    five.run("-o", "gitops_shard=3/4")
    assert five.report()["run"]["shard"]["index"] == 3


def test_the_command_that_shows_an_item_again_is_of_no_shard(
    five: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    five.script(verdicts={"argocd/alpha source": {"outcome": "failed", "code": "x", "message": "no"}})
    monkeypatch.setenv("PYTEST_GITOPS_SHARD", "2/2")
    result, report = shard(five, 1, 2, "--gitops-durations=x.json", "-o", "gitops_shard=2/2")
    again = next(line for line in result.outlines if line.startswith("  again"))
    assert "apps/alpha.yaml::argocd/alpha::source" in again
    assert "2/2" not in again and "durations" not in again
    assert again.count("--gitops-shard") == again.count("--gitops-shard=1/1") == 1
    assert "--gitops-shard" not in report["run"]["command"] and "durations" not in report["run"]["command"]


def test_listing_says_that_it_does_not_split(five: Repository) -> None:
    result = five.run("--collect-only", "--gitops-shard", "2/4")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["gitops: *; nothing is started, and nothing split: what stays together only a render tells"]
    )
    assert len([line for line in result.outlines if "<Stage" in line]) == len(NAMES) * len(STAGES)


def test_an_engine_that_dies_in_one_shard_is_an_error_of_the_whole(five: Repository) -> None:
    shard(five, 1, 2)
    five.script(abort={"after": 1, "message": "etcd ended"})
    result, report = shard(five, 2, 2)
    assert result.ret == 1 and report["run"]["error"]
    assert merge(five, 1, 2) == 1
    assert five.report()["run"]["error"] == "shard 2: etcd ended"


def test_shards_that_saw_different_repositories_are_told_apart(
    five: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    shard(five, 1, 2)
    five.write({"apps/late.yaml": application("late")})
    shard(five, 2, 2)
    assert merge(five, 1, 2) == 1
    assert json.dumps(capsys.readouterr().err).count("expected split") == 1


def test_a_worker_that_crashes_fails_the_whole_whatever_it_was_at(five: Repository) -> None:
    five.write({"test_mine.py": "import os\ndef test_crash(): os._exit(1)\n"})
    result = five.run_apart("-n2", "--gitops-shard", "1/1", "--gitops-report", "shards/1")
    assert result.ret == 1
    assert five.report("shards/1")["run"]["shard"]["failed"] == 1
    assert merge(five, 1) == 1
    assert set(five.outcomes().values()) == {"passed"}


@BOTH
def test_a_test_of_the_users_own_that_fails_fails_the_whole(
    five: Repository, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    five.write({"test_mine.py": "def test_mine(): assert False\n"})
    result, report = shard(five, 1, 1, workers)
    assert result.ret == 1
    assert (report["run"]["shard"]["exitStatus"], report["run"]["shard"]["failed"]) == (1, 1)
    capsys.readouterr()
    assert merge(five, 1) == 1
    assert set(five.outcomes().values()) == {"passed"}
    said = capsys.readouterr().out
    assert "merged from 1 shard, which took 1.0 s (1.0 s in all); failed: shard 1 (exit status 1)" in said


def test_a_shard_that_was_interrupted_fails_the_whole_whatever_it_had_answered(five: Repository) -> None:
    five.write({"test_mine.py": "import pytest\ndef test_mine(): pytest.exit('over', returncode=2)\n"})
    result, report = shard(five, 1, 1)
    assert result.ret == 2
    assert set(five.outcomes("shards/1").values()) == {"passed"}
    assert (report["run"]["shard"]["exitStatus"], report["run"]["shard"]["failed"]) == (2, 0)
    assert merge(five, 1) == 1


def test_shards_that_found_no_application_are_no_good_run(gitops: Repository) -> None:
    gitops.write({"README.md": "nothing\n"})
    for number in (1, 2):
        assert shard(gitops, number, 2)[0].ret == 5
    assert merge(gitops, 1, 2) == 1
