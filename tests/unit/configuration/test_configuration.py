"""pytest-gitops.yaml: what it says, and what is wrong with it, with file and line."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_gitops.configuration import file as configuration
from pytest_gitops.configuration.file import load, read
from pytest_gitops.errors import ConfigError
from pytest_gitops.settings.expectations import RESOURCES, Expectation
from pytest_gitops.settings.settings import DEFAULT_KUBERNETES, ChartRepository
from pytest_gitops.settings.waivers import expired
from pytest_gitops.tools import API_SERVERS

FULL = b"""\
version: 1
repository:
  urls: [https://github.com/example/grid.git]
branches: [main]
ignore: ["docs/**"]
charts:
- {url: https://charts.example.com, path: charts}
crds: [crds]
prerequisites: [before]
network:
  allow: [ghcr.io]
timeout: 60
stages: [review]
policy:
  folders: [policies]
  data: {regions: [eu]}
waivers:
- rule: limits-missing
  application: argocd/*
  reason: old
  expires: 2030-01-31
"""


def test_everything_that_may_be_said_is_read() -> None:
    said = read(FULL)
    assert said.get("repository", "urls") == ["https://github.com/example/grid.git"]
    assert said.get("policy", "data") == {"regions": ["eu"]}
    assert said.get("timeout") == 60
    assert said.charts == (ChartRepository(url="https://charts.example.com", path="charts"),)
    (waiver,) = said.waivers
    assert (waiver.rule, waiver.application, waiver.expires, waiver.line) == (
        "limits-missing", "argocd/*", date(2030, 1, 31), 18,
    )  # fmt: skip


def test_what_is_not_said_is_the_default() -> None:
    assert read(b"").get("network", "allow", default=()) == ()
    assert read(FULL).get("repository", "nowhere") is None
    assert read(FULL).get("timeout", "deeper", default=3) == 3


def test_of_crds_urls_are_told_from_paths_with_their_lines() -> None:
    said = read(b"crds:\n- crds\n- https://Example.com/v1.2.3/a.yaml\n", base="main")
    assert said.crds == ("crds",)
    (url,) = said.crd_urls
    assert (url.url, url.host, url.where, url.file, url.line) == (
        "https://Example.com/v1.2.3/a.yaml", "example.com", "pytest-gitops.yaml in main:3", "pytest-gitops.yaml", 3,
    )  # fmt: skip


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"---\n---\n", b"null\n"])
def test_an_empty_file_says_nothing(text: bytes) -> None:
    assert read(text) == configuration.Configuration(values={})


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "pytest-gitops.yaml").values == {}


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pytest-gitops.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"^pytest-gitops\.yaml: cannot be read: Is a directory$"):
        load(tmp_path / "pytest-gitops.yaml")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("timeout: [", "pytest-gitops.yaml:1: did not find expected node content"),
        ("a: 1\n---\nb: 2", "pytest-gitops.yaml:3: expected one YAML document, saw a second"),
        ("- x", "pytest-gitops.yaml:1: ['x'] is not of type 'object'"),
        (
            "branches: [a]\nwaits: 3",
            "pytest-gitops.yaml:2: unknown key 'waits'; known here: argo-rollouts, branches, charts, cluster-limit, clusters, crds, fail-on, ignore, kind, kubernetes, "
            "network, nodes, policy, prerequisites, rbac, repository, stages, statuses, timeout, timeout-limit, timeouts, unknown-kinds, version, waivers",
        ),
        ("network:\n  allow: [a]\n  deny: [b]", "pytest-gitops.yaml:3: unknown key 'deny'; known here: allow"),
        ("timeout: 0", "pytest-gitops.yaml:1: timeout: 0 is less than or equal to the minimum of 0"),
        ("timeout: .inf", "pytest-gitops.yaml:1: timeout: expected a number of seconds, saw one without end"),
        ("crds: []\ntimeout: .nan", "pytest-gitops.yaml:2: timeout: expected a number of seconds, saw one without end"),
        ("nodes:\n- {labels: {a: 1}}", "pytest-gitops.yaml:2: nodes.0.labels.a: 1 is not of type 'string'"),
        ("nodes:\n- taints:\n  - {key: a}", "pytest-gitops.yaml:3: nodes.0.taints.0: 'effect' is a required property"),
        ("statuses:\n- {kind: Widget, status: {}}", "pytest-gitops.yaml:2: statuses.0.kind: 'Widget' does not match '^[^/]+/[^/]+$'"),
        ("timeouts:\n- {application: a, seconds: .nan}",
         "pytest-gitops.yaml:2: timeouts: expected a number of seconds, saw one without end"),
        ("timeouts:\n- application: a\n  seconds: 0",
         "pytest-gitops.yaml:3: timeouts.0.seconds: 0 is less than or equal to the minimum of 0"),
        ("timeout-limit: 100000", "pytest-gitops.yaml:1: timeout-limit: 100000 is greater than the maximum of 86400"),
        ("version: 2", "pytest-gitops.yaml:1: version: 1 was expected"),
        ("branches:\n- a\n- 3", "pytest-gitops.yaml:3: branches.1: 3 is not of type 'string'"),
        ("branches: main", "pytest-gitops.yaml:1: branches: 'main' is not of type 'array'"),
        ("branches:", "pytest-gitops.yaml:1: branches: None is not of type 'array'"),
        ("charts:\n- path: x", "pytest-gitops.yaml:2: charts.0: 'url' is a required property"),
        ("crds: x\nignore: x", "pytest-gitops.yaml:1: crds: 'x' is not of type 'array' (1 more)"),
        ("crds:\n- a\n- http://example.com/a",
         "pytest-gitops.yaml:3: crds: expected an https:// URL or a path of the repository, saw http://example.com/a"),
        ("waivers:\n- {rule: a, reason: b}\nwaivers:\n- {rule: c, reason: d}",
         "pytest-gitops.yaml:3: expected each key once, saw 'waivers' again"),
        ("1: x", "pytest-gitops.yaml:1: unknown key '1'; known here: argo-rollouts, branches, charts, cluster-limit, clusters, crds, fail-on, ignore, kind, kubernetes, "
         "network, nodes, policy, prerequisites, rbac, repository, stages, statuses, timeout, timeout-limit, timeouts, unknown-kinds, version, waivers"),
        ("kubernetes: '1.35'", "pytest-gitops.yaml:1: kubernetes: '1.35' is not one of ['1.36', '1.37', 1.36, 1.37]"),
        ("kubernetes: [1.36, 2]",
         "pytest-gitops.yaml:1: kubernetes.1: 2 is not one of ['1.36', '1.37', 1.36, 1.37]"),
        ("argo-rollouts: sometimes", "pytest-gitops.yaml:1: argo-rollouts: 'sometimes' is not one of ['auto', True, False]"),
        ("argo-rollouts: 1", "pytest-gitops.yaml:1: argo-rollouts: 1 is not one of ['auto', True, False]"),
        ("kubernetes: []", "pytest-gitops.yaml:1: kubernetes: [] should be non-empty"),
        ("timeout: 3\nclusters:\n- {name: a}\n- {name: a}",
         "pytest-gitops.yaml:4: clusters.1.name: expected each cluster to have its own, saw 'a' also in line 3"),
        ("cluster-limit: 0", "pytest-gitops.yaml:1: cluster-limit: 0 is less than the minimum of 1"),
        ("unknown-kinds: skip", "pytest-gitops.yaml:1: unknown-kinds: 'skip' is not one of ['error', 'stub']"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_and_line(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text.encode())
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("{}", ()),
        ("kubernetes: 1.36", ("1.36",)),
        ("kubernetes: '1.37'", ("1.37",)),
        ("kubernetes: [1.37, '1.36', '1.37']", ("1.37", "1.36")),
    ],
)
def test_versions_of_kubernetes_are_texts_however_they_are_written(
    text: str, versions: tuple[str, ...]
) -> None:
    assert read(text.encode()).kubernetes == versions


@pytest.mark.parametrize(
    ("text", "asked"), [("{}", None), ("argo-rollouts: auto", None), ("argo-rollouts: true", True), ("argo-rollouts: false", False)]
)  # fmt: skip
def test_argo_rollouts_takes_part_where_it_is_asked_or_found(text: str, asked: bool | None) -> None:
    assert read(text.encode()).argo_rollouts is asked


def test_every_version_that_may_be_asked_for_has_its_api_server() -> None:
    known = configuration.schema()["properties"]["kubernetes"]
    assert known["else"]["enum"] == known["then"]["items"]["enum"]
    assert [str(v) for v in known["else"]["enum"]] == [*API_SERVERS, *API_SERVERS]
    assert known["default"] == DEFAULT_KUBERNETES


def test_a_date_that_is_none_is_an_error_of_its_waiver() -> None:
    with pytest.raises(ConfigError, match=r"pytest-gitops\.yaml:2: .*2030-02-31"):
        read(b"waivers:\n- {rule: a, reason: b, expires: 2030-02-31}\n")


def test_the_schema_is_a_schema_and_every_key_is_explained() -> None:
    schema = configuration.schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    def unexplained(node: Any, path: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        own = [path] if path and "type" in node and "description" not in node else []
        return own + [u for k, v in node.get("properties", {}).items() for u in unexplained(v, f"{path}.{k}")]

    assert unexplained(schema, "") == []
    assert json.loads(json.dumps(schema)) == schema


def test_an_expectation_is_read_with_its_line() -> None:
    said = read(
        b"timeout: 60\nrbac:\n"
        b"- {subject: role:dev, action: sync, resource: applications, object: shop/web, expect: allow}\n"
        b"- groups: [acme:ops]\n  action: get\n  resource: logs\n  expect: deny\n  default-role: ''\n"
    ).rbac
    assert said == (
        Expectation(
            subject="role:dev", action="sync", resource="applications", object="shop/web", allowed=True,
            file="pytest-gitops.yaml", line=3,
        ),
        Expectation(
            groups=("acme:ops",), action="get", resource="logs", allowed=False, default_role="",
            file="pytest-gitops.yaml", line=4,
        ),
    )  # fmt: skip
    assert [e.title for e in said] == [
        "role:dev sync applications shop/web",
        "somebody of acme:ops get logs *",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{action: get, resource: logs, expect: deny}", "rbac.0: expected a subject or groups, saw neither"),
        ("{subject: a, action: get, resource: apps, expect: deny}", "rbac.0.resource: 'apps' is not one of"),
        ("{subject: a, action: get, resource: logs, expect: maybe}", "rbac.0.expect: 'maybe' is not one of"),
        ("{subject: a, action: get, resource: logs}", "'expect' is a required property"),
    ],
)
def test_an_expectation_that_cannot_be_asked_is_refused(entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read(f"timeout: 60\nrbac:\n- {entry}\n".encode())
    assert str(caught.value).startswith("pytest-gitops.yaml:3")


def test_the_resources_of_the_schema_are_argo_cds() -> None:
    said = configuration.schema()["properties"]["rbac"]["items"]["properties"]["resource"]["enum"]
    assert tuple(said) == RESOURCES


def test_a_waiver_of_base_stands_in_the_file_and_says_that_it_is_bases() -> None:
    said = read(b"waivers:\n- {rule: privileged, reason: r, expires: 2020-01-01}\n", base="main").waivers
    (finding,) = expired(said, today=date(2026, 1, 1))
    assert finding.where == "pytest-gitops.yaml:2"
    assert finding.message == "waiver privileged in main: it expired on 2020-01-01 (reason: r)"


def test_a_wrong_waiver_of_base_names_the_side() -> None:
    with pytest.raises(ConfigError) as error:
        read(b"waivers:\n- {rule: ' ', reason: r}\n", base="main")
    assert error.value.where == "pytest-gitops.yaml in main:2"
