"""What every cluster promises (`Contract`, one class for all providers), and the embedded one besides.

One boot serves all tests of a provider: each uses objects of its own names. The cluster that exists for one provider is
the other cluster of the next, whose last test ends it.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from engines import WEB, clusters_of_kind, kind_cluster

from pytest_gitops.clusters.api import DEFINITIONS, Api
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.base import Cluster
from pytest_gitops.clusters.echo import ROLES, Controller, Echo
from pytest_gitops.clusters.embedded.apiserver import NOBODY
from pytest_gitops.clusters.embedded.kwok import LEASE_SECONDS
from pytest_gitops.clusters.embedded.plane import Embedded
from pytest_gitops.clusters.kind import PREFIX, Kind
from pytest_gitops.clusters.kubeconfig import Existing
from pytest_gitops.clusters.permissions import Permission, missing
from pytest_gitops.errors import EngineError, WaitTimeout
from pytest_gitops.hosts.isolation import LABEL, SHARED, Outside, mark
from pytest_gitops.hosts.removal import HOOK_FINALIZER, leftovers, remove
from pytest_gitops.processes.ports import LOOPBACK, free_ports
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.waiting import now, wait_until

pytestmark = pytest.mark.engine

LIMIT = 30.0

SPACE = "contract"


def until(
    api: Api, path: str, holds: Callable[[dict[str, Any]], Any], limit: float = LIMIT
) -> dict[str, Any]:
    """The object at `path` once it exists and `holds` is true of it."""
    seen: dict[str, Any] = {}

    def probe() -> bool:
        seen.clear()
        try:
            seen.update(api.get(path))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return bool(holds(seen))

    wait_until(probe, limit=limit, what=path, seen=lambda: str(seen.get("status") or seen))
    return seen


def until_gone(api: Api, path: str, limit: float = LIMIT) -> None:
    def probe() -> bool:
        try:
            api.get(path)
        except ApiError as error:
            if error.status == 404:
                return True
            raise
        return False

    wait_until(probe, limit=limit, what=f"{path} gone")


def conditions(thing: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in thing.get("status", {}).get("conditions") or ()}


def workload(
    kind: str, name: str, *, image: str, spec: dict[str, Any] | None = None, **pod: Any
) -> dict[str, Any]:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": image}], **pod},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **(spec or {})},
    }


def core(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": SPACE}, **more}


def definition(plural: str, *, group: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": plural.title().rstrip("s"), "plural": plural},
            "versions": [version],
        },
    }


def api_service(word: str, *, service: str, port: int) -> dict[str, Any]:
    """An APIService of the group WORD.example.org, which a Service is to serve."""
    spec = {"group": f"{word}.example.org", "version": "v1", "insecureSkipTLSVerify": True}
    spec |= {"groupPriorityMinimum": 1000, "versionPriority": 15}
    spec["service"] = {"namespace": SPACE, "name": service, "port": port}
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    return {**kind, "metadata": {"name": f"v1.{word}.example.org"}, "spec": spec}


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """Somebody outside of every cluster, who listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server


def is_uncalled(server: socket.socket) -> bool:
    """Whether nobody has connected, let in or not."""
    server.setblocking(False)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return True
    return False


def reading(call: Callable[..., Any], *, creates: str) -> Callable[..., Any]:
    """The requests of an `Api`, of which none creates anything but objects of one kind."""

    def checked(api: Api, method: str, path: str, params: Any, body: Any = None, **more: Any) -> Any:
        assert method in {"GET", "DELETE"} or body["kind"] == creates, f"{method} {path}"
        return call(api, method, path, params, body, **more)

    return checked


def claim(name: str, **spec: Any) -> dict[str, Any]:
    size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return core("PersistentVolumeClaim", name, spec={**size, **spec})


