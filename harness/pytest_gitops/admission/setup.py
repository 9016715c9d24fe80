"""Makes the admission of a run out of its settings and its repository: which definitions and objects there are besides
what is rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_gitops.admission.admission import Admission
from pytest_gitops.admission.definitions import definitions_in
from pytest_gitops.admission.values import Manifest
from pytest_gitops.model import IN_CLUSTER
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.repository.manifest import ManifestError, parse
from pytest_gitops.settings.settings import Settings
from pytest_gitops.tools import API_SERVERS

WORD = b"CustomResourceDefinition"


def parts(settings: Settings) -> tuple[str, ...]:
    """The tools that it takes: etcd, and the API server of each version that is asked for."""
    return ("etcd", *(API_SERVERS[version] for version in settings.kubernetes))


def admission(
    supervisor: Supervisor,
    directory: Path,
    *,
    tools: Mapping[str, Path],
    settings: Settings,
    checkout: Checkout,
    control: str,
    definitions: Sequence[Manifest],
    remote: Sequence[Manifest] = (),
) -> Admission:
    """The admission of a run: `tools` has the files of `parts`, `control` is Argo CD's namespace, `definitions` are
    Argo CD's own, `remote` are those that the configuration names by URL.

    Of several definitions of one kind the rendered one counts, then that of the configuration, then the one in a plain
    file of the repository. Raises ConfigError if the configuration's files cannot be used.
    """
    configured = checkout.manifests(settings.crds, where="pytest-gitops.yaml crds")
    prerequisites = checkout.manifests(settings.prerequisites, where="pytest-gitops.yaml prerequisites")
    return Admission(
        supervisor,
        directory,
        etcd=tools["etcd"],
        servers={version: tools[API_SERVERS[version]] for version in settings.kubernetes},
        known=[*definitions_in([*configured, *remote]), *definitions_in(_written(checkout)), *definitions],
        prerequisites=prerequisites,
        present={IN_CLUSTER: {control}},
        stub=settings.unknown_kinds == "stub",
        cache=settings.cache,
    )


def _written(checkout: Checkout) -> Iterator[Any]:
    """The manifests of all files of the repository that speak of definitions; templates are none."""
    paths = [e.path for e in checkout.files() if e.path.endswith((".yaml", ".yml", ".json"))]
    for _, content in sorted(checkout.snapshot.read_many(paths).items()):
        if WORD in content:
            try:
                documents = parse(content)
            except ManifestError:
                continue
            yield from (item.value for document in documents for item in document.items())
