"""upgrade, where a definition begins to store another version and nobody converts what is there: that is told of who brings
it, and what it does to others is told with its cause, on the real Argo CD."""

from __future__ import annotations

import pytest
from runs import Outcome, gitops
from upgrade_support import application, config_map, custom, definition, namespace, pull

pytestmark = pytest.mark.engine

BEFORE = {
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


def test_others_are_judged_all_the_same(upgraded: Outcome) -> None:
    assert upgraded.stage("argocd/web", "upgrade")["outcome"] == "passed", upgraded.output


def test_the_end_of_a_namespace_waits_for_what_cannot_be_read_and_says_so(upgraded: Outcome) -> None:
    """So does Kubernetes everywhere: it lists what is in a namespace before that goes, of every kind."""
    found = upgraded.stage("argocd/room", "upgrade")
    assert (found["outcome"], found["code"]) == ("failed", "not-deleted"), upgraded.output
    (finding,) = found["findings"]
    assert (finding["file"], finding["resource"]) == ("room/namespace.yaml", "Namespace room")
    assert "does not end\n  Kubernetes  " in finding["message"]
    assert "\n  cause    a CRD's conversion webhook does not answer" in finding["message"]
