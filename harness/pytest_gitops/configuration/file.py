"""Reads `pytest-gitops.yaml` and checks it against its schema, with file and line in every error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_gitops.configuration import schemas
from pytest_gitops.errors import ConfigError
from pytest_gitops.repository.remote import is_url, remote_file
from pytest_gitops.settings.expectations import Expectation
from pytest_gitops.settings.expectations import parse as parse_expectations
from pytest_gitops.settings.nodes import NodePool
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.settings.registered import parse as parse_clusters
from pytest_gitops.settings.settings import ChartRepository, RemoteFile, Timeout
from pytest_gitops.settings.waivers import WaiverEntry
from pytest_gitops.settings.waivers import parse as parse_waivers

FILE_NAME = "pytest-gitops.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The file's content, `values` as its schema describes them; empty where there is no file."""

    values: dict[str, Any]
    waivers: tuple[WaiverEntry, ...] = ()
    charts: tuple[ChartRepository, ...] = ()
    clusters: tuple[RegisteredCluster, ...] = ()
    crd_urls: tuple[RemoteFile, ...] = ()
    rbac: tuple[Expectation, ...] = ()
    nodes: tuple[NodePool, ...] = ()

    @property
    def statuses(self) -> dict[str, Mapping[str, Any] | None]:
        """By "group/Kind", a glob; of two entries for one the first counts."""
        found: dict[str, Mapping[str, Any] | None] = {}
        for each in self.values.get("statuses", ()):
            found.setdefault(each["kind"], each["status"])
        return found

    @property
    def crds(self) -> tuple[str, ...]:
        """The paths of the repository among `crds`."""
        return tuple(entry for entry in self.values.get("crds", ()) if not is_url(entry))

    @property
    def argo_rollouts(self) -> bool | None:
        """Whether Argo Rollouts takes part; None where the repository's content says."""
        said = self.values.get("argo-rollouts", "auto")
        return None if said == "auto" else bool(said)

    @property
    def kubernetes(self) -> tuple[str, ...]:
        """The versions that are asked for, each once; empty where nothing is said."""
        said = self.values.get("kubernetes", [])
        return tuple(dict.fromkeys(str(v) for v in (said if isinstance(said, list) else [said])))

    @property
    def timeouts(self) -> tuple[Timeout, ...]:
        return tuple(
            Timeout(application=e["application"], seconds=float(e["seconds"]))
            for e in self.values.get("timeouts", ())
        )

    def get(self, *path: str, default: Any = None) -> Any:
        value: Any = self.values
        for key in path:
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        return value


def schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    return schemas.load("configuration/config.schema.json")


def load(path: Path) -> Configuration:
    """The configuration in `path`, or an empty one if there is no such file. Raises ConfigError."""
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise ConfigError(
            "is a link that leads out of the repository. Put a copy of the file there", where=path.name
        )
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Configuration(values={})
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path.name) from error
    return read(text)


def read(text: bytes, *, base: str = "") -> Configuration:
    """The configuration in `text`, which is that of `base` where one is named. Raises ConfigError."""
    name = f"{FILE_NAME} in {base}" if base else FILE_NAME
    document = schemas.one_document(text, name=name)
    if document is None:
        return Configuration(values={})
    schemas.check(document, schema(), name=name)
    values = document.value
    numbers: list[tuple[str | int, ...]] = [("timeout",), ("timeout-limit",)]
    numbers += [("timeouts", i, "seconds") for i in range(len(values.get("timeouts", ())))]
    for place in numbers:
        value = values
        for part in place:
            value = value[part] if isinstance(part, int) else value.get(part, 1)
        if not math.isfinite(value):
            raise ConfigError(
                f"{place[0]}: expected a number of seconds, saw one without end",
                where=f"{name}:{document.line_of(*place)}",
            )
    crds = [(e, document.line_of("crds", i)) for i, e in enumerate(values.get("crds", ()))]
    waivers, rbac = values.get("waivers", ()), values.get("rbac", ())
    clusters = values.get("clusters", ())
    return Configuration(
        values=values,
        waivers=parse_waivers(
            waivers,
            file=FILE_NAME,
            base=base,
            lines=[document.line_of("waivers", i) for i in range(len(waivers))],
        ),
        charts=tuple(ChartRepository(url=c["url"], path=c["path"]) for c in values.get("charts", ())),
        clusters=parse_clusters(
            clusters, file=name, lines=[document.line_of("clusters", i) for i in range(len(clusters))]
        ),
        crd_urls=tuple(
            remote_file(entry, where=f"{name}:{line}", file=FILE_NAME, line=line)
            for entry, line in crds
            if is_url(entry)
        ),
        rbac=parse_expectations(
            rbac, file=FILE_NAME, lines=[document.line_of("rbac", i) for i in range(len(rbac))]
        ),
        nodes=tuple(
            NodePool(
                count=each.get("count", 1),
                labels=each.get("labels", {}),
                taints=tuple(each.get("taints", ())),
                resources=each.get("resources", {}),
                where=f"{name}:{document.line_of('nodes', i)}",
            )
            for i, each in enumerate(values.get("nodes", ()))
        ),
    )
