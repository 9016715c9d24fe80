"""How long the policies take on 1,000 rendered objects. Prints; asserts nothing.

usage: python tests/bench/bench_policies.py OPA [COUNT] [FOLDER …]

COUNT is the number of objects (1000); FOLDERs are policy folders to add to ours. Where `conftest` is on PATH,
the same FOLDERs on the same objects as files are measured with it, too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_gitops.process import Supervisor, run
from pytest_gitops.rego import inputs
from pytest_gitops.rego.opa import Opa

ROUNDS = 5


def objects(count: int) -> list[dict[str, Any]]:
    """Deployments, Services, ConfigMaps and CronJobs in turn, some workloads with something to find."""
    return [MAKERS[n % len(MAKERS)](n) for n in range(count)]


def container(number: int) -> dict[str, Any]:
    kept = {
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
        "securityContext": {"runAsNonRoot": True},
    }
    return {
        "name": "web",
        "image": "registry.example/web:1.4.2" if number % 8 else "registry.example/web",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{n}", "value": str(n)} for n in range(8)],
        **(kept if number % 8 else {}),
    }


def deployment(number: int) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": f"web-{number}"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container(number)]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return named("apps/v1", "Deployment", number, spec=spec)


def service(number: int) -> dict[str, Any]:
    return named("v1", "Service", number, spec={"ports": [{"port": 80, "targetPort": "http"}]})


def config_map(number: int) -> dict[str, Any]:
    return named("v1", "ConfigMap", number, data={f"key-{n}": "value" * 10 for n in range(10)})


def cron_job(number: int) -> dict[str, Any]:
    job = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container(number + 1)]}}}}
    return named("batch/v1", "CronJob", number, spec={"schedule": "@daily", "jobTemplate": job})


def named(api_version: str, kind: str, number: int, **more: Any) -> dict[str, Any]:
    metadata = {"name": f"web-{number}", "namespace": "news"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


MAKERS = (deployment, service, config_map, cron_job)


def best(act: Callable[[], object]) -> float:
    """The shortest of a few rounds, in seconds."""
    times = []
    for _ in range(ROUNDS):
        before = time.monotonic()
        act()
        times.append(time.monotonic() - before)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("opa", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("folders", type=Path, nargs="*")
    given = parser.parse_args()
    manifests = objects(given.count)
    application = {
        "kind": "Application",
        "metadata": {"name": "news", "namespace": "argocd"},
        "spec": {"project": "news", "destination": {"namespace": "news"}},
    }
    subjects = [inputs.object_subject(m, application=application) for m in manifests]
    with tempfile.TemporaryDirectory() as scratch:
        supervisor = Supervisor(Path(scratch) / "run", run_id=uuid.uuid4().hex)
        try:
            opa = Opa(supervisor, supervisor.directory / "opa", given.opa.absolute(), folders=given.folders)
            before = time.monotonic()
            opa.start()
            print(f"OPA {opa.version} with {len(opa.rules)} rules started: {time.monotonic() - before:.2f} s")
            found = sum(map(len, opa.judge(subjects)))
            seconds = best(lambda: opa.judge(subjects))
            print(f"{given.count} objects, {found} findings: {seconds:.2f} s (the best of {ROUNDS})")
        finally:
            supervisor.close()
        if given.folders and (conftest := shutil.which("conftest")):
            files = Path(scratch) / "files"
            files.mkdir()
            for number, manifest in enumerate(manifests):
                (files / f"{number}.json").write_text(json.dumps(manifest), encoding="utf-8")
            policies = [word for folder in given.folders for word in ("--policy", str(folder))]
            words = (conftest, "test", "--all-namespaces", "--no-color", *policies, str(files))
            seconds = best(lambda: run(*words, check=False, limit=300))
            print(f"conftest on the same {given.count} objects as files: {seconds:.2f} s")


if __name__ == "__main__":
    main()
