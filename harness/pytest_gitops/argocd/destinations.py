"""Destination clusters: the Secret by which Argo CD knows each of them, and which ones may share a stand-in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_gitops.model import Destination
from pytest_gitops.repository.manifest import parse
from pytest_gitops.settings.registered import RegisteredCluster, label

SERVER_NAME = "kubernetes"
"""A name on every API server's certificate: the real one's is unknown, and its address is a stand-in's."""

UNKNOWN = re.compile(
    r'error getting cluster by server "(?P<server>[^"]+)"'
    r"|there are no clusters with this name: (?P<name>.+?)(?: \(and \d+ more\))?$"
)
"""How the applicationset-controller says that a destination is no cluster that it knows (util/argo/argo.go)."""

Claim = tuple[str, ...]
"""What an Application needs for itself on a cluster: ("namespace", name), or (group, kind, name) of an object without
one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which clusters stand on which control plane: `planes` has the clusters of each, `without` those that have none,
    because there are more than may be and none of the others' planes can be shared with them. `argocd` are those that
    Argo CD's own kinds are brought to."""

    planes: tuple[tuple[RegisteredCluster, ...], ...] = ()
    without: tuple[RegisteredCluster, ...] = ()
    argocd: frozenset[RegisteredCluster] = frozenset()

    def leaving_out(self, existing: Collection[RegisteredCluster]) -> Placement:
        """The same without those that need no stand-in."""
        kept = (tuple(c for c in plane if c not in existing) for plane in self.planes)
        return replace(self, planes=tuple(plane for plane in kept if plane))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is pretended by it, one sentence for each control plane that several clusters share."""
        return tuple(
            f"The clusters {', '.join(c.name for c in shared)} are one control plane: none has a namespace or an "
            "object without a namespace in common with another."
            for shared in self.planes
            if len(shared) > 1
        )


def place(claims: Mapping[RegisteredCluster, Set[Claim]], *, limit: int) -> Placement:
    """Give each cluster a control plane of its own, `limit` of them; one more shares the first one on which nobody
    claims what it claims. Sharing can then not be told from having one's own."""
    planes: list[list[RegisteredCluster]] = []
    without: list[RegisteredCluster] = []
    for cluster in sorted(claims, key=lambda c: c.name):
        free = [plane for plane in planes if not any(claims[cluster] & claims[other] for other in plane)]
        if len(planes) < limit:
            planes.append([cluster])
        elif free:
            min(free, key=len).append(cluster)
        else:
            without.append(cluster)
    return Placement(planes=tuple(map(tuple, planes)), without=tuple(without))


def cluster_secret(
    cluster: RegisteredCluster,
    access: Mapping[str, Any] | None,
    *,
    control: str,
    namespaces: Sequence[str] = (),
    cluster_resources: bool = False,
) -> dict[str, Any]:
    """The declarative cluster Secret of Argo CD. Without `access` it is known, as generators want it, and cannot be
    reached; the cluster that Argo CD runs in needs none. With `namespaces` Argo CD looks at, and touches, what is in
    them alone, and with `cluster_resources` at what has none."""
    data = {"name": cluster.name, "server": cluster.server, "config": json.dumps(access or {})}
    if namespaces:
        data |= {"namespaces": ",".join(namespaces), "clusterResources": str(cluster_resources).lower()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": f"cluster-{label(cluster.name)}",
            "namespace": control,
            "labels": {**cluster.labels, "argocd.argoproj.io/secret-type": "cluster"},
            "annotations": dict(cluster.annotations),
        },
        "stringData": data,
    }


def through(proxy: str, kubeconfig: Path) -> dict[str, Any]:
    """The access of a cluster Secret that leads through `proxy` to the cluster of `kubeconfig`."""
    config = parse(kubeconfig.read_bytes())[0].value
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    return {
        "proxyUrl": proxy,
        "tlsClientConfig": {
            "serverName": SERVER_NAME,
            "caData": _data(cluster, "certificate-authority", kubeconfig),
            "certData": _data(user, "client-certificate", kubeconfig),
            "keyData": _data(user, "client-key", kubeconfig),
        },
    }


def unknown_cluster(message: str) -> Destination | None:
    """The destination that an ApplicationSet's error calls unknown, None for any other error."""
    found = UNKNOWN.search(message)
    return Destination(server=found["server"] or "", name=found["name"] or "") if found else None


def claims_of(
    objects: Sequence[Mapping[str, Any]], namespace: str, *, is_namespaced: Callable[[str, str], bool | None]
) -> frozenset[Claim]:
    """What rendered `objects` claim; `namespace` is that of the destination. Of a kind that nobody knows (None) both
    is claimed, what it would be with a namespace and without."""
    found: set[Claim] = {("namespace", namespace)} if namespace else set()
    for each in objects:
        metadata = each.get("metadata") or {}
        version, kind = str(each.get("apiVersion", "")), str(each.get("kind", ""))
        scoped = is_namespaced(version, kind)
        if scoped is not False:
            found.add(("namespace", str(metadata.get("namespace") or namespace)))
        if scoped is not True:
            found.add((version.rpartition("/")[0], kind, str(metadata.get("name") or "")))
        if (version, kind) == ("v1", "Namespace"):
            found.add(("namespace", str(metadata.get("name") or "")))
    return frozenset(found)


def _data(entry: Mapping[str, Any], name: str, kubeconfig: Path) -> str:
    """A certificate or key of a kubeconfig in base64: it holds them itself, or names a file beside it."""
    if f"{name}-data" in entry:
        return str(entry[f"{name}-data"])
    return base64.b64encode((kubeconfig.parent / entry[name]).read_bytes()).decode()
