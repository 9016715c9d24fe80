"""Progressive syncs: ApplicationSets whose controller syncs their Applications step by step (`RollingSync`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

PARAMETER = "applicationsetcontroller.enable.progressive.syncs"
"""The key of argocd-cmd-params-cm that switches them on."""


def rolls(application_set: Mapping[str, Any]) -> bool:
    """Whether its Applications are synced by its controller, and by nobody else."""
    strategy = (application_set.get("spec") or {}).get("strategy") or {}
    return isinstance(strategy, Mapping) and strategy.get("type") == "RollingSync"


def is_enabled(parameters: Mapping[str, Any], application_sets: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the applicationset-controller is to do it: as the data of argocd-cmd-params-cm says. Where it says
    nothing, the switch is thrown elsewhere (a chart's values, a variable): whoever writes RollingSync means it."""
    said = parameters.get(PARAMETER)
    return str(said).lower() == "true" if said is not None else any(rolls(s) for s in application_sets)
