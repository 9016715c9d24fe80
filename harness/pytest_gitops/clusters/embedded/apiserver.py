"""The embedded cluster's kube-apiserver: on one loopback port, TLS and client certificates only."""

from __future__ import annotations

from pathlib import Path

from pytest_gitops.clusters.embedded import etcd
from pytest_gitops.clusters.embedded.pki import Pair
from pytest_gitops.processes.ports import LOOPBACK
from pytest_gitops.processes.process import Daemon, Supervisor

SERVICE_RANGE = "10.96.0.0/16"


def start(
    supervisor: Supervisor,
    program: Path,
    *,
    directory: Path,
    label: str,
    port: int,
    ca: Path,
    serving: Pair,
    accounts: Pair,
    env: dict[str, str],
) -> Daemon:
    """Start the API server on `port`, which is reserved; it is ready later."""
    return supervisor.start(
        label,
        program,
        f"--etcd-servers={etcd.ENDPOINT}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        "--permit-port-sharing",  # with the socket that holds the port for it
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={ca}",
        "--anonymous-auth=false",
        f"--cert-dir={directory}",
        f"--service-account-key-file={accounts.certificate}",
        f"--service-account-signing-key-file={accounts.key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--endpoint-reconciler-type=none",  # it refuses to announce a loopback address
        "--authorization-mode=RBAC",
        "--allow-privileged",  # as every distribution has it; what may be privileged is a policy's business
        # No container runs, so no webhook could answer: calling one would only fail.
        "--disable-admission-plugins=MutatingAdmissionWebhook,ValidatingAdmissionWebhook",
        # One user, who is in a hurry: no fair queues, and room for all of Argo CD's requests.
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=3000",
        "--max-mutating-requests-inflight=1000",
        "--profiling=false",
        env=env,
        cwd=directory,
    )
