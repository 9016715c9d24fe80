"""What engine tests share: a cluster that exists, which no run has started."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.hosts.isolation import LABEL
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.waiting import wait_until

# What a run is held against there: where they differ is to be seen.
pytest.register_assert_rewrite("twin_support", "upgrade_support")


@pytest.fixture(scope="module")
def outside_supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    directory = tmp_path_factory.mktemp("outside") / "run"
    with Supervisor(directory, run_id=str(uuid.uuid4())) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def outside(toolbox: dict[str, Path], outside_supervisor: Supervisor) -> Embedded:
    """An embedded cluster that is started here, settled; its context is called as it is."""
    supervisor, directory = outside_supervisor, outside_supervisor.directory
    cluster = Embedded(supervisor, directory / "cluster", toolbox, name="outside")
    cluster.start()
    api = Api(cluster.kubeconfig)

    def settled() -> bool:
        names = {n["metadata"]["name"] for n in api.get("/api/v1/namespaces")["items"]}
        items = api.get("/api/v1/configmaps")["items"]
        maps = {m["metadata"]["namespace"] for m in items if m["metadata"]["name"] == "kube-root-ca.crt"}
        return len(names) >= 4 and names == maps

    wait_until(settled, limit=60, what="what every cluster has")
    return cluster


@pytest.fixture(scope="module")
def controllers_restart(
    outside: Embedded, outside_supervisor: Supervisor
) -> Callable[[], AbstractContextManager[None]]:
    """While the block runs, the controller manager of that cluster is killed and started anew, as soon as a run has
    made a namespace there."""
    (manager,) = [d for d in outside.daemons if "controller-manager" in d.name]

    def restart() -> None:
        api = Api(outside.kubeconfig)
        wait_until(
            lambda: api.get("/api/v1/namespaces", labelSelector=LABEL)["items"],
            limit=120,
            what="a namespace of a run",
        )
        process = Path(f"/proc/{manager.pid}")
        argv = [w.decode() for w in (process / "cmdline").read_bytes().split(b"\0")[:-1]]
        pairs = (w.decode().partition("=") for w in (process / "environ").read_bytes().split(b"\0")[:-1])
        env, cwd = {name: value for name, _, value in pairs}, (process / "cwd").readlink()
        os.kill(manager.pid, signal.SIGKILL)
        wait_until(lambda: not manager.alive, limit=30, what="its end")
        outside_supervisor.start(f"{manager.name}-again", *argv, env=env, cwd=cwd)

    @contextmanager
    def block() -> Iterator[None]:
        with ThreadPoolExecutor(1) as pool:
            restarted = pool.submit(restart)
            yield
            restarted.result()

    return block
