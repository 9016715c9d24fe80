"""What is said for controllers that do not run, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.clusters.embedded import absent
from pytest_gitops.clusters.embedded.absent import Absent
from pytest_gitops.clusters.embedded.statuses import KNOWN, Said, Statuses

DEFINITIONS = "/definitions"
GROUP = "/apis/cert-manager.io"
OBJECTS = f"{GROUP}/v1/certificates"
RESOURCES = [
    {"name": "certificates", "kind": "Certificate"},
    {"name": "certificates/status", "kind": "Certificate"},
]


class FakeApi:
    """A cluster whose watches are in the test's hand, and which keeps what is written."""

    def __init__(self) -> None:
        self.served, self.asked = True, 0
        self.resources = list(RESOURCES)
        self.written: list[tuple[str, Mapping[str, Any]]] = []
        self.acts: dict[str, Callable[[str, Any], None]] = {}
        self.watched = threading.Condition()
        self.refuse: ApiError | None = None
        self.speakers: list[Absent] = []

    def get(self, path: str) -> dict[str, Any]:
        self.asked += 1
        if not self.served:
            raise ApiError("not there", status=404, reason="NotFound")
        return (
            {"versions": [{"groupVersion": "cert-manager.io/v1"}]}
            if path == GROUP
            else {"resources": self.resources}
        )

    def watch(
        self, path: str, act: Callable[[str, Any], None], *, stop: threading.Event, bare: bool = False
    ) -> None:
        assert bare == (path == DEFINITIONS)
        with self.watched:
            self.acts[path] = act
            self.watched.notify_all()
        stop.wait(30)

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.written.append((path, body["status"]))

    def act(self, path: str) -> Callable[[str, Any], None]:
        """What is told of changes at `path`, once somebody watches there."""
        with self.watched:
            assert self.watched.wait_for(lambda: path in self.acts, 10)
            return self.acts[path]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    monkeypatch.setattr(absent, "PAUSE_SECONDS", 0.01)
    api = FakeApi()
    yield api
    for speaker in api.speakers:
        speaker.close()


def speak(api: FakeApi, own: Mapping[str, Any] | None) -> None:
    speaker = Absent(cast(Any, api), DEFINITIONS, Statuses(own))
    api.speakers.append(speaker)
    speaker.start()


def speaking(api: FakeApi, own: Mapping[str, Any] | None = None) -> Callable[[str, Any], None]:
    """What is told of certificates, once their definition has come."""
    speak(api, own)
    api.act(DEFINITIONS)("ADDED", {"metadata": {"name": "certificates.cert-manager.io"}})
    return api.act(OBJECTS)


def certificate(generation: int = 1, uid: str = "u", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "shop", "uid": uid, "generation": generation}, **more}


def test_an_object_without_a_status_is_given_one_at_once_and_again_when_it_changes(api: FakeApi) -> None:
    tell = speaking(api)
    tell("ADDED", certificate())
    ((path, status),) = api.written
    assert path == f"{GROUP}/v1/namespaces/shop/certificates/web/status"
    assert status["observedGeneration"] == 1
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [("Ready", "True")]
    tell("MODIFIED", certificate(status=status))  # by ourselves
    assert len(api.written) == 1
    tell("MODIFIED", certificate(2, status=status))
    assert api.written[-1][1]["observedGeneration"] == 2


def test_where_somebody_else_speaks_nobody_speaks_for_it(api: FakeApi) -> None:
    tell = speaking(api)
    tell("ADDED", certificate(status={"conditions": []}))
    tell("MODIFIED", certificate(2, status={"conditions": []}))
    tell(
        "ADDED",
        certificate(uid="v", metadata={**certificate(uid="v")["metadata"], "deletionTimestamp": "now"}),
    )
    tell("DELETED", certificate(uid="w"))
    assert api.written == []


def test_what_was_deleted_and_made_anew_is_spoken_for_again(api: FakeApi) -> None:
    tell = speaking(api)
    tell("ADDED", certificate())
    tell("DELETED", certificate())
    tell("ADDED", certificate())
    assert len(api.written) == 2


