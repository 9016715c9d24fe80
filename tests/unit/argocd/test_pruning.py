"""What Argo CD leaves unpruned, and whether an Application has its present form."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.argocd.pruning import is_as_declared, of_now, to_prune, unpruned

OLD = {"kind": "ConfigMap", "namespace": "web", "name": "old"}
TITLE = ("ConfigMap web/old",)


def application(
    *resources: dict[str, Any], automated: dict[str, Any] | None = None, tried: str = "", at: str = "2"
) -> dict[str, Any]:
    status: dict[str, Any] = {"sync": {"status": "OutOfSync", "revision": "2"}, "resources": list(resources)}
    if tried:
        result = {"revision": at, "resources": [{**OLD, "status": tried}]}
        status["operationState"] = {"phase": "Succeeded", "syncResult": result}
    policy = {"syncPolicy": {"automated": automated}} if automated is not None else {}
    return {"spec": policy, "status": status}


EXTRA = {**OLD, "status": "OutOfSync", "requiresPruning": True}
SAME = {"kind": "ConfigMap", "name": "same", "status": "Synced"}
OTHER = {"kind": "ConfigMap", "name": "other", "status": "OutOfSync"}


@pytest.mark.parametrize(
    ("live", "left"),
    [
        # a sync without prune, or of an object with Prune=false, says so
        (application(EXTRA, SAME, automated={"prune": True}, tried="PruneSkipped"), TITLE),
        (application(EXTRA, tried="PruneSkipped"), TITLE),
        # automated without prune does not even begin
        (application(EXTRA, automated={}), TITLE),
        (application(EXTRA, automated={"prune": False}, tried="Synced"), TITLE),
        # it has yet to try
        (application(EXTRA, automated={"prune": True}), ()),
        (application(EXTRA, automated={"prune": True}, tried="PruneSkipped", at="1"), ()),
        (application(EXTRA), ()),
        (application(EXTRA, automated={"prune": True, "enabled": False}), ()),
        # something else differs, or nothing does
        (application(EXTRA, OTHER, automated={}), ()),
        (application(SAME, automated={}), ()),
        ({}, ()),
    ],
)
def test_only_what_argo_cd_will_not_delete_by_itself_is_left(
    live: dict[str, Any], left: tuple[str, ...]
) -> None:
    assert unpruned(live) == left


def test_a_sync_at_a_commit_is_of_now_where_that_is_written_short() -> None:
    commit = "4f1c2a9d8e7b6a5c4d3e2f1a0b9c8d7e6f5a4b3c"
    live = application(EXTRA, automated={"prune": True}, tried="PruneSkipped", at=commit)
    live["status"]["sync"]["revision"] = commit[:7]
    assert unpruned(live) == TITLE
    live["status"]["operationState"]["phase"] = "Failed"
    assert of_now(live) is live
    live["status"]["sync"]["revision"] = "0a1b2c3"
    assert unpruned(live) == ()
    assert of_now(live) is not live


def test_what_is_to_be_pruned_is_named_before_it_is_tried() -> None:
    assert to_prune(application(EXTRA, SAME, automated={"prune": True})) == TITLE
    assert to_prune(application(EXTRA, OTHER)) == ()


SPEC = {"project": "default", "source": {"repoURL": "x", "path": "a"}, "destination": {"namespace": "web"}}


@pytest.mark.parametrize(
    ("live", "same"),
    [
        (SPEC, True),
        ({**SPEC, "source": {"repoURL": "x", "path": "a", "directory": {"recurse": False}}}, True),
        ({**SPEC, "syncPolicy": {}}, True),
        ({**SPEC, "source": {"repoURL": "x", "path": "b"}}, False),
        ({**SPEC, "destination": {"namespace": "other"}}, False),
        ({**SPEC, "project": "other"}, False),
        ({}, False),
    ],
)
def test_an_application_is_as_declared_when_it_deploys_the_same_to_the_same(
    live: dict[str, Any], same: bool
) -> None:
    assert is_as_declared({"spec": live}, {"spec": SPEC}) is same


@pytest.mark.parametrize(
    ("phase", "tried", "began", "counts"),
    [
        ("Failed", "2", "10:00:05", True),
        ("Failed", "1", "10:00:05", False),
        ("Failed", "", "10:00:05", True),
        ("Succeeded", "1", "10:00:05", True),
        ("Running", "2", "10:00:01", True),
        # of one of the same name that is gone
        ("Running", "2", "09:59:59", False),
        ("Succeeded", "2", "09:59:59", False),
    ],
)
def test_only_a_sync_of_this_application_and_revision_counts(
    phase: str, tried: str, began: str, counts: bool
) -> None:
    state = {
        "phase": phase,
        "startedAt": f"2026-01-01T{began}Z",
        "syncResult": {"revision": tried},
    }
    live = {
        "metadata": {"creationTimestamp": "2026-01-01T10:00:01Z"},
        "status": {"sync": {"revision": "2"}, "operationState": state},
    }
    assert of_now(live) == (live if counts else {**live, "status": {"sync": {"revision": "2"}}})


def test_of_an_application_without_a_sync_nothing_is_taken() -> None:
    assert of_now({}) == {}
