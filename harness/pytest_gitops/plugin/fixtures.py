"""What the fixtures for users' own tests are made of; imported when one is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import pytest

from pytest_gitops.scenarios.api import App, GitOpsRun


class Caller(Protocol):
    """Who answers a test's calls: the engine in this process, or the one in pytest's own."""

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]: ...

    def release(self, holder: str) -> None: ...


def run_of(request: pytest.FixtureRequest) -> Iterator[GitOpsRun]:
    """The run for one test, which has what it takes until its end."""
    found: Caller | None = request.config.pluginmanager.get_plugin("gitops-run")
    assert found is not None, "it is registered where --gitops is given"
    holder, caller = request.node.nodeid, found

    def call(question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return caller.call(holder, question, given)

    yield GitOpsRun(call)
    caller.release(holder)


def app_of(run: GitOpsRun, name: str) -> App:
    """An Application, or a skip where there is no cluster for it."""
    __tracebackhide__ = True
    if not run.has_cluster:
        pytest.skip("no-cluster: there is no cluster (--gitops-cluster none)")
    return run.app(name)