def signed(token: str, key: ec.EllipticCurvePrivateKey, *, older: int) -> str:
    """A service account's token made anew, `older` seconds older than `token`; ES256, as the cluster signs."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    header, claims, _ = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    told |= {name: told[name] - older for name in ("exp", "iat", "nbf")}
    body = f"{header}.{part(json.dumps(told).encode())}"
    r, s = decode_dss_signature(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{body}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    directory = tmp_path_factory.mktemp("clusters") / "run"
    with Supervisor(directory, run_id=str(uuid.uuid4())) as supervisor:
        yield supervisor
    assert not directory.exists()


@pytest.fixture(scope="module")
def outside(supervisor: Supervisor, toolbox: dict[str, Path]) -> Embedded:
    """A cluster that exists: an embedded one beside those that the providers start."""
    cluster = Embedded(supervisor, supervisor.directory / "outside", toolbox, name="outside", nodes=1)
    cluster.start()
    return cluster


@pytest.fixture(scope="class")
def cluster(
    request: pytest.FixtureRequest, supervisor: Supervisor, toolbox: dict[str, Path]
) -> Iterator[Cluster]:
    contract: type[Contract] = request.cls
    cluster = contract.boot(supervisor, toolbox)
    yield cluster
    if isinstance(cluster, Kind):
        cluster.close()
        assert cluster.name not in clusters_of_kind()


@pytest.fixture(scope="class")
def api(cluster: Cluster) -> Iterator[Api]:
    api = Api(cluster.kubeconfig)
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    until(api, f"/api/v1/namespaces/{SPACE}/serviceaccounts/default", bool)
    yield api
    api.close()


class Contract:
    """The same for every provider. A subclass says how to boot, and which images its nodes can run:
    `image` runs until it is stopped, `brief` with `brief_command` ends well."""

    image = "registry.invalid/any:1"
    brief = "registry.invalid/any:1"
    brief_command: tuple[str, ...] = ("true",)

    @classmethod
    def boot(cls, supervisor: Supervisor, toolbox: dict[str, Path]) -> Cluster:
        """The provider's cluster, started."""
        raise NotImplementedError

    def ending(self, name: str) -> dict[str, Any]:
        return {"name": name, "image": self.brief, "command": list(self.brief_command)}

    def test_it_says_what_it_is(self, cluster: Cluster, api: Api) -> None:
        assert cluster.provider
        assert cluster.version == api.server_version()
        assert api.host.endswith(f"://{cluster.address[0]}:{cluster.address[1]}")
        assert api.ready()

    def test_its_credentials_are_private(self, cluster: Cluster) -> None:
        assert cluster.kubeconfig.stat().st_mode & 0o077 == 0

    def test_its_nodes_are_ready_and_take_pods(self, api: Api) -> None:
        nodes = api.get("/api/v1/nodes")["items"]
        assert nodes
        for node in nodes:
            path = f"/api/v1/nodes/{node['metadata']['name']}"
            until(api, path, lambda n: conditions(n).get("Ready") == "True" and not n["spec"].get("taints"))

    def test_a_deployment_with_init_containers_becomes_available(self, api: Api) -> None:
        sidecar = {"name": "sidecar", "image": self.image, "restartPolicy": "Always"}
        api.apply(
            workload(
                "Deployment",
                "web",
                image=self.image,
                spec={"replicas": 2},
                initContainers=[self.ending("init"), sidecar],
            )
        )
        path = f"/apis/apps/v1/namespaces/{SPACE}/deployments/web"
        until(api, path, lambda d: d["status"].get("availableReplicas") == 2)
        pod = api.get(f"/api/v1/namespaces/{SPACE}/pods", labelSelector="app=web")["items"][0]
        init = {s["name"]: s for s in pod["status"]["initContainerStatuses"]}
        assert init["init"]["state"]["terminated"]["exitCode"] == 0
        assert "running" in init["sidecar"]["state"] and init["sidecar"]["started"]
        assert pod["status"]["containerStatuses"][0]["ready"]
        assert {"Initialized", "Ready", "ContainersReady", "PodScheduled"} <= set(conditions(pod))

    def test_scaling_down_removes_pods(self, api: Api) -> None:
        api.apply(workload("Deployment", "shrinks", image=self.image, spec={"replicas": 3}))
        path = f"/apis/apps/v1/namespaces/{SPACE}/deployments/shrinks"
        until(api, path, lambda d: d["status"].get("readyReplicas") == 3)
        api.patch(path, {"spec": {"replicas": 1}})
        pods = f"/api/v1/namespaces/{SPACE}/pods?labelSelector=app%3Dshrinks"
        until(api, pods, lambda found: len(found["items"]) == 1)

    def test_a_stateful_set_starts_in_order_each_pod_with_its_volume(self, api: Api) -> None:
        told: list[tuple[str, bool]] = []
        stop = threading.Event()
        pods = f"/api/v1/namespaces/{SPACE}/pods"

        def record(_kind: str, pod: dict[str, Any]) -> None:
            told.append((pod["metadata"]["name"], conditions(pod).get("Ready") == "True"))

        watch = threading.Thread(
            target=api.watch, args=(pods, record), kwargs={"stop": stop, "labelSelector": "app=db"}
        )
        watch.start()
        try:
            volume = claim("data")
            api.apply(
                workload(
                    "StatefulSet",
                    "db",
                    image=self.image,
                    spec={
                        "replicas": 2,
                        "serviceName": "db",
                        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": volume["spec"]}],
                    },
                )
            )
            path = f"/apis/apps/v1/namespaces/{SPACE}/statefulsets/db"
            until(api, path, lambda s: s["status"].get("readyReplicas") == 2)
            # The watch may be told later than who asks.
            wait_until(lambda: ("db-1", True) in told, limit=LIMIT, what="both told", seen=lambda: str(told))
        finally:
            stop.set()
            watch.join(LIMIT)
        assert not watch.is_alive()
        assert told.index(("db-0", True)) < [name for name, _ in told].index("db-1")
        claims = f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims"
        for name in ("data-db-0", "data-db-1"):
            assert api.get(f"{claims}/{name}")["status"]["phase"] == "Bound"

    def test_a_daemon_set_is_on_every_node(self, api: Api) -> None:
        api.apply(workload("DaemonSet", "agent", image=self.image))
        path = f"/apis/apps/v1/namespaces/{SPACE}/daemonsets/agent"
        nodes = len(api.get("/api/v1/nodes")["items"])
        until(api, path, lambda d: d["status"].get("numberReady") == nodes)

    def test_a_job_completes(self, api: Api) -> None:
        pod = {
            "restartPolicy": "Never",
            "initContainers": [self.ending("init")],
            "containers": [self.ending("main")],
        }
        job = {"spec": {"completions": 2, "parallelism": 2, "template": {"spec": pod}}}
        api.apply({**core("Job", "once"), "apiVersion": "batch/v1", **job})
        path = f"/apis/batch/v1/namespaces/{SPACE}/jobs/once"
        found = until(api, path, lambda j: conditions(j).get("Complete") == "True")
        assert found["status"]["succeeded"] == 2

    def test_a_cron_job_is_accepted(self, api: Api) -> None:
        pod = {"restartPolicy": "OnFailure", "containers": [self.ending("main")]}
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        made = api.apply({**core("CronJob", "yearly"), "apiVersion": "batch/v1", "spec": spec})
        assert made["spec"]["concurrencyPolicy"] == "Allow"

    def test_a_claim_of_the_default_class_is_bound_and_its_volume_goes_with_it(self, api: Api) -> None:
        user = core("Pod", "uses", spec={
            "containers": [{"name": "main", "image": self.image}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "plain"}}],
        })  # fmt: skip
        api.apply(claim("plain"))
        api.apply(user)
        path = f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims/plain"
        bound = until(api, path, lambda c: c["status"].get("phase") == "Bound")
        assert bound["status"]["capacity"] == {"storage": "1Gi"}
        until(api, f"/api/v1/namespaces/{SPACE}/pods/uses", lambda p: conditions(p).get("Ready") == "True")
        api.delete(f"/api/v1/namespaces/{SPACE}/pods/uses")
        api.delete(path)
        until_gone(api, path)
        until_gone(api, f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}")

    def test_a_deleted_pod_goes_before_a_long_grace_period_is_over(self, api: Api) -> None:
        spec = {
            "terminationGracePeriodSeconds": 600,
            "containers": [{"name": "main", "image": self.image}],
        }
        api.apply(core("Pod", "lingers", spec=spec))
        path = f"/api/v1/namespaces/{SPACE}/pods/lingers"
        until(api, path, lambda p: conditions(p).get("Ready") == "True")
        api.delete(path)
        until_gone(api, path)

    def test_a_deleted_namespace_goes_with_all_in_it(self, api: Api) -> None:
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "brief"}})
        for thing in (claim("data"), workload("Deployment", "web", image=self.image)):
            thing["metadata"]["namespace"] = "brief"
            api.apply(thing)
        path = "/apis/apps/v1/namespaces/brief/deployments/web"
        until(api, path, lambda d: d["status"].get("readyReplicas") == 1)
        api.delete("/api/v1/namespaces/brief")
        until_gone(api, "/api/v1/namespaces/brief", limit=90)

    def test_service_accounts_have_tokens_and_the_root_certificate(self, api: Api) -> None:
        accounts = f"/api/v1/namespaces/{SPACE}/serviceaccounts/default/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        assert api.post(accounts, request)["status"]["token"].count(".") == 2
        root = until(api, f"/api/v1/namespaces/{SPACE}/configmaps/kube-root-ca.crt", bool)
        assert "BEGIN CERTIFICATE" in root["data"]["ca.crt"]

    def test_a_strict_dry_run_refuses_an_unknown_field_and_stores_nothing(self, api: Api) -> None:
        wrong = workload("Deployment", "wrong", image=self.image, spec={"replicaz": 1})
        with pytest.raises(ApiError, match=r"\.spec\.replicaz: field not declared in schema") as caught:
            api.apply(wrong, dry_run=True, strict=True)
        assert (caught.value.status, caught.value.reason) == (422, "Invalid")
        dry = api.apply(workload("Deployment", "dry", image=self.image), dry_run=True, strict=True)
        assert dry["spec"]["replicas"] == 1, "defaults are the server's"
        until_gone(api, f"/apis/apps/v1/namespaces/{SPACE}/deployments/dry", limit=0)

    def test_pod_security_is_enforced(self, api: Api) -> None:
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": label}})
        pod = core("Pod", "root", spec={"containers": [{"name": "main", "image": self.image}]})
        pod["metadata"]["namespace"] = "strict"
        until(api, "/api/v1/namespaces/strict/serviceaccounts/default", bool)
        with pytest.raises(ApiError, match='violates PodSecurity "restricted:latest"'):
            api.apply(pod, dry_run=True)

    @pytest.mark.parametrize("controller", Controller)
    def test_a_controller_answers_what_is_written_and_nothing_is_left(
        self, api: Api, controller: Controller
    ) -> None:
        echo, at = Echo(api, controller), now()
        wait_until(lambda: echo.heard(at), limit=LIMIT, what=controller.value, seen=lambda: echo.mute)
        echo.close()
        names = [r["metadata"]["name"] for r in api.get(ROLES)["items"]]
        assert [n for n in names if n.startswith("pytest-gitops")] == []

    def test_a_new_kind_can_be_used_once_it_is_established(self, api: Api) -> None:
        api.apply(definition("widgets", group="example.com"))
        api.wait_established(["widgets.example.com"], LIMIT)
        made = api.apply({**core("Widget", "one"), "apiVersion": "example.com/v1"})
        assert made["metadata"]["uid"]

    def test_a_watch_tells_each_change_and_ends_when_it_is_stopped(self, api: Api) -> None:
        told: list[str] = []
        stop = threading.Event()
        path = f"/api/v1/namespaces/{SPACE}/configmaps"
        arguments = {"stop": stop, "fieldSelector": "metadata.name=watched"}
        watch = threading.Thread(
            target=api.watch, args=(path, lambda kind, _: told.append(kind)), kwargs=arguments
        )
        watch.start()
        api.apply(core("ConfigMap", "watched", data={"k": "1"}))
        wait_until(lambda: told == ["ADDED"], limit=LIMIT, what="ADDED", seen=lambda: str(told))
        api.apply(core("ConfigMap", "watched", data={"k": "2"}))
        api.delete(f"{path}/watched")
        wait_until(lambda: len(told) == 3, limit=LIMIT, what="all changes", seen=lambda: str(told))
        stop.set()
        watch.join(LIMIT)
        assert not watch.is_alive()
        assert told == ["ADDED", "MODIFIED", "DELETED"]


