"""Which rendered object one of Argo CD's words is of, and where it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.repository.sources import placed

if TYPE_CHECKING:
    from pytest_gitops.model import Case
    from pytest_gitops.repository.locate import Place
    from pytest_gitops.stages.context import Context


def by_title(context: Context, case: Case) -> dict[str, Mapping[str, Any]]:
    """What an Application renders to, by "Kind name" and by "Kind namespace/name"."""
    result = context.renders.get(case.id)
    found: dict[str, Mapping[str, Any]] = {}
    for manifest in result.objects if isinstance(result, Rendered) else ():
        metadata = manifest.get("metadata") or {}
        kind, own, name = manifest.get("kind"), metadata.get("namespace"), metadata.get("name")
        for title in (f"{kind} {name}", f"{kind} {own or case.destination.namespace}/{name}"):
            found.setdefault(title, manifest)
    return found


def written(context: Context, case: Case, title: str) -> Place | None:
    """File and line of the object of that title; None for what a chart or a tool makes."""
    manifest = by_title(context, case).get(title)
    return context.locate(case, manifest) if manifest is not None else None


def place(context: Context, case: Case, title: str) -> Place:
    """File and line of the object of that title; where it is not written as it is, of the Application's sources."""
    if found := written(context, case, title):
        return found
    at = next((at[:2] for at, _ in placed(case.manifest)), ("spec",))
    return case.file, context.line(case, *at)
