"""How xdist workers ask the engine in pytest's own process: JSON over loopback, with a key only they know."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Outcome, StageResult
from pytest_gitops.scenarios.api import not_answered
from pytest_gitops.settings.shards import Share

Pairs = Sequence[tuple[str, str]]

PAUSE_SECONDS = 0.1
"""After a connection that could not be accepted, so that a lasting reason is no busy loop."""


class Server:
    """Answers workers, each in a thread of its own; `address` and `key` are what they need.

    `ask` gives one result, `select` is told what is selected, how many items were collected, and which share of them
    is this shard's, None where the run is not split; `call` answers a test's call, and `release` is told that the test
    is over, also when its worker is gone.
    """

    def __init__(
        self,
        *,
        ask: Callable[[str, str], StageResult | None],
        select: Callable[[Pairs, int, Share | None], None],
        call: Callable[[str, str, Mapping[str, Any]], dict[str, Any]],
        release: Callable[[str], None],
    ) -> None:
        self.key = secrets.token_hex(32)
        self._ask, self._select, self._call, self._release = ask, select, call, release
        self._listener = Listener(("127.0.0.1", 0), backlog=16, authkey=self.key.encode())
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True, name="gitops-bridge").start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.address
        return str(host), int(port)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):  # closed, or somebody without the key
                self._closed.wait(PAUSE_SECONDS)
                continue
            threading.Thread(
                target=self._serve, args=(connection,), daemon=True, name="gitops-worker"
            ).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        holders: set[str] = set()
        answer: dict[str, Any]
        with contextlib.suppress(EOFError, OSError), connection:
            while True:
                match json.loads(connection.recv_bytes()):
                    case {"call": [holder, question, given]}:
                        holders.add(holder)
                        answer = self._call(holder, question, given)
                    case {"release": holder}:
                        holders.discard(holder)
                        self._release(holder)
                        answer = {}
                    case {"select": pairs, "collected": collected, "share": share}:
                        told = Share.from_dict(share) if share else None
                        self._select([(case, stage) for case, stage in pairs], collected, told)
                        answer = {}
                    case {"ask": [case, stage]}:
                        found = self._ask(case, stage)
                        assert found is not None, "without a limit there is always an answer"
                        answer = found.to_dict()
                connection.send_bytes(json.dumps(answer).encode())
        for holder in holders:  # of a worker that crashed
            self._release(holder)

    def close(self) -> None:
        """Take no new workers. Those that are connected are answered as long as this process lives."""
        self._closed.set()
        self._listener.close()


class Asker:
    """A worker's side of it. Raises EngineError if the owner cannot be reached."""

    def __init__(self, address: tuple[str, int], key: str) -> None:
        try:
            self._connection = Client(address, authkey=key.encode())
        except (OSError, EOFError, AuthenticationError) as error:
            raise EngineError(f"the engine in pytest's own process cannot be reached: {error!r}") from error

    def select(self, pairs: Pairs, collected: int, share: Share | None = None) -> None:
        """Tell what is selected, of how many items `collected`, and of which `share`.

        An owner that is gone is noticed with the first question.
        """
        with contextlib.suppress(EOFError, OSError):
            told = share.to_dict() if share else None
            self._send({"select": list(pairs), "collected": collected, "share": told})

    def result(self, case_id: str, stage: str) -> StageResult:
        """Ask and wait. The engine bounds the wait; if it is gone, that is an error and not a hang."""
        try:
            return StageResult.from_dict(self._send({"ask": [case_id, stage]}))
        except (EOFError, OSError) as error:
            message = f"the engine in pytest's own process is gone: {error!r}"
            return StageResult(stage=stage, outcome=Outcome.ERROR, code="engine-gone", message=message)

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a test, and wait; an engine that is gone is the answer."""
        try:
            answer: dict[str, Any] = self._send({"call": [holder, question, dict(given)]})
        except (EOFError, OSError) as error:
            return not_answered(f"the engine in pytest's own process is gone: {error!r}")
        return answer

    def release(self, holder: str) -> None:
        """Say that a test is over, and wait until others may act."""
        with contextlib.suppress(EOFError, OSError):
            self._send({"release": holder})

    def _send(self, question: Any) -> Any:
        self._connection.send_bytes(json.dumps(question).encode())
        return json.loads(self._connection.recv_bytes())

    def close(self) -> None:
        self._connection.close()