class TestKubeconfig(Contract):
    """A cluster that exists, by a context of a kubeconfig: an embedded one, which nobody here has started."""

    @pytest.fixture(scope="class")
    @classmethod
    def cluster(cls, supervisor: Supervisor, outside: Embedded) -> Existing:
        private = supervisor.directory / "private"
        private.mkdir(mode=0o700)
        cluster = Existing(str(outside.kubeconfig), "outside", directory=private)
        cluster.start()
        return cluster

    def test_nothing_of_it_is_pretended_by_us(self, cluster: Existing) -> None:
        assert (cluster.provider, cluster.simulated) == ("kubeconfig", ())

    def test_a_context_that_is_not_there_is_said(self, outside: Embedded, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match=r"context nowhere: .*kubectl config get-contexts"):
            Existing(str(outside.kubeconfig), "nowhere", directory=tmp_path).start()

    def test_a_stale_kubeconfig_is_said(self, cluster: Existing, tmp_path: Path) -> None:
        stale = json.loads(cluster.kubeconfig.read_text())
        stale["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_ports(1)[0]}"
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(stale))
        with pytest.raises(
            EngineError, match=r"context outside: .* does not answer as an API server .*of today"
        ):
            Existing(str(file), "outside", directory=tmp_path).start()

    def by_token(self, cluster: Existing, token: str, folder: Path) -> Existing:
        """The same cluster with a token in the place of the certificate."""
        known = json.loads(cluster.kubeconfig.read_text())
        known["users"][0]["user"] = {"token": token}
        (folder / "private").mkdir(exist_ok=True)
        (folder / "kubeconfig").write_text(json.dumps(known))
        return Existing(str(folder / "kubeconfig"), "outside", directory=folder / "private")

    def token(self, api: Api) -> str:
        path = f"/api/v1/namespaces/{SPACE}/serviceaccounts/default/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(api.post(path, request)["status"]["token"])

    def test_an_expired_token_is_said(
        self, cluster: Existing, outside: Embedded, api: Api, tmp_path: Path
    ) -> None:
        """One that the cluster has signed, and that was good an hour ago."""
        key = serialization.load_pem_private_key((outside.directory / "accounts.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.by_token(cluster, signed(self.token(api), key, older=0), tmp_path).start()
        with pytest.raises(
            EngineError, match=r"context outside: .* does not take its credentials .*Log in again"
        ):
            self.by_token(cluster, signed(self.token(api), key, older=7200), tmp_path).start()

    def test_a_token_leads_there_as_a_certificate_does(
        self, cluster: Existing, api: Api, tmp_path: Path
    ) -> None:
        token = self.token(api)
        by_token = self.by_token(cluster, token, tmp_path)
        by_token.start()
        access = by_token.access(proxy="http://127.0.0.1:1")
        assert access["bearerToken"] == token
        assert set(access["tlsClientConfig"]) == {"insecure", "caData", "serverName"}
        may = missing(by_token.api, [Permission("create", "apps", "deployments", "default")])
        assert [p.title for p in may] == ["create deployments.apps"]
        assert missing(api, [Permission("create", "apps", "deployments", "default")]) == ()

    def test_what_a_run_left_is_found_by_its_label_and_removed_with_its_hooks(self, api: Api) -> None:
        for name in ("gitops-one-web", "gitops-two-web"):
            run_id = name.split("-")[1]
            api.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": name, "labels": {LABEL: run_id}},
                }
            )
        held = core("ConfigMap", "hook")
        held["metadata"] |= {"namespace": "gitops-one-web", "finalizers": [HOOK_FINALIZER]}
        api.apply(held)
        assert {(x.namespace, x.run) for x in leftovers(api)} == {
            ("gitops-one-web", "one"),
            ("gitops-two-web", "two"),
        }
        assert remove(api, leftovers(api, run="one")) == ()
        assert [x.namespace for x in leftovers(api)] == ["gitops-two-web"]
        assert remove(api, leftovers(api)) == ()
        assert api.get(f"/api/v1/namespaces/{SPACE}")["metadata"]["name"] == SPACE

    def test_outside_of_a_runs_namespaces_only_what_bears_its_mark_is_removed(self, api: Api) -> None:
        version = "rbac.authorization.k8s.io/v1"
        for name, label in (("ours", mark("y")), ("theirs", mark("z"))):
            meta = {"name": name, "labels": {label: "web"}}
            api.apply({"apiVersion": version, "kind": "ClusterRole", "metadata": meta, "rules": []})
        made = [Outside(version, "ClusterRole", "", name) for name in ("ours", "theirs", "never-made")]
        meta = {"name": "gitops-y-web", "labels": {LABEL: "y"}, "annotations": {SHARED: json.dumps(made)}}
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        assert leftovers(api, run="y")[0].shared == tuple(made)
        assert remove(api, leftovers(api, run="y")) == ()
        roles = {r["metadata"]["name"] for r in api.get(f"/apis/{version}/clusterroles")["items"]}
        assert "theirs" in roles and "ours" not in roles

    def test_what_does_not_go_is_named(self, api: Api) -> None:
        api.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": "gitops-x-held", "labels": {LABEL: "x"}},
            }
        )
        held = core("ConfigMap", "theirs")
        held["metadata"] |= {"namespace": "gitops-x-held", "finalizers": ["example.com/theirs"]}
        api.apply(held)
        assert remove(api, leftovers(api, run="x"), limit=1) == ("gitops-x-held",)
        api.patch("/api/v1/namespaces/gitops-x-held/configmaps/theirs", {"metadata": {"finalizers": None}})


