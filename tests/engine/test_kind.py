"""The cluster of kind, on a real container engine: the grid is green, its crash-looping twin is red, nothing is left.

`make test-kind` starts and builds what it takes; elsewhere this is skipped where that is not there.
"""

from __future__ import annotations

import re
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import CRASH, NODE, WEB, clusters_of_kind, need_kind
from runs import ROOT, Outcome, command, commit, environment, gitops, write

from pytest_gitops.clusters.kind import PREFIX
from pytest_gitops.process import piped
from pytest_gitops.settings import default_cache
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

OURS = ("--gitops-cluster", "kind", "--gitops-timeout", "45")

KIND = f"kind: {{node-image: '{NODE}', images: ['{WEB}', '{CRASH}']}}\n"


@pytest.fixture(autouse=True, scope="module")
def engine() -> Iterator[None]:
    need_kind()
    yield
    assert not [c for c in clusters_of_kind() if c.startswith(PREFIX)]
    assert not list((default_cache(environment()) / "kind-clusters").iterdir())


def reduced(folder: Path) -> Path:
    """fixtures/omega-grid with the images that are here, and without the databases and their passwords."""
    grid = shutil.copytree(ROOT / "fixtures" / "omega-grid", folder)
    (grid / "kubernetes" / "omega.gitops-test.yaml").unlink()
    config = (grid / "pytest-gitops.yaml").read_text("utf-8")
    for chart in (grid / "kubernetes" / "helm").iterdir():
        (chart / "Chart.lock").unlink()
        about = chart / "Chart.yaml"
        about.write_text(about.read_text("utf-8").partition("dependencies:")[0], "utf-8")
        deployment = chart / "templates" / "deployment.yaml"
        without = re.sub(r" +env:\n.*?(?= +ports:)", "", deployment.read_text("utf-8"), flags=re.DOTALL)
        deployment.write_text(without, "utf-8")
        values = chart / "values.yaml"
        text = re.sub(
            r"repository: registry\S+", f"repository: {WEB.partition(':')[0]}", values.read_text("utf-8")
        )
        values.write_text(re.sub(r"tag: \S+", "tag: '1'", text), "utf-8")
        for file in chart.glob("values*.yaml"):
            # One node of a small machine.
            file.write_text(re.sub(r"cpu: \S+", "cpu: 20m", file.read_text("utf-8")), "utf-8")
    return write(grid, {"pytest-gitops.yaml": config + KIND})


def crashing(grid: Path) -> Path:
    """The same, with an image in btc-oracle that ends with exit code 7."""
    values = grid / "kubernetes" / "helm" / "btc-oracle" / "values.yaml"
    text = values.read_text("utf-8").replace(WEB.partition(":")[0], CRASH.partition(":")[0])
    values.write_text(text, "utf-8")
    return grid


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return gitops(commit(reduced(tmp_path_factory.mktemp("green") / "grid")), *OURS)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = crashing(reduced(tmp_path_factory.mktemp("red") / "grid"))
    return gitops(commit(folder), *OURS, "--gitops-stages", "converge")


def test_the_grid_is_green_with_its_containers_running(grid: Outcome) -> None:
    assert grid.status == 0, grid.output
    assert {a["outcome"] for a in grid.applications.values()} == {"passed"}, grid.output


def test_the_report_says_where_containers_ran_and_what_was_pretended_elsewhere(grid: Outcome) -> None:
    assert grid.report is not None
    cluster = grid.report["run"]["cluster"]
    assert cluster["provider"] == "kind"
    assert cluster["simulated"][0].startswith("Containers really run on the kind cluster")


def test_the_same_is_green_on_the_embedded_cluster(tmp_path: Path, grid: Outcome) -> None:
    embedded = gitops(commit(reduced(tmp_path / "grid")), "--gitops-timeout", "60")

    def verdicts(outcome: Outcome) -> dict[str, dict[str, str]]:
        return {
            key: {s["stage"]: s["outcome"] for s in a["stages"]} for key, a in outcome.applications.items()
        }

    assert verdicts(embedded) == verdicts(grid), embedded.output


def test_the_crashing_twin_is_red_with_its_exit_code_and_what_it_said(twin: Outcome) -> None:
    assert twin.status == 1, twin.output
    outcomes = {key: a["outcome"] for key, a in twin.applications.items()}
    assert outcomes["argocd/omega-btc-oracle"] == "failed", twin.output
    assert outcomes["argocd/omega-matrix-news"] == "passed", twin.output
    stage = twin.stage("argocd/omega-btc-oracle", "converge")
    assert stage["code"] == "never-healthy"
    row = stage["evidence"]["containers"][0]
    assert (row["container"], row["exitCode"]) == ("btc-oracle", 7)
    assert row["log"] == ["fatal: no configuration in /etc/app, giving up"]
    assert "ended with exit code 7" in twin.output
    assert "log      fatal: no configuration in /etc/app, giving up" in twin.output


def test_a_failure_leaves_the_logs_of_the_cluster(twin: Outcome) -> None:
    logs = twin.folder / "gitops-report" / "kind-logs"
    assert any(
        "giving up" in p.read_text("utf-8", "replace") for p in logs.rglob("*btc-oracle*.log") if p.is_file()
    )


def test_a_green_run_leaves_none(grid: Outcome) -> None:
    assert not (grid.folder / "gitops-report" / "kind-logs").exists()


def test_what_a_killed_run_left_the_next_one_deletes(tmp_path: Path) -> None:
    folder = commit(reduced(tmp_path / "grid"))
    env = environment()
    with piped(*command(*OURS, "--rootdir", str(folder), str(folder)), env=env) as run:
        # Nobody reads it otherwise, and a full pipe would stop it.
        threading.Thread(target=lambda: run.stdout and run.stdout.read(), daemon=True).start()
        wait_until(
            lambda: [c for c in clusters_of_kind() if c.startswith(PREFIX)], limit=120, what="its cluster"
        )
        run.send_signal(signal.SIGKILL)
        run.wait()
    (left,) = [c for c in clusters_of_kind() if c.startswith(PREFIX)]
    again = gitops(folder, *OURS, "--gitops-stages", "converge", "-k", "matrix-news")
    assert again.status == 0, again.output
    assert left not in clusters_of_kind()


def test_without_a_container_engine_the_run_says_so_in_one_sentence(tmp_path: Path) -> None:
    folder = commit(reduced(tmp_path / "grid"))
    dead = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    run = gitops(folder, *OURS, environ=dead)
    assert run.status == 3, run.output
    assert run.output.count("no container engine answers: start Docker or Podman, or leave") == 1, run.output
    assert "the embedded cluster needs no container engine" in run.output
    assert "Traceback" not in run.output