def test_what_the_configuration_says_is_said(api: FakeApi) -> None:
    tell = speaking(api, {"cert-manager.io/*": {"phase": "Running"}})
    tell("ADDED", {"metadata": {"name": "cluster-wide", "uid": "x", "generation": 1}})
    assert api.written == [(f"{GROUP}/v1/certificates/cluster-wide/status", {"phase": "Running"})]


def test_a_status_that_is_refused_ends_nothing(api: FakeApi) -> None:
    tell = speaking(api)
    api.refuse = ApiError("invalid", status=422, reason="Invalid")
    tell("ADDED", certificate())
    api.refuse = None
    tell("ADDED", certificate(uid="v"))
    assert len(api.written) == 1


def test_a_kind_that_comes_late_is_waited_for(api: FakeApi) -> None:
    api.served = False
    later = threading.Timer(0.1, lambda: setattr(api, "served", True))
    later.start()
    speaking(api)("ADDED", certificate())
    later.join()
    assert len(api.written) == 1


@pytest.mark.parametrize(
    ("name", "own", "resources"),
    [
        ("widgets.example.com", None, RESOURCES),
        ("certificates.cert-manager.io", {"cert-manager.io/Certificate": None}, RESOURCES),
        ("certificates.cert-manager.io", None, RESOURCES[:1]),
        ("others.cert-manager.io", None, [{"name": "others", "kind": "Other"}, {"name": "others/status", "kind": "Other"}]),
    ],
    ids=["another group", "nothing to be said", "no status of its own", "another kind"],
)  # fmt: skip
def test_of_other_kinds_nothing_is_watched(
    api: FakeApi, name: str, own: Mapping[str, Any] | None, resources: list[dict[str, str]]
) -> None:
    api.resources = resources
    speak(api, own)
    api.act(DEFINITIONS)("ADDED", {"metadata": {"name": name}})
    for thread in threading.enumerate():
        if thread.name == f"absent {name}":
            thread.join(10)
    assert [*api.acts] == [DEFINITIONS]


def test_of_a_kind_that_is_not_known_the_server_is_not_asked(api: FakeApi) -> None:
    """Argo CD's own definitions are of the group of EventBus, and every cluster has them."""
    speak(api, None)
    for name in (
        "applications.argoproj.io",
        "servicemonitors.monitoring.coreos.com",
        "others.cert-manager.io",
    ):
        api.act(DEFINITIONS)("ADDED", {"metadata": {"name": name}})
        assert f"absent {name}" not in {thread.name for thread in threading.enumerate()}
    assert api.asked == 0


@pytest.mark.parametrize(
    ("plural", "group", "may"),
    [
        ("clusterpolicies", "kyverno.io", True),
        ("gatewayclasses", "gateway.networking.k8s.io", True),
        ("httpproxies", "projectcontour.io", True),
        ("eventbus", "argoproj.io", True),
        ("prometheuses", "monitoring.coreos.com", True),
        ("buckets", "s3.aws.crossplane.io", True),
        ("indices", "example.com", True),
        ("rollouts", "argoproj.io", False),
        ("certificates", "example.org", False),
    ],
)
def test_a_definition_is_known_by_its_plural(plural: str, group: str, may: bool) -> None:
    assert Statuses({"example.com/Index": {}}).may_concern(plural, group) is may


def test_a_route_is_accepted_by_each_parent_that_it_names() -> None:
    said = Statuses().of("gateway.networking.k8s.io", "HTTPRoute")
    assert isinstance(said, Said)
    status = said.of({"spec": {"parentRefs": [{"name": "a"}, {"name": "b"}]}}, at="now")
    assert [p["parentRef"]["name"] for p in status["parents"]] == ["a", "b"]
    assert said.of({"spec": {"parentRefs": "broken"}}, at="now") == {"parents": []}


def test_the_page_lists_the_kinds_that_are_known() -> None:
    page = (Path(__file__).parents[3] / "docs" / "clusters.md").read_text("utf-8")
    listed = set()
    for line in page.partition("Known are, by API group:")[2].partition("For any other kind")[0].splitlines():
        if line.startswith("- "):
            group, _, kinds = line.removeprefix("- ").partition(": ")
            for kind in kinds.split(", "):
                listed.add(f"{group.strip('`')}/{'*' if kind in {'all', 'all others'} else kind}")
    assert listed == set(KNOWN)
