"""What an AnalysisRun measured, and what of it can be asked for here."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.rollouts.analysis import allows, local_ports, read

ALLOWED = ("metrics.example.com", "*.monitoring.example.com", "127.0.0.1:9090")


def run(provider: dict[str, Any], **result: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "ownerReferences": [{"kind": "Rollout", "name": "web"}]},
        "spec": {"metrics": [{"name": "errors", "provider": provider}]},
        "status": {"phase": "Running", "metricResults": [{"name": "errors", **result}] if result else []},
    }


@pytest.mark.parametrize(
    ("provider", "unasked"),
    [
        ({"job": {"spec": {}}}, ""),
        ({"web": {"url": "https://metrics.example.com/x"}}, ""),
        ({"web": {"url": "https://a.monitoring.example.com/x"}}, ""),
        ({"web": {"url": "http://127.0.0.1:9090/x"}}, ""),
        ({"web": {"url": "http://127.0.0.1:9091/x"}}, "127.0.0.1:9091 is not reached from here"),
        ({"web": {"url": "http://localhost/x"}}, "localhost:80 is not reached from here"),
        ({"prometheus": {"address": "http://prometheus.monitoring:9090"}}, "prometheus.monitoring:9090 is not reached from here"),
        ({"web": {"url": "http://a:b:c"}}, "web names no address; who answers it is not reached from here"),
        ({"datadog": {"query": "x"}}, "datadog names no address; who answers it is not reached from here"),
        ({"plugin": {"a/b": {}}}, "plugins of Argo Rollouts are not run here"),
    ],
)  # fmt: skip
def test_only_what_the_configuration_names_is_asked(provider: dict[str, Any], unasked: str) -> None:
    found = read(run(provider, error=1), allows(ALLOWED, everything=False))
    assert found.owner == ("Rollout", "web")
    assert found.metrics[0].unasked == unasked
    assert [m.name for m in found.hindered] == (["errors"] if unasked else [])


def test_with_everything_allowed_hosts_are_asked_and_this_machine_is_not() -> None:
    everything = allows((), everything=True)
    assert everything("prometheus.monitoring", 9090)
    assert not everything("localhost", 9090)


def test_what_has_not_been_asked_yet_hinders_nothing() -> None:
    assert read(run({"datadog": {}}), allows((), everything=False)).hindered == ()


def test_the_last_measurement_says_what_was_wrong() -> None:
    said = {"phase": "Error", "error": 2, "measurements": [{"message": "first"}, {"message": "refused"}]}
    (metric,) = read(run({"web": {"url": "https://x.example"}}, **said), allows((), everything=False)).metrics
    assert (metric.phase, metric.errors, metric.message) == ("Error", 2, "refused")


def test_ports_of_this_machine_are_those_that_are_named_as_such() -> None:
    assert local_ports(("127.0.0.1:80", " localhost:9090 ", "example.com:80", "127.0.0.1")) == (80, 9090)
