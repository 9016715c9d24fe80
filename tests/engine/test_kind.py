"""The cluster of kind, on a real container engine: the grid is green, its crash-looping twin is red, nothing is left.

`make test-kind` starts and builds what it takes; elsewhere this is skipped where that is not there.
"""

from __future__ import annotations

import re
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import CRASH, ENGINE, NODE, WEB, clusters_of_kind, kind, need_kind
from runs import ROOT, Outcome, command, commit, environment, gitops, write

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.kind import PREFIX
from pytest_gitops.hosts.removal import leftovers
from pytest_gitops.processes.process import Supervisor, piped, run
from pytest_gitops.repository.manifest import parse
from pytest_gitops.settings.settings import default_cache
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

OURS = ("--gitops-cluster", "kind", "--gitops-timeout", "45")

KIND = f"kind: {{node-image: '{NODE}', images: ['{WEB}', '{CRASH}']}}\n"


ROOM = 100_000_000
"""Bytes that are left where the full Docker keeps images: a node needs several times as many for its own."""


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
    skipped = {("argocd/omega-divine-grid", "self-heal", "skipped", "no-safe-drift")}
    assert grid.not_passed == skipped, grid.output


def test_the_report_says_where_containers_ran_and_what_was_pretended_elsewhere(grid: Outcome) -> None:
    assert grid.report is not None
    cluster = grid.report["run"]["cluster"]
    assert cluster["provider"] == "kind"
    assert cluster["simulated"][0].startswith("Containers really run on the kind cluster")


def test_the_same_is_green_on_the_embedded_cluster(tmp_path: Path, grid: Outcome) -> None:
    embedded = gitops(commit(reduced(tmp_path / "grid")), "--gitops-timeout", "60")

    assert verdicts(embedded) == verdicts(grid), embedded.output


@pytest.fixture(scope="module")
def stays() -> Iterator[str]:
    """The name of a cluster that no run deletes."""
    name = f"stays-{uuid.uuid4().hex[:8]}"
    yield name
    run(kind(), "delete", "cluster", "--name", name)


