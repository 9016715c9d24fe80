"""However and wherever a run ends: no process and no file of it is left, and the reports are written if they can be."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from runs import command, commit, environment, gitops, write

from pytest_gitops.processes.process import piped, run
from pytest_gitops.processes.warden import MARK, SHARED_MEMORY, marked
from pytest_gitops.settings.settings import default_cache
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

URL = "https://git.example.com/waits.git"

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: {url}, path: {name}, targetRevision: {revision}}}
  destination: {{server: https://kubernetes.default.svc, namespace: default}}
  syncPolicy: {{automated: {{}}}}
"""

# No node can take it: converge goes on until something ends it.
NEVER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: waits}
spec:
  selector: {matchLabels: {app: waits}}
  template:
    metadata: {labels: {app: waits}}
    spec:
      nodeSelector: {no-such: node}
      containers: [{name: main, image: "registry.example.com/main:1.0.0"}]
"""

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"

CONFIG = f"version: 1\nrepository: {{urls: [{URL}]}}\n"

REPORTS = {"index.html", "review.md", "verification.md", "review.sarif", "report.json", ".gitignore"}

LITTLE = ("--gitops-cluster=none", "--gitops-stages=source,render")
"""What a run is given that has only to begin and to end."""

UNASKED = ("--gitops-stages=source,render,policy,converge,idempotent,self-heal,prune",)
"""All stages but `admit`, which has an API server of its own."""

BEGIN_SECONDS = 120.0
END_SECONDS = 60.0

BOOTING = ("kube-apiserver", "")
JUDGING = ("argocd", "argocd-application-controller")

SCENARIO = """\
scenarios:
- name: it comes up
  application: waits
  steps:
  - wait:
