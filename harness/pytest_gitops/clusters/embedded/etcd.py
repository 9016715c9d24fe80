"""The embedded cluster's etcd: one member, on a unix socket that only we can reach, never synced to disk."""

from __future__ import annotations

from pathlib import Path

from pytest_gitops.processes.process import Daemon, Supervisor

SOCKET = "etcd.sock:1"
"""The socket's file name in the cluster's directory. etcd wants every URL to look as if it had a port."""

PEER_SOCKET = "peer.sock:1"

ENDPOINT = f"unix://{SOCKET}"
"""etcd's URL for what runs in the cluster's directory: a socket's whole path may have 108 bytes only."""


def start(
    supervisor: Supervisor, program: Path, *, directory: Path, label: str, env: dict[str, str], limit: float
) -> Daemon:
    """Start etcd in `directory` and return once it takes connections."""
    peer = f"unix://{PEER_SOCKET}"
    daemon = supervisor.start(
        label,
        program,
        "--name=embedded",
        "--data-dir=etcd",
        f"--listen-client-urls={ENDPOINT}",
        f"--advertise-client-urls={ENDPOINT}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=embedded={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        env=env,
        cwd=directory,
    )
    # kube-apiserver looks for etcd once and, when it is not there yet, only a second later again.
    daemon.wait_ready((directory / SOCKET).exists, limit=limit)
    return daemon
