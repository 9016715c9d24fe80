"""The embedded cluster's kube-controller-manager and kube-scheduler, neither of which serves anything."""

from __future__ import annotations

from pathlib import Path

from pytest_gitops.clusters.embedded.pki import Pair
from pytest_gitops.processes.process import Daemon, Supervisor

RATES = ("--kube-api-qps=200", "--kube-api-burst=400")

WITHOUT = (
    # Nothing measures pods that do not run: every HPA would be Degraded.
    "horizontal-pod-autoscaler-controller",
    # Nothing attaches the volumes, which hold nothing.
    "persistentvolume-attach-detach-controller",
)
"""Controllers that would wait for ever for a part that is only pretended; kwok's stages stand in for them."""


def start_controllers(
    supervisor: Supervisor,
    program: Path,
    *,
    directory: Path,
    label: str,
    kubeconfig: Path,
    ca: Path,
    accounts: Pair,
    env: dict[str, str],
) -> Daemon:
    """Start the controller manager; the API server must be ready."""
    return supervisor.start(
        label,
        program,
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={accounts.key}",
        f"--root-ca-file={ca}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--secure-port=0",
        "--controllers=*," + ",".join(f"-{name}" for name in WITHOUT),
        # A laptop that slept or a machine that stood still is no reason to evict pods.
        "--node-monitor-grace-period=24h",
        "--node-startup-grace-period=24h",
        "--pvclaimbinder-sync-period=2s",  # how long a claim waits to notice a volume that was made for it
        *RATES,
        env=env,
        cwd=directory,
    )


def start_scheduler(
    supervisor: Supervisor,
    program: Path,
    *,
    directory: Path,
    label: str,
    kubeconfig: Path,
    env: dict[str, str],
) -> Daemon:
    """Start the scheduler; the API server must be ready."""
    return supervisor.start(
        label,
        program,
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        *RATES,
        env=env,
        cwd=directory,
    )
