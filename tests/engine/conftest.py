"""What engine tests share: a cluster that exists, which no run has started."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.process import Supervisor
from pytest_gitops.waiting import wait_until


@pytest.fixture(scope="module")
def outside(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """An embedded cluster that is started here, settled; its context is called as it is."""
    directory = tmp_path_factory.mktemp("outside") / "run"
    with Supervisor(directory, run_id=str(uuid.uuid4())) as supervisor:
        cluster = Embedded(supervisor, directory / "cluster", toolbox, name="outside")
        cluster.start()
        api = Api(cluster.kubeconfig)

        def settled() -> bool:
            names = {n["metadata"]["name"] for n in api.get("/api/v1/namespaces")["items"]}
            items = api.get("/api/v1/configmaps")["items"]
            maps = {m["metadata"]["namespace"] for m in items if m["metadata"]["name"] == "kube-root-ca.crt"}
            return len(names) >= 4 and names == maps

        wait_until(settled, limit=60, what="what every cluster has")
        yield cluster
