"""From rendered objects to items that can be asked about; what is no object is said here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_gitops.admission.values import Hit, Item, Manifest, Request, metadata_of, title_of
from pytest_gitops.model import Severity
from pytest_gitops.shapes import mapping

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
HOOKS = ("argocd.argoproj.io/hook", "helm.sh/hook")

_API_VERSION = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z][a-z0-9]*")


def items_of(request: Request) -> Iterator[Item | Hit]:
    """An item for each object of a request, a hit for what is none."""
    for number, manifest in enumerate(request.objects):
        wrong = _wrong(manifest)
        if wrong:
            whole = isinstance(manifest, Mapping)
            yield Hit(
                rule="invalid-object",
                severity=Severity.ERROR,
                message=f"object {number + 1} of what is rendered: {wrong}",
                resource=title_of(manifest) if whole and isinstance(manifest.get("kind"), str) else "",
                help="see what the templates render",
                manifest=manifest if whole else None,
            )
            continue
        options = set(sync_options(manifest))
        replace = request.replace or "Replace=true" in options
        applied = request.server_side or "ServerSideApply=true" in options
        yield Item(
            case=request.id,
            cluster=request.cluster,
            manifest=manifest,
            namespace=str(metadata_of(manifest).get("namespace") or request.namespace),
            server_side=applied and not replace and "ServerSideApply=false" not in options,
            replace=replace,
            force=request.force or "Force=true" in options,
            asked=request.asked,
        )


def sync_options(manifest: Manifest) -> list[str]:
    """The options in the annotation of an object."""
    written = mapping(metadata_of(manifest), "annotations").get(SYNC_OPTIONS)
    return [word.strip() for word in str(written or "").split(",")]


def is_hook(manifest: Manifest) -> bool:
    """Whether Argo CD runs it as a hook, which is made anew each time."""
    annotations = mapping(metadata_of(manifest), "annotations")
    return any(annotations.get(name) for name in HOOKS)


def by_identity(items: Iterable[Item]) -> dict[tuple[str, ...], Item]:
    """Items by cluster and identity, the first of each; those without a name of their own are left out."""
    found: dict[tuple[str, ...], Item] = {}
    for item in items:
        if item.name:
            found.setdefault((item.cluster, *item.identity), item)
    return found


def _wrong(manifest: Any) -> str:
    if not isinstance(manifest, Mapping):
        return f"expected a mapping, saw {_sort(manifest)}"
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if not isinstance(kind, str) or not kind:
        return f"expected a kind, saw {_sort(kind)}"
    if not isinstance(version, str) or not _API_VERSION.fullmatch(version):
        return f"{kind}: expected an apiVersion like v1 or apps/v1, saw {_sort(version)}"
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        return f"{kind}: expected metadata with a name, saw {_sort(metadata)}"
    namespace = metadata.get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        return f"{kind}: metadata.namespace: expected a text, saw {_sort(namespace)}"
    return ""


def _sort(value: Any) -> str:
    """What a value is, without a text's whole length."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:60]}…"
