"""Definitions in the place of those that nobody brings, where the configuration wants unknown kinds to be taken as they
are (`unknown-kinds: stub`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_gitops.admission.definitions import stub
from pytest_gitops.admission.furniture import CRD, defines
from pytest_gitops.admission.kinds import Kinds
from pytest_gitops.admission.values import kind_of
from pytest_gitops.changes.identity import BUILTIN_GROUPS
from pytest_gitops.ground.boot import CRD_SECONDS
from pytest_gitops.shapes import some

if TYPE_CHECKING:
    from pytest_gitops.ground.boot import Ground
    from pytest_gitops.stages.context import Context

OURS = "argoproj.io"
"""Whose definitions come with Argo CD and Argo Rollouts."""

SHOWN = 5
"""As many kinds are named as simulated."""


def bring_stubs(ground: Ground, contexts: Iterable[Context]) -> None:
    """Let each cluster of the run serve the kinds of all that is rendered, once it is planned; those that come up later
    have them from the beginning. Raises ApiError or WaitTimeout."""
    if ground.settings.unknown_kinds != "stub" or ground.api is None:
        return
    rendered = [o for context in contexts for _, objects in context.rendered() for o in objects]
    kinds, unknown = Kinds(ground.api), dict[tuple[str, str], list[Mapping[str, Any]]]()
    brought = {defines(o) for o in rendered if kind_of(o) == CRD}
    for each in rendered:
        kind = kind_of(each)
        if kind in brought or kind[0] in BUILTIN_GROUPS or kind[0] == OURS:
            continue
        if kind in unknown or kinds.namespaced(str(each["apiVersion"]), kind[1]) is None:
            unknown.setdefault(kind, []).append(each)
    if not unknown:
        return
    ground.stubs = tuple(stub(objects) for _, objects in sorted(unknown.items()))
    for api in ground.own_apis:
        for definition in ground.stubs:
            api.define(definition, applied=True)
        api.wait_established([d["metadata"]["name"] for d in ground.stubs], limit=CRD_SECONDS)
    names = [f"{kind} ({group})" for group, kind in sorted(unknown)]
    ground.pretended.append(
        f"Nothing defines {some(names, SHOWN)}: any field of theirs is taken (unknown-kinds: stub)"
    )
