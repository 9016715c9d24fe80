"""The OPA server of a run, on a unix socket in the run's private directory. The only user of opa_client.

A unix socket needs no port that another run could take, and no token: the directory's mode keeps others out.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from opa_client.opa import OpaClient
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.process import Daemon, Supervisor, run
from pytest_gitops.rego import query
from pytest_gitops.rego.bundle import Bundle, load
from pytest_gitops.rego.inputs import Subject
from pytest_gitops.rego.query import Hit
from pytest_gitops.rego.rules import Rule

SOCKET = "opa.sock"
READY_SECONDS = 30.0


class Opa:
    """Our policies and the user's, loaded in a real OPA.

    `directory` is made here; `folders` are the user's policy folders, `data` is what policies see under
    `data`; `limit`, in seconds, is for one judgement.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        directory: Path,
        binary: Path,
        *,
        folders: Sequence[Path] = (),
        data: Mapping[str, Any] | None = None,
        limit: float = 60.0,
    ) -> None:
        self._supervisor, self._directory, self._binary = supervisor, directory, binary
        self._folders, self._data, self._limit = tuple(folders), dict(data or {}), limit
        self._bundle: Bundle | None = None
        self._daemon: Daemon | None = None
        self._client: _Client | None = None
        self._handle = -1
        self.version = ""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, sorted by code; empty before `start`."""
        return self._bundle.rules if self._bundle else ()

    def start(self) -> None:
        """Compile the policies and start the server.

        Raises ConfigError naming file and line of a policy that is wrong, EngineError if OPA does not start.
        """
        self._directory.mkdir(mode=0o700, parents=True)
        bundle = load(self._binary, self._directory / "bundle", folders=self._folders, data=self._data)
        said = re.search(
            r"^Version: *(\S+)", run(self._binary, "version", env={}, limit=30).stdout, re.MULTILINE
        )
        self.version = said[1] if said else "unknown"
        # The path of a unix socket has at most 107 characters, a run's directory may have more: both sides
        # name it from the directory itself.
        daemon = self._supervisor.start(
            "opa", self._binary, "run", "--server", "--addr", f"unix://{SOCKET}", "--unix-socket-perm", "600",
            "--skip-version-check", "--log-level", "error", "--bundle", "bundle",
            # No environment of the user's. Fewer collections, more memory: the server lives for one run only.
            env={"HOME": str(self._directory), "GOGC": "400"}, cwd=self._directory,
        )  # fmt: skip
        self._handle = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        self._client = client = _Client(f"/proc/self/fd/{self._handle}/{SOCKET}", timeout=self._limit)
        daemon.wait_ready(lambda: client.check_health(), limit=READY_SECONDS)
        self._bundle, self._daemon = bundle, daemon

    def judge(self, subjects: Sequence[Subject]) -> list[tuple[Hit, ...]]:
        """What the rules say of each subject, in the subjects' order, in one request.

        Raises ConfigError naming the rule that fails while it is evaluated or answers in a wrong shape,
        ProcessDied if OPA is gone, EngineError if it takes longer than the limit.
        """
        if self._bundle is None or self._client is None or self._daemon is None:
            raise EngineError("opa: asked before it was started")
        if not subjects:
            return []
        try:
            answer = self._client.query_rule(query.documents(subjects), query.RUN_PACKAGE, query.RESULTS)
        except requests.HTTPError as error:
            raise self._refusal(error) from error
        except requests.Timeout as error:
            raise EngineError(
                f"opa: no answer on {len(subjects)} subjects within {self._limit:g} s"
            ) from error
        except requests.RequestException as error:
            if self._daemon.join(1):
                raise self._daemon.died() from error
            raise EngineError(f"opa: the request failed: {error}") from error
        if "result" not in answer:
            raise EngineError(f"opa: no result on {len(subjects)} subjects")
        return query.hits(answer["result"], self._bundle.rules, subjects)

    def close(self) -> None:
        """Stop the server. The supervisor does so too; closing twice is fine."""
        if self._client:
            self._client.close_connection()
        if self._daemon:
            self._daemon.terminate()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _refusal(self, error: requests.HTTPError) -> Exception:
        try:
            body = error.response.json() if error.response is not None else {}
        except ValueError:
            return EngineError(f"opa: {error}")
        for entry in body.get("errors") or ():
            location = entry.get("location") or {}
            if self._bundle and location.get("file"):
                where = f"{self._bundle.known(location['file'])}:{location.get('row', 1)}"
                # Only what failed: the lines below it are values, a secret's perhaps.
                what = str(entry.get("message")).split("\n")[0].rstrip(":")
                return ConfigError(f"the policy fails: {what}", where=where)
        return EngineError(f"opa: {body.get('message', error)}")


class _Client(OpaClient):  # type: ignore[misc]  # opa_client has no types
    """opa_client's, spoken over a unix socket whatever proxies the environment has, asking only once."""

    def __init__(self, path: str, *, timeout: float) -> None:
        self._path = path
        super().__init__(host="opa", port=80, retries=0, timeout=timeout)

    def _init_session(self) -> requests.Session:
        session: requests.Session = super()._init_session()
        session.mount("http://", _Adapter(self._path))
        return session


class _Adapter(HTTPAdapter):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._pool = _Pool("opa", path)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


class _Pool(HTTPConnectionPool):
    def __init__(self, host: str, path: str) -> None:
        super().__init__(host)
        self._path = path

    def _new_conn(self) -> _Connection:
        return _Connection(self.host, self._path)


class _Connection(HTTPConnection):
    def __init__(self, host: str, path: str) -> None:
        super().__init__(host)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
