"""A plane for admission: etcd and one kube-apiserver, of the version that is asked for, and nothing behind it."""

from __future__ import annotations

from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.embedded.core import Core

ENVIRON = {"GOGC": "400"}
"""It lives for seconds and holds little, so it may collect its garbage late, else an eighth of its work."""


class Plane(Core):
    """A core on which nothing acts by itself. `api` is there after `start`."""

    api: Api
    environ = ENVIRON

    def start(self) -> None:
        """Return when the API server is ready. Raises ProcessDied or WaitTimeout."""
        super().start()
        self.api = self.connect()

    def close(self) -> None:
        """End it, and remove its directory."""
        if hasattr(self, "api"):
            self.api.close()
        self.stop()
