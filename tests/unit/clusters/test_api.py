"""Talking to an API server, against one that a thread of the test plays."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from pytest_gitops.clusters.api import APPLY, Api
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError, WaitTimeout

CORE = {
    "resources": [
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True},
        {"name": "namespaces", "kind": "Namespace", "namespaced": False},
        {"name": "pods", "kind": "Pod", "namespaced": True},
        {"name": "pods/status", "kind": "Pod", "namespaced": True},
    ]
}


@dataclass
class Request:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Fake:
    """The answers by "METHOD path" ({} where there is none), and what was asked."""

    port: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    @property
    def last(self) -> Request:
        return self.asked[-1]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between two tries take no time."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def fake() -> Iterator[Fake]:
    fake = Fake(answers={"GET /api/v1": CORE})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in two parts waits for an acknowledgement between them

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            fake.asked.append(
                Request(
                    method=self.command,
                    path=url.path,
                    params=dict(parse_qsl(url.query)),
                    headers=dict(self.headers),
                    body=json.loads(content) if content else None,
                )
            )
            answer = fake.answers.get(f"{self.command} {url.path}", {})
            if callable(answer):
                answer = answer()
            if answer == "hang up":
                self.close_connection = True
                return
            status, body = answer if isinstance(answer, tuple) else (200, answer)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64  # more than connect at once: one that finds no room asks again a second later

    server = Server(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.001,))
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


def kubeconfig(path: Path, server: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}, {"name": "v", "user": {"token": "other"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "c", "user": "v"}},
        ],
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def config(tmp_path: Path, fake: Fake) -> Path:
    return kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{fake.port}")


@pytest.fixture
def api(config: Path) -> Api:
    return Api(config)


def config_map(**metadata: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "v"}}


def test_parameters_and_credentials_go_with_a_request(api: Api, fake: Fake) -> None:
    api.get("/api/v1/pods", labelSelector="a=b,c", limit=5, watch=False, fieldSelector=None)
    assert fake.last.params == {"labelSelector": "a=b,c", "limit": "5", "watch": "false"}
    assert fake.last.headers["authorization"] == "Bearer secret"


def test_a_context_may_be_chosen(config: Path, fake: Fake) -> None:
    Api(config, context="two").get("/api")
    assert fake.last.headers["authorization"] == "Bearer other"


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(
    config: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert Api(config).get("/api") == {}


def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "kubeconfig"
    wrong.write_text("{}")
    with pytest.raises(EngineError, match="kubeconfig: not a kubeconfig that can be used"):
        Api(wrong)


def test_a_refusal_carries_status_reason_and_sentence(api: Api, fake: Fake) -> None:
    status = {
        "kind": "Status",
        "reason": "NotFound",
        "message": 'pods "x" not found',
        "details": {"kind": "pods"},
    }
    fake.answers["GET /api/v1/namespaces/a/pods/x"] = (404, status)
    with pytest.raises(ApiError) as caught:
        api.get("/api/v1/namespaces/a/pods/x")
    error = caught.value
    assert (error.status, error.reason, error.message) == (404, "NotFound", 'pods "x" not found')
    assert error.details == {"kind": "pods"}
    assert str(error) == 'GET /api/v1/namespaces/a/pods/x: pods "x" not found'


def test_a_refusal_that_is_no_status_object_is_told_as_it_is(api: Api, fake: Fake) -> None:
    fake.answers["GET /x"] = (502, b"bad gateway\n")
    with pytest.raises(ApiError, match="GET /x: bad gateway"):
        api.get("/x")


def test_an_object_that_does_not_fit_its_schema_is_invalid_whatever_the_server_calls_it(
    api: Api, fake: Fake
) -> None:
    message = (
        "failed to create typed patch object (a/x; v1, Kind=ConfigMap): .dat: field not declared in schema"
    )
    fake.answers["PATCH /api/v1/namespaces/a/configmaps/x"] = (500, {"message": message})
    with pytest.raises(ApiError, match="field not declared in schema") as caught:
        api.apply(config_map(name="x", namespace="a"))
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")


def test_a_server_that_is_not_there_is_unreachable_and_not_ready(tmp_path: Path) -> None:
    api = Api(kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:9"))
    with pytest.raises(ApiError, match=r"GET /api: no answer: .*refused") as caught:
        api.get("/api")
    assert (caught.value.status, caught.value.reason) == (0, "Unreachable")
    assert api.ready() is False


def test_a_server_is_ready_only_when_it_says_so(api: Api, fake: Fake) -> None:
    fake.answers["GET /readyz"] = (500, b"[-]poststarthook/rbac failed")
    assert api.ready() is False
    fake.answers["GET /readyz"] = (200, b"ok")
    assert api.ready() is True


def test_the_version_has_no_leading_v(api: Api, fake: Fake) -> None:
    fake.answers["GET /version"] = {"gitVersion": "v1.37.2"}
    assert api.server_version() == "1.37.2"


@pytest.mark.parametrize(
    ("namespace", "name", "path"),
    [
        ("a", "x", "/api/v1/namespaces/a/configmaps/x"),
        ("", "x", "/api/v1/namespaces/default/configmaps/x"),
        ("a", "", "/api/v1/namespaces/a/configmaps"),
        ("a", "x/../y", "/api/v1/namespaces/a/configmaps/x%2F..%2Fy"),
    ],
)
def test_the_path_of_a_namespaced_kind(api: Api, namespace: str, name: str, path: str) -> None:
    assert api.path_of("v1", "ConfigMap", namespace, name) == path


def test_the_path_of_a_cluster_scoped_kind_has_no_namespace(api: Api) -> None:
    assert api.path_of("v1", "Namespace", "a", "x") == "/api/v1/namespaces/x"


def test_a_collection_spans_all_namespaces(api: Api) -> None:
    assert api.collection("v1", "ConfigMap") == "/api/v1/configmaps"


def test_a_subresource_does_not_pass_for_its_kind(api: Api) -> None:
    assert api.path_of("v1", "Pod") == "/api/v1/namespaces/default/pods"


def test_discovery_is_asked_once_for_what_it_knows(api: Api, fake: Fake) -> None:
    for _ in range(3):
        api.path_of("v1", "ConfigMap")
    assert len(fake.asked) == 1


def test_a_kind_that_came_later_is_found(api: Api, fake: Fake) -> None:
    fake.answers["GET /apis/example.com/v1"] = (404, {})
    with pytest.raises(ApiError):
        api.path_of("example.com/v1", "Widget")
    fake.answers["GET /apis/example.com/v1"] = {
        "resources": [{"name": "widgets", "kind": "Widget", "namespaced": False}]
    }
    assert api.path_of("example.com/v1", "Widget", name="w") == "/apis/example.com/v1/widgets/w"


def test_an_unknown_kind_is_said_in_a_sentence(api: Api) -> None:
    with pytest.raises(ApiError) as caught:
        api.path_of("v1", "Widget")
    assert (caught.value.status, caught.value.reason) == (404, "UnknownKind")
    assert str(caught.value) == (
        'the cluster does not know the kind "Widget" in "v1"; is its CustomResourceDefinition missing?'
    )


def test_apply_is_server_side_with_our_name(api: Api, fake: Fake) -> None:
    api.apply(config_map(name="x", namespace="a"))
    assert (fake.last.method, fake.last.path) == ("PATCH", "/api/v1/namespaces/a/configmaps/x")
    assert fake.last.params == {"fieldManager": "pytest-gitops", "force": "true"}
    assert fake.last.headers["Content-Type"] == APPLY
    assert fake.last.body == config_map(name="x", namespace="a")


def test_a_strict_dry_run_stores_nothing_and_takes_nothing_over(api: Api, fake: Fake) -> None:
    api.apply(config_map(name="x"), dry_run=True, strict=True, force=False)
    assert fake.last.params == {
        "fieldManager": "pytest-gitops",
        "dryRun": "All",
        "fieldValidation": "Strict",
        "force": "false",
    }


def test_an_object_that_the_server_names_is_created(api: Api, fake: Fake) -> None:
    api.apply(config_map(generateName="x-", namespace="a"), dry_run=True)
    assert (fake.last.method, fake.last.path) == ("POST", "/api/v1/namespaces/a/configmaps")
    assert fake.last.params == {"fieldManager": "pytest-gitops", "dryRun": "All"}


@pytest.mark.parametrize(("call", "times"), [("get", 3), ("apply", 3), ("post", 1), ("patch", 1)])
def test_only_what_may_be_done_twice_is_asked_again(call: str, times: int, api: Api, fake: Fake) -> None:
    path = "/api/v1/namespaces/a/configmaps/x"
    fake.answers |= {f"{method} {path}": "hang up" for method in ("GET", "POST", "PATCH")}
    asks = {
        "get": lambda: api.get(path),
        "apply": lambda: api.apply(config_map(name="x", namespace="a")),
        "post": lambda: api.post(path, {}),
        "patch": lambda: api.patch(path, {}),
    }
    with pytest.raises(ApiError, match="no answer"):
        asks[call]()
    assert sum(r.path == path for r in fake.asked) == times


def test_many_threads_share_one_api(api: Api, fake: Fake) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda i: api.apply(config_map(name=f"x{i}")), range(100)))
    assert len({r.path for r in fake.asked if r.method == "PATCH"}) == 100


GROUP = {"versions": [{"groupVersion": "example.com/v1"}]}

LISTED = {"kind": "WidgetList", "items": []}

WIDGETS = {"resources": [{"name": "widgets", "kind": "Widget", "namespaced": True}]}


def test_a_definition_counts_when_every_part_of_it_is_served(api: Api, fake: Fake) -> None:
    group, served, listed = (
        iter([(404, {})]),
        iter([(404, {}), {"resources": []}]),
        iter([(404, {}), (503, {})]),
    )
    fake.answers["GET /apis/example.com"] = lambda: next(group, GROUP)
    fake.answers["GET /apis/example.com/v1"] = lambda: next(served, WIDGETS)
    fake.answers["GET /apis/example.com/v1/widgets"] = lambda: next(listed, LISTED)
    api.wait_established(["widgets.example.com"], 5)
    assert [next(each, None) for each in (group, served, listed)] == [None, None, None]
    assert api.path_of("example.com/v1", "Widget", "a") == "/apis/example.com/v1/namespaces/a/widgets"


def test_a_definition_that_is_never_served_is_named(api: Api, fake: Fake) -> None:
    fake.answers["GET /apis/example.com"] = (404, {})
    with pytest.raises(WaitTimeout, match=r"last seen: not yet widgets\.example\.com"):
        api.wait_established(["widgets.example.com"], 0.01)


def test_a_refusal_ends_the_wait_at_once(api: Api, fake: Fake) -> None:
    fake.answers["GET /apis/example.com"] = (403, {"message": "no access"})
    with pytest.raises(ApiError, match="no access"):
        api.wait_established(["widgets.example.com"], 60)


def test_metadata_alone_is_asked_for(api: Api, fake: Fake) -> None:
    fake.answers["GET /api/v1/pods"] = {"items": [{"metadata": {"name": "a"}}]}
    assert api.metadata("/api/v1/pods") == [{"name": "a"}]
    assert "PartialObjectMetadataList" in fake.last.headers["Accept"]


def test_each_kind_is_known_once_in_the_version_that_is_preferred(api: Api, fake: Fake) -> None:
    def resource(kind: str, *verbs: str) -> dict[str, Any]:
        return {"responseKind": {"kind": kind}, "verbs": verbs or ("list", "delete")}

    core = {"version": "v1", "resources": [resource("Pod"), resource("Binding", "create")]}
    two = {"version": "v2", "resources": [resource("Autoscaler")]}
    one = {"version": "v1", "resources": [resource("Autoscaler"), resource("Old")]}
    fake.answers["GET /api"] = {"items": [{"metadata": {}, "versions": [core]}]}
    fake.answers["GET /apis"] = {"items": [{"metadata": {"name": "autoscaling"}, "versions": [two, one]}]}
    assert api.kinds() == (("v1", "Pod"), ("autoscaling/v2", "Autoscaler"), ("autoscaling/v1", "Old"))
    assert "APIGroupDiscoveryList" in fake.last.headers["Accept"]