@pytest.fixture(scope="module")
def guest(stays: str, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The grid on a cluster that stays, where others have something: made by one run, used by the next."""
    folder = reduced(tmp_path_factory.mktemp("guest") / "grid")
    config = folder / "pytest-gitops.yaml"
    config.write_text(config.read_text("utf-8").replace("kind: {", f"kind: {{name: {stays}, "), "utf-8")
    commit(folder)
    assert stays not in clusters_of_kind()
    made = gitops(folder, *OURS, "--gitops-stages", "render")
    assert (made.status, stays in clusters_of_kind()) == (0, True), made.output
    file = folder.parent / "kubeconfig"
    file.write_text(run(kind(), "get", "kubeconfig", "--name", stays).stdout, "utf-8")
    api = Api(file)
    for path in (folder / "kubernetes" / "crds").iterdir():
        api.apply(parse(path.read_bytes())[0].value)
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "omega-grid-prod"}})
    api.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "omega-btc-oracle", "namespace": "omega-grid-prod"},
            "data": {"whose": "theirs"},
        }
    )

    def spaces() -> dict[str, str]:
        return {n["metadata"]["name"]: n["metadata"]["uid"] for n in api.get("/api/v1/namespaces")["items"]}

    def theirs() -> dict[str, Any]:
        return api.get("/api/v1/namespaces/omega-grid-prod/configmaps/omega-btc-oracle")

    before = spaces(), theirs()
    done = gitops(folder, *OURS)
    assert (spaces(), theirs()) == before, done.output
    assert leftovers(api) == ()
    return done


def verdicts(outcome: Outcome) -> dict[tuple[str, str], str]:
    return {(key, s["stage"]): s["outcome"] for key, a in outcome.applications.items() for s in a["stages"]}


def test_on_a_cluster_that_stays_the_grid_is_as_green_but_for_what_may_not_go_there(
    grid: Outcome, guest: Outcome, stays: str
) -> None:
    assert guest.status == 0, guest.output
    own, there = verdicts(grid), verdicts(guest)
    other = {k: guest.stage(*k)["code"] for k in own if own[k] != there[k]}
    assert set(own) == set(there)
    assert {k: there[k] for k in other} == dict.fromkeys(other, "skipped"), guest.output
    assert set(other.values()) <= {"shared-object", "needs-converge", "existing-cluster"}, other
    oracle = "argocd/omega-btc-oracle"
    assert {s for k, s in own if k == oracle and (k, s) not in other} >= {"converge", "self-heal", "prune"}
    assert stays in clusters_of_kind()


def test_the_report_names_the_cluster_that_stays(guest: Outcome, stays: str) -> None:
    assert guest.report is not None
    cluster = guest.report["run"]["cluster"]
    assert cluster["provider"] == "kind"
    assert cluster["simulated"][0].startswith(
        f"Changed for in-cluster (context kind-{stays}, Kubernetes 1.37.2)"
    )


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
    with piped(*command(*OURS, "--rootdir", str(folder), str(folder)), env=env) as going:
        # Nobody reads it otherwise, and a full pipe would stop it.
        threading.Thread(target=lambda: going.stdout and going.stdout.read(), daemon=True).start()
        wait_until(
            lambda: [c for c in clusters_of_kind() if c.startswith(PREFIX)], limit=120, what="its cluster"
        )
        going.send_signal(signal.SIGKILL)
        going.wait()
    (left,) = [c for c in clusters_of_kind() if c.startswith(PREFIX)]
    again = gitops(folder, *OURS, "--gitops-stages", "converge", "-k", "matrix-news")
    assert again.status == 0, again.output
    assert left not in clusters_of_kind()


def test_without_a_container_engine_the_run_says_so_in_one_sentence(tmp_path: Path) -> None:
    folder = commit(reduced(tmp_path / "grid"))
    dead = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    done = gitops(folder, *OURS, environ=dead)
    assert done.status == 3, done.output
    assert done.output.count("no container engine answers: start Docker or Podman, or leave") == 1, (
        done.output
    )
    assert "the embedded cluster needs no container engine" in done.output
    assert "Traceback" not in done.output


@pytest.fixture
def full(tmp_path: Path) -> Iterator[str]:
    """The address of a Docker that has the node image, and no room for a node."""
    if ENGINE != "docker":
        pytest.skip("a second Docker is started, not a second Podman")
    root, address, mark = tmp_path / "docker", f"unix://{tmp_path}/full.sock", f"full-{uuid.uuid4().hex[:8]}"
    root.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=3g", "tmpfs", root)
    try:
        with Supervisor(tmp_path / "full", run_id=mark, stop_limit=60) as supervisor:
            (supervisor.directory / "daemon.json").write_text("{}", "utf-8")
            daemon = supervisor.start(
                "dockerd-full", "dockerd", "--config-file", supervisor.directory / "daemon.json", "--host", address,
                "--data-root", root, "--exec-root", tmp_path / "exec", "--pidfile", tmp_path / "full.pid",
                "--bridge", "none", "--iptables=false", "--ip6tables=false",
            )  # fmt: skip
            daemon.wait_ready(lambda: run("docker", "-H", address, "info", check=False).status == 0, limit=60)
            run("sh", "-c", f"docker save {NODE} | docker -H {address} load", limit=300)
            used = shutil.disk_usage(root).used
            run("mount", "-o", f"remount,size={used + ROOM}", root)
            yield address
    finally:
        run("umount", root)


def test_a_disk_that_is_full_is_said_with_what_takes_it(tmp_path: Path, full: str) -> None:
    done = gitops(commit(reduced(tmp_path / "grid")), *OURS, environ={"DOCKER_HOST": full})
    assert done.status == 3, done.output
    assert "no space left on device. Make room where the container engine keeps images" in done.output
    assert "`docker system df` shows what takes it" in done.output
    assert "Traceback" not in done.output
