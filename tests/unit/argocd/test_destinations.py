"""The Secrets of destination clusters, and which of them may share a stand-in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.argocd.destinations import (
    Placement,
    claims_of,
    cluster_secret,
    place,
    through,
    unknown_cluster,
)
from pytest_gitops.model import Destination
from pytest_gitops.repository.manifest import dump
from pytest_gitops.settings.registered import RegisteredCluster


def cluster(name: str, **more: Any) -> RegisteredCluster:
    return RegisteredCluster(name=name, server=f"https://{label(name)}:6443", **more)


def label(name: str) -> str:
    return name.lower().replace(" ", "-")


def names(placement: Placement) -> tuple[list[list[str]], list[str]]:
    return [[c.name for c in p] for p in placement.planes], [c.name for c in placement.without]


def test_the_secret_leads_to_the_stand_in_through_the_proxy(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        dump({
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "CA"}}],
            "users": [{"name": "u", "user": {"client-certificate-data": "CERT", "client-key-data": "KEY"}}],
        })
    )  # fmt: skip
    prod = cluster("Prod EU", labels={"env": "prod"}, annotations={"owner": "grid"})
    secret = cluster_secret(prod, through("http://127.0.0.1:2", kubeconfig), control="cd")
    assert secret["metadata"]["namespace"] == "cd"
    assert secret["metadata"]["labels"] == {"env": "prod", "argocd.argoproj.io/secret-type": "cluster"}
    assert secret["metadata"]["annotations"] == {"owner": "grid"}
    assert re.fullmatch(r"cluster-[a-z0-9-]+", secret["metadata"]["name"])
    assert (secret["stringData"]["name"], secret["stringData"]["server"]) == (
        "Prod EU",
        "https://prod-eu:6443",
    )
    assert json.loads(secret["stringData"]["config"]) == {
        "proxyUrl": "http://127.0.0.1:2",
        "tlsClientConfig": {"serverName": "kubernetes", "caData": "CA", "certData": "CERT", "keyData": "KEY"},
    }
    other = cluster_secret(cluster("prod-eu"), None, control="cd")
    assert other["metadata"]["name"] != secret["metadata"]["name"]
    assert other["stringData"]["config"] == "{}"


def test_no_label_of_a_configuration_takes_a_cluster_secret_away_from_argo_cd() -> None:
    secret = cluster_secret(cluster("a", labels={"argocd.argoproj.io/secret-type": "x"}), None, control="cd")
    assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"


@pytest.mark.parametrize(
    ("message", "destination"),
    [
        (
            'application destination spec is invalid: error getting cluster by server "https://a.example:6443": rpc error: '
            'code = NotFound desc = cluster "https://a.example:6443" not found',
            Destination(server="https://a.example:6443"),
        ),
        (
            "application destination spec is invalid: there are no clusters with this name: prod (and 2 more)",
            Destination(name="prod"),
        ),
        ("application destination spec is invalid: there are no clusters with this name: prod eu", Destination(name="prod eu")),
        ("application references project shop which does not exist", None),
    ],
)  # fmt: skip
def test_an_unknown_cluster_is_read_from_what_the_controller_says(
    message: str, destination: Destination | None
) -> None:
    assert unknown_cluster(message) == destination


def test_each_cluster_has_a_plane_of_its_own_up_to_the_limit() -> None:
    a, b, c = cluster("a"), cluster("b"), cluster("c")
    web = {("namespace", "web")}
    assert names(place({a: web, b: web, c: web}, limit=3)) == ([["a"], ["b"], ["c"]], [])


def test_above_the_limit_they_share_where_nothing_is_in_common_and_else_go_without() -> None:
    a, b, c, d = (cluster(n) for n in "abcd")
    web, shop, role = ("namespace", "web"), ("namespace", "shop"), ("rbac", "ClusterRole", "reader")
    placement = place({a: {web, role}, b: {shop}, c: {shop, role}, d: {web}}, limit=2)
    assert names(placement) == ([["a"], ["b", "d"]], ["c"])
    assert placement.sentences == (
        "The clusters b, d are one control plane: none has a namespace or an object without a namespace in common with "
        "another.",
    )


def test_what_is_claimed_is_namespaces_and_objects_without_one() -> None:
    scopes = {("v1", "ConfigMap"): True, ("v1", "Namespace"): False, ("rbac/v1", "ClusterRole"): False}

    def made(version: str, kind: str, **metadata: str) -> dict[str, Any]:
        return {"apiVersion": version, "kind": kind, "metadata": metadata}

    objects = [
        made("v1", "ConfigMap", name="settings"),
        made("v1", "ConfigMap", name="settings", namespace="other"),
        made("v1", "Namespace", name="new"),
        made("rbac/v1", "ClusterRole", name="reader"),
        made("example.com/v1", "Widget", name="one"),
    ]
    assert claims_of(objects, "web", is_namespaced=lambda v, k: scopes.get((v, k))) == {
        ("namespace", "web"),
        ("namespace", "other"),
        ("namespace", "new"),
        ("", "Namespace", "new"),
        ("rbac", "ClusterRole", "reader"),
        ("example.com", "Widget", "one"),
    }
