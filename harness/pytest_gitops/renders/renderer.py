"""One side's renders: asked of the repo-server, unless the very same was rendered before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_gitops.argocd.render import NotRendered, Rendered, Taken
from pytest_gitops.model import Case
from pytest_gitops.repository.inputs import Inputs, Reader
from pytest_gitops.repository.sources import KEYS

FORMAT = 1
"""Raised when what a key stands for changes."""

OWN = "(own)"
"""Stands for the commit of the side itself among the revisions of a render that is kept: it is another one on the
other side and in the next run."""


class Kept(Protocol):
    """Renders of earlier runs, by key."""

    def get(self, key: str) -> Rendered | None: ...

    def put(self, key: str, rendered: Rendered) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What renders depend on beside the Application and its files: the versions of `tools`, Kubernetes' own and the
    APIs that it has, Argo CD's `argocd_cm`, its namespace, which folders stand in for chart repositories, and the
    variables that the repository gives the repo-server."""

    tools: Mapping[str, str]
    kube_version: str
    api_versions: Sequence[str]
    argocd_cm: Mapping[str, Any]
    control: str
    charts: Sequence[tuple[str, str]] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> Any:
        return [
            sorted(self.tools.items()),
            self.kube_version,
            sorted(self.api_versions),
            sorted((str(k), str(v)) for k, v in self.argocd_cm.items()),
            self.control,
            sorted(self.charts),
            sorted(self.variables.items()),
        ]


@dataclass(slots=True, kw_only=True)
class Renderer:
    """Renders cases of one side; `commit` is the side's. `ask` asks the repo-server; `earlier` has what the other
    side rendered in this run, and `store` what earlier runs did, None where nothing is kept.

    Only renders are taken over, never refusals, and only where all that is read is known. What is random in a
    template stays what it was. Called from several threads at once.
    """

    reader: Reader
    commit: str
    settings: Dependencies
    ask: Callable[[Case], Rendered | NotRendered]
    earlier: Mapping[str, Rendered] = field(default_factory=dict)
    store: Kept | None = None
    rendered: dict[str, Rendered] = field(default_factory=dict, init=False)

    def __call__(self, case: Case) -> Rendered | NotRendered:
        """The render of `case`. Raises EngineError if the repo-server cannot answer."""
        inputs = self.reader.of(case)
        if inputs.unknown:
            return self.ask(case)
        key = self.key(case, inputs)
        store = self.store if not inputs.floating else None
        if (known := self.earlier.get(key)) is not None:
            found = replace(self._ours(known), taken=Taken.BASE)
        elif store is not None and (known := store.get(key)) is not None:
            found = replace(self._ours(known), taken=Taken.CACHE)
        else:
            answer = self.ask(case)
            if isinstance(answer, NotRendered):
                return answer
            found, known = answer, self._anyones(answer)
            if store is not None:
                store.put(key, known)
        self.rendered[key] = known
        return found

    def key(self, case: Case, inputs: Inputs) -> str:
        """A word for all that the render depends on."""
        spec = case.manifest.get("spec")
        given = [
            FORMAT,
            case.name,
            case.namespace,
            case.project,
            case.destination.namespace,
            {k: spec.get(k) for k in KEYS} if isinstance(spec, Mapping) else None,
            self.reader.digest(inputs),
            self.settings.text(),
        ]
        return hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()

    def _anyones(self, rendered: Rendered) -> Rendered:
        return replace(rendered, revisions=tuple(OWN if r == self.commit else r for r in rendered.revisions))

    def _ours(self, rendered: Rendered) -> Rendered:
        return replace(rendered, revisions=tuple(self.commit if r == OWN else r for r in rendered.revisions))
