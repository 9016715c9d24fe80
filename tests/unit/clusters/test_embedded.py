"""The embedded cluster's own parts, before any process: certificates, kubeconfigs, stages, ports."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from pytest_gitops.clusters.embedded import kubeconfig, kwok, managers
from pytest_gitops.clusters.embedded.pki import MASTERS, Authority, Pair, private
from pytest_gitops.clusters.embedded.plane import PROGRAMS, Embedded
from pytest_gitops.clusters.embedded.reservation import reserve
from pytest_gitops.errors import EngineError, ToolError
from pytest_gitops.settings.nodes import NodePool


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def store(authority: Authority) -> Store:
    return Store([certificate(authority.ca)])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize(
    "name", ["localhost", "kubernetes", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
)
def test_the_serving_certificate_holds_for_the_names_of_an_api_server(
    name: str, authority: Authority
) -> None:
    pair = authority.server("api", "127.0.0.1")
    verifier = PolicyBuilder().store(store(authority)).build_server_verifier(x509.DNSName(name))
    assert verifier.verify(certificate(pair.certificate), [])


def test_the_serving_certificate_holds_for_its_address(authority: Authority) -> None:
    names = certificate(authority.server("api", "127.0.0.1").certificate).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(a) for a in found.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_a_client_certificate_says_who_and_of_which_group(authority: Authority) -> None:
    found = certificate(authority.client("admin", user="admin", group=MASTERS).certificate)
    assert found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "admin"
    assert found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"


def test_a_client_certificate_cannot_serve(authority: Authority) -> None:
    found = certificate(authority.client("scheduler", user="system:kube-scheduler").certificate)
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)


def test_only_we_can_read_what_is_written_and_the_authoritys_key_is_not(
    tmp_path: Path, authority: Authority
) -> None:
    pair = authority.client("admin", user="admin")
    authority.signing_key("accounts")
    kubeconfig.write(
        tmp_path / "kubeconfig", cluster="c", user="u", server="https://x", ca=authority.ca, pair=pair
    )
    names = ("ca.crt", "admin.crt", "admin.key", "accounts.pub", "accounts.key", "kubeconfig")
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()}
    assert modes == dict.fromkeys(names, 0o600)


def test_a_private_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("theirs")
    with pytest.raises(FileExistsError):
        private(tmp_path / "key", "ours")


def test_a_kubeconfig_verifies_the_server_and_holds_no_secret_itself(authority: Authority) -> None:
    pair = authority.client("admin", user="admin")
    path = authority.directory / "kubeconfig"
    kubeconfig.write(path, cluster="c", user="u", server="https://x:1", ca=authority.ca, pair=pair)
    document = json.loads(path.read_text())
    assert document["clusters"][0]["cluster"] == {
        "server": "https://x:1",
        "certificate-authority": str(authority.ca),
    }
    assert document["users"][0]["user"] == {
        "client-certificate": str(pair.certificate),
        "client-key": str(pair.key),
    }


def stages() -> list[Any]:
    return [
        pytest.param(stage, id=stage["metadata"]["name"])
        for path in sorted(kwok.STAGES.glob("*.yaml"))
        for stage in yaml.safe_load_all(path.read_text())
    ]


@pytest.mark.parametrize("stage", stages())
def test_a_stage_uses_no_deprecated_field(stage: dict[str, Any]) -> None:
    assert set(stage["spec"]) <= {"resourceRef", "selector", "delay", "steps"}
    assert all(set(e) == {"jq"} for e in stage["spec"]["selector"]["matchExpressions"])


@pytest.mark.parametrize("stage", stages())
def test_a_stage_names_no_path_of_the_machine(stage: dict[str, Any]) -> None:
    assert "hostPath" not in yaml.safe_dump(stage)


@pytest.mark.parametrize("stage", stages())
def test_a_stage_leaves_what_is_being_deleted_alone(stage: dict[str, Any]) -> None:
    kept = stage["spec"]["resourceRef"]["kind"] == "Node" or stage["metadata"]["name"] == "pod-goes"
    rule = {"jq": {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}}
    assert kept or rule in stage["spec"]["selector"]["matchExpressions"]


class Recorder:
    """A supervisor that starts nothing and remembers the words."""

    words: tuple[str, ...] = ()

    def start(self, _name: str, *argv: object, **_: object) -> None:
        self.words = tuple(str(a) for a in argv)


def controller_words(tmp_path: Path) -> tuple[str, ...]:
    recorder: Any = Recorder()
    accounts = Pair(certificate=tmp_path / "a.pub", key=tmp_path / "a.key")
    managers.start_controllers(
        recorder,
        tmp_path / "kube-controller-manager",
        directory=tmp_path,
        label="x",
        kubeconfig=tmp_path / "k",
        ca=tmp_path / "ca",
        accounts=accounts,
        env={},
    )
    words: tuple[str, ...] = recorder.words
    return words


def test_no_pause_of_the_machine_makes_a_node_unready(tmp_path: Path) -> None:
    grace = {"--node-monitor-grace-period=24h", "--node-startup-grace-period=24h"}
    assert grace <= set(controller_words(tmp_path))


def test_no_controller_waits_for_what_is_only_pretended(tmp_path: Path) -> None:
    (controllers,) = (w for w in controller_words(tmp_path) if w.startswith("--controllers="))
    assert controllers == (
        "--controllers=*,-horizontal-pod-autoscaler-controller,-persistentvolume-attach-detach-controller"
    )


def test_nodes_are_spread_over_zones() -> None:
    nodes = [kwok.node(i, cluster="c")["metadata"] for i in range(3)]
    assert len({n["name"] for n in nodes}) == 3
    assert len({n["labels"]["topology.kubernetes.io/zone"] for n in nodes}) == 3


def test_a_reserved_port_is_nobody_elses() -> None:
    with reserve() as held, socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(held.getsockname())


def test_a_reserved_port_is_not_reserved_twice() -> None:
    with reserve() as held, pytest.raises(EngineError, match=r"no free port on 127\.0\.0\.1: tried 1"):
        reserve(candidates=[held.getsockname()[1]])


def test_a_reserved_port_can_be_served_by_who_shares_it() -> None:
    with reserve() as held, socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(held.getsockname())
        server.listen()
        with socket.create_connection(held.getsockname(), timeout=5), server.accept()[0] as accepted:
            assert accepted.getsockname() == held.getsockname()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_tool_that_is_not_given_is_named(program: str, tmp_path: Path) -> None:
    tools = {p: tmp_path / p for p in PROGRAMS if p != program}
    with pytest.raises(ToolError, match=f"^{program}: "):
        Embedded(None, tmp_path / "c", tools)  # type: ignore[arg-type]


def test_every_pretence_is_said_in_a_sentence() -> None:
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in Embedded.simulated)


def test_a_node_of_a_pool_has_what_its_pool_says_beside_what_every_node_has() -> None:
    pool = NodePool(
        labels={"topology.kubernetes.io/zone": "eu-west-1a", "spot": "yes"},
        taints=({"key": "spot", "effect": "NoSchedule"},),
        resources={"nvidia.com/gpu": 8, "cpu": "4"},
    )
    made = kwok.node(3, cluster="embedded", pool=pool)
    labels, capacity = made["metadata"]["labels"], made["status"]["allocatable"]
    assert (labels["topology.kubernetes.io/zone"], labels["spot"], labels["kubernetes.io/os"]) == (
        "eu-west-1a", "yes", "linux",
    )  # fmt: skip
    assert (capacity["nvidia.com/gpu"], capacity["cpu"], capacity["pods"]) == ("8", "4", "10000")
    assert made["spec"]["taints"] == [{"key": "spot", "effect": "NoSchedule"}]
    assert kwok.node(0, cluster="embedded")["spec"]["taints"] == []
