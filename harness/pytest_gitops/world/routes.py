"""Who answers for what: the table that the HTTP proxy, the SOCKS listener and the ssh stand-in all read."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_gitops.errors import EngineError
from pytest_gitops.world.charts import Charts
from pytest_gitops.world.egress import Egress
from pytest_gitops.world.private import Private
from pytest_gitops.world.urls import Address, locate, parse


class Routes:
    """Grows while the world runs; every look-up sees a whole table. `environ` is the user's."""

    def __init__(self, egress: Egress, environ: Mapping[str, str], *, private: Private) -> None:
        self.egress, self.environ, self.private = egress, environ, private
        self._lock = threading.Lock()
        self._repositories: dict[str, Path] = {}
        self._addresses: dict[Address, None] = {}
        self._charts: list[Charts] = []
        self._tunnels: dict[tuple[str, int], tuple[str, int]] = {}

    def add_repository(self, urls: Iterable[str], bare: Path) -> None:
        """Answer all spellings of `urls` from `bare`. What has no host (a path) is left out."""
        with self._lock:
            for address in (a for url in urls if (a := parse(url)) and a.path):
                self._repositories[locate(address.host, address.path)] = bare
                self._addresses[address] = None

    def add_charts(self, charts: Charts) -> None:
        """Answer for `charts`; what was served at that place gives way."""
        with self._lock:
            others = [
                c
                for c in self._charts
                if (type(c), c.host, c.path) != (type(charts), charts.host, charts.path)
            ]
            self._charts = [*others, charts]

    def add_tunnel(self, host: str, port: int, to: tuple[str, int]) -> None:
        with self._lock:
            self._tunnels[host.lower().rstrip("."), port] = to

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The repositories' URLs as they were given."""
        with self._lock:
            return tuple(self._addresses)

    @property
    def repositories(self) -> dict[str, Path]:
        """Canonical URL → bare repository."""
        with self._lock:
            return dict(self._repositories)

    def repository_for(self, host: str, path: str) -> Path | None:
        """The bare repository for a path of `host`, percent encoding undone."""
        with self._lock:
            return self._repositories.get(locate(host, path))

    def mirror_for(self, host: str, port: int, path: str) -> Path | None:
        """The same for a repository that is fetched, which may take long. Raises Unreached, and records it, if that
        fails."""
        try:
            return self.private.mirrors.get(host, path)
        except EngineError as error:
            part = path.strip("/").removesuffix(".git")
            raise self.egress.unreachable(host, port, str(error), part) from error

    def chart_for(self, host: str, path: str) -> Charts | None:
        """The chart repository that a request's path belongs to, the longest match first."""
        with self._lock:
            return max(
                (c for c in self._charts if c.covers(host, path)), key=lambda c: len(c.path), default=None
            )

    def tunnel_for(self, host: str, port: int) -> tuple[str, int] | None:
        with self._lock:
            return self._tunnels.get((host, port))

    def stands_in_for(self, host: str) -> bool:
        """Whether anything of `host` is answered here, or completed on its way out."""
        return (
            self._has_repositories(host)
            or any(c.host == host for c in tuple(self._charts))
            or self.private.answers(host)
        )

    def answers_ssh(self, host: str) -> bool:
        """Whether any repository of `host` is answered here when it is asked for over ssh."""
        return self._has_repositories(host) or self.private.mirrors.has_some_of(host)

    def _has_repositories(self, host: str) -> bool:
        start = locate(host, "")
        with self._lock:
            return any(name.startswith(f"{start}/") for name in self._repositories)
