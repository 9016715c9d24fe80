"""One headless Chromium for all pages that are looked at, each in a context of its own, spoken to over a pipe."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from pytest_gitops.processes.process import piped
from pytest_gitops.waiting import now

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
)

BUDGET = 4_000
"""Milliseconds of a page's own time that pass, as fast as it gets its work done, before it is looked at."""

DOCUMENT = "document.documentElement.outerHTML"

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
"""CSS pixels of a small one."""

LIMIT = 120.0
"""Seconds for one answer."""

PIPE = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null'
"""Chromium reads what it is asked on descriptor 3 and answers on 4."""


class Browser:
    """A browser that runs. Messages are JSON, each ended by a zero byte."""

    def __init__(self, child: Popen[bytes]) -> None:
        self._child, self._rest, self._numbers = child, b"", itertools.count(1)

    def look(
        self, url: str, *, read: str = DOCUMENT, scheme: str = "light", phone: bool = False, **size: int
    ) -> tuple[str, tuple[str, ...]]:
        """The document at `url` after its scripts ran, or what else the expression `read` says as text, and what is on
        the console. `size`: width and height of the window; `scheme` is the colours that the reader wants, light or
        dark; a `phone` is as narrow as they come."""
        context = self._ask("", "Target.createBrowserContext")["browserContextId"]
        about = {"url": "about:blank", "browserContextId": context, **size}
        target = self._ask("", "Target.createTarget", **about)["targetId"]
        page = self._ask("", "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        said: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log"):
            self._ask(page, f"{domain}.enable")
        # Without motion nothing is looked at in the middle of a change.
        wanted = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self._ask(page, "Emulation.setEmulatedMedia", features=wanted)
        if phone:
            self._ask(page, "Emulation.setDeviceMetricsOverride", **PHONE)
        self._ask(page, "Page.navigate", said=said, url=url)
        self._until("Page.loadEventFired", said)
        policy = {"policy": "pauseIfNetworkFetchesPending", "budget": BUDGET}
        self._ask(page, "Emulation.setVirtualTimePolicy", said=said, **policy)
        self._until("Emulation.virtualTimeBudgetExpired", said)
        asked = {"expression": read, "returnByValue": True}
        text: str = self._ask(page, "Runtime.evaluate", said=said, **asked)["result"]["value"]
        self._ask("", "Target.disposeBrowserContext", said=said, browserContextId=context)
        return text, tuple(line for event in said if (line := _console(event)))

    def _ask(
        self, session: str, method: str, *, said: list[dict[str, Any]] | None = None, **params: Any
    ) -> dict[str, Any]:
        """The answer; events that come before it are added to `said`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(message).encode() + b"\0")
        self._child.stdin.flush()
        while (answer := self._read()).get("id") != number:
            if said is not None:
                said.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _until(self, event: str, said: list[dict[str, Any]]) -> None:
        while all(each.get("method") != event for each in said):
            said.append(self._read())

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        pipe, end = self._child.stdout.fileno(), now() + LIMIT
        parts = [self._rest]
        while b"\0" not in parts[-1]:
            assert select.select([pipe], [], [], max(0.0, end - now()))[0], f"no answer within {LIMIT} s"
            parts.append(os.read(pipe, 1 << 20))
            assert parts[-1], "the browser has ended"
        message, _, self._rest = b"".join(parts).partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


def _console(event: dict[str, Any]) -> str:
    """What an event puts on the console, empty if nothing."""
    given = event.get("params", {})
    match event.get("method"):
        case "Log.entryAdded":
            return f"{given['entry']['level']}: {given['entry']['text']}"
        case "Runtime.consoleAPICalled":
            return f"{given['type']}: {' '.join(str(a.get('value', a)) for a in given['args'])}"
        case "Runtime.exceptionThrown":
            return str(given["exceptionDetails"].get("exception", {}).get("description") or given)
    return ""


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Browser]:
    """The browser that is on PATH, with nothing of the user's."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            f"browser: expected one of {', '.join(NAMES)} on PATH, saw none. "
            "Install one, for example `apt-get install chromium`."
        )
    environ = {"HOME": str(home), "PATH": os.defpath, "LANG": "C.UTF-8"}
    words = ("sh", "-c", PIPE, found, *FLAGS, f"--user-data-dir={home / 'profile'}")
    with piped(*words, env=environ) as child:
        yield Browser(child)
