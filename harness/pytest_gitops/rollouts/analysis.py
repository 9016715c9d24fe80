"""What an AnalysisRun measured, and which of its metrics can be asked for here at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pytest_gitops.shapes import mapping

FINISHED = {"Successful", "Failed", "Error", "Inconclusive"}

_LOCAL = re.compile(r"(?:localhost|127\.0\.0\.1):(\d+)")

Allows = Callable[[str, int], bool]
"""Whether a host and port may be reached because the configuration says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of one AnalysisRun. `unasked` says why it cannot be asked for here, empty if it can; `phase` is Argo
    Rollouts' word, `made` and `errors` count measurements, `message` is of the last one."""

    name: str
    provider: str
    phase: str = ""
    made: int = 0
    errors: int = 0
    message: str = ""
    unasked: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "metric": self.name,
            "provider": self.provider,
            "phase": self.phase or None,
            "measurements": self.made,
            "errors": self.errors,
            "message": self.message or None,
            "notAsked": self.unasked or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One AnalysisRun: its name, the kind and name of its owner, and what it measured."""

    name: str
    owner: tuple[str, str]
    phase: str
    metrics: tuple[Metric, ...] = ()

    @property
    def hindered(self) -> tuple[Metric, ...]:
        """The metrics that were asked for and could not be had here."""
        return tuple(m for m in self.metrics if m.unasked and m.errors)

    def to_dict(self) -> dict[str, Any]:
        return {
            "analysisRun": self.name,
            "phase": self.phase or None,
            "metrics": [m.to_dict() for m in self.metrics],
        }


def read(run: Mapping[str, Any], allows: Allows) -> Analysis:
    """What `run`, an AnalysisRun as the API server has it, says now."""
    metadata, status = run["metadata"], mapping(run, "status")
    owner: Mapping[str, Any] = next(iter(metadata.get("ownerReferences") or ()), {})
    results = {r.get("name"): r for r in status.get("metricResults") or ()}
    return Analysis(
        name=str(metadata["name"]),
        owner=(str(owner.get("kind", "")), str(owner.get("name", ""))),
        phase=str(status.get("phase") or ""),
        metrics=tuple(
            _metric(m, results.get(m.get("name")) or {}, allows)
            for m in mapping(run, "spec").get("metrics") or ()
        ),
    )


def _metric(metric: Mapping[str, Any], result: Mapping[str, Any], allows: Allows) -> Metric:
    provider, settings = next(iter((metric.get("provider") or {}).items()), ("", {}))
    measurements = result.get("measurements") or ()
    last = measurements[-1] if measurements else {}
    return Metric(
        name=str(metric.get("name", "")),
        provider=str(provider),
        phase=str(result.get("phase") or ""),
        made=int(result.get("count") or 0),
        errors=int(result.get("error") or 0),
        message=str(last.get("message") or result.get("message") or ""),
        unasked=_unasked(str(provider), settings if isinstance(settings, Mapping) else {}, allows),
    )


def _unasked(provider: str, settings: Mapping[str, Any], allows: Allows) -> str:
    if provider == "job":
        return ""
    if provider == "plugin":
        return "plugins of Argo Rollouts are not run here"
    parts = urlsplit(str(settings.get("url") or settings.get("address") or ""))
    host = parts.hostname or ""
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = "", 0
    if not host:
        return f"{provider} names no address; who answers it is not reached from here"
    return "" if allows(host, port) else f"{host}:{port} is not reached from here"


def local_ports(allowed: tuple[str, ...]) -> tuple[int, ...]:
    """The ports of this machine that the configuration's `network.allow` names, as "127.0.0.1:9090".

    >>> local_ports(("example.com", "localhost:9090"))
    (9090,)
    """
    return tuple(int(m[1]) for entry in allowed if (m := _LOCAL.fullmatch(entry.strip())))


def allows(allowed: tuple[str, ...], *, everything: bool) -> Allows:
    """Whether `network.allow` (or, with `everything`, `network: allow`) lets a metric's host be reached."""
    ports = local_ports(allowed)

    def check(host: str, port: int) -> bool:
        if host in {"localhost", "127.0.0.1"}:
            return port in ports
        labels = host.lower().split(".")
        wild = {f"*.{'.'.join(labels[i:])}" for i in range(1, len(labels))}
        return everything or bool({host.lower(), *wild} & {a.strip().lower() for a in allowed})

    return check
