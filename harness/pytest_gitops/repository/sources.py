"""What an Application's sources are, as Argo CD reads its specification (types.go: GetSources, GetDrySource, 3.6.1).

With a `sourceHydrator` nothing else counts: Argo CD renders the dry source, writes that to a branch, and syncs it from
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gitops.model import Source
from pytest_gitops.shapes import mapping

KEYS = ("source", "sources", "sourceHydrator")
"""Where a specification has its sources."""

Place = tuple[str | int, ...]

DRY = ("repoURL", "targetRevision", "path", "helm", "kustomize", "directory", "plugin")
"""What Argo CD takes of a dry source."""


def is_hydrated(manifest: Mapping[str, Any]) -> bool:
    """Whether Argo CD syncs what its hydrator has written."""
    return isinstance(mapping(manifest.get("spec")).get("sourceHydrator"), Mapping)


def sync_options(manifest: Mapping[str, Any]) -> frozenset[str]:
    """The sync options of an Application, "Name=value"; none where there is no list of them."""
    options = mapping(manifest, "spec", "syncPolicy").get("syncOptions")
    return frozenset(str(o).strip() for o in options) if isinstance(options, (list, tuple)) else frozenset()


def placed(manifest: Mapping[str, Any]) -> tuple[tuple[Place, Mapping[str, Any]], ...]:
    """What an Application is rendered from, and where in the manifest each stands: `sources`, or `source` alone, or the
    dry source. Entries that are no mappings are left out."""
    spec = mapping(manifest.get("spec"))
    if is_hydrated(manifest):
        dry = mapping(spec["sourceHydrator"]).get("drySource")
        kept = {k: dry[k] for k in DRY if k in dry} if isinstance(dry, Mapping) else {}
        return ((("spec", "sourceHydrator", "drySource"), kept),) if kept else ()
    many = spec.get("sources")
    found: list[tuple[Place, Any]] = [(("spec", "source"), spec.get("source"))]
    if isinstance(many, list) and many:
        found = [(("spec", "sources", index), source) for index, source in enumerate(many)]
    return tuple((place, source) for place, source in found if isinstance(source, Mapping))


def sources_of(manifest: Mapping[str, Any]) -> tuple[Source, ...]:
    """What an Application is rendered from."""
    return tuple(_source(source) for _, source in placed(manifest))


def synced_of(manifest: Mapping[str, Any]) -> tuple[Source, ...]:
    """What an Application is synced from: of one that is hydrated the branch that its hydrator writes."""
    if not is_hydrated(manifest):
        return sources_of(manifest)
    hydrator = mapping(mapping(manifest["spec"])["sourceHydrator"])
    dry, sync = mapping(hydrator.get("drySource")), mapping(hydrator.get("syncSource"))
    return (
        Source(
            repo_url=_text(sync.get("repoURL") or dry.get("repoURL")),
            target_revision=_text(sync.get("targetBranch")),
            path=_text(sync.get("path")),
        ),
    )


def _source(source: Mapping[str, Any]) -> Source:
    return Source(
        repo_url=_text(source.get("repoURL")),
        target_revision=_text(source.get("targetRevision")),
        path=_text(source.get("path")),
        chart=_text(source.get("chart")),
        ref=_text(source.get("ref")),
        tag_prefix=_text(source.get("tagPrefix")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
