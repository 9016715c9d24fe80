"""What every way of getting a tool is given: the environment, the cache, where to report, the way out."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_gitops.errors import EngineError
from pytest_gitops.tools.parts import Action, Part, Progress, Tool
from pytest_gitops.tools.store import Store
from pytest_gitops.waiting import now, wait_until

if TYPE_CHECKING:
    from pytest_gitops.processes.process import Completed

ASK_LIMIT = 30.0
"""Seconds that a program may take to say its version; a cold start of a 160 MB binary takes one or two."""

BUSY_LIMIT = 10.0

HEARTBEAT = 1.0
"""Seconds between two reports of one action."""


class Passed(Exception):
    """This way does not work here; the text says why. The next way is tried."""


class NoWay(Passed):
    """As expected, and so not worth telling: this way is not meant for this part, or nothing is there yet."""


class Cancelled(Exception):
    """Somebody else's failure, or Ctrl-C, ended this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One call of `ensure`. `cancelled` is set when it is over early."""

    store: Store
    environ: Mapping[str, str]
    explicit: Mapping[str, Path]
    mirrors: Mapping[str, str]
    report: Callable[[Progress], None]
    cancelled: threading.Event = field(default_factory=threading.Event)

    def begin(self, part: Part, action: Action, detail: str = "") -> Activity:
        """Report that an action begins, and get what reports its course."""
        activity = Activity(self, part.name, action)
        activity.say(detail)
        return activity

    def tell(self, part: Part, action: Action, detail: str) -> None:
        """Report something that takes no time."""
        self.report(Progress(tool=part.name, action=action, seconds=0.0, detail=detail))

    def waiting(self, part: Part) -> Callable[[str], None]:
        """What to call while another run holds what this part needs; it reports, and raises Cancelled."""
        activities: list[Activity] = []

        def wait(holder: str) -> None:
            detail = f"{holder} is getting it"
            if not activities:
                activities.append(self.begin(part, Action.WAIT, detail))
            activities[0].tick(detail)

        return wait

    def check(self) -> None:
        """Raises Cancelled if the run is over."""
        if self.cancelled.is_set():
            raise Cancelled


class Activity:
    """One action on one tool, with its clock."""

    def __init__(self, context: Context, tool: str, action: Action) -> None:
        self._context, self._tool, self._action = context, tool, action
        self._began = now()
        self._said = self._began - HEARTBEAT

    def say(self, detail: str = "") -> None:
        """Report now."""
        self._said = now()
        self._context.report(
            Progress(tool=self._tool, action=self._action, seconds=self._said - self._began, detail=detail)
        )

    def tick(self, detail: str) -> None:
        """Report if the last report is HEARTBEAT seconds old. Raises Cancelled if the run is over."""
        self._context.check()
        if now() - self._said >= HEARTBEAT:
            self.say(detail)


class Way(Protocol):
    """One way of getting a tool. Raises Passed if it does not work, ToolError if no other may be tried."""

    def __call__(self, part: Part, context: Context) -> Tool: ...


def ask_version(part: Part, path: Path, environ: Mapping[str, str]) -> str:
    """The version that a program says it has. Raises Passed if it does not run or says something else."""
    # One binary plays every role of Argo CD; its own file name, or this, tells it which.
    env = {**environ, "ARGOCD_BINARY_NAME": "argocd"}
    try:
        done = wait_until(
            lambda: _run(path, *part.argv, env=env), limit=BUSY_LIMIT, what=f"{path} not written any more"
        )
    except EngineError as error:
        raise Passed(f"{path} does not run: {error}") from error
    if found := re.search(part.pattern, done.stdout + done.stderr, re.MULTILINE):
        return found[1]
    raise Passed(f"{path} does not say its version, but: {(done.stdout or done.stderr).strip()[:200]}")


def _run(path: Path, *argv: str, env: Mapping[str, str]) -> Completed | None:
    from pytest_gitops.processes import process  # a warm run starts nothing, and does not pay for it

    try:
        return process.run(path, *argv, env=env, limit=ASK_LIMIT)
    except EngineError as error:
        # Another thread's fork may hold, for an instant, the descriptor that the program was written with.
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ETXTBSY:
            return None
        raise


def verify(part: Part, path: Path, context: Context) -> str:
    """The version of a program that was just made or fetched. Raises Passed unless it is the locked one."""
    version = ask_version(part, path, context.environ)
    if not part.accepts(version):
        raise Passed(f"{path.name} says it is {version}, expected {part.wanted}")
    return version
