"""Clusters that exist: what is said when something of a run cannot be removed from one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.hosts.hosts import Hosts
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.settings.settings import Settings

DEV = RegisteredCluster(name="dev", server="https://dev.example", context="kind-dev", line=3)


class Gone:
    """An API server that does not answer."""

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        raise ApiError("no answer: refused", status=0, reason="Unreachable", request=f"GET {path}")


def test_what_cannot_be_removed_is_a_finding_with_the_command_that_does_it_later() -> None:
    hosts = Hosts(Settings(root=Path(), report=Path(), cache=Path(), environ={}), say=lambda _: None)
    hosts.existing[DEV] = cast(Any, SimpleNamespace(api=Gone(), context="kind-dev"))
    (finding,) = hosts.leave("run-1")
    assert (finding.rule, finding.severity, finding.line) == ("not-removed", "warning", 3)
    assert "no answer: refused" in finding.message
    assert finding.help == "later: pytest-gitops clean --context kind-dev --run run-1"
    assert hosts.leave("run-1") == (), "it is said once"


def test_a_version_that_does_not_fit_is_a_finding(tmp_path: Path, monkeypatch: Any) -> None:
    def start(self: Any) -> None:
        self.version = "1.35.0"

    monkeypatch.setattr("pytest_gitops.clusters.kubeconfig.Existing.start", start)
    settings = Settings(
        root=Path(),
        report=Path(),
        cache=Path(),
        environ={"HOME": "/nowhere"},
        clusters=(DEV,),
        contexts=("kind-dev",),
    )
    hosts = Hosts(settings, say=lambda _: None)
    hosts.reach(tmp_path, pinned="1.37.2", tools={})
    (finding,) = hosts.findings
    assert (finding.rule, finding.severity) == ("version-skew", "warning")
    assert finding.message.startswith("cluster dev (context kind-dev): it runs Kubernetes 1.35.0")
