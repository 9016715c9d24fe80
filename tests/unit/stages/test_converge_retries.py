"""Which attempt of Argo CD's is waited for: one that failed says nothing of what others have brought since."""

from __future__ import annotations

from typing import Any

import pytest
from drive_support import Driver, case, state

from pytest_gitops.model import Outcome
from pytest_gitops.stages import tracks

TRIES = state("web", "OutOfSync", "Missing", "Running", message="one or more tasks are running")
AGAIN = 'namespaces "web" not found. Retrying attempt #2 at 2025-03-01T10:00:40Z.'
FAILED = state("web", "OutOfSync", "Missing", "Running", message=AGAIN, finishedAt="2025-03-01T10:00:20Z")
BEGINS = state("crd", "OutOfSync", "Missing", "Running", message="one or more tasks are running")
HEALED = state("crd", "OutOfSync", "Healthy", "Running", message="one or more tasks are running")


def step(wave: int) -> dict[str, Any]:
    """The sync of `crd`, with the object of a wave applied."""
    applied = {
        "kind": "Deployment",
        "namespace": "web",
        "name": "crd",
        "status": "Synced",
        "syncPhase": "Sync",
    }
    seen = state("crd", "OutOfSync", "Missing", "Running", syncResult={"resources": [applied]})
    seen["status"]["resources"][0]["syncWave"] = wave
    return seen


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """An attempt of `web` has failed, and another one is to come."""
    driver = Driver(monkeypatch, [case("web"), case("crd")])
    driver.see("crd", BEGINS)
    driver.see("web", TRIES)
    driver.after(1)
    driver.see("web", FAILED)
    driver.after(1)
    return driver


def given(driver: Driver, name: str) -> bool:
    return driver.drive.tracks[f"argocd/{name}"].done


@pytest.mark.parametrize("brings", [state("crd"), step(1)], ids=["success", "step"])
def test_the_attempt_after_others_brought_something_is_waited_for(
    failed: Driver, brings: dict[str, Any]
) -> None:
    failed.see("crd", brings)
    failed.after(tracks.STILL)
    assert not given(failed, "web")
    failed.see("web", TRIES)
    failed.after(1)
    failed.see("web", state("web"))
    failed.after(tracks.SETTLE + 1)
    assert failed.of("web").outcome is Outcome.PASSED


def test_when_that_fails_too_it_is_given_up(failed: Driver) -> None:
    failed.see("crd", state("crd"))
    failed.after(tracks.STILL)
    failed.see("web", TRIES)
    failed.after(1)
    failed.see("web", FAILED)
    failed.after(1)
    assert failed.of("web").code == "sync-failed"


WAITS = "waiting for healthy state of Deployment/crd"


@pytest.mark.parametrize(
    "moves",
    [
        state("crd", "OutOfSync", "Degraded", "Running"),  # its health changes, and nothing else
        state("crd", "OutOfSync", "Missing", "Running", message=WAITS),
    ],
    ids=["health", "waits"],
)
def test_what_brings_nothing_gives_no_hope(failed: Driver, moves: dict[str, Any]) -> None:
    failed.see("crd", moves)
    failed.after(tracks.BUSY + tracks.QUIET + 1)
    assert failed.of("web").code == "sync-failed"


def test_an_attempt_whose_begin_was_not_seen_counts_where_nobody_has_brought_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("web"), case("crd")])
    driver.see("web", FAILED)
    driver.after(tracks.QUIET + 1)
    assert driver.of("web").code == "sync-failed"


def test_what_is_healed_again_and_again_brings_nothing_new(failed: Driver) -> None:
    for _ in range(2):
        failed.see("crd", state("crd"))
        failed.after(1)
        failed.see("crd", HEALED)
        failed.after(1)
    failed.see("web", TRIES)
    failed.after(1)
    failed.see("web", FAILED)
    for _ in range(7):
        failed.see("crd", state("crd"))
        failed.after(1)
        failed.see("crd", HEALED)
        failed.after(1)
    assert failed.of("web").code == "sync-failed"
