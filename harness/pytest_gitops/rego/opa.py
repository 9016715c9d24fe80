"""The OPA server of a run, on a unix socket in the run's private directory. The only user of opa_client.

A unix socket needs no port that another run could take, and no token: the directory's mode keeps others out.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from opa_client.opa import OpaClient
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Finding
from pytest_gitops.processes import sockets
from pytest_gitops.processes.process import Daemon, Supervisor, run
from pytest_gitops.rego import module, query
from pytest_gitops.rego.bundle import ALL_NAMESPACES, Bundle, Folder, load
from pytest_gitops.rego.inputs import Subject
from pytest_gitops.rego.problems import Trouble
from pytest_gitops.rego.query import Hit, Question
from pytest_gitops.rego.rules import Rule

SOCKET = "opa.sock"

READY_SECONDS = 180.0
"""How long OPA may take until it answers: a tenth of a second on an idle machine, far more on a busy one."""

RULE_SECONDS = 10.0
"""How long one rule may take for all that it is asked about in a run."""


SEND_SECONDS = 60.0
"""How long OPA may not take anything of what is sent to it."""

READ_BYTES = 5_000_000
"""As much of a document OPA reads in a second at the least; on a quiet machine it is ten times that."""


class Opa:
    """Our policies and the user's, loaded in a real OPA.

    `directory` is made here; `folders` are the user's policy folders, `data` and `data_files` are what policies see
    under `data`, `namespaces` the packages whose conftest rules are asked (see bundle.load). `rule_limit`, in seconds,
    is what one rule may take for everything it is asked about at once; `limit` is for all of them.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        directory: Path,
        binary: Path,
        *,
        folders: Sequence[Path | Folder] = (),
        data: Mapping[str, Any] | None = None,
        data_files: Sequence[Path] = (),
        namespaces: Sequence[str] = ALL_NAMESPACES,
        limit: float = 120.0,
        rule_limit: float = RULE_SECONDS,
    ) -> None:
        self._supervisor, self._directory, self._binary = supervisor, directory, binary
        self._folders, self._data, self._data_files = tuple(folders), dict(data or {}), tuple(data_files)
        self._namespaces, self._limit, self._rule_limit = tuple(namespaces), limit, min(rule_limit, limit)
        self._bundle: Bundle | None = None
        self._daemon: Daemon | None = None
        self._client: _Client | None = None
        self._asking = threading.Lock()
        # Rules that are not asked any more, and why.
        self._out: dict[int, tuple[Trouble, str]] = {}
        self.version = ""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, sorted by code; empty before `start`."""
        return self._bundle.rules if self._bundle else ()

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What is to be said of policies that are not asked, such as one that does not compile."""
        return self._bundle.problems if self._bundle else ()

    @property
    def reviews(self) -> bool:
        """Whether there are constraints of Gatekeeper's, so that subjects need reviews."""
        return any(rule.constraint for rule in self.rules)

    def start(self) -> None:
        """Compile the policies and start the server.

        Raises ConfigError for folders and data that cannot be used, EngineError if OPA does not start.
        """
        self._directory.mkdir(mode=0o700, parents=True)
        bundle = load(
            self._binary,
            self._directory / "bundle",
            folders=self._folders,
            data=self._data,
            data_files=self._data_files,
            namespaces=self._namespaces,
        )
        said = re.search(
            r"^Version: *(\S+)", run(self._binary, "version", env={}, limit=30).stdout, re.MULTILINE
        )
        self.version = said[1] if said else "unknown"
        # Named from the directory itself, as who connects does: a run's own path may be too long for a socket.
        daemon = self._supervisor.start(
            "opa", self._binary, "run", "--server", "--addr", f"unix://{SOCKET}", "--unix-socket-perm", "600",
            "--skip-version-check", "--log-level", "error", "--bundle", "bundle",
            # No environment of the user's. Fewer collections, more memory: the server lives for one run only.
            env={"HOME": str(self._directory), "GOGC": "400"}, cwd=self._directory,
        )  # fmt: skip
        self._client = client = _Client(self._directory, timeout=self._limit)
        daemon.wait_ready(lambda: client.check_health(), limit=READY_SECONDS)
        self._bundle, self._daemon = bundle, daemon

    def judge(
        self,
        subjects: Sequence[Subject],
        *,
        inventories: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> list[tuple[Hit, ...]]:
        """What the rules say of each subject, in the subjects' order, in one request.

        A rule of the user's that fails while it is evaluated, or takes too long, is asked by itself to know which it
        is; it is a hit of all that it should have judged, and the other rules are asked without it, here and from
        now on. `inventories` is `data.inventory` for Gatekeeper's templates, by cluster. Raises ProcessDied if OPA
        is gone, EngineError if what is ours takes longer than the limit, or fails.
        """
        if not subjects:
            return []
        with self._asking:
            asked = query.question(subjects, self.rules, inventories)
            found = query.hits(self._results(asked), self.rules, asked)
            for number, (trouble, message) in self._out.items():
                rule = self.rules[number]
                for position in query.concerned(number, rule, asked):
                    found[position].append(query.troubled(rule, trouble, message))
        return [query.ordered(hits) for hits in found]

    def _results(self, asked: Question) -> Mapping[str, Any]:
        try:
            return self._ask(asked, module.RESULTS, self._rule_limit)
        except (_TooSlow, _Failing):
            self._find_out(asked)
        try:
            return self._ask(asked, module.RESULTS, self._limit)
        except _TooSlow as error:
            raise EngineError(
                f"opa: no answer on {len(asked.subjects)} subjects within {self._limit:g} s"
            ) from error
        except _Failing as error:
            raise EngineError(f"opa: {error}") from error

    def _find_out(self, asked: Question) -> None:
        """Ask each rule of the user's by itself, and leave out the ones that do not answer."""
        for number, rule in enumerate(self.rules):
            if rule.builtin or number in self._out or not query.concerned(number, rule, asked):
                continue
            try:
                self._ask(asked, module.alone(number), self._rule_limit)
            except _TooSlow:
                self._out[number] = (
                    Trouble.TOO_SLOW,
                    f"it did not answer within {self._rule_limit:g} s, so it was not asked",
                )
            except _Failing as error:
                self._out[number] = (Trouble.FAILING, f"it fails, so it was not asked: {error}")

    def _ask(self, asked: Question, name: str, limit: float) -> Mapping[str, Any]:
        if self._bundle is None or self._client is None or self._daemon is None:
            raise EngineError("opa: asked before it was started")
        self._client.timeout = limit
        try:
            answer = self._client.query_rule(asked.skipping(self._out), module.RUN_PACKAGE, name)
        except requests.HTTPError as error:
            raise self._refusal(error) from error
        except requests.Timeout as error:
            # The connection is closed with it, at which OPA gives the evaluation up.
            raise _TooSlow from error
        except requests.RequestException as error:
            if self._daemon.join(1):
                raise self._daemon.died() from error
            raise EngineError(f"opa: the request failed: {error}") from error
        if "result" not in answer:
            raise EngineError(f"opa: no result on {len(asked.subjects)} subjects")
        result: Mapping[str, Any] = answer["result"]
        return result

    def close(self) -> None:
        """Stop the server. The supervisor does so too; closing twice is fine."""
        if self._client:
            self._client.close_connection()
        if self._daemon:
            self._daemon.terminate()

    def _refusal(self, error: requests.HTTPError) -> Exception:
        try:
            body = error.response.json() if error.response is not None else {}
        except ValueError:
            return EngineError(f"opa: {error}")
        for entry in body.get("errors") or ():
            location = entry.get("location") or {}
            if self._bundle and location.get("file"):
                file, line = self._bundle.files.place(location["file"], int(location.get("row", 1)))
                # Only what failed: the lines below it are values, a secret's perhaps.
                what = str(entry.get("message")).split("\n")[0].rstrip(":")
                return _Failing(f"{file}:{line}: {what}")
        return EngineError(f"opa: {body.get('message', error)}")


class _TooSlow(Exception):
    """OPA did not answer in time."""


class _Failing(Exception):
    """A rule fails while it is evaluated; the text says where and how."""


class _Client(OpaClient):  # type: ignore[misc]  # opa_client has no types
    """opa_client's, spoken over a unix socket whatever proxies the environment has, asking only once."""

    def __init__(self, directory: Path, *, timeout: float) -> None:
        self._directory = directory
        super().__init__(host="opa", port=80, retries=0, timeout=timeout)

    def _init_session(self) -> requests.Session:
        session: requests.Session = super()._init_session()
        session.mount("http://", _Adapter(self._directory))
        return session


class _Adapter(HTTPAdapter):
    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._pool = _Pool("opa", directory)

    def send(  # type: ignore[override]  # its timeouts have other types there
        self, request: requests.PreparedRequest, *, timeout: float, **given: Any
    ) -> requests.Response:
        """Give a rule its time for itself: sending a document and reading it take theirs, however slow the machine."""
        reading = len(request.body or b"") / READ_BYTES
        return super().send(request, timeout=(SEND_SECONDS + reading, timeout + reading), **given)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


class _Pool(HTTPConnectionPool):
    def __init__(self, host: str, directory: Path) -> None:
        super().__init__(host)
        self._directory = directory

    def _new_conn(self) -> _Connection:
        return _Connection(self.host, self._directory)


class _Connection(HTTPConnection):
    def __init__(self, host: str, directory: Path) -> None:
        super().__init__(host)
        self._directory = directory

    def connect(self) -> None:
        self.sock = sockets.connect(self._directory, SOCKET, timeout=self.timeout)
