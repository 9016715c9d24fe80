"""What Argo CD alone takes for what the stages of a pull request have it do: no judging, no looking, no drift."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_gitops.argocd.applications import Applications, application_path, operation_state
from pytest_gitops.argocd.convergence import State, observe
from pytest_gitops.model import Case
from pytest_gitops.run.engine import Engine
from pytest_gitops.settings.settings import Settings

LIMIT = 600.0
"""Seconds for each step."""

Application = Mapping[str, Any]


class Watched:
    """The Applications of a control plane as they are just now, and waiting for what they are to be."""

    def __init__(self, applications: Applications) -> None:
        self._now: dict[str, Application] = {}
        self._moved, self._stop = threading.Condition(), threading.Event()
        threading.Thread(
            target=applications.watch, args=(self._see,), kwargs={"stop": self._stop}, daemon=True
        ).start()

    def _see(self, key: str, application: Application) -> None:
        with self._moved:
            self._now[key] = application
            self._moved.notify_all()

    def until(self, keys: Iterable[str], reached: Callable[[Application], bool]) -> None:
        """Return when all of `keys` have `reached` it."""
        rest = set(keys)

        def all_reached() -> bool:
            rest.difference_update([k for k in rest if k in self._now and reached(self._now[k])])
            return not rest

        with self._moved:
            assert self._moved.wait_for(all_reached, LIMIT), f"not in time: {sorted(rest)}"

    def of(self, key: str) -> Application:
        with self._moved:
            return self._now[key]

    def close(self) -> None:
        self._stop.set()


def alone(settings: Settings) -> dict[str, float]:
    """Seconds of each step, in their order, on one control plane: base up, head, back, a second sync, the deletion."""
    engine = Engine(settings)
    try:
        plan = engine.prepare()
        context = engine._context
        assert context is not None and context.upgrade_ground is not None and context.base is not None
        ground = context.upgrade_ground()
        applications = Applications(ground.api)
        watched = Watched(applications)
        seconds: dict[str, float] = {}
        cases = {c.key: c for c in plan.cases}

        def step(
            name: str, act: Callable[[str, Case], object], reached: Callable[[Application], bool]
        ) -> None:
            began = time.monotonic()
            for key, case in cases.items():
                act(key, case)
            watched.until(cases, reached)
            seconds[name] = time.monotonic() - began

        def moved(name: str, *, to_head: bool) -> None:
            ground.move(to_head=to_head)
            side = engine._ground.head if to_head else engine._ground.base
            assert side is not None
            step(
                name,
                lambda key, _: applications.refresh(watched.of(key)),
                converged_at(side.checkout.snapshot.refs),
            )

        def sync(key: str, _: Case) -> None:
            applications.sync(watched.of(key))

        def synced_again(application: Application) -> bool:
            state = operation_state(application)
            manual = "automated" not in (state.get("operation") or {}).get("initiatedBy", {})
            return (
                manual and state.get("phase") == "Succeeded" and observe(application).state is State.CONVERGED
            )

        ground.start()
        refs = context.base.checkout.snapshot.refs
        step("base", lambda _, case: applications.create([case], _refused), converged_at(refs))
        moved("head", to_head=True)
        moved("back", to_head=False)
        step("second sync", sync, synced_again)
        step("deletion", lambda _, case: ground.api.delete(application_path(case)), lambda a: not a)
        watched.close()
        return seconds
    finally:
        engine.finish()


def converged_at(refs: Mapping[str, str]) -> Callable[[Application], bool]:
    """Whether an Application is Synced and Healthy at what `main` is."""
    revision = refs["refs/heads/main"]
    return lambda a: bool(a) and observe(a, revisions=[revision]).state is State.CONVERGED


def _refused(case: Case, error: Exception) -> None:
    raise AssertionError(f"{case.key}: {error}")
