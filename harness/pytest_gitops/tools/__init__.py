"""The tools a run stands on: one lock file, and the chain of ways by which each of its parts is had.

1. the path that the user gives   2. the cache   3. PATH, if the version is the locked one
4. the official release, its published checksum verified   5. a build from Go modules (for redis: a wheel)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_gitops.errors import ConfigError
from pytest_gitops.tools.parts import Action, Origin, Part, Progress, Tool, lock

__all__ = [
    "API_SERVERS",
    "ENGINE_PARTS",
    "REVIEW_PARTS",
    "ROLLOUTS_PARTS",
    "Action",
    "Origin",
    "Part",
    "Progress",
    "Tool",
    "ensure",
    "installed",
    "locked",
]

REVIEW_PARTS = ("argocd", "argocd-crds", "opa", "helm", "kustomize", "redis", "git")
"""What a run without a cluster needs."""

ENGINE_PARTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "argocd",
    "argocd-crds",
    "argocd-config",
    "etcd",
    "kwok",
    "opa",
    "helm",
    "kustomize",
    "redis",
    "git",
)
"""What a run with the embedded cluster needs."""

API_SERVERS = {"1.36": "kube-apiserver-1-36", "1.37": "kube-apiserver"}
"""The part by each version of Kubernetes that objects can be judged by, the oldest first."""

ROLLOUTS_PARTS = ("argo-rollouts-crds", "argo-rollouts")
"""What progressive delivery takes besides: the definitions, and the controller."""


def ignore(progress: Progress) -> None:
    """Hears progress, says nothing."""


def locked() -> tuple[Part, ...]:
    """Every part of the lock file, in the order in which they would be built."""
    return lock().parts


def ensure(
    names: Sequence[str],
    *,
    cache: Path,
    environ: Mapping[str, str],
    explicit: Mapping[str, Path] | None = None,
    mirrors: Mapping[str, str] | None = None,
    report: Callable[[Progress], None] = ignore,
) -> dict[str, Tool]:
    """The named tools, got if need be: in seconds where releases can be downloaded, in minutes where not.

    `explicit` has paths by tool; `mirrors` replaces release hosts: host to base URL. `report` may be called
    from several threads. What is in the cache costs milliseconds and starts no program. May be interrupted
    at any moment; the next call goes on.

    Raises ToolError if one cannot be had (each way and why it did not work), or if a checksum is wrong;
    ConfigError for a name that the lock file does not have.
    """
    from pytest_gitops.tools.context import Context
    from pytest_gitops.tools.resolver import resolve
    from pytest_gitops.tools.store import Store

    parts = _chosen((*names, *(explicit or {})))
    context = Context(
        store=Store(cache), environ=environ, explicit=explicit or {}, mirrors=mirrors or {}, report=report
    )
    return resolve([p for p in parts if p.name in names], context)


def installed(
    names: Sequence[str],
    *,
    cache: Path,
    environ: Mapping[str, str],
    explicit: Mapping[str, Path] | None = None,
) -> dict[str, Tool]:
    """Those of the named tools that need not be got any more. Downloads and builds nothing.

    Raises ToolError if a path given by the user cannot be used, ConfigError for an unknown name.
    """
    from pytest_gitops.tools.context import Context
    from pytest_gitops.tools.on_path import on_path
    from pytest_gitops.tools.resolver import attempt, quick
    from pytest_gitops.tools.store import Store

    context = Context(store=Store(cache), environ=environ, explicit=explicit or {}, mirrors={}, report=ignore)
    ways = (*quick(), ("PATH", on_path))
    found = ((part.name, attempt(part, context, ways, [])) for part in _chosen(names))
    return {name: tool for name, tool in found if tool is not None}


def _chosen(names: Sequence[str]) -> list[Part]:
    known = {part.name: part for part in locked()}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no tool {name!r}; there are {', '.join(sorted(known))}")
    return [part for part in known.values() if part.name in names]