class TestKind(Contract):
    """The cluster of containers, where a container engine answers and has the images of `pytest-gitops kind-node`."""

    image = WEB
    brief = WEB
    brief_command = ("/web", "once")

    @classmethod
    def boot(cls, supervisor: Supervisor, toolbox: dict[str, Path]) -> Kind:
        cluster = kind_cluster(supervisor)
        cluster.start()
        cluster.settle()
        return cluster

    def test_nothing_of_it_is_pretended(self, cluster: Kind) -> None:
        assert (cluster.provider, cluster.simulated) == ("kind", ())

    def test_a_service_leads_to_a_container_by_its_name(self, api: Api) -> None:
        """That nodes are Ready says little: with a broken kube-proxy they are, too."""
        api.apply(workload("Deployment", "served", image=WEB))
        ports = [{"port": 80, "targetPort": 8080}]
        api.apply(core("Service", "served", spec={"selector": {"app": "served"}, "ports": ports}))
        until(
            api,
            f"/apis/apps/v1/namespaces/{SPACE}/deployments/served",
            lambda d: d["status"].get("readyReplicas"),
        )
        url = f"http://served.{SPACE}.svc.cluster.local/"
        client = {"name": "main", "image": WEB, "command": ["/web", "get", url]}
        spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [client]}}, "backoffLimit": 5}
        api.apply({**core("Job", "client"), "apiVersion": "batch/v1", "spec": spec})
        path = f"/apis/batch/v1/namespaces/{SPACE}/jobs/client"
        until(api, path, lambda j: conditions(j).get("Complete") == "True", limit=90)
        pods = api.get(f"/api/v1/namespaces/{SPACE}/pods", labelSelector="job-name=client")["items"]
        done = next(p for p in pods if p["status"]["phase"] == "Succeeded")
        log = api.text(f"/api/v1/namespaces/{SPACE}/pods/{done['metadata']['name']}/log")
        assert log.startswith("200 hello from served-")

    def test_a_limit_of_memory_is_one(self, api: Api) -> None:
        limits = {"limits": {"memory": "8Mi"}}
        eats = {"name": "main", "image": WEB, "resources": limits}
        api.apply(core("Pod", "limited", spec={"containers": [eats]}))
        path = f"/api/v1/namespaces/{SPACE}/pods/limited"
        pod = until(api, path, lambda p: conditions(p).get("Ready") == "True")
        assert pod["status"]["containerStatuses"][0]["resources"]["limits"] == {"memory": "8Mi"}

    def test_what_a_dead_run_left_is_deleted_and_what_goes_on_is_not(
        self, cluster: Kind, supervisor: Supervisor, toolbox: dict[str, Path]
    ) -> None:
        records = cluster.records
        (records / f"{PREFIX}of-a-dead-run").touch()
        other = kind_cluster(supervisor, name=f"{PREFIX}other")
        assert other.remove_dead() == (f"{PREFIX}of-a-dead-run",)
        assert [r.name for r in records.iterdir()] == [cluster.name]
        assert cluster.name in clusters_of_kind()

    def test_a_cluster_of_that_name_which_is_not_ours_is_left_alone(
        self, cluster: Kind, supervisor: Supervisor, toolbox: dict[str, Path]
    ) -> None:
        same = kind_cluster(supervisor, name=cluster.name, folder="same")
        with pytest.raises(EngineError, match=r"has a cluster .* already, .* neither used nor deleted"):
            same.start()
        same.close()
        assert cluster.name in clusters_of_kind()

    def test_an_image_that_is_nowhere_is_said_and_nothing_is_left(
        self, cluster: Kind, supervisor: Supervisor, toolbox: dict[str, Path]
    ) -> None:
        name = f"{PREFIX}no-image"
        other = kind_cluster(supervisor, name=name, folder="no-image", images=("local/nowhere:1",))
        with pytest.raises(EngineError, match=r'"local/nowhere:1" not present locally|has no such image'):
            other.start()
        assert name not in clusters_of_kind()
        assert not (cluster.records / name).exists()

    def test_logs_are_exported(self, cluster: Kind, tmp_path: Path) -> None:
        cluster.export_logs(tmp_path / "logs")
        assert list((tmp_path / "logs").rglob("containers/coredns-*"))


