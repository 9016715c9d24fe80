"""Kubernetes' controllers that write to an Application's objects without a word: it counts only once they have come to
it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.echo import Controller, Echo
from pytest_gitops.model import Case
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.tracks import QUIET

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api
    from pytest_gitops.stages.context import Context

Asked = tuple["Api", Controller]
"""A controller, and the cluster where it is asked."""


class Echoes:
    """What the controllers answer on the clusters of `context` that are the run's own: on others nothing is written."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._echoes: dict[Asked, Echo] = {}
        self._asked: dict[str, frozenset[Asked]] = {}  # by the id of a case

    def close(self) -> None:
        """Ask nothing any more, and take away what was written."""
        for each in self._echoes.values():
            each.close()

    def silent(self, case: Case, since: float, at: float) -> str:
        """The controller that has not come to what was there at `since`, in words; nothing if none has a say in what
        `case` is and renders to, or all have come. Asks them, and is to be called again; `at` is now. Where one
        cannot be asked, it has come after `QUIET`."""
        if case.id not in self._asked:
            self._asked[case.id] = self._having_a_say(case)
        for asked in self._asked[case.id]:
            if asked not in self._echoes:
                self._echoes[asked] = Echo(*asked)
            echo = self._echoes[asked]
            if not echo.heard(since) and not (echo.mute and at - since >= QUIET):
                return asked[1].value
        return ""

    def _having_a_say(self, case: Case) -> frozenset[Asked]:
        context, found = self._context, set[Asked]()
        assert context.api is not None, "nothing is driven without a cluster"
        if mapping(case.manifest, "metadata").get("ownerReferences"):
            found.add((context.api, Controller.COLLECTOR))
        rendered = context.renders.get(case.id)
        if context.bounds_of(case) is not None or not isinstance(rendered, Rendered):
            return frozenset(found)
        for each in rendered.objects:
            if each.get("aggregationRule") is not None:
                found.add((context.api_of(case), Controller.AGGREGATION))
            if mapping(each, "metadata").get("ownerReferences"):
                found.add((context.api_of(case), Controller.COLLECTOR))
        return frozenset(found)
