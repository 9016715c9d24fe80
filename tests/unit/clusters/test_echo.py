"""What a cluster's controllers answer: an API server that only remembers, whose controllers are in the test's hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from pytest_gitops.clusters import echo as module
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.echo import ROLES, Controller, Echo
from pytest_gitops.waiting import now, wait_until

LIMIT = 10.0


class FakeApi:
    """Keeps ClusterRoles. With `acts`, its controllers do their work as soon as they are looked at; `refuses` is what
    it says to who writes."""

    def __init__(self, *, acts: bool = True) -> None:
        self.acts, self.refuses, self.written = acts, cast("ApiError | None", None), 0
        self.roles: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def post(self, path: str, body: dict[str, Any]) -> None:
        assert path == ROLES
        with self._lock:
            self.written += 1
            if self.refuses is not None:
                raise self.refuses
            self.roles[body["metadata"]["name"]] = body

    def get(self, path: str) -> dict[str, Any]:
        with self._lock:
            role = self._found(path)
            if self.acts and role["metadata"].get("ownerReferences"):
                del self.roles[role["metadata"]["name"]]
                self._found(path)
            if self.acts and "aggregationRule" in role:
                (wanted,) = role["aggregationRule"]["clusterRoleSelectors"]
                parts = [
                    r for r in self.roles.values() if r["metadata"].get("labels") == wanted["matchLabels"]
                ]
                return {**role, "rules": [rule for part in parts for rule in part["rules"]]}
            return role

    def delete(self, path: str) -> None:
        with self._lock:
            del self.roles[self._found(path)["metadata"]["name"]]

    def _found(self, path: str) -> dict[str, Any]:
        role = self.roles.get(path.removeprefix(f"{ROLES}/"))
        if role is None:
            raise ApiError("it is not there", status=404, reason="NotFound")
        return role


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.005)
    monkeypatch.setattr(module, "PAUSE", 0.005)


@pytest.fixture(params=Controller)
def controller(request: pytest.FixtureRequest) -> Controller:
    return cast(Controller, request.param)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def echo(api: FakeApi, controller: Controller) -> Iterator[Echo]:
    made = Echo(cast(Any, api), controller)
    yield made
    made.close()


def until_heard(echo: Echo, at: float) -> None:
    wait_until(lambda: echo.heard(at), limit=LIMIT, what="an answer", pause=0.01)


def test_nothing_is_written_until_an_answer_is_wanted(api: FakeApi, echo: Echo) -> None:
    assert api.written == 0
    until_heard(echo, now())
    assert api.written > 0


def test_an_answer_counts_for_what_was_there_before_it_was_asked_for(api: FakeApi, echo: Echo) -> None:
    before = now()
    until_heard(echo, before)
    asked = api.written
    assert echo.heard(before)
    assert api.written == asked
    after = now()
    assert not echo.heard(after)
    until_heard(echo, after)
    assert api.written > asked


def test_who_does_not_act_has_not_answered(api: FakeApi, echo: Echo) -> None:
    api.acts, at = False, now()
    assert not echo.heard(at)
    wait_until(lambda: api.roles, limit=LIMIT, what="a question")
    assert not echo.heard(at)
    api.acts = True
    until_heard(echo, at)
    assert not echo.mute


def test_who_asks_while_there_is_a_question_waits_for_its_answer(api: FakeApi, echo: Echo) -> None:
    api.acts, at = False, now()
    echo.heard(at)
    wait_until(lambda: api.roles, limit=LIMIT, what="a question")
    time.sleep(10 * module.LOOK)
    written = api.written
    assert not echo.heard(at)
    api.acts = True
    until_heard(echo, at)
    time.sleep(10 * module.PAUSE)
    assert api.written == written


def test_nothing_is_left(api: FakeApi, echo: Echo) -> None:
    until_heard(echo, now())
    echo.close()
    assert api.roles == {}


def test_nothing_is_left_of_what_nobody_answered(api: FakeApi, echo: Echo) -> None:
    api.acts = False
    echo.heard(now())
    wait_until(lambda: api.roles, limit=LIMIT, what="a question")
    echo.close()
    assert api.roles == {}


def test_who_may_not_write_says_why_nothing_can_be_asked(api: FakeApi, echo: Echo) -> None:
    api.refuses = ApiError("a policy is against it", status=422, reason="Invalid")
    at = now()
    wait_until(lambda: echo.heard(at) or echo.mute, limit=LIMIT, what="a refusal", pause=0.01)
    assert "a policy is against it" in echo.mute
    api.refuses = None
    until_heard(echo, at)
    assert not echo.mute


def test_a_server_that_fails_is_asked_again(api: FakeApi, echo: Echo) -> None:
    api.refuses = ApiError("etcd is gone", status=500, reason="InternalError")
    at = now()
    echo.heard(at)
    wait_until(lambda: echo.heard(at) or api.written > 2, limit=LIMIT, what="three questions", pause=0.01)
    assert not echo.mute
    api.refuses = None
    until_heard(echo, at)
