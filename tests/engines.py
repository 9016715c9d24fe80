"""A container engine for the tests that need one: whether it answers, and whether it has the images."""

from __future__ import annotations

import os
import uuid
from functools import cache
from pathlib import Path

import pytest

from pytest_gitops import process
from pytest_gitops.clusters.kind import PREFIX, Kind
from pytest_gitops.errors import EngineError
from pytest_gitops.kindnode.command import PREFIX as IMAGES
from pytest_gitops.kindnode.command import container_engine, tag
from pytest_gitops.process import Supervisor
from pytest_gitops.settings import default_cache, environment
from pytest_gitops.tools import ensure

WEB, CRASH = f"{IMAGES}/web:1", f"{IMAGES}/crash:1"
NODE = tag("1.37.2")

NEEDED = "PYTEST_GITOPS_TEST_KIND"
"""Set by `make test-kind`: what is missing is then a failure, and no reason to skip."""


@cache
def missing() -> str:
    """Why no kind cluster can be made here, empty if one can."""
    try:
        engine = container_engine(environment())
        for image in (NODE, WEB, CRASH):
            process.run(engine, "image", "inspect", image)
    except EngineError as error:
        return f"{error}. `make test-kind` starts and builds what is missing"
    return ""


def need_kind() -> None:
    """Skip without a container engine or its images, unless they must be there."""
    if why := missing():
        (pytest.fail if os.environ.get(NEEDED) else pytest.skip)(why)


@cache
def kind() -> Path:
    """The pinned tool."""
    environ = environment()
    return ensure(("kind",), cache=default_cache(environ), environ=environ)["kind"].path


def clusters_of_kind() -> list[str]:
    return process.run(kind(), "get", "clusters", "--quiet").stdout.split()


def kind_cluster(
    supervisor: Supervisor, *, name: str = "", folder: str = "kind", images: tuple[str, ...] = (WEB, CRASH)
) -> Kind:
    """A cluster of the images that are here, not started; skips where none can be made."""
    need_kind()
    return Kind(
        kind(),
        name=name or f"{PREFIX}test-{uuid.uuid4().hex[:8]}",
        directory=supervisor.directory / folder,
        records=supervisor.directory / "kind-clusters",
        environ=environment(),
        node_image=NODE,
        images=images,
    )
