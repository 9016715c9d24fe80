"""Puts into the plan who belongs together and who is needed by whom, once everything is rendered; and says what a shard
can do without."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Case
from pytest_gitops.selection.companions import lots, needs
from pytest_gitops.stages.context import Context


def survey(context: Context) -> None:
    """Look at both sides: what belongs together at base is judged together, too (an upgrade begins there)."""
    head = _rendered(context)
    context.plan = replace(context.plan, needs=needs(head))
    if context.base is not None:
        context.base.plan = replace(context.base.plan, needs=needs(_rendered(context.base)))
    if context.settings.shard is None:
        return
    comparison = context.comparison.applications if context.comparison else ()
    found = lots(
        [*head, *(_rendered(context.base) if context.base else ())],
        is_namespaced=_is_namespaced(context),
        same=[(c.old.key, c.new.key) for c in comparison if c.old and c.new],
    )
    context.plan = replace(context.plan, lots=found)


def left_out(context: Context, asked: Collection[str]) -> frozenset[str]:
    """The keys of the ApplicationSets of either side of which nothing is needed for the case ids `asked`: what they
    make would only cost time."""
    sides = [context.plan, *([context.base.plan] if context.base else [])]
    comparison = context.comparison.applications if context.comparison else ()
    asked_for = {c.key for c in (*context.plan.cases, *context.plan.removed) if c.id in asked}
    asked_for |= {c.old.key for c in comparison if c.old and c.new and c.new.id in asked}
    every, needed = set[str](), set[str]()
    for plan in sides:
        every |= _sets(plan.cases)
        needed |= _sets(plan.with_ancestors(c for c in plan.cases if c.key in asked_for))
    return frozenset(every - needed)


def _sets(cases: Iterable[Case]) -> set[str]:
    return {c.parent for c in cases if c.parent_kind == "ApplicationSet"}


def _rendered(context: Context) -> list[tuple[Case, Sequence[Mapping[str, Any]]]]:
    results = ((case, context.renders.get(case.id)) for case in context.plan.cases)
    return [(case, r.objects if isinstance(r, Rendered) else ()) for case, r in results]


def _is_namespaced(context: Context) -> Callable[[str, str], bool]:
    """What the cluster knows of a kind, and what the repository's own definitions say of the others."""
    cluster_wide = {
        (_text(spec, "group"), _text(spec.get("names") or {}, "kind"))
        for side in (context, context.base)
        if side is not None
        for _, objects in _rendered(side)
        for each in objects
        if each.get("kind") == "CustomResourceDefinition"
        and isinstance(spec := each.get("spec"), Mapping)
        and spec.get("scope") == "Cluster"
    }

    def is_namespaced(api_version: str, kind: str) -> bool:
        if (api_version.rpartition("/")[0], kind) in cluster_wide:
            return False
        # Without a cluster nothing is applied to it that could meet there.
        return context.api is None or context.api.is_namespaced(api_version, kind)

    return is_namespaced


def _text(value: Any, name: str) -> str:
    return str(value.get(name)) if isinstance(value, Mapping) else ""
