"""How long the API server takes to be asked about rendered objects, beside a bare client that asks it the same.

usage: python tests/bench/bench_admit.py ETCD KUBE_APISERVER [COUNT]

COUNT is the number of objects (5000): Deployments, Services, ConfigMaps and CronJobs in turn, in 20 Applications with a
namespace each. Starting the API server is not counted. The bare client is a few threads of http.client that send bodies
which are JSON already and do not look at the answers, to an API server of their own. Prints; asserts nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench_policies import objects

from pytest_gitops.admission.admission import Admission
from pytest_gitops.admission.plane import Plane
from pytest_gitops.admission.values import Request
from pytest_gitops.processes.process import Supervisor

APPLICATIONS = 20
THREADS = 8
TICKS = os.sysconf("SC_CLK_TCK")


def request(number: int, manifests: list[dict[str, Any]]) -> Request:
    """An Application with its share of the objects, in a namespace of its own."""
    namespace = f"bench-{number}"
    mine = [
        {**m, "metadata": {**m["metadata"], "namespace": namespace}} for m in manifests[number::APPLICATIONS]
    ]
    return Request(id=str(number), cluster="bench", namespace=namespace, objects=mine, creates=True)


class Clock:
    """Wall and CPU seconds since it was made: of this process, and of those that a run started."""

    def __init__(self, run_id: str) -> None:
        self._run = f"PYTEST_GITOPS_RUN={run_id}".encode()
        self._wall, self._own, self._theirs = time.monotonic(), sum(os.times()[:2]), self._servers()

    def _servers(self) -> float:
        total = 0
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if self._run in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "stat").read_text().rpartition(")")[2].split()
                    total += int(words[11]) + int(words[12])
            except OSError:
                continue
        return total / TICKS

    def told(self, what: str, count: int) -> float:
        wall, own = time.monotonic() - self._wall, sum(os.times()[:2]) - self._own
        theirs = self._servers() - self._theirs
        print(
            f"{what}: {count} objects in {wall:.2f} s, {count / wall:.0f} a second; CPU {own:.2f} s of ours and "
            f"{theirs:.2f} s of the servers', {count / (own + theirs):.0f} objects a CPU-second"
        )
        return count / (own + theirs)


def bare(plane: Plane, bodies: list[tuple[str, bytes]]) -> None:
    """Send them all."""
    address = urlsplit(plane.api.host)
    settings = plane.api.configuration
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    context.load_cert_chain(settings.cert_file, settings.key_file)
    left: Iterator[tuple[str, bytes]] = iter(bodies)
    lock = threading.Lock()

    def work() -> None:
        assert address.hostname is not None
        connection = http.client.HTTPSConnection(address.hostname, address.port, context=context)
        while True:
            with lock:
                path, body = next(left, ("", b""))
            if not path:
                return
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201, answer.status

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measured(etcd: Path, server: Path, act: Callable[[Supervisor], float]) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        supervisor = Supervisor(Path(scratch) / "run", run_id=uuid.uuid4().hex)
        try:
            return act(supervisor)
        finally:
            supervisor.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("etcd", type=Path)
    parser.add_argument("server", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=5000)
    given = parser.parse_args()
    etcd, server = given.etcd.absolute(), given.server.absolute()
    requests = [request(n, objects(given.count)) for n in range(APPLICATIONS)]

    def ours(supervisor: Supervisor) -> float:
        admission = Admission(supervisor, supervisor.directory / "admission", etcd=etcd, servers={"": server})
        admission.start()
        clocks: list[Clock] = []
        found = admission.judge(requests, judged=lambda _: clocks.append(Clock(supervisor.run_id)))
        total = sum(j.objects + j.pods for j in found.values())
        rate = clocks[0].told(
            f"ours, {total} requests, {sum(len(j.hits) for j in found.values())} findings", given.count
        )
        admission.close()
        return rate

    def theirs(supervisor: Supervisor) -> float:
        plane = Plane(
            supervisor, supervisor.directory / "plane", {"etcd": etcd, "kube-apiserver": server}, name="bare"
        )
        plane.start()
        for one in requests:
            plane.api.post("/api/v1/namespaces", {"metadata": {"name": one.namespace}})
        bodies = [
            (
                plane.api.path_of(m["apiVersion"], m["kind"], namespace=m["metadata"]["namespace"])
                + "?dryRun=All&fieldValidation=Strict&fieldManager=bench",
                json.dumps(m).encode(),
            )
            for one in requests
            for m in one.objects
        ]
        clock = Clock(supervisor.run_id)
        bare(plane, bodies)
        return clock.told("bare client", len(bodies))

    print(f"load {os.getloadavg()[0]:.1f}")
    rates = [measured(etcd, server, act) for act in (ours, theirs)]
    print(
        f"CPU of ours against the bare client's: {rates[1] / rates[0]:.2f} ×; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
