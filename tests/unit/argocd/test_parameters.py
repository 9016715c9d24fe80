"""argocd-cmd-params-cm: what decides a verdict reaches Argo CD's processes, and nothing that could harm a run does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.argocd import parameters
from pytest_gitops.argocd.parameters import CONTROLLER, SERVER, SETS, environment, judged
from pytest_gitops.argocd.processes import ArgoCD, Surroundings
from pytest_gitops.processes import process


@pytest.mark.parametrize(
    ("key", "value", "role", "variable"),
    [
        ("controller.diff.server.side", "true", CONTROLLER, "ARGOCD_APPLICATION_CONTROLLER_SERVER_SIDE_DIFF"),
        ("controller.ignore.normalizer.jq.timeout", "5s", CONTROLLER, "ARGOCD_IGNORE_NORMALIZER_JQ_TIMEOUT"),
        ("applicationsetcontroller.policy", "create-only", SETS, "ARGOCD_APPLICATIONSET_CONTROLLER_POLICY"),
        (
            "applicationsetcontroller.enable.new.git.file.globbing",
            "true",
            SETS,
            "ARGOCD_APPLICATIONSET_CONTROLLER_ENABLE_NEW_GIT_FILE_GLOBBING",
        ),
        ("reposerver.enable.git.submodule", "false", SERVER, "ARGOCD_GIT_MODULES_ENABLED"),
        ("applicationsetcontroller.enable.git.submodule", "false", SETS, "ARGOCD_GIT_MODULES_ENABLED"),
        (
            "reposerver.max.combined.directory.manifests.size",
            "20M",
            SERVER,
            "ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE",
        ),
    ],
)
def test_what_decides_reaches_the_process_that_it_is_for(
    key: str, value: str, role: str, variable: str
) -> None:
    kept, left_out = judged({key: value}, confined=False)
    assert left_out == []
    assert {r: environment(r, kept) for r in (CONTROLLER, SETS, SERVER)} == {
        r: {variable: value} if r == role else {} for r in (CONTROLLER, SETS, SERVER)
    }


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """The environment of each process that was started, by the first part of its name."""
    found: dict[str, dict[str, str]] = {}

    def start(name: str, *argv: object, env: dict[str, str], cwd: object = None) -> Any:
        found[name] = env
        return SimpleNamespace(wait_ready=lambda *_, **__: None)

    said = {
        "controller.diff.server.side": "true",
        "reposerver.enable.git.submodule": "false",
        "applicationsetcontroller.policy": "create-update",
    }
    tools = {name: tmp_path / name for name in ("argocd", "helm", "kustomize", "redis")}
    around = Surroundings(tools=tools, environ={"PATH": "/usr/bin:/bin"}, world={}, parameters=said)
    argocd = ArgoCD(cast(process.Supervisor, SimpleNamespace(start=start)), tmp_path / "argocd", around)
    argocd.start_repo_server()
    argocd.start_applicationset_controller(tmp_path / "kubeconfig")
    argocd.start_application_controller(tmp_path / "kubeconfig")
    return found


def test_each_process_is_started_with_its_own(started: dict[str, dict[str, str]]) -> None:
    assert started[CONTROLLER]["ARGOCD_APPLICATION_CONTROLLER_SERVER_SIDE_DIFF"] == "true"
    assert started[SERVER]["ARGOCD_GIT_MODULES_ENABLED"] == "false"
    assert started[SETS]["ARGOCD_APPLICATIONSET_CONTROLLER_POLICY"] == "create-update"
    assert "ARGOCD_GIT_MODULES_ENABLED" not in started[SETS]
    # What the run needs stays.
    assert started[CONTROLLER]["ARGOCD_SYNC_WAVE_DELAY"] == "0"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        # By these Argo CD's process would end.
        ("applicationsetcontroller.policy", "none"),
        ("reposerver.max.combined.directory.manifests.size", "10K"),
        ("reposerver.helm.manifest.max.extracted.size", "much"),
        # These would have the machine's memory or disk, or never come to an end.
        ("reposerver.max.combined.directory.manifests.size", "0"),
        ("reposerver.max.combined.directory.manifests.size", "101M"),
        ("reposerver.max.combined.directory.manifests.size", "1G"),
        ("reposerver.oci.manifest.max.extracted.size", "2Gi"),
        ("controller.ignore.normalizer.jq.timeout", "10h"),
        ("application.namespaces", "/(a+)+$/"),
        # No process can be started with these.
        ("applicationsetcontroller.global.preserved.labels", "a\0b"),
        ("applicationsetcontroller.global.preserved.labels", "a" * 200_000),
        ("applicationsetcontroller.namespaces", 'team"a'),
    ],
)
def test_what_would_break_a_run_is_not_handed_on(key: str, value: str) -> None:
    kept, (told,) = judged({key: value}, confined=True)
    assert kept == {}
    assert told.key == key
    assert " is left out of this run: expected " in told.why
    assert len(told.why) < 300


def test_links_may_lead_out_where_the_repo_server_reads_only_its_own() -> None:
    key = "reposerver.allow.oob.symlinks"
    assert judged({key: "true"}, confined=True) == ({key: "true"}, [])
    assert judged({key: "false"}, confined=False) == ({key: "false"}, [])
    kept, (told,) = judged({key: "True"}, confined=False)
    assert (kept, told.key) == ({}, key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("controller.sync.timeout.seconds", "300"),
        ("hydrator.enabled", "true"),
        ("applicationsetcontroller.dryrun", "true"),
        ("reposerver.disable.helm.manifest.max.extracted.size", "true"),
        ("applicationsetcontroller.enable.progressive.sync", "true"),  # a letter is missing
    ],
)
def test_what_is_not_handed_on_and_may_change_a_verdict_is_told(key: str, value: str) -> None:
    kept, (told,) = judged({key: value}, confined=True)
    assert kept == {}
    assert told.why == f"{value!r} is left out of this run: Argo CD's processes run without it here"
    assert judged({key: "false"}, confined=True) == ({}, [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("server.insecure", "true"),
        ("repo.server", "evil.example.com:8081"),
        ("redis.server", "evil.example.com:6379"),
        ("otlp.address", "evil.example.com:4317"),
        ("reposerver.disable.tls", "false"),
        ("reposerver.listen.address", "0.0.0.0"),
        ("reposerver.plugin.tar.exclusions", "*"),
        ("controller.log.format", "none"),
        ("controller.kubectl.parallelism.limit", "100000"),
        ("controller.k8s.client.qps", "1"),
        ("controller.k8sclient.retry.max", "9"),
        ("controller.sync.wave.delay.seconds", "60"),
        ("controller.self.heal.backoff.cap.seconds", "3000"),
        ("controller.repo.server.ca.cert.path", "/etc/shadow"),
        ("applicationsetcontroller.scm.root.ca.path", "/etc/shadow"),
        ("applicationsetcontroller.requeue.after", "1s"),
        ("notificationscontroller.log.level", "debug"),
    ],
)
def test_where_and_how_fast_a_process_works_is_the_runs_own(key: str, value: str) -> None:
    assert judged({key: value}, confined=True) == ({}, [])


def test_of_several_config_maps_each_says_where_applications_may_live() -> None:
    def config_map(**data: str) -> dict[str, Any]:
        found = {key.replace("_", "."): value for key, value in data.items()}
        return {"metadata": {"name": parameters.NAME}, "data": found}

    one = config_map(application_namespaces="team-a", controller_diff_server_side="true")
    two = config_map(application_namespaces="team-b", controller_diff_server_side="false")
    assert parameters.of([]) == {}
    assert parameters.of([one]) == one["data"]
    assert parameters.of([one, two]) == {**one["data"], "application.namespaces": "team-a,team-b"}
    assert parameters.of([one, config_map()])["application.namespaces"] == ""


@pytest.mark.parametrize(
    ("data", "policy"),
    [
        ({}, ("", True)),
        ({"applicationsetcontroller.policy": "create-only"}, ("create-only", False)),
        (
            {
                "applicationsetcontroller.policy": "create-only",
                "applicationsetcontroller.enable.policy.override": "true",
            },
            ("create-only", True),
        ),
        ({"applicationsetcontroller.enable.policy.override": "False"}, ("", False)),
    ],
)
def test_a_sets_own_policy_counts_where_the_controller_has_none_or_lets_it(
    data: dict[str, str], policy: tuple[str, bool]
) -> None:
    assert parameters.policy(data) == policy
