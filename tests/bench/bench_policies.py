"""How long the policies take on 1,000 rendered objects. Prints; asserts nothing.

usage: python tests/bench/bench_policies.py OPA [COUNT] [FOLDER …]

COUNT is the number of objects (1000); FOLDERs are conftest policy folders (else 50 rules made here), asked beside
all of our own rules. Where `conftest` is on PATH, the FOLDERs alone on the same objects as files are measured with
it, too, in turns with ours, and the ratio is told: conftest has fewer rules to ask, and reads the files itself.
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

from pytest_gitops.processes.process import Supervisor, run
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


def conftest_rules(folder: Path, count: int = 50) -> Path:
    """Rules as teams write them for conftest: most look at each container of a workload."""
    folder.mkdir()
    parts = ["package main", "containers contains c if some c in input.spec.template.spec.containers"]
    for n in range(count):
        parts.append(
            f"deny_{n} contains msg if {{\n\tsome container in containers\n"
            f'\tnot container.settings["key-{n}"]\n\tnot endswith(container.image, ":1.4.{n}")\n'
            f'\tmsg := sprintf("%s/%s: expected setting {n}", [input.metadata.name, container.name])\n}}'
            if n % 2
            else f'deny_{n} contains "expected an owner" if {{\n\tinput.kind == "Service"\n'
            f'\tnot input.metadata.labels["owner-{n}"]\n}}'
        )
    (folder / "main.rego").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return folder


def timed(act: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    before = time.monotonic()
    act()
    return time.monotonic() - before


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
        folders = given.folders or [conftest_rules(Path(scratch) / "rules")]
        supervisor = Supervisor(Path(scratch) / "run", run_id=uuid.uuid4().hex)
        try:
            opa = Opa(supervisor, supervisor.directory / "opa", given.opa.absolute(), folders=folders)
            seconds = timed(opa.start)
            print(f"OPA {opa.version} with {len(opa.rules)} rules started: {seconds:.2f} s")
            found = opa.judge(subjects)
            theirs = sum(hit.rule.conftest for hits in found for hit in hits)
            told = f"{sum(map(len, found))} findings ({theirs} of conftest's rules)"
            command = conftest_on(manifests, Path(scratch) / "files", folders)
            rounds = [
                (
                    timed(lambda: opa.judge(subjects)),
                    timed(lambda: run(*command, check=False, limit=300)) if command else 0.0,
                )
                for _ in range(ROUNDS)
            ]
            ours, others = (min(times) for times in zip(*rounds, strict=True))
            print(f"{given.count} objects, {told}: {ours:.2f} s (the best of {ROUNDS})")
            if command:
                print(f"conftest, its rules alone, the same objects as files: {others:.2f} s")
                print(f"ratio: {ours / others:.2f}")
        finally:
            supervisor.close()


def conftest_on(manifests: list[dict[str, Any]], files: Path, folders: list[Path]) -> tuple[str, ...]:
    """The command that asks conftest the same, empty if there is no conftest."""
    if not (conftest := shutil.which("conftest")):
        return ()
    files.mkdir()
    for number, manifest in enumerate(manifests):
        (files / f"{number}.json").write_text(json.dumps(manifest), encoding="utf-8")
    policies = [word for folder in folders for word in ("--policy", str(folder))]
    return (conftest, "test", "--all-namespaces", "--no-color", *policies, str(files))


if __name__ == "__main__":
    main()
