"""What Argo CD keeps in redis: keys, gzip, shapes, and redis's own protocol. A server of the test's own answers."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_gitops.argocd.appstate import AppState, managed_of, tree_of, versions_of
from pytest_gitops.argocd.cache import Cache
from pytest_gitops.argocd.progressive import PARAMETER, is_enabled
from pytest_gitops.errors import EngineError


def encoded(value: Any) -> bytes:
    return gzip.compress(json.dumps(value).encode())


@contextmanager
def redis(stored: Mapping[str, bytes], *, password: str = "word") -> Iterator[str]:
    """A redis of one connection that knows AUTH, KEYS of a prefix, and GET."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection, connection.makefile("rwb") as stream:
                while line := stream.readline():
                    words = []
                    for _ in range(int(line[1:])):
                        words.append(stream.read(int(stream.readline()[1:]) + 2)[:-2].decode())
                    stream.write(answer(*words))
                    stream.flush()

        def answer(verb: str, word: str) -> bytes:
            if verb == "AUTH":
                return b"+OK\r\n" if word == password else b"-WRONGPASS no\r\n"
            if verb == "KEYS":
                before = word.partition("*")[0]
                keys = [k.encode() for k in stored if k.startswith(before)]
                return b"*%d\r\n" % len(keys) + b"".join(b"$%d\r\n%s\r\n" % (len(k), k) for k in keys)
            found = stored.get(word)
            return b"$-1\r\n" if found is None else b"$%d\r\n%s\r\n" % (len(found), found)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


TREE = {
    "nodes": [
        {"kind": "Deployment", "group": "apps", "namespace": "web", "name": "web",
         "health": {"status": "Degraded", "message": "no"}},
        {"kind": "ReplicaSet", "group": "apps", "namespace": "web", "name": "web-1",
         "parentRefs": [{"kind": "Deployment", "namespace": "web", "name": "web"}]},
    ]
}  # fmt: skip


def test_the_tree_is_read_by_the_applications_own_key() -> None:
    with redis({"app|resources-tree|web|1.8.3.gz": encoded(TREE)}) as address:
        found = AppState(Cache(address, "word"), control="argocd").tree("argocd/web")
    assert [(n.title, n.owner, n.health, n.message) for n in found] == [
        ("Deployment web/web", "", "Degraded", "no"),
        ("ReplicaSet web/web-1", "Deployment web/web", "", ""),
    ]


def test_outside_of_the_control_namespace_the_key_has_both_names() -> None:
    with redis({"app|resources-tree|team_web|9.gz": encoded(TREE)}) as address:
        assert len(AppState(Cache(address, "word"), control="argocd").tree("team/web")) == 2


def test_before_the_first_comparison_there_is_nothing() -> None:
    with redis({}) as address:
        assert AppState(Cache(address, "word"), control="argocd").managed("argocd/web") == ()


COMPARED = [
    {"group": "apps", "kind": "Deployment", "namespace": "n", "name": "web", "resourceVersion": "41"},
    {"kind": "ConfigMap", "namespace": "n", "name": "gone"},
    {"kind": "Namespace", "name": "n", "resourceVersion": "7"},
]


def test_each_object_has_the_version_that_was_compared() -> None:
    seen = {("apps", "Deployment", "n", "web"): 41, ("", "Namespace", "", "n"): 7}
    assert versions_of(COMPARED) == seen
    for stored in (encoded(COMPARED), json.dumps(COMPARED).encode()):
        with redis({"app|managed-resources|shop|1.8.3.gz": stored}) as address:
            assert AppState(Cache(address, "word"), control="argocd").versions("argocd/shop") == seen
    with redis({"app|managed-resources|shop|1.8.3.gz": b"null"}) as address:
        assert AppState(Cache(address, "word"), control="argocd").versions("argocd/shop") is None


@pytest.mark.parametrize("stored", [b"no gzip", gzip.compress(b"{", mtime=0)], ids=["no gzip", "no JSON"])
def test_what_cannot_be_read_is_an_error_with_a_reason(stored: bytes) -> None:
    unreadable = pytest.raises(EngineError, match="Argo CD's cache cannot be read")
    with redis({"app|managed-resources|web|1.gz": stored}) as address, unreadable:
        AppState(Cache(address, "word"), control="argocd").managed("argocd/web")


def test_a_wrong_password_is_an_error_with_redis_own_words() -> None:
    with redis({}) as address, pytest.raises(EngineError, match="WRONGPASS no"):
        AppState(Cache(address, "other"), control="argocd").managed("argocd/web")


def test_where_nobody_answers_is_an_error(free: Callable[[], int]) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        AppState(Cache(f"127.0.0.1:{free()}", "word"), control="argocd").managed("argocd/web")


@pytest.fixture
def free() -> Callable[[], int]:
    def port() -> int:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return int(taken.getsockname()[1])

    return port


def test_desired_is_what_a_sync_would_make_and_live_as_it_was_compared() -> None:
    both = {
        "kind": "ConfigMap", "namespace": "web", "name": "a", "targetState": '{"t": 1}', "liveState": '{"l": 1}',
        "predictedLiveState": '{"p": 1}', "normalizedLiveState": '{"n": 1}',
    }  # fmt: skip
    missing = {**both, "liveState": "null", "predictedLiveState": "null", "normalizedLiveState": "null"}
    pruned = {**both, "targetState": "null", "predictedLiveState": '{"n": 1}'}
    found = managed_of([both, missing, pruned])
    assert [(m.desired, m.live) for m in found] == [
        ({"p": 1}, {"n": 1}),
        ({"t": 1}, None),
        (None, {"n": 1}),
    ]
    assert found[0].title == "ConfigMap web/a"


def test_nothing_is_a_tree_without_nodes() -> None:
    assert tree_of({"nodes": None}) == ()


ROLLS = {"spec": {"strategy": {"type": "RollingSync"}}}


@pytest.mark.parametrize(
    ("parameters", "sets", "enabled"),
    [
        ({}, [ROLLS], True),
        ({}, [{"spec": {}}], False),
        ({PARAMETER: "false"}, [ROLLS], False),
        ({PARAMETER: True}, [], True),
    ],
)
def test_progressive_syncs_are_as_the_settings_say_or_as_they_are_used(
    parameters: dict[str, Any], sets: list[dict[str, Any]], enabled: bool
) -> None:
    assert is_enabled(parameters, sets) is enabled
