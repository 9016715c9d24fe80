"""The interface of a cluster: what the engine may ask of one, whoever provides it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api


class Cluster(Protocol):
    """A Kubernetes API server with what stands behind it.

    `provider` is the name that `--gitops-cluster` has for it. `simulated` holds one honest sentence for each
    thing that this provider only pretends, empty where everything is real. `kubeconfig` names a file that
    gives full rights; `address` is the API server's host and port; `version` is Kubernetes' own, without a
    leading "v". The last three can be relied on after `start`.
    """

    @property
    def provider(self) -> str: ...

    @property
    def simulated(self) -> tuple[str, ...]: ...

    @property
    def kubeconfig(self) -> Path: ...

    @property
    def address(self) -> tuple[str, int]: ...

    @property
    def version(self) -> str: ...

    def start(self) -> None:
        """Return when the API server says that it is ready and nodes exist. Raises EngineError."""

    def connect(self) -> Api:
        """A way of one's own to the API server, with full rights, once it is up. Raises EngineError."""
