"""The embedded cluster's kube-apiserver: on one loopback port, TLS and client certificates only."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_gitops.clusters.embedded import etcd
from pytest_gitops.clusters.embedded.pki import Pair
from pytest_gitops.processes.ports import LOOPBACK
from pytest_gitops.processes.process import Daemon, Supervisor

SERVICE_RANGE = "10.96.0.0/16"

NOBODY = "the-embedded-cluster-calls-nobody"
"""The socket by which the API server has to go to whom it would call: a CRD's conversion webhook, the server of an
APIService, a kubelet. Errors name it. Who is at its other end, if anybody, is in `served`."""


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
    egress = directory / "egress.json"
    egress.write_text(json.dumps(_egress()), "utf-8")
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
        f"--egress-selector-config-file={egress}",
        # One user, who is in a hurry: no fair queues, and room for all of Argo CD's requests.
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=3000",
        "--max-mutating-requests-inflight=1000",
        "--profiling=false",
        env=env,
        cwd=directory,
    )


def _egress() -> dict[str, object]:
    """Whom the API server calls by itself, by service or by URL: no container here would answer, only a host outside
    could, and the egress guard is not asked."""
    ours = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": NOBODY}}}
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": name, "connection": ours} for name in ("cluster", "controlplane")],
    }