"""


@pytest.fixture
def repository(toolbox: dict[str, Path], tmp_path: Path) -> Path:
    files = {
        "pytest-gitops.yaml": CONFIG,
        "apps/waits.yaml": APPLICATION.format(name="waits", url=URL, revision="main"),
        "waits/deployment.yaml": NEVER,
    }
    (tmp_path / "tmp").mkdir()
    return commit(write(tmp_path / "repository", files))


def run_directory(tmp: Path) -> Path | None:
    """The private directory of the run whose TMPDIR is `tmp`."""
    return next(iter(sorted(tmp.glob("pytest-gitops-*"))), None)


def runs(tmp: Path, program: str, role: str, *, many: int = 1) -> bool:
    """Whether as many processes of that run run `program`, as `role`."""
    directory = run_directory(tmp)
    if directory is None:
        return False
    found = 0
    for pid in marked(directory.name.removeprefix("pytest-gitops-"), directory):
        try:
            named = Path(f"/proc/{pid}/exe").readlink().name == program
            found += named and (
                not role or f"ARGOCD_BINARY_NAME={role}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
            )
        except OSError:
            continue
    return found >= many


@contextmanager
def running(
    folder: Path, tmp: Path, *args: str, until: tuple[str, str], many: int = 1
) -> Iterator[tuple[Popen[bytes], Path]]:
    """A run that has come so far that a program of it runs, and the file of all it says."""
    log = tmp.parent / "log.txt"
    code = (
        "import os, sys\nout = open(sys.argv[1], 'wb')\nos.dup2(out.fileno(), 1); os.dup2(out.fileno(), 2)\n"
        "os.chdir(sys.argv[2])\nos.execv(sys.argv[3], sys.argv[3:])\n"
    )
    env = environment(TMPDIR=str(tmp), PYTHONUNBUFFERED="1")
    with piped(sys.executable, "-c", code, log, folder, *command(*args), env=env) as child:
        wait_until(
            lambda: runs(tmp, *until, many=many) or child.poll() is not None,
            limit=BEGIN_SECONDS,
            what=f"{' '.join(until)} runs",
            seen=lambda: log.read_text(errors="replace") if log.exists() else "no output",
        )
        assert child.poll() is None, log.read_text(errors="replace")
        yield child, log


def works_alone() -> bool:
    """Whether no application-controller works on this machine."""
    return not any(
        b"ARGOCD_BINARY_NAME=argocd-application-controller" in content(entry / "environ")
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
    )


def content(file: Path) -> bytes:
    """What a file says, nothing if it is gone."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def leftovers(folder: Path, tmp: Path, run_id: str, memory: set[str]) -> dict[str, list[str]]:
    """What is left of a run: processes by its mark or their folder, files in TMPDIR and shared memory."""
    processes = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            inside = (entry / "cwd").readlink().is_relative_to(folder.parent)
            if inside or f"{MARK}={run_id}".encode() in (entry / "environ").read_bytes():
                processes.append(
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
        except OSError:
            continue
    files = [p.name for p in tmp.iterdir() if not p.name.startswith("pytest-of-")]  # xdist's own
    new = [p for p in SHARED_MEMORY.iterdir() if p.name not in memory]
    # Another run writes there too: where one works, only what names this run's directory is told to be of this one.
    shared = [p.name for p in new if works_alone() or run_id.encode() in content(p)]
    return {k: v for k, v in {"processes": processes, "files": files, "shared memory": shared}.items() if v}


def end(
    repository: Path, tmp: Path, number: signal.Signals, *args: str, until: tuple[str, str], many: int = 1
) -> tuple[int, str]:
    """Send a signal to a run that has come so far that `many` of a program run; its exit code and output. Nothing of it
    may be left."""
    memory = {p.name for p in SHARED_MEMORY.iterdir()}
    status = run("git", "status", "--porcelain", "--ignored", cwd=repository).stdout
    with running(repository, tmp, *args, until=until, many=many) as (child, log):
        directory = run_directory(tmp)
        assert directory is not None
        run_id = directory.name.removeprefix("pytest-gitops-")
        os.kill(child.pid, number)
        child.wait(END_SECONDS)
        wait_until(
            lambda: not leftovers(repository, tmp, run_id, memory),
            limit=END_SECONDS,
            what="nothing is left",
            seen=lambda: str(leftovers(repository, tmp, run_id, memory)),
        )
        after = run("git", "status", "--porcelain", "--ignored", cwd=repository).stdout
        assert set(after.splitlines()) - set(status.splitlines()) <= {"!! gitops-report/"}
        return child.returncode, log.read_text(errors="replace")


def report(repository: Path) -> dict[str, Any]:
    folder = repository / "gitops-report"
    assert {p.name for p in folder.iterdir()} == REPORTS
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return found


# What a signal sets off is the same for each: tests/plugin/test_plugin_ends.py has both at both moments.
def test_an_interruption_in_mid_run_leaves_reports_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    """In the middle of `converge`, and in the middle of a scenario, which has a controller of its own."""
    commit(write(repository, {"waits.gitops-test.yaml": SCENARIO}))
    status, said = end(repository, tmp_path / "tmp", signal.SIGINT, *UNASKED, until=JUDGING, many=2)
    assert status == 2, said
    assert "Traceback" not in said
    found = [(s["name"], s["outcome"], s["code"]) for s in report(repository)["scenarios"]]
    assert found == [("it comes up", "error", "interrupted")]
    stages = {s["stage"]: s["outcome"] for s in report(repository)["applications"][0]["stages"]}
    assert stages == {
        "source": "passed", "render": "passed", "policy": "passed", "converge": "error", "idempotent": "error",
        "prune": "error",
        "self-heal": "error",
    }  # fmt: skip


def test_a_termination_while_everything_starts_does_so_too(repository: Path, tmp_path: Path) -> None:
    """All of it, with the API server that is only asked."""
    status, said = end(repository, tmp_path / "tmp", signal.SIGTERM, until=BOOTING)
    assert status == 2, said
    assert "Traceback" not in said
    assert report(repository)["applications"] == []


@pytest.mark.parametrize(("until", "workers"), [(BOOTING, "-n0"), (JUDGING, "-n2")])
def test_a_killed_run_leaves_nothing(
    repository: Path, tmp_path: Path, until: tuple[str, str], workers: str
) -> None:
    asked = UNASKED if workers == "-n2" else ()
    status, _ = end(repository, tmp_path / "tmp", signal.SIGKILL, workers, *asked, until=until)
    assert status == -signal.SIGKILL


# ---------------------------------------------------------------------- odd places


def test_a_run_needs_nothing_of_its_surroundings(
    toolbox: dict[str, Path], tmp_path: Path, make_repository: Callable[..., Path]
) -> None:
    """Two at once, on one shallow clone, in a hook, without a home, with a TMPDIR longer than any socket's name; one has a
    cluster, and so ends last."""
    origin = make_repository(
        {
            "pytest-gitops.yaml": CONFIG,
            "apps/settings.yaml": APPLICATION.format(name="settings", url=URL, revision="main"),
            "apps/gone.yaml": APPLICATION.format(name="gone", url=URL, revision="v1.0.0"),
            "settings/settings.yaml": CONFIG_MAP,
        },
        name="origin",
    )
    commit(write(origin, {"later.txt": ""}))
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", "--depth=1", f"file://{origin}", clone)
    long = tmp_path / "/".join(["long-" * 10] * 3)
    long.mkdir(parents=True)
    other = make_repository({"readme.md": "another\n"}, name="other")
    hook = {
        "GIT_DIR": str(other / ".git"),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_WORK_TREE": str(other),
        "GIT_PREFIX": "",
    }
    cache = default_cache(os.environ)
    env = {**hook, "TMPDIR": str(long), "TERM": "dumb", "LC_ALL": "C", "PYTHONIOENCODING": "ascii:replace",
           "PYTEST_GITOPS_CACHE": str(cache), "HOME": ""}  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        words = (("--gitops-stages=source,render,converge",), LITTLE)
        first, second = pool.map(lambda asked: gitops(clone, *asked, environ=env), words)
    for each in (first, second):
        assert each.status == 1, each.output
        assert "Traceback" not in each.output
        assert "\x1b" not in each.output
        assert (
            "1 failed, 1 passed in" in each.output.replace("\n", " ")
            or "2 Applications: 1 failed, 1 passed" in each.output
        )
        assert "fetch-depth: 0" in each.output
    assert first.stage("argocd/settings", "converge")["outcome"] == "passed"
    gone = first.stage("argocd/gone", "source")
    assert (gone["code"], "shallow" in gone["message"]) == ("missing-revision", True)
    assert list(long.iterdir()) == []
    assert run("git", "status", "--porcelain", cwd=other).stdout == ""


def test_a_tmpdir_that_does_not_exist_is_no_end(toolbox: dict[str, Path], repository: Path) -> None:
    run = gitops(repository, *LITTLE, environ={"TMPDIR": str(repository / "missing" / "folder")})
    assert run.status == 0, run.output


def test_a_report_folder_that_cannot_be_written_is_said(toolbox: dict[str, Path], repository: Path) -> None:
    run = gitops(repository, *LITTLE, "--gitops-report=/proc/gitops-report")
    assert run.status == 3, run.output
    assert "the reports cannot be written to /proc/gitops-report" in run.output
    assert "Traceback" not in run.output


def test_an_empty_repository_is_said_loudly(toolbox: dict[str, Path], tmp_path: Path) -> None:
    run = gitops(commit(write(tmp_path / "empty", {})), *LITTLE)
    assert run.status == 5, run.output
    assert f"found no Application in {tmp_path / 'empty'}" in run.output.replace("\n    ", " ")


def test_a_folder_without_git_is_a_usage_error(toolbox: dict[str, Path], tmp_path: Path) -> None:
    folder = write(
        tmp_path / "plain", {"apps/a.yaml": APPLICATION.format(name="a", url=URL, revision="main")}
    )
    run = gitops(folder)
    assert run.status == 4, run.output
    assert "expected a git repository, saw a folder that is in none" in run.output
    assert "Traceback" not in run.output
