"""Which kinds an API server serves, and where else it has one that it does not serve as asked."""

from __future__ import annotations

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.apierror import ApiError

GONE = frozenset({"extensions", "auditregistration.k8s.io", "settings.k8s.io"})
"""Groups of Kubernetes' own that it has given up altogether."""


class Kinds:
    """Discovery of one API server. `builtin` are the groups that it has by itself."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._elsewhere: dict[tuple[str, str], list[str]] = {}
        self.builtin = frozenset({"", *self._groups()}) | GONE

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        """Whether objects of a kind live in namespaces, None if it is not served."""
        try:
            return self._api.is_namespaced(api_version, kind)
        except ApiError as error:
            if error.reason != "UnknownKind":
                raise
            return None

    def elsewhere(self, api_version: str, kind: str) -> list[str]:
        """The API versions that serve the kind: those of its own group if there are any, else of any group. What is
        found the first time is kept."""
        if (api_version, kind) not in self._elsewhere:
            self._elsewhere[api_version, kind] = self._search(api_version, kind)
        return self._elsewhere[api_version, kind]

    def _search(self, api_version: str, kind: str) -> list[str]:
        own, groups = api_version.rpartition("/")[0], self._groups()
        found = [
            v for v in (["v1"] if own == "" else groups.get(own, [])) if self.namespaced(v, kind) is not None
        ]
        if found or own not in self.builtin:
            return found
        return [
            v for group in sorted(groups) for v in groups[group][:1] if self.namespaced(v, kind) is not None
        ]

    def _groups(self) -> dict[str, list[str]]:
        """The API versions of each group, the preferred one first."""
        return {
            group["name"]: [version["groupVersion"] for version in group["versions"]]
            for group in self._api.get("/apis")["groups"]
        }
