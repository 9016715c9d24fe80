"""Destination clusters and their stand-ins."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_gitops.argocd.destinations import cluster_secret, stand_ins
from pytest_gitops.model import IN_CLUSTER, Case, Destination
from pytest_gitops.repository.manifest import dump


def to(server: str = "", name: str = "") -> Case:
    destination = Destination(server=server, name=name, namespace="web")
    return Case(name="a", namespace="argocd", project="p", file="a.yaml", line=1, destination=destination)


@pytest.mark.parametrize("server", ["", IN_CLUSTER, f"{IN_CLUSTER}/", f"{IN_CLUSTER}:443"])
@pytest.mark.parametrize("name", ["", "in-cluster"])
def test_argo_cds_own_cluster_needs_no_stand_in(server: str, name: str) -> None:
    assert stand_ins([to(server, name)]) == ()


def test_each_other_cluster_has_one() -> None:
    cases = [
        to("https://b.example:6443"),
        to(name="prod"),
        to("https://a.example"),
        to("https://b.example:6443/"),
        to(name="prod"),
    ]
    assert stand_ins(cases) == (
        ("https://a.example", "https://a.example"),
        ("https://b.example:6443", "https://b.example:6443"),
        ("prod", "https://prod.destination.invalid:6443"),
    )


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
    found = stand_ins([to(name=n) for n in names])
    hosts = {server for _, server in found}
    assert len(hosts) == len(names)
    for host in hosts:
        label = host.removeprefix("https://").removesuffix(".destination.invalid:6443")
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", label)


@pytest.mark.parametrize(
    "server",
    ["prod", "https://", "https://x:port", "https://x:99999", "ftp://x", "https://[::1", "{{server}}"],
)
def test_what_is_no_address_is_left_to_argo_cd(server: str) -> None:
    assert stand_ins([to(server), to("https://a.example")]) == (("https://a.example", "https://a.example"),)


def test_the_secret_leads_to_the_stand_in_through_the_proxy(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        dump({
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "CA"}}],
            "users": [{"name": "u", "user": {"client-certificate-data": "CERT", "client-key-data": "KEY"}}],
        })
    )  # fmt: skip
    secret = cluster_secret(
        "Prod EU", "https://prod:6443", kubeconfig, control="cd", proxy="http://127.0.0.1:2"
    )
    assert secret["metadata"]["namespace"] == "cd"
    assert secret["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "cluster"}
    assert re.fullmatch(r"cluster-[a-z0-9-]+", secret["metadata"]["name"])
    assert (secret["stringData"]["name"], secret["stringData"]["server"]) == ("Prod EU", "https://prod:6443")
    assert json.loads(secret["stringData"]["config"]) == {
        "proxyUrl": "http://127.0.0.1:2",
        "tlsClientConfig": {"serverName": "kubernetes", "caData": "CA", "certData": "CERT", "keyData": "KEY"},
    }
    other = cluster_secret("prod-eu", "https://prod:6443", kubeconfig, control="cd", proxy="")
    assert other["metadata"]["name"] != secret["metadata"]["name"]
