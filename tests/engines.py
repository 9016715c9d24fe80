"""A container engine for the tests that need one: whether it answers, and whether it has the images.

usage: python -m engines [pytest's arguments]     what `make test-kind` does: starts Docker where no engine answers, builds
                                                  the images where they are not there, runs the tests, stops Docker again
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from runs import tools

from pytest_gitops.clusters.kind import PREFIX, Kind
from pytest_gitops.commands.cli import main as main_of_commands
from pytest_gitops.errors import EngineError
from pytest_gitops.kindnode.command import PREFIX as IMAGES
from pytest_gitops.kindnode.command import container_engine, stored, tag
from pytest_gitops.kindnode.node import may_raise_resources
from pytest_gitops.processes import process
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.settings.settings import environment

ENGINE = "podman" if environment().get("KIND_EXPERIMENTAL_PROVIDER") == "podman" else "docker"

WEB, CRASH = (stored(ENGINE, f"{IMAGES}/{name}:1") for name in ("web", "crash"))
NODE = stored(ENGINE, tag("1.37.2"))

TESTS = ("tests/contract/test_clusters.py", "tests/contract/test_kind_tool.py", "tests/engine/test_kind.py")

KERNEL = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
"""What a kubelet sets for the whole machine."""

BOUNDED = """\
#!/bin/sh
# An OCI runtime for machines on which nobody can have CAP_SYS_RESOURCE, which a privileged container asks for: takes that
# name, and limits that Podman would raise by it, out of what is asked, and is runc.
before= spec=
for word in "$@"; do
  case $before in --bundle|-b) spec=$word/config.json ;; --process|-p) spec=$word ;; esac
  before=$word
done
[ -f "$spec" ] && sed -E -i -e 's/"CAP_SYS_RESOURCE",//g' -e 's/,"CAP_SYS_RESOURCE"//g' \\
  -e 's/,"rlimits":\\[[^]]*\\]//g' "$spec"
exec runc "$@"
"""

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
    return tools("kind")["kind"]


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


@contextmanager
def podman(directory: Path) -> Iterator[None]:
    """Podman, which needs no daemon, with a runtime that works here."""
    if may_raise_resources():
        yield
        return
    runtime, file = directory / "runc-bounded", directory / "containers.conf"
    runtime.write_text(BOUNDED, "utf-8")
    runtime.chmod(0o755)
    file.write_text(
        f'[engine]\nruntime = "runc-bounded"\n[engine.runtimes]\nrunc-bounded = ["{runtime}"]\n', "utf-8"
    )
    os.environ["CONTAINERS_CONF"] = str(file)
    yield


@contextmanager
def docker(directory: Path) -> Iterator[None]:
    """Docker, started here where no container engine answers, and stopped again."""
    try:
        container_engine(environment())
    except EngineError as error:
        if shutil.which("dockerd") is None:
            raise EngineError(
                f"{error}; no dockerd on PATH either, to be started. Install Docker (Debian: docker.io), or start what you have"
            ) from None
        mark = f"docker-{uuid.uuid4().hex[:8]}"
        with Supervisor(directory / mark, run_id=mark, stop_limit=60) as supervisor:
            config: dict[str, object] = {"pidfile": str(supervisor.directory / "docker.pid")}
            if not may_raise_resources():
                runtime = supervisor.directory / "runc-bounded"
                runtime.write_text(BOUNDED, "utf-8")
                runtime.chmod(0o755)
                config |= {
                    "runtimes": {"runc-bounded": {"path": str(runtime)}},
                    "default-runtime": "runc-bounded",
                }
            file = supervisor.directory / "daemon.json"
            file.write_text(json.dumps(config), "utf-8")
            env = {k: v for k, v in environment().items() if k != "BASH_ENV"}
            daemon = supervisor.start("dockerd", "dockerd", "--config-file", file, env=env)
            daemon.wait_ready(lambda: process.run("docker", "info", check=False).status == 0, limit=60)
            yield
    else:
        yield


@contextmanager
def kernel_as_it_was() -> Iterator[None]:
    """Puts back what a kubelet sets for the whole machine."""
    before = {name: Path("/proc/sys", name).read_text("utf-8") for name in KERNEL}
    try:
        yield
    finally:
        for name, value in before.items():
            if Path("/proc/sys", name).read_text("utf-8") != value:
                Path("/proc/sys", name).write_text(value, "utf-8")


def main(arguments: list[str]) -> int:
    try:
        return _main(arguments)
    except EngineError as error:
        print(f"make test-kind: {error}", file=sys.stderr)
        return 1


def _main(arguments: list[str]) -> int:
    root = Path(__file__).resolve().parent.parent
    engine = podman if ENGINE == "podman" else docker
    with tempfile.TemporaryDirectory(prefix="test-kind-") as made, kernel_as_it_was(), engine(Path(made)):
        if missing():
            build = main_of_commands(["kind-node", "build"])
            if build:
                return build
            missing.cache_clear()
        words = [sys.executable, "-m", "pytest", "--rootdir", str(root), "-k", "kind or Kind"]
        words += [*(str(root / test) for test in TESTS), *arguments]
        # A process of its own: pytest wants to be the first who imports what it tests.
        return os.spawnve(os.P_WAIT, sys.executable, words, {**environment(), NEEDED: "1"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
