"""How long the API server takes to be asked about rendered objects. Prints; asserts nothing.

usage: python tests/bench/bench_admit.py ETCD KUBE_APISERVER [COUNT]

COUNT is the number of objects (5000): Deployments, Services, ConfigMaps and CronJobs in turn, in 20 Applications with a
namespace each. Pods are asked about beside them, one for each workload. Starting the API server is not counted.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from bench_policies import objects

from pytest_gitops.admission.admission import Admission
from pytest_gitops.admission.values import Request
from pytest_gitops.process import Supervisor

APPLICATIONS = 20


def request(number: int, manifests: list[dict[str, Any]]) -> Request:
    """An Application with its share of the objects, in a namespace of its own."""
    namespace = f"bench-{number}"
    mine = [
        {**m, "metadata": {**m["metadata"], "namespace": namespace}} for m in manifests[number::APPLICATIONS]
    ]
    return Request(id=str(number), cluster="bench", namespace=namespace, objects=mine, creates=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("etcd", type=Path)
    parser.add_argument("server", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=5000)
    given = parser.parse_args()
    manifests = objects(given.count)
    requests = [request(n, manifests) for n in range(APPLICATIONS)]
    with tempfile.TemporaryDirectory() as scratch:
        supervisor = Supervisor(Path(scratch) / "run", run_id=uuid.uuid4().hex)
        try:
            admission = Admission(
                supervisor,
                supervisor.directory / "admission",
                etcd=given.etcd.absolute(),
                servers={"": given.server.absolute()},
            )
            before = time.monotonic()
            admission.start()
            began = []
            found = admission.judge(requests, judged=lambda _: began.append((time.monotonic(), os.times())))
            (asked, used), done = began[0], os.times()
            seconds = time.monotonic() - asked
            hits = sum(len(j.hits) for j in found.values())
            total = sum(j.objects + j.pods for j in found.values())
            print(f"the API server was up after {asked - before:.1f} s")
            print(
                f"{given.count} objects, {total} requests, {hits} findings: {seconds:.2f} s, "
                f"{given.count / seconds:.0f} objects a second; our own share of it is "
                f"{done.user + done.system - used.user - used.system:.2f} CPU-seconds"
            )
            admission.close()
        finally:
            supervisor.close()


if __name__ == "__main__":
    main()
