"""Whom generators may ask that read source code management: `scmProvider` and `pullRequest`.

An applicationset-controller with ApplicationSets in other namespaces does not start before that is said (Argo CD 3.6.1,
applicationset_controller.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_gitops.shapes import behind, mapping

ENABLED = "applicationsetcontroller.enable.scm.providers"
ALLOWED = "applicationsetcontroller.allowed.scm.providers"
"""The keys of argocd-cmd-params-cm."""

GENERATORS = ("scmProvider", "pullRequest")

NO_OTHER = "https://api.github.com"
"""The list may not be empty; this one is asked without being allowed."""

_ADDRESS = re.compile(r"[!#-+\--~]+")
"""What can stand in a list that a flag has: the controller does not start with another one."""


def flags(parameters: Mapping[str, Any], application_sets: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The controller's flags where the data of argocd-cmd-params-cm says nothing. Then it is said elsewhere (a chart's
    values, a variable): whoever writes a generator's `api` means it, and the run's own guard lets through only what
    the repository or its configuration names as a source."""
    if str(parameters.get(ENABLED, "true")).lower() == "false" or parameters.get(ALLOWED):
        return ()
    named = {api for s in application_sets for api in _apis((s.get("spec") or {}).get("generators"))}
    fit = sorted(api for api in named if _ADDRESS.fullmatch(api))
    return (f"--allowed-scm-providers={','.join(fit) or NO_OTHER}",)


def _apis(value: Any) -> Iterator[str]:
    """Every `api` of such a generator, wherever it is: in a matrix, too."""
    for generator in behind(value, GENERATORS):
        providers = (p for p in mapping(generator).values() if isinstance(p, Mapping))
        yield from (str(p["api"]) for p in providers if p.get("api"))
