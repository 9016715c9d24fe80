"""A desk that starts nothing: Applications are Synced and Healthy with one ConfigMap each, until somebody acts on them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gitops.errors import EngineError
from pytest_gitops.scenarios.api import GitOpsFailure, answered, failed, not_answered
from pytest_gitops.scenarios.running import unmet_objects, unmet_of
from pytest_gitops.scenarios.turns import Turns

KIND = "ConfigMap"


class FakeDesk:
    """Answers what `acting.desk.Desk` answers, for `keys` ("namespace/name")."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys, self._turns = keys, Turns()
        self._live: dict[str, dict[str, Any]] = {k: _settings() for k in keys}
        self.released: list[str] = []

    def call(self, holder: str, question: str, given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return answered(self._answer(holder, question, given))
        except GitOpsFailure as failure:
            return failed(failure)
        except EngineError as error:
            return not_answered(str(error))

    def release(self, holder: str) -> None:
        for key in self._turns.held(holder):
            self._live[key] = _settings()
        self._turns.release(holder)
        self.released.append(holder)

    def _answer(self, holder: str, question: str, given: Mapping[str, Any]) -> Any:
        if question == "applications":
            return list(self._keys)
        if question == "cluster":
            return True
        key = self._key(given["application"])
        if question == "rendered":
            return {"key": key, "objects": [_settings()], "namespace": key.rsplit("/", 1)[-1]}
        self._turns.take(holder, [key])
        live = self._live[key]
        match question:
            case "take":
                return key
            case "status" | "wait":
                return self._status(key)
            case "sync":
                self._live[key] = _settings()
                return {"phase": "Succeeded", "message": "successfully synced"}
            case "objects":
                return [live] if given["object"]["kind"] == KIND else []
            case "drift":
                if given["object"]["kind"] != KIND:
                    raise GitOpsFailure(f"expected one object that Application {key} manages, saw none")
                live["data"] |= given["patch"]["data"]
                return None
            case "expect":
                return self._expect(key, given["expected"], given["within"])
            case _:
                raise EngineError(f"nobody knows the question {question!r}")

    def _status(self, key: str) -> dict[str, Any]:
        sync = "Synced" if self._live[key] == _settings() else "OutOfSync"
        application = {"status": {"sync": {"status": sync}, "health": {"status": "Healthy"}}}
        return {
            "sync": sync,
            "health": "Healthy",
            "phase": "Succeeded",
            "message": "",
            "application": application,
        }

    def _expect(self, key: str, expected: Mapping[str, Any], within: float | None) -> None:
        from pytest_gitops.scenarios.comparing import differences

        status = self._status(key)
        unmet = [
            unmet_of(d, f"Application {key}")
            for field in ("sync", "health")
            if field in expected
            for d in differences(expected[field], status[field], path=(field,), field=field)
        ]
        unmet += unmet_objects(expected.get("objects", ()), [self._live[key]], where="the cluster")
        if unmet:
            raise GitOpsFailure(
                f"Application {key} is not as expected within {within or 30:g} s", unmet=unmet
            )

    def _key(self, name: str) -> str:
        found = [k for k in self._keys if name in {k, k.rsplit("/", 1)[-1]}]
        if len(found) != 1:
            raise GitOpsFailure(
                f"expected one Application {name!r}, saw none; there is {', '.join(self._keys)}"
            )
        return found[0]


def _settings() -> dict[str, Any]:
    return copy.deepcopy(
        {"apiVersion": "v1", "kind": KIND, "metadata": {"name": "settings"}, "data": {"key": "value"}}
    )