class TestEmbedded(Contract):
    """The embedded cluster: the contract, and what it pretends."""

    @classmethod
    def boot(cls, supervisor: Supervisor, toolbox: dict[str, Path]) -> Embedded:
        # Where definitions are kept; a run's own directory is nobody's cache.
        cache = supervisor.directory / "cache"
        cluster = Embedded(supervisor, supervisor.directory / "embedded", toolbox, cache=cache)
        cluster.start()
        return cluster

    def test_it_runs_the_version_that_its_tool_is(self, cluster: Embedded) -> None:
        assert cluster.version.startswith("1.")

    def test_a_definition_that_was_taken_before_is_not_taken_anew(
        self, cluster: Embedded, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`api` has no shelf, and says what the API server makes of it."""
        path = f"{DEFINITIONS}/gears.example.org"
        made = []
        for _ in range(2):
            one = cluster.connect()
            one.define(definition("gears", group="example.org"))
            one.wait_established(["gears.example.org"], LIMIT)
            gear = {"apiVersion": "example.org/v1", "kind": "Gear", "metadata": {"name": "g"}}
            assert api.post(f"/apis/example.org/v1/namespaces/{SPACE}/gears", gear)["metadata"]["uid"]
            made.append(api.get(path))
            api.delete(path)
            until_gone(api, path)
            monkeypatch.setattr(Api, "apply", None)
            monkeypatch.setattr(Api, "_call", reading(Api._call, creates=gear["kind"]))
        first, second = (m["metadata"].pop("uid") for m in made)
        assert first != second
        for each in made:
            del each["metadata"]["creationTimestamp"], each["metadata"]["resourceVersion"]
        assert made[0] == made[1]

    def test_a_definition_that_is_there_is_not_put_over(self, cluster: Embedded) -> None:
        api, other = cluster.connect(), Api(cluster.kubeconfig)
        defined = definition("nuts", group="example.org")
        api.define(defined, applied=True)
        api.wait_established(["nuts.example.org"], LIMIT)
        before = other.get(f"{DEFINITIONS}/nuts.example.org")
        api.define(defined, applied=True)
        assert other.get(f"{DEFINITIONS}/nuts.example.org") == before
        with pytest.raises(ApiError, match="already exists"):
            api.define(defined)

    def test_a_definition_that_is_refused_is_refused_each_time(self, cluster: Embedded) -> None:
        api = cluster.connect()
        wrong = definition("bolts", group="example.org")
        wrong["metadata"]["name"] = "nails.example.org"
        for _ in range(2):
            with pytest.raises(ApiError, match=r'must be spec.names.plural\+"."\+spec.group'):
                api.define(wrong)

    def test_nobody_is_let_in_without_a_certificate(self, cluster: Embedded, tmp_path: Path) -> None:
        document = json.loads(cluster.kubeconfig.read_text())
        document["users"][0]["user"] = {}
        anonymous = tmp_path / "kubeconfig"
        anonymous.write_text(json.dumps(document))
        with pytest.raises(ApiError) as caught:
            Api(anonymous).get("/version")
        assert caught.value.status == 401

    def test_everything_it_writes_is_private(self, cluster: Embedded) -> None:
        assert cluster.directory.stat().st_mode & 0o777 == 0o700
        secrets = [p for p in cluster.directory.iterdir() if p.suffix in {".key", ".kubeconfig"}]
        assert len(secrets) > 8
        assert all(p.stat().st_mode & 0o777 == 0o600 for p in secrets)

    def test_readiness_gates_are_passed(self, api: Api) -> None:
        gate = {"conditionType": "example.com/load-balanced"}
        api.apply(workload("Deployment", "gated", image=self.image, readinessGates=[gate]))
        path = f"/apis/apps/v1/namespaces/{SPACE}/deployments/gated"
        until(api, path, lambda d: d["status"].get("readyReplicas") == 1)
        pod = api.get(f"/api/v1/namespaces/{SPACE}/pods", labelSelector="app=gated")["items"][0]
        assert conditions(pod)["example.com/load-balanced"] == "True"

    def test_privileged_pods_are_a_matter_of_policy_only(self, api: Api) -> None:
        privileged = {"name": "main", "image": self.image, "securityContext": {"privileged": True}}
        assert api.apply(core("Pod", "root", spec={"containers": [privileged]}), dry_run=True)

    def test_a_hard_anti_affinity_of_three_is_met(self, api: Api) -> None:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "apart"}}}
        apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        spread = {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "apart"}},
        }
        api.apply(
            workload(
                "Deployment",
                "apart",
                image=self.image,
                spec={"replicas": 3},
                affinity=apart,
                topologySpreadConstraints=[spread],
            )
        )
        path = f"/apis/apps/v1/namespaces/{SPACE}/deployments/apart"
        until(api, path, lambda d: d["status"].get("readyReplicas") == 3)

    def test_a_bare_pod_that_is_meant_to_end_has_succeeded(self, api: Api) -> None:
        spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": self.image}]}
        api.apply(core("Pod", "hook", spec=spec))
        path = f"/api/v1/namespaces/{SPACE}/pods/hook"
        done = until(api, path, lambda p: p["status"].get("phase") == "Succeeded")
        assert done["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0

    def test_load_balancers_and_ingresses_have_an_address(self, api: Api) -> None:
        port = {"port": 80}
        api.apply(core("Service", "front", spec={"type": "LoadBalancer", "ports": [port]}))
        backend = {"service": {"name": "front", "port": {"number": 80}}}
        ingress = {**core("Ingress", "front"), "apiVersion": "networking.k8s.io/v1"}
        api.apply({**ingress, "spec": {"defaultBackend": backend}})
        for path in (
            f"/api/v1/namespaces/{SPACE}/services/front",
            f"/apis/networking.k8s.io/v1/namespaces/{SPACE}/ingresses/front",
        ):
            until(api, path, lambda o: o["status"].get("loadBalancer", {}).get("ingress"))

    def test_an_autoscaler_is_content(self, api: Api) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "any"}
        scaler = {**core("HorizontalPodAutoscaler", "scaler"), "apiVersion": "autoscaling/v2"}
        api.apply({**scaler, "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": target}})
        path = f"/apis/autoscaling/v2/namespaces/{SPACE}/horizontalpodautoscalers/scaler"
        found = until(api, path, conditions)
        assert conditions(found) == {"AbleToScale": "True", "ScalingActive": "True"}
        assert found["status"]["desiredReplicas"] == 2

    def test_a_claim_of_a_class_that_the_platform_would_have_is_bound_too(self, api: Api) -> None:
        api.apply(claim("cloudy", storageClassName="premium"))
        path = f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims/cloudy"
        bound = until(api, path, lambda c: c["status"].get("phase") == "Bound")
        volume = api.get(f"/api/v1/persistentvolumes/{bound['spec']['volumeName']}")
        assert volume["spec"]["storageClassName"] == "premium"
        assert "hostPath" not in volume["spec"]

    def test_a_claim_that_wants_no_class_waits_for_a_volume_of_its_own(self, api: Api) -> None:
        claims = f"/api/v1/namespaces/{SPACE}/persistentvolumeclaims"
        path = f"{claims}/manual"
        api.apply(claim("manual", storageClassName=""))
        api.apply(claim("later", storageClassName="premium"))
        until(api, f"{claims}/later", lambda c: c["status"].get("phase") == "Bound")
        assert api.get(path)["status"]["phase"] == "Pending"
        source = {"csi": {"driver": "example.com", "volumeHandle": "one"}}
        size = {"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"]}
        volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "theirs"}}
        api.apply({**volume, "spec": {**source, **size, "storageClassName": ""}})
        bound = until(api, path, lambda c: c["status"].get("phase") == "Bound")
        assert bound["spec"]["volumeName"] == "theirs"

    def test_a_webhook_that_nobody_answers_stands_in_no_ones_way(self, api: Api) -> None:
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["configmaps"],
        }
        api.apply(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "absent"},
                "webhooks": [
                    {
                        "name": "absent.example.com",
                        "clientConfig": {"url": "https://127.0.0.1:9/validate"},
                        "rules": [rule],
                        "failurePolicy": "Fail",
                        "sideEffects": "None",
                        "admissionReviewVersions": ["v1"],
                    }
                ],
            }
        )
        assert api.apply(core("ConfigMap", "unhooked"))

    def test_it_asks_nobody_to_convert_an_object(self, api: Api, elsewhere: socket.socket) -> None:
        defined = definition("bridges", group="example.org")
        (first,) = defined["spec"]["versions"]
        defined["spec"]["versions"] = [first, {**first, "name": "v2", "storage": False}]
        url = f"https://{LOOPBACK}:{elsewhere.getsockname()[1]}/convert"
        webhook = {"clientConfig": {"url": url}, "conversionReviewVersions": ["v1"]}
        defined["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
        api.define(defined)
        api.wait_established(["bridges.example.org"], LIMIT)
        bridge = {"apiVersion": "example.org/v1", "kind": "Bridge", "metadata": {"name": "b"}}
        api.post(f"/apis/example.org/v1/namespaces/{SPACE}/bridges", bridge)
        with pytest.raises(ApiError, match=f"conversion webhook for .* failed: .* proxy error from {NOBODY}"):
            api.get(f"/apis/example.org/v2/namespaces/{SPACE}/bridges/b")
        assert is_uncalled(elsewhere)

    def test_it_asks_nobody_to_serve_an_api(self, api: Api, elsewhere: socket.socket) -> None:
        api.apply(core("Service", "away", spec={"type": "ExternalName", "externalName": "localhost"}))
        path = "/apis/apiregistration.k8s.io/v1/apiservices/v1.away.example.org"
        api.apply(api_service("away", service="away", port=elsewhere.getsockname()[1]))
        try:
            found = until(api, path, lambda s: "False" in conditions(s).values())
            assert f"proxy error from {NOBODY}" in found["status"]["conditions"][0]["message"]
            assert is_uncalled(elsewhere)
        finally:
            api.delete(path)  # no namespace ends while an API is not there

    def test_an_api_is_there_whose_service_has_an_endpoint_that_is_ready(self, api: Api) -> None:
        """And as long as it has none it is not; nobody is kept from anything by an API in which there is nothing."""
        port = {"name": "https", "port": 443, "targetPort": 8443}
        api.apply(core("Service", "metrics", spec={"selector": {"app": "metrics"}, "ports": [port]}))
        path = "/apis/apiregistration.k8s.io/v1/apiservices/v1.metrics.example.org"
        api.apply(api_service("metrics", service="metrics", port=443))
        try:
            until(api, path, lambda s: conditions(s) == {"Available": "False"})
            api.apply(workload("Deployment", "metrics", image=self.image))
            until(api, path, lambda s: conditions(s) == {"Available": "True"})
            found = until(
                api, "/apis/metrics.example.org/v1", lambda found: found["kind"] == "APIResourceList"
            )
            assert found["resources"] == []
            assert ("v1", "ConfigMap") in api.kinds()
            space = "/api/v1/namespaces/beside-an-api"
            api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "beside-an-api"}})
            api.delete(space)
            until_gone(api, space)
        finally:
            api.delete(path)

    @pytest.mark.parametrize("controller", Controller)
    def test_controllers_that_stand_still_have_answered_nothing(
        self, api: Api, cluster: Embedded, controller: Controller
    ) -> None:
        (daemon,) = (d for d in cluster.daemons if d.name == "kube-controller-manager")
        echo, at = Echo(api, controller), now()
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            assert not echo.heard(at)
            with pytest.raises(WaitTimeout):
                wait_until(lambda: echo.heard(at), limit=1, what="an answer")
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        wait_until(lambda: echo.heard(at), limit=LIMIT, what=controller.value)
        echo.close()

    def test_node_leases_are_renewed(self, api: Api, cluster: Embedded) -> None:
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{cluster.name}-0"
        first = until(api, path, bool)["spec"]
        assert first["leaseDurationSeconds"] == LEASE_SECONDS
        until(api, path, lambda lease: lease["spec"]["renewTime"] > first["renewTime"])

    def test_another_cluster_is_one_of_its_own_and_its_end_is_told(
        self, supervisor: Supervisor, outside: Embedded, cluster: Embedded, api: Api
    ) -> None:
        """The last one of this file: the other cluster is gone then."""
        other = Api(outside.kubeconfig)
        assert [n["metadata"]["name"] for n in other.get("/api/v1/nodes")["items"]] == ["outside-0"]
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}})
        with pytest.raises(ApiError, match="not found"):
            other.get("/api/v1/namespaces/here")
        told: list[str] = []
        known = threading.Event()
        supervisor.on_death(lambda daemon: (told.append(daemon.name), known.set()))
        os.kill(outside.daemons[0].pid, signal.SIGKILL)
        assert known.wait(LIMIT)
        assert told[0] == "etcd-outside"
        outside.stop()
        assert not outside.directory.exists()
        assert supervisor.dead is None
        assert api.ready()
        assert all(d.alive for d in cluster.daemons)
