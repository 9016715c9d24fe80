"""How a run ends: exit codes, reports in every case, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_engine import BOOTING
from plugin_support import ARGS, BOTH, EITHER, Repository, application, ran

from pytest_gitops.processes.process import piped
from pytest_gitops.waiting import wait_until

REPORTS = {"index.html", "review.md", "verification.md", "review.sarif", "report.json", ".gitignore"}


@pytest.fixture
def one(gitops: Repository) -> Repository:
    gitops.write({"apps/a.yaml": application("a")})
    return gitops


def reports(repository: Repository, folder: str = "gitops-report") -> set[str]:
    found = repository.path / folder
    return {p.name for p in found.iterdir()} if found.is_dir() else set()


def test_exit_0_and_every_report(one: Repository) -> None:
    result = one.run()
    assert result.ret == 0
    assert reports(one) == REPORTS
    result.stdout.fnmatch_lines(["reports: gitops-report/index.html*"])


def test_exit_1_when_one_failed(one: Repository) -> None:
    one.script(verdicts={"argocd/a render": {"outcome": "failed", "code": "x", "message": "no"}})
    assert one.run().ret == 1
    assert reports(one) == REPORTS


@BOTH
@pytest.mark.parametrize("quiet", ["-v", "-q", "--no-header", "-p no:terminal"])
def test_exit_3_when_the_engine_cannot_start(one: Repository, workers: str, quiet: str) -> None:
    one.script(prepare={"engine": "etcd ended with exit code 1.\nIts last lines:\nno space left"})
    result = one.run(workers, *quiet.split())
    assert result.ret == 3
    text = result.stderr.str() + result.stdout.str()
    said = "gitops: etcd ended with exit code 1.\nIts last lines:\nno space left\nreports: gitops-report/"
    assert text.count(said) == 1
    assert "Traceback" not in text
    assert reports(one) == REPORTS
    assert one.report()["run"]["error"].startswith("etcd ended")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gitops-cluster", "moon"], "--gitops-cluster: expected one of embedded, kind, kubeconfig, none; saw 'moon'"),
        (["--gitops-context", "dev"], "--gitops-context: expected it beside --gitops-cluster kubeconfig, saw embedded"),
        (["--gitops-cluster", "kubeconfig"], "--gitops-cluster kubeconfig: expected --gitops-context with a context that *"),
        (["--gitops-stages", "soure"], "--gitops-stages: expected stages of *; saw 'soure'"),
        (["--gitops-timeout", "-1"], "--gitops-timeout: expected a number of seconds above 0, saw '-1'"),
        (["--gitops-timeout", "nan"], "--gitops-timeout: expected a number of seconds above 0, saw 'nan'"),
        (["--gitops-network", "off"], "--gitops-network: expected one of deny, allow; saw 'off'"),
        (["--gitops-policy", "none"], "--gitops-policy: expected a folder with Rego files*"),
        (["-o", "gitops_timeout=soon"], "gitops_timeout: expected a number of seconds above 0, saw 'soon'"),
    ],
)  # fmt: skip
def test_exit_4_and_one_line_for_a_bad_option(one: Repository, arguments: list[str], said: str) -> None:
    result = one.run("-n2", *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: gitops: {said}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert reports(one) == set()


def test_exit_4_with_file_and_line_for_a_bad_configuration(one: Repository) -> None:
    one.write({"pytest-gitops.yaml": "version: 1\ntimeuot: 5\n"})
    result = one.run("-n2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: gitops: pytest-gitops.yaml:2: unknown key 'timeuot'; known here: *"])


@BOTH
def test_exit_4_when_the_engine_finds_the_configuration_wrong(one: Repository, workers: str) -> None:
    one.script(prepare={"config": "charts: no such folder"})
    result = one.run(workers)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: gitops: pytest-gitops.yaml:1: charts: no such folder"])


def test_a_path_that_does_not_exist_is_said_before_anything_is_started(one: Repository) -> None:
    one.script(prepare={"engine": "the engine must not be started"})
    result = one.run("apps/b.yaml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: file or directory not found: apps/b.yaml"])


def test_outside_a_git_repository_is_exit_4(pytester: pytest.Pytester, gitops: Repository) -> None:
    result = gitops.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: gitops: *expected a git repository, saw a folder that is in none*"])


@EITHER
def test_exit_5_and_loud_words_when_there_is_no_application(gitops: Repository, workers: str) -> None:
    gitops.write({"README.md": "nothing\n"})
    result = gitops.run(workers)
    assert result.ret == 5
    assert "found no Application in" in result.stdout.str()
    assert reports(gitops) == REPORTS


def test_a_folder_without_applications_is_said_too(one: Repository) -> None:
    one.write({"docs/x.md": "", "docs/test_mine.py": "def test_one(): pass\n"})
    result = one.run("docs")
    assert result.ret == 0
    assert "found no Application in docs; the repository has 1 elsewhere" in " ".join(
        result.stdout.str().split()
    )


@EITHER
def test_what_is_deselected_was_found(one: Repository, workers: str) -> None:
    result = one.run(workers, "-k", "nothing_of_this_name")
    assert result.ret == 5
    assert "found no Application" not in result.stdout.str()


@EITHER
def test_ini_options_are_read(one: Repository, workers: str) -> None:
    one.write({"pytest.ini": "[pytest]\ngitops_stages = source\ngitops_report = out\ngitops_timeout = 5\n"})
    assert set(ran(one.run(workers))) == {"apps/a.yaml::argocd/a::source"}
    assert reports(one, "out") == REPORTS


@pytest.mark.parametrize(
    "arguments", [["-q"], ["-qq"], ["-v"], ["-vv"], ["--no-header"], ["--no-summary"], ["-s"]]
)
def test_any_verbosity_judges_and_reports(one: Repository, arguments: list[str]) -> None:
    result = one.run(*arguments)
    assert result.ret == 0
    assert set(ran(result).values()) == {"passed"}
    assert reports(one) == REPORTS


@pytest.mark.parametrize(
    "arguments", [["-p", "no:terminal"], ["-p", "no:cacheprovider"], ["-p", "no:junitxml"]]
)
def test_works_without_plugins_of_pytest(one: Repository, arguments: list[str]) -> None:
    assert one.run(*arguments).ret == 0
    assert set(one.outcomes().values()) == {"passed"}


def test_works_in_workers_without_plugins_of_pytest(one: Repository) -> None:
    assert one.run("-n1", *["-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:junitxml"]).ret == 0
    assert set(one.outcomes().values()) == {"passed"}
    assert reports(one) == REPORTS


def test_works_without_xdist(one: Repository) -> None:
    result = one.run("-p", "no:xdist")
    assert ran(result).keys() == {
        f"apps/a.yaml::argocd/a::{s}" for s in ("source", "render", "policy", "converge")
    }


@pytest.mark.parametrize("way", ["loadgroup", "loadfile", "loadscope", "worksteal", "each"])
def test_every_way_of_distributing_works(one: Repository, way: str) -> None:
    one.write(
        {"conftest.py": "import pytest\ndef pytest_collection_modifyitems(items):\n"
         "    for item in items: item.add_marker(pytest.mark.xdist_group('all'))\n"}
    )  # fmt: skip
    one.script(verdicts={"argocd/a policy": {"outcome": "failed", "code": "x", "message": "no"}})
    arguments = ["--dist", way, "-n2"] if way != "each" else ["--dist", "each", "--tx", "2*popen"]
    result = one.run(*arguments)
    assert result.ret == 1
    assert one.outcomes() == {
        "argocd/a source": "passed",
        "argocd/a render": "passed",
        "argocd/a policy": "failed",
        "argocd/a converge": "passed",
    }
    assert "again    pytest --gitops apps/a.yaml::argocd/a::policy" in [x.strip() for x in result.outlines]
    assert reports(one) == REPORTS


def test_the_reports_do_not_depend_on_how_many_workers_there_are(one: Repository) -> None:
    one.write({"apps/b.yaml": application("b", "c"), "apps/bad.yaml": "kind: Application\n  x: [\n"})
    one.script(
        verdicts={
            "argocd/b render": {"outcome": "failed", "code": "x", "message": "no"},
            "argocd/c policy": {"outcome": "skipped", "code": "y", "message": "not"},
        }
    )

    def told() -> tuple[Any, str]:
        found = one.report()
        assert found["run"].pop("command")
        return found, (one.path / "gitops-report" / "review.md").read_text().split("pytest ")[0]

    one.run("-n0")
    alone = told()
    one.run("-n2")
    assert told() == alone


def test_a_crashed_worker_loses_no_application(one: Repository) -> None:
    names = [f"app-{n}" for n in range(6)]
    one.write(
        {"apps/many.yaml": application(*names), "test_mine.py": "import os\ndef test_crash(): os._exit(1)\n"}
    )
    one.script(delay=0.01)
    result = one.run_apart("-n2")
    assert result.ret == 1
    assert set(one.outcomes()) == {
        f"argocd/{n} {s}" for n in (*names, "a") for s in ("source", "render", "policy", "converge")
    }
    assert set(one.outcomes().values()) == {"passed"}
    result.stdout.fnmatch_lines(["*1 failed, 28 passed*"])


def test_the_report_folder_keeps_itself_out_of_git(one: Repository) -> None:
    one.run()
    assert (one.path / "gitops-report" / ".gitignore").read_text().splitlines()[-1] == "*"


def test_a_report_folder_with_other_files_is_not_hidden_from_git(one: Repository) -> None:
    one.write({"docs/mine.md": "mine\n"})
    one.run("--gitops-report", "docs")
    assert reports(one, "docs") == (REPORTS - {".gitignore"}) | {"mine.md"}


@EITHER
def test_reports_that_cannot_be_written_are_exit_3(one: Repository, workers: str) -> None:
    one.write({"taken": "a file\n"})
    result = one.run(workers, "--gitops-report", "taken/reports")
    assert result.ret == 3
    assert "the reports cannot be written to" in result.stdout.str()
    assert "INTERNALERROR" not in result.stdout.str()


def test_what_is_kept_is_said(one: Repository) -> None:
    one.run("--gitops-keep").stdout.fnmatch_lines(["*export KUBECONFIG=/run/fake/kubeconfig"])


# ---------------------------------------------------------------------- signals


def until_begun(
    repository: Repository, number: int, *args: str, ready: str = "", there: str = ""
) -> tuple[int, str]:
    """Start a run, send it a signal when its output has `ready` and the file `there` is; its exit code and all that it
    said."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    log = repository.path / ".git" / "log.txt"
    argv = [sys.executable, "-m", "pytest", "--gitops", *ARGS, *args]
    code = (
        "import os, subprocess, sys\n"
        "out = open(sys.argv[1], 'wb')\n"
        "os.dup2(out.fileno(), 1); os.dup2(out.fileno(), 2)\n"
        "os.execv(sys.argv[2], sys.argv[2:])\n"
    )
    with piped(sys.executable, "-c", code, log, *argv, env=environ) as child:
        wait_until(
            lambda: (
                log.exists()
                and re.search(ready, log.read_text(errors="replace"))
                and (repository.path / there).exists()
            ),
            limit=30,
            what=f"{ready or 'anything'} in the output, and {there or 'the repository'}",
            seen=lambda: log.read_text(errors="replace") if log.exists() else "no output",
        )
        os.kill(child.pid, number)
        child.wait(30)
        return child.returncode, log.read_text(errors="replace")


def living(folder: Path) -> list[str]:
    """The processes that were started in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").resolve() == folder and int(entry.name) != os.getpid():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


@BOTH
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_in_mid_run_leaves_reports_and_no_process(
    one: Repository, workers: str, number: signal.Signals
) -> None:
    one.write({"apps/b.yaml": application(*(f"b{n}" for n in range(20)))})
    one.script(delay=0.3)
    ready = r"apps/a\.yaml \.\." if workers == "-n0" else r"\n\.\."
    status, said = until_begun(one, number, workers, ready=ready)
    assert status == 2, said
    assert reports(one) == REPORTS
    outcomes = one.outcomes()
    assert outcomes["argocd/a source"] == "passed"
    assert outcomes["argocd/b19 converge"] == "error"
    assert "reports: gitops-report/index.html" in said
    wait_until(lambda: not living(one.path), limit=10, what="no process", seen=lambda: str(living(one.path)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_the_engine_starts_leaves_reports_too(
    one: Repository, number: signal.Signals
) -> None:
    one.script(boot=30)
    status, said = until_begun(one, number, there=BOOTING)
    assert status == 2, said
    assert reports(one) == REPORTS
    assert json.loads((one.path / "gitops-report" / "report.json").read_text())["applications"] == []
