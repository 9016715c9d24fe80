"""Objects that a webhook would have to convert, which nobody answers: that is told of who brings them, and what it does to
others is told with its cause, on the real Argo CD. And one whose definition comes late."""

from __future__ import annotations

import pytest
from runs import Outcome, gitops
from upgrade_support import application, config_map, custom, definition, deployment, namespace, pull

pytestmark = pytest.mark.engine

# Its definition is in the second wave of another one, which comes after 12 s and more: Argo CD tries `early` at once, after 10 s
# and after 30, and for most of the twenty between those nothing moves.
LATE = {
    "apps/early.yaml": application("early"),
    "early/bench.yaml": custom("Bench", "v1"),
    "apps/tardy.yaml": application("tardy"),
    "tardy/web.yaml": deployment("web", "web").replace(
        "  replicas: 1\n", "  replicas: 1\n  minReadySeconds: 12\n"
    ),
    "tardy/crd.yaml": definition("benches", "Bench", ("v1", True)).replace(
        "{name: benches.example.com}",
        "{name: benches.example.com, annotations: {argocd.argoproj.io/sync-wave: '1'}}",
    ),
}

BEFORE = {
    **LATE,
    "apps/horns.yaml": application("horns"),
    "horns/crd.yaml": definition("horns", "Horn", ("v1", True), ("v2", False)),
    "horns/horn.yaml": custom("Horn", "v1"),
    "apps/web.yaml": application("web"),
    "web/settings.yaml": config_map("settings", "green"),
    "apps/room.yaml": application("room", finalizer=True),
    "room/namespace.yaml": namespace("room"),
}
AFTER: dict[str, str | None] = {
    "horns/crd.yaml": definition("horns", "Horn", ("v1", False), ("v2", True), webhook=True),
    "horns/horn.yaml": custom("Horn", "v2"),
    "web/settings.yaml": config_map("settings", "red"),
    "apps/room.yaml": None,
    "room/namespace.yaml": None,
    "apps/dimmers.yaml": application("dimmers"),
    "dimmers/crd.yaml": definition("dimmers", "Dimmer", ("v1", False), ("v1beta1", True)),
    "dimmers/dimmer.yaml": custom("Dimmer", "v1beta1"),
    "apps/faders.yaml": application("faders"),
    "faders/crd.yaml": definition("faders", "Fader", ("v1", False), ("v1beta1", True), webhook=True),
    "faders/fader.yaml": custom("Fader", "v1beta1"),
}


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = pull(tmp_path_factory.mktemp("pull-request") / "shop", BEFORE, AFTER)
    return gitops(folder, "--gitops-base", "main", "--gitops-stages", "converge,upgrade")


def test_what_is_stored_and_cannot_be_read_is_told_with_its_cause(upgraded: Outcome) -> None:
    found = upgraded.stage("argocd/horns", "upgrade")
    assert (found["outcome"], found["code"]) == ("failed", "sync-failed"), upgraded.output
    assert found["evidence"]["head"]["cause"]["class"] == "conversion-unanswered"
    assert upgraded.stage("argocd/horns", "converge")["outcome"] == "passed"


def test_what_argo_cd_does_not_see_is_told_with_the_same_cause(upgraded: Outcome) -> None:
    """It is stored as it is written; Argo CD lists it in the version that the API server prefers."""
    found = upgraded.stage("argocd/faders", "converge")
    assert (found["outcome"], found["code"]) == ("failed", "out-of-sync"), upgraded.output
    assert found["evidence"]["cause"]["class"] == "conversion-unanswered"
    (finding,) = found["findings"]
    assert (finding["file"], finding["line"]) == ("faders/fader.yaml", 1)


def test_others_are_judged_all_the_same(upgraded: Outcome) -> None:
    assert upgraded.stage("argocd/web", "upgrade")["outcome"] == "passed", upgraded.output
    assert upgraded.stage("argocd/dimmers", "converge")["outcome"] == "passed"


def test_what_came_between_two_attempts_is_there_for_the_next(upgraded: Outcome) -> None:
    for stage in ("converge", "upgrade"):
        assert upgraded.stage("argocd/early", stage)["outcome"] == "passed", upgraded.output


def test_the_end_of_a_namespace_waits_for_what_cannot_be_read_and_says_so(upgraded: Outcome) -> None:
    """So does Kubernetes everywhere: it lists what is in a namespace before that goes, of every kind."""
    found = upgraded.stage("argocd/room", "upgrade")
    assert (found["outcome"], found["code"]) == ("failed", "not-deleted"), upgraded.output
    (finding,) = found["findings"]
    assert (finding["file"], finding["resource"]) == ("room/namespace.yaml", "Namespace room")
    assert "does not end\n  Kubernetes  " in finding["message"]
    assert "\n  cause    a CRD's conversion webhook does not answer" in finding["message"]
