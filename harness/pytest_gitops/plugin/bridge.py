"""How xdist workers ask the engine in pytest's own process: JSON over loopback, with a key that only they know."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Outcome, StageResult

Ask = Callable[[str, str], StageResult]


class Server:
    """Answers workers, each in a thread of its own. `address` and `key` are what they need."""

    def __init__(self, ask: Ask) -> None:
        self.key = secrets.token_hex(32)
        self._ask = ask
        self._listener = Listener(("127.0.0.1", 0), authkey=self.key.encode())
        self._closed = False
        threading.Thread(target=self._accept, daemon=True, name="gitops-bridge").start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.address
        return str(host), int(port)

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError):
                continue  # closed, or somebody without the key
            except Exception:  # multiprocessing.AuthenticationError: somebody with a wrong key
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError), connection:
            while True:
                case_id, stage = json.loads(connection.recv_bytes())
                connection.send_bytes(json.dumps(self._ask(case_id, stage).to_dict()).encode())

    def close(self) -> None:
        self._closed = True
        self._listener.close()


class Asker:
    """A worker's side of it."""

    def __init__(self, address: tuple[str, int], key: str) -> None:
        self._connection = Client(address, authkey=key.encode())

    def result(self, case_id: str, stage: str) -> StageResult:
        """Ask and wait. The engine bounds the wait; if it is gone, that is an error and not a hang."""
        try:
            self._connection.send_bytes(json.dumps([case_id, stage]).encode())
            return StageResult.from_dict(json.loads(self._connection.recv_bytes()))
        except (EOFError, OSError) as error:
            gone = EngineError(f"the engine in pytest's own process is gone: {error!r}")
            return StageResult(stage=stage, outcome=Outcome.ERROR, code="engine-gone", message=str(gone))
