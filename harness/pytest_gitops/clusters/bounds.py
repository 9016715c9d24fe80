"""How far a run looks on a cluster that others use: its own namespaces, and what it made outside of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_gitops.clusters.apierror import suppress_gone

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`namespaces` are the run's own, looked at as a whole; `objects` are those that it may have made elsewhere:
    (apiVersion, kind, namespace or nothing, name)."""

    namespaces: tuple[str, ...]
    objects: tuple[tuple[str, str, str, str], ...] = ()

    def metadata(self, api: Api, version: str, kind: str) -> list[dict[str, Any]]:
        """The metadata of every object of a kind within these bounds. Raises ApiError."""
        found = []
        if api.is_namespaced(version, kind):
            for namespace in self.namespaces:
                found += api.metadata(api.path_of(version, kind, namespace))
        for path in self._single(api, version, kind):
            with suppress_gone():
                found.append(api.get(path)["metadata"])
        return found

    def _single(self, api: Api, version: str, kind: str) -> Iterator[str]:
        group = version.rpartition("/")[0]
        for theirs, one, namespace, name in self.objects:
            if (theirs.rpartition("/")[0], one) == (group, kind) and namespace not in self.namespaces:
                yield api.path_of(version, kind, namespace, name)
