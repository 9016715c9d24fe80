"""repository-url and host-refused: an Application makes Argo CD ask for nothing that is of this machine."""

from __future__ import annotations

import dataclasses

import pytest
from stage_support import URL, declare, make_context

from pytest_gitops.model import Finding
from pytest_gitops.stages import source

APP = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web}}
spec:
  source:
    repoURL: {url}
    targetRevision: 1.0.0
    {more}
"""


def check(
    url: str, more: str = "path: a", *, allowed: tuple[str, ...] = (), network: str = "deny"
) -> tuple[Finding, ...]:
    context = make_context({"a/Chart.yaml": "name: a"}, revisions={"1.0.0": "4" * 40})
    settings = dataclasses.replace(context.settings, allowed_hosts=allowed, network=network)  # type: ignore[arg-type]
    context.settings = settings
    return source.check(context, declare(context, APP.format(url=url, more=more)))


@pytest.mark.parametrize(
    "url", ["file:///etc", "/etc", "./a", "../b", "~/c", "git://git.example.com/x", "ext::sh -c x", "''"]
)
def test_what_is_no_url_of_the_network_is_not_asked_for(url: str) -> None:
    (finding,) = check(url)
    assert (finding.rule, finding.line) == ("repository-url", 6)


@pytest.mark.parametrize("chart", ["/etc", "../x", "file:///x"])
def test_a_chart_from_a_path_is_none(chart: str) -> None:
    (finding,) = check(chart, "chart: redis")
    assert finding.rule == "repository-url"


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("https://git.example.com/x.git", "path: a"),
        ("http://git.example.com/x.git", "path: a"),
        ("git@git.example.com:x.git", "path: a"),
        ("ssh://git@git.example.com/x.git", "path: a"),
        ("oci://ghcr.io/org/x", "path: a"),
        ("ghcr.io/org/charts", "chart: redis"),
        ("registry.example.com:5000/charts", "chart: redis"),
        ("https://10.1.2.3/x.git", "path: a"),
        (URL, "path: a"),
    ],
)
def test_every_way_that_argo_cd_has_is_allowed(url: str, more: str) -> None:
    assert check(url, more) == ()


HERE = (
    "127.0.0.1",
    "localhost",
    "169.254.169.254",
    "0.0.0.0",
    "2130706433",
    "0x7f.1",
    "metadata.google.internal",
)


@pytest.mark.parametrize("host", HERE)
def test_services_of_this_machine_are_not_asked(host: str) -> None:
    (finding,) = check(f"http://{host}:2375/x.git")
    assert (finding.rule, finding.line) == ("host-refused", 6)
    assert host in finding.message


def test_unless_the_configuration_allows_it() -> None:
    assert check("http://127.0.0.1:2375/x.git", allowed=("127.0.0.1",)) == ()
    assert check("http://127.0.0.1:2375/x.git", network="allow") == ()


def test_a_value_file_of_this_machine_is_refused_at_its_own_line() -> None:
    more = (
        "path: a\n    helm:\n      valueFiles:\n      - https://values.example.com/a\n      - http://[::1]/a"
    )
    (finding,) = check(URL, more)
    assert (finding.rule, finding.line) == ("host-refused", 12)


def test_what_leads_out_of_the_repository_is_said_to() -> None:
    (path,) = check(URL, "path: ../../etc")
    assert path.message == "path '../../etc' leads out of the repository"
    (values,) = check(URL, "path: a\n    helm: {valueFiles: [../../etc/passwd]}")
    assert values.message == "value file '../../etc/passwd' leads out of the repository"
