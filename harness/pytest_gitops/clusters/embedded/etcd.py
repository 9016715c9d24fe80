"""The embedded cluster's etcd: one member, on a unix socket that only we can reach, never synced to disk."""

from __future__ import annotations

import base64
import http.client
import json
from pathlib import Path
from typing import Any

from pytest_gitops.processes import sockets
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


SECONDS = 60.0
"""How long an answer may take. Who gave up earlier would not know whether what it asked for is done all the same."""


class Store:
    """What the etcd in `directory` holds, by key, as the API server has written it: asked through etcd's JSON gateway.
    Raises OSError if it does not answer, or refuses."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, key: str) -> bytes | None:
        """The value of a key, if there is one."""
        found = self._call("range", {"key": _encoded(key.encode())}).get("kvs") or ()
        return base64.b64decode(found[0]["value"]) if found else None

    def add(self, key: str, value: bytes) -> bool:
        """Give a key that is not there its value; False, and nothing done, if it is there."""
        name = _encoded(key.encode())
        return bool(
            self._call(
                "txn",
                {
                    "compare": [{"key": name, "target": "CREATE", "createRevision": "0"}],
                    "success": [{"requestPut": {"key": name, "value": _encoded(value)}}],
                },
            ).get("succeeded")
        )

    def _call(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = _Connection(self._directory)
        try:
            connection.request("POST", f"/v3/kv/{what}", json.dumps(body))
            response = connection.getresponse()
            content = response.read()
            if response.status != http.client.OK:
                raise OSError(f"etcd refuses {what}: {content[:200]!r}")
            answer: dict[str, Any] = json.loads(content)
            return answer
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(f"etcd has no answer to {what}: {error}") from error
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, directory: Path) -> None:
        super().__init__("etcd", timeout=SECONDS)
        self._directory = directory

    def connect(self) -> None:
        self.sock = sockets.connect(self._directory, SOCKET, timeout=self.timeout)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
