"""The embedded cluster's kubelets and outside world, pretended by kwok as the files in `stages/` say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_gitops.processes.process import Daemon, Supervisor
from pytest_gitops.settings.nodes import NodePool

STAGES = Path(__file__).with_name("stages")

SIMULATED = (
    "No container runs: images, commands, probes and exit codes are not tested; a pod is ready at once, "
    "a Job's pod succeeds.",
    "Nodes are pretended: they have room for everything, and the network to pods and Services is not there.",
    "Volumes hold nothing: every PersistentVolumeClaim with a storage class is given one, "
    "whether or not the class exists, and also where it would wait for a Pod.",
    "Services of type LoadBalancer and Ingresses are given an address, whether or not anything serves them.",
    "HorizontalPodAutoscalers report that they can scale, and never do.",
    "Controllers of custom resources do not run: kinds that Argo CD waits for, such as Certificates and "
    "ExternalSecrets, say that they are ready.",
    "Webhooks are not called, neither for admission nor to convert custom resources; the API server's own admission "
    "and its admission policies are.",
    "The API of an APIService is there, and empty, once its Service has an endpoint that is ready.",
)

LEASE_SECONDS = 40

ZONES = ("zone-a", "zone-b", "zone-c")


def start(
    supervisor: Supervisor,
    program: Path,
    *,
    directory: Path,
    label: str,
    kubeconfig: Path,
    env: dict[str, str],
) -> Daemon:
    """Start kwok; the API server must be ready."""
    return supervisor.start(
        label,
        program,
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=true",
        "--cidr=10.244.0.0/16",
        f"--node-lease-duration-seconds={LEASE_SECONDS}",
        *(f"--config={path}" for path in sorted(STAGES.glob("*.yaml"))),
        env=env,
        cwd=directory,
    )


def node(index: int, *, cluster: str, pool: NodePool | None = None) -> dict[str, Any]:
    """The Node object number `index`, spread over three zones as a regional cluster's nodes are, and what its `pool`
    says otherwise."""
    pool = pool or NodePool()
    name = f"{cluster}-{index}"
    size = {"cpu": "640", "memory": "2560Gi", "ephemeral-storage": "64Ti", "pods": "10000"}
    size |= {resource: str(amount) for resource, amount in pool.resources.items()}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "region",
                "topology.kubernetes.io/zone": ZONES[index % len(ZONES)],
                **pool.labels,
            },
        },
        "spec": {"taints": list(pool.taints)},
        "status": {"capacity": size, "allocatable": size},
    }


def storage_class() -> dict[str, Any]:
    """The default StorageClass; its provisioner is a kwok stage."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "pretended.pytest-gitops",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
    }
