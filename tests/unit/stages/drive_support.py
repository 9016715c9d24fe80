"""A drive of Applications whose clock, and whose Argo CD, are in the test's hand."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
from stage_support import HEAD, URL, Answers, make_context, make_plan

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Case, StageResult
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages import drive

LIMIT = 300.0


class FakeApplications:
    """Takes what the driver asks for; states are fed by the test."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.synced: list[str] = []
        self.refreshed: list[str] = []
        self.forgotten: list[str] = []  # the heals of
        self.refuse: dict[str, Exception] = {}
        self.events: tuple[str, ...] = ()
        self.no_sync: Exception | None = None
        self.versions = itertools.count(1)
        self.answer: Callable[[str], None] = lambda name: None

    def create(self, cases: Sequence[Case], failed: Callable[[Case, Exception], None]) -> None:
        for case in cases:
            if case.name in self.refuse:
                failed(case, self.refuse[case.name])
            else:
                self.created.append(case.key)

    def sync(self, application: Mapping[str, Any]) -> None:
        if self.no_sync is not None:
            raise self.no_sync
        self.synced.append(application["metadata"]["name"])

    def windows(self, project: str, *, control: str) -> tuple[Mapping[str, Any], ...]:
        return ()

    def urge(self, application: Mapping[str, Any]) -> dict[str, Any]:
        self.forgotten.append(application["metadata"]["name"])
        return self.refresh(application)

    def refresh(self, application: Mapping[str, Any]) -> dict[str, Any]:
        asked = self.stamped(application)
        self.refreshed.append(application["metadata"]["name"])
        self.answer(application["metadata"]["name"])
        return asked

    def stamped(self, application: Mapping[str, Any]) -> dict[str, Any]:
        """It, written now."""
        return {
            **application,
            "metadata": {**application["metadata"], "resourceVersion": str(next(self.versions))},
        }

    def watch(self, act: Callable[[str, Mapping[str, Any]], None], *, stop: threading.Event) -> None:
        stop.wait(30)

    def warnings(self, namespace: str, names: Sequence[str]) -> tuple[str, ...]:
        return self.events if namespace == "web" and names else ()


class FakeApi:
    """Knows ClusterRoles, which have no namespace, and nothing else of kinds."""

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        return kind != "ClusterRole"

    def kinds(self) -> tuple[tuple[str, str], ...]:
        return ()


class Driver:
    """One run of the stage, its clock in the test's hand. `renders` has the objects of cases, by name."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        plan: Sequence[Case],
        judged: Sequence[str] | None = None,
        renders: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        self.at = 1000.0
        monkeypatch.setattr(drive, "now", lambda: self.at)
        self.context = make_context(timeout=LIMIT, api=FakeApi())
        self.context.plan = make_plan(plan)
        self.context.renders = {c.id: Rendered(objects=tuple((renders or {}).get(c.name, ()))) for c in plan}
        self.answers = Answers()
        cases = [c for c in plan if judged is None or c.name in judged]
        self.fake = FakeApplications()
        self.drive = drive.Drive(self.context, cases, self.answers, stage="converge")
        self.drive.applications = cast(Any, self.fake)
        self.fake.answer = self.still_good

    def still_good(self, name: str) -> None:
        """Argo CD's answer to whether a good one still is: at once, and yes."""
        track = self.drive.tracks[f"argocd/{name}"]
        if track.inquired is not None:
            self.see(name, track.state)

    def see(self, name: str, application: Mapping[str, Any]) -> None:
        """A state comes in."""
        track = self.drive.tracks[f"argocd/{name}"]
        self.drive._observe(track, self.fake.stamped(application) if application else application)

    def after(self, seconds: float) -> None:
        """The clock goes on, a look every second, and one at what was answered."""
        end = self.at + seconds
        while self.at < end:
            self.at = min(self.at + 1, end)
            self.drive._judge()
            self.drive._judge()

    @property
    def done(self) -> bool:
        return all(t.done for t in self.drive.tracks.values())

    def of(self, name: str) -> StageResult:
        return self.answers.of(f"argocd/{name}")

    def none_given(self) -> bool:
        return not self.answers.given


def manifest(name: str, *, automated: bool = True) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": URL, "path": name, "targetRevision": "main"},
            "destination": {"namespace": "web"},
            **({"syncPolicy": {"automated": {}}} if automated else {}),
        },
    }


def case(name: str, parent: str = "", parent_kind: str = "Application", *, automated: bool = True) -> Case:
    return case_of(
        manifest(name, automated=automated),
        control="argocd",
        file=f"{name}.yaml",
        line=1,
        parent=f"argocd/{parent}" if parent else "",
        parent_kind=parent_kind if parent else "",
    )


def state(
    name: str,
    sync: str = "Synced",
    health: str = "Healthy",
    phase: str = "Succeeded",
    *,
    automated: bool = True,
    message: str = "said",
    revision: str = HEAD,
    **operation: Any,
) -> dict[str, Any]:
    resource = {
        "kind": "Deployment",
        "namespace": "web",
        "name": name,
        "status": sync,
        "health": {"status": health},
    }
    status: dict[str, Any] = {
        "sync": {"status": sync, "revision": revision},
        "health": {"status": health},
        "reconciledAt": "2025-03-01T10:00:05Z",
        "resources": [resource],
    }
    if phase:
        status["operationState"] = {"phase": phase, "message": message, **operation}
    return {**manifest(name, automated=automated), "status": status}


GOOD = ("Synced", "Healthy")
