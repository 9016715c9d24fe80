"""What of the outside is within a run's reach, the same for all of its sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.argocd.certificates import certificates
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.settings.settings import Settings
from pytest_gitops.world.private import Private, filled


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """`hosts` may be reached, `certificates` are authorities, PEM, that are trusted for one host each, `private` is
    what the user may read."""

    hosts: tuple[str, ...]
    certificates: Mapping[str, str]
    private: Private


def outside(
    settings: Settings, supervisor: Supervisor, *, checkout: Checkout, brought: Iterable[Mapping[str, Any]]
) -> Outside:
    """What `checkout`, and the ConfigMaps of Argo CD that are `brought` with it, say is meant to be reached. Raises
    ConfigError if git does not know a password that it was said to know."""
    environ = supervisor.marked(settings.environ)
    directory = supervisor.directory / "private"
    # What is not there cannot be let be read by confined processes.
    directory.mkdir(mode=0o700)
    return Outside(
        hosts=checkout.source_hosts(),
        certificates=certificates(brought),
        private=Private(filled(settings.credentials, environ=environ), directory, environ=environ),
    )
