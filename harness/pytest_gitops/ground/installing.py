"""Puts into a cluster what Argo CD must find there of one side: its namespace, settings and trust, and the projects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd import install
from pytest_gitops.argocd.signatures import without_demands
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import GitOpsError
from pytest_gitops.ground.side import Side
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.world.loopback import World

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

PARALLEL = 8
"""Threads that write to an API server at once: two cores are full with this many."""


class Installer:
    """What `side` brings, for an Argo CD that lives in `world`. `config` is the folder of the tool part
    `argocd-config`. `refused` is told what is not accepted."""

    def __init__(
        self, side: Side, *, world: World, config: Path, refused: Callable[[Declared, GitOpsError], None]
    ) -> None:
        self._side, self._world, self._config, self._refused = side, world, config, refused
        self._control = side.declarations.control

    def settings(self, api: Api) -> None:
        """What Argo CD must find of its own: its namespace, settings and trust. Raises ApiError."""
        control = self._control
        installed = install.installed(self._config)
        own = [in_namespace(m, control) for m in self._side.brought]
        namespace, *rest = install.settings(control, own, installed=installed)
        plain = {o["metadata"]["name"]: o for o in install.settings(control, (), installed=installed)}
        api.apply(namespace)
        make_namespaces(api, self._side.namespaces)
        brought = {d.name: d for d in self._side.declarations.settings}

        def one(manifest: Mapping[str, Any]) -> None:
            name = manifest["metadata"]["name"]
            try:
                api.apply(manifest)
            except ApiError as error:
                if manifest.get("kind") != "ConfigMap" or name not in brought or not error.refused:
                    raise
                self._refused(brought[name], error)
                api.apply(plain[name])

        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="install") as pool:
            list(pool.map(one, [*rest, *self._world.secrets(control)]))

    def projects(self, api: Api) -> None:
        """The project that is always there, and the repository's own. Raises ApiError."""
        api.apply(install.default_project(self._control))
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="projects") as pool:
            list(pool.map(lambda d: self._bring(api, d), self._side.declarations.projects))

    def _bring(self, api: Api, declared: Declared) -> None:
        """Apply one of the repository's own AppProjects; what the API server refuses is a finding, not our end."""
        try:
            api.apply(in_namespace(without_demands(declared.manifest), self._control))
        except ApiError as error:
            if not error.refused:
                raise
            self._refused(declared, error)


def make_namespaces(api: Api, names: Iterable[str]) -> None:
    """Make namespaces that are there before Argo CD acts. Raises ApiError."""
    for name in sorted(names):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def in_namespace(manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """`manifest`, in `namespace` unless it says another."""
    metadata = dict(manifest["metadata"])
    metadata.setdefault("namespace", namespace)
    return {**manifest, "metadata": metadata}
