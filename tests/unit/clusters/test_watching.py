"""Following a collection: what is told of lists, events, drops and forgotten places."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from pytest_gitops.clusters import watching
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.watching import Watch

PATH = "/api/v1/configmaps"

DROP = ApiError("connection reset", status=0, reason="Unreachable")


def thing(name: str, version: int, **more: Any) -> dict[str, Any]:
    metadata = {"namespace": "a", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **more}


def listed(version: int, *items: dict[str, Any]) -> dict[str, Any]:
    bare = [{k: v for k, v in i.items() if k not in {"apiVersion", "kind"}} for i in items]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMapList",
        "metadata": {"resourceVersion": str(version)},
        "items": bare,
    }


def event(kind: str, what: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": what}).encode()


GONE_EVENT = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})


class Lines:
    """A stream of given lines, which may end with an error; the last stream of all ends the watch."""

    def __init__(self, lines: Sequence[bytes | ApiError], stop: threading.Event | None) -> None:
        self.lines, self.stop, self.closed = lines, stop, False

    def __iter__(self) -> Iterator[bytes]:
        for line in self.lines:
            if isinstance(line, ApiError):
                raise line
            yield line
        if self.stop:
            self.stop.set()

    def shutdown(self) -> None: ...

    def close(self) -> None:
        self.closed = True


class Server:
    """Answers lists and watches in the order given; an ApiError among the answers is raised."""

    def __init__(self, lists: Sequence[Any], streams: Sequence[Any]) -> None:
        self.stop = threading.Event()
        self.lists, self.streams = list(lists), list(streams)
        self.asked: list[Mapping[str, Any]] = []
        self.opened: list[Lines] = []

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        assert path == PATH
        answer = self.lists.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return dict(answer)

    def stream(self, path: str, params: Mapping[str, Any]) -> Lines:
        assert path == PATH
        self.asked.append(params)
        answer = self.streams.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        self.opened.append(Lines(answer, None if self.streams else self.stop))
        return self.opened[-1]


def followed(server: Server, **params: Any) -> list[tuple[str, dict[str, Any]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    Watch(server, PATH, lambda kind, what: told.append((kind, what)), stop=server.stop, params=params).run()
    return told


def names(told: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(kind, what["metadata"]["name"]) for kind, what in told]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_SECONDS", 0)


def test_what_is_there_is_told_first_and_whole() -> None:
    server = Server([listed(5, thing("one", 3, data={"k": "v"}))], [[]])
    assert followed(server) == [("ADDED", thing("one", 3, data={"k": "v"}))]


def test_changes_follow_from_where_the_list_ended() -> None:
    changes = [event("MODIFIED", thing("one", 6)), event("ADDED", thing("two", 7))]
    server = Server([listed(5, thing("one", 3))], [[*changes, event("DELETED", thing("one", 8))]])
    assert names(followed(server)) == [
        ("ADDED", "one"),
        ("MODIFIED", "one"),
        ("ADDED", "two"),
        ("DELETED", "one"),
    ]
    assert server.asked[0]["resourceVersion"] == "5"
    assert server.opened[0].closed


def test_selectors_go_with_the_list_and_the_watch() -> None:
    server = Server([listed(5)], [[]])
    followed(server, labelSelector="a=b")
    assert server.asked[0]["labelSelector"] == "a=b"


def test_a_connection_that_drops_is_taken_up_where_it_ended() -> None:
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    server = Server([listed(5)], [[event("ADDED", thing("one", 6)), DROP], [bookmark], DROP, []])
    assert names(followed(server)) == [("ADDED", "one")]
    assert [p["resourceVersion"] for p in server.asked] == ["5", "6", "9", "9"]


@pytest.mark.parametrize(
    "forgotten",
    [
        pytest.param([GONE_EVENT], id="in the stream"),
        pytest.param(ApiError("too old", status=410, reason="Expired"), id="as an answer"),
    ],
)
def test_a_forgotten_place_is_made_up_for_by_listing_again(forgotten: Any) -> None:
    before = listed(5, thing("same", 1), thing("changed", 2), thing("gone", 3))
    after = listed(20, thing("same", 1), thing("changed", 11), thing("new", 12))
    server = Server([before, after], [forgotten, []])
    told = followed(server)
    assert names(told[3:]) == [("MODIFIED", "changed"), ("ADDED", "new"), ("DELETED", "gone")]
    assert told[-1][1] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "a", "name": "gone", "uid": "uid-gone"},
    }
    assert server.asked[-1]["resourceVersion"] == "20"


def test_an_object_deleted_in_the_stream_is_not_deleted_again_by_a_list() -> None:
    server = Server(
        [listed(5, thing("one", 1)), listed(9)],
        [[event("DELETED", thing("one", 6)), GONE_EVENT], []],
    )
    assert names(followed(server)) == [("ADDED", "one"), ("DELETED", "one")]


def test_a_list_that_cannot_be_had_is_asked_for_again() -> None:
    busy = ApiError("starting", status=503, reason="ServiceUnavailable")
    assert names(followed(Server([DROP, busy, listed(5, thing("one", 1))], [[]]))) == [("ADDED", "one")]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_the_watch(status: int) -> None:
    server = Server([ApiError("no", status=status, reason="No")], [[]])
    with pytest.raises(ApiError, match="no"):
        followed(server)


def test_an_error_event_that_is_no_forgotten_place_ends_the_watch() -> None:
    server = Server(
        [listed(5)], [[event("ERROR", {"code": 403, "reason": "Forbidden", "message": "not you"})]]
    )
    with pytest.raises(ApiError, match="not you") as caught:
        followed(server)
    assert caught.value.status == 403


def test_what_the_listener_raises_ends_the_watch() -> None:
    server = Server([listed(5, thing("one", 1))], [[]])

    def act(_kind: str, _what: dict[str, Any]) -> None:
        raise ValueError("listener")

    with pytest.raises(ValueError, match="listener"):
        Watch(server, PATH, act, stop=server.stop, params={}).run()


def test_nothing_is_told_after_the_stop() -> None:
    server = Server([listed(5, thing("one", 1), thing("two", 2))], [[]])
    told: list[str] = []

    def act(kind: str, _what: dict[str, Any]) -> None:
        told.append(kind)
        server.stop.set()

    Watch(server, PATH, act, stop=server.stop, params={}).run()
    assert told == ["ADDED"]
