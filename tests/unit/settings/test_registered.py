"""The clusters that a configuration registers, and which one a destination means."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import IN_CLUSTER, Case, Destination
from pytest_gitops.settings.registered import (
    RegisteredCluster,
    chosen,
    close_to,
    is_registered,
    made_up,
    meant,
    parse,
    recognized,
    standing,
)

DEV = RegisteredCluster(name="dev", server="https://dev.example:6443")
PROD = RegisteredCluster(name="prod", server="https://prod.example:6443")
HUB = RegisteredCluster(name="hub", server=IN_CLUSTER)
KNOWN = (DEV, PROD, HUB)


def read(*entries: dict[str, Any]) -> tuple[RegisteredCluster, ...]:
    return parse(entries, file="pytest-gitops.yaml", lines=[n + 3 for n in range(len(entries))])


def case(server: str = "", name: str = "") -> Case:
    destination = Destination(server=server, name=name, namespace="web")
    return Case(name="a", namespace="argocd", project="p", file="a.yaml", line=1, destination=destination)


def test_everything_that_may_be_said_is_read() -> None:
    assert read(
        {"name": "dev", "server": "https://dev.example:6443/", "labels": {"env": "dev"}, "annotations": {"a": "b"}},
        {"name": "edge"},
        {"name": "in-cluster", "labels": {"env": "hub"}},
    ) == (
        RegisteredCluster(
            name="dev", server="https://dev.example:6443", labels={"env": "dev"}, annotations={"a": "b"}, line=3
        ),
        RegisteredCluster(name="edge", server="https://edge.destination.invalid:6443", line=4),
        RegisteredCluster(name="in-cluster", server=IN_CLUSTER, labels={"env": "hub"}, line=5),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        (
            [{"name": "a", "server": "http://a"}],
            "pytest-gitops.yaml:3: clusters.0.server: expected the https:// URL of an API server, saw 'http://a'",
        ),
        (
            [{"name": "a"}, {"name": "a", "server": "https://b"}],
            "pytest-gitops.yaml:4: clusters.1.name: expected each cluster to have its own, saw 'a' also in line 3",
        ),
        (
            [{"name": "a", "server": "https://b"}, {"name": "b", "server": "https://b/"}],
            "pytest-gitops.yaml:4: clusters.1.server: expected each cluster to have its own, saw 'https://b' also in line 3",
        ),
        (
            [{"name": "in-cluster", "server": "https://b"}],
            "pytest-gitops.yaml:3: clusters.0.name: 'in-cluster' is the cluster that Argo CD runs in, saw it for https://b",
        ),
    ],
)
def test_what_argo_cd_could_not_tell_apart_is_refused(entries: list[dict[str, Any]], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(*entries)
    assert str(caught.value) == error


@pytest.mark.parametrize("server", ["", IN_CLUSTER, f"{IN_CLUSTER}/", f"{IN_CLUSTER}:443"])
@pytest.mark.parametrize("name", ["", "in-cluster", "hub"])
def test_argo_cds_own_cluster_needs_no_stand_in(server: str, name: str) -> None:
    destination = Destination(server=server, name=name)
    assert meant(destination, KNOWN) is None
    assert is_registered(destination, KNOWN)
    (told,) = recognized([case(server, name)], KNOWN)
    assert told.destination.cluster == IN_CLUSTER


@pytest.mark.parametrize(
    ("destination", "cluster"),
    [
        (Destination(name="prod"), PROD),
        (Destination(server="https://prod.example:6443/"), PROD),
        (
            Destination(server="https://new.example"),
            RegisteredCluster(name="https://new.example", server="https://new.example"),
        ),
        (
            Destination(name="new"),
            RegisteredCluster(name="new", server="https://new.destination.invalid:6443"),
        ),
    ],
)
def test_a_destination_means_a_known_cluster_or_one_of_its_own(
    destination: Destination, cluster: RegisteredCluster
) -> None:
    assert meant(destination, KNOWN) == cluster
    assert is_registered(destination, KNOWN) == (cluster in KNOWN)


def test_however_it_is_spelled_a_cluster_has_one_name() -> None:
    cases = [
        case(name="prod"),
        case("https://prod.example:6443/"),
        case("https://x.example"),
        case("nothing"),
    ]
    assert [c.destination.cluster for c in recognized(cases, KNOWN)] == [
        "prod",
        "prod",
        "https://x.example",
        "nothing",
    ]


def test_names_that_differ_have_addresses_that_differ() -> None:
    names = [
        "prod-eu",
        "prod_eu",
        "prod eu",
        "Prod-EU",
        "prod.eu",
        "-prod-eu-",
        "ü",
        "ö",
        "x" * 300,
        "x" * 301,
    ]
    found = {made_up(n) for n in names}
    assert len(found) == len(names)
    for server in found:
        label = server.removeprefix("https://").removesuffix(".destination.invalid:6443")
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", label)


@pytest.mark.parametrize(
    "server",
    ["prod", "https://", "https://x:port", "https://x:99999", "ftp://x", "https://[::1", "{{server}}"],
)
def test_what_is_no_address_is_left_to_argo_cd(server: str) -> None:
    assert meant(Destination(server=server), KNOWN) is None


def test_a_name_that_is_spelled_alike_is_hinted_at() -> None:
    assert close_to("prdo", ["dev", "prod"]) == "; did you mean 'prod'?"
    assert close_to("elsewhere", ["dev", "prod"]) == ""


LISTED = (
    RegisteredCluster(name="dev", server="https://dev.example", context="kind-dev", line=3),
    RegisteredCluster(name="prod", server="https://prod.example", line=4),
)


def test_the_only_context_that_is_listed_needs_no_naming() -> None:
    assert [c.name for c in chosen((), LISTED, where="x")] == ["dev"]
    assert [c.name for c in chosen(("kind-dev",), LISTED, where="x")] == ["dev"]


def test_a_context_that_is_not_listed_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(("prod-admin",), LISTED, where="--gitops-context")
    assert str(caught.value) == (
        "--gitops-context: expected a context that `clusters:` in pytest-gitops.yaml lists (kind-dev), saw 'prod-admin': what "
        "is not listed there, in the base where there is one, is not touched. Add `{name: …, context: prod-admin}`, if it is "
        "meant to be tested on"
    )


@pytest.mark.parametrize(
    "known",
    [
        LISTED[1:],
        (LISTED[0], RegisteredCluster(name="test", server="https://test.example", context="kind-test")),
    ],
)
def test_of_none_or_several_one_has_to_be_named(known: tuple[RegisteredCluster, ...]) -> None:
    with pytest.raises(ConfigError, match="expected --gitops-context with a context that"):
        chosen((), known, where="--gitops-cluster kubeconfig")


def test_one_context_is_no_two_clusters() -> None:
    with pytest.raises(
        ConfigError, match=r"clusters\.1\.context: expected each cluster to have its own, saw 'x'"
    ):
        read({"name": "a", "context": "x"}, {"name": "b", "context": "x"})


def test_the_cluster_of_a_context_is_the_one_that_names_it_else_argo_cds_own() -> None:
    named = replace(DEV, context="kind-dev")
    assert standing("", KNOWN) == KNOWN
    assert standing("kind-dev", (named, PROD)) == (named, PROD)
    assert standing("kind-dev", KNOWN) == (replace(HUB, context="kind-dev"), DEV, PROD)
    (own,) = standing("kind-dev", ())
    assert (own.name, own.server, own.context) == ("in-cluster", IN_CLUSTER, "kind-dev")
