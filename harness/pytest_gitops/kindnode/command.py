"""The command `pytest-gitops kind-node`: builds the node image, and images to test with, into the container engine."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_gitops import tools as parts
from pytest_gitops.errors import EngineError
from pytest_gitops.kindnode import archive, contents, node
from pytest_gitops.processes.process import Supervisor, run
from pytest_gitops.settings.settings import default_cache, environment, explicit_tools, tool_mirrors
from pytest_gitops.tools.build import environment as go_environment
from pytest_gitops.tools.build import toolchain
from pytest_gitops.tools.parts import lock
from pytest_gitops.tools.show import reporter

NODE_PARTS = (
    *contents.CONTROL, "kubelet", "kubeadm", "kubectl", "kube-proxy", "containerd", "ctr", "containerd-shim-runc-v2",
    "etcd-3-7", "coredns",
)  # fmt: skip

TEST_IMAGES = ("web", "crash")
"""Programs of ours that become images to test with, PREFIX/NAME:1."""

PREFIX = "local"

ENGINES = ("docker", "podman")

FREE = 4_000_000_000
"""Bytes that it takes on the way: the Debian twice, the archive, the image."""

LIMIT = 30 * 60.0


def tag(version: str) -> str:
    """The name of the node image.

    >>> tag("1.37.2")
    'local/kind-node:v1.37.2'
    """
    return f"{PREFIX}/kind-node:v{version}"


def build(options: argparse.Namespace) -> int:
    """Build the images and name them. Raises EngineError, with what to do."""
    environ = environment()
    cache = options.cache.expanduser().absolute() if options.cache else default_cache(environ)
    engine = container_engine(environ)
    work = cache / "kind-node"
    debootstrap = _requirements(work, environ)
    with reporter(sys.stdout) as report:
        found = parts.ensure(
            NODE_PARTS,
            cache=cache,
            environ=environ,
            explicit=explicit_tools(environ),
            mirrors=tool_mirrors(environ),
            report=report,
        )
    tools = {name: tool.path for name, tool in found.items()}
    version = found["kubelet"].version
    mark = f"kind-node-{secrets.token_hex(4)}"
    with Supervisor(work / mark, run_id=mark) as supervisor:
        private = supervisor.directory
        tools |= _programs(private, environ)
        for name in TEST_IMAGES:
            image = _test_image(engine, name, tools[name], private)
            print(f"{image} is ready", flush=True)
        print(f"a Debian {node.SUITE} of {options.mirror or 'the usual mirror'}", flush=True)
        node.debian(work / node.SUITE, mirror=options.mirror, debootstrap=debootstrap)
        listed = run(
            tools["kubeadm"], "config", "images", "list", "--kubernetes-version", f"v{version}"
        ).stdout
        images = contents.images(
            contents.wanted(listed),
            tools=tools,
            root=work / node.SUITE,
            libraries=node.filter_libraries(work / node.SUITE),
        )
        print(f"{len(images)} images for kubeadm", flush=True)
        packed = private / "images.tar"
        archive.write(images, packed, architecture=archive.GO_ARCHITECTURES[os.uname().machine])
        tree = private / "node"
        node.assemble(
            tree, debian=work / node.SUITE, kind_files=_kind_files(environ), tools=tools, version=version
        )
        node.store_images(
            tree, packed, tools=tools, supervisor=supervisor, say=lambda text: print(text, flush=True)
        )
        packed.unlink()
        made = _import(engine, tree, stored(engine, tag(version)), private, environ)
    print(f"{made} is ready. In pytest-gitops.yaml:\n  kind: {{node-image: {made}}}")
    return 0


def container_engine(environ: Mapping[str, str]) -> str:
    """The program of the container engine that kind takes here: the first whose command is there, whether it answers or
    not, unless KIND_EXPERIMENTAL_PROVIDER names one (kind's cluster/provider.go). Raises EngineError if it does not
    answer."""
    chosen = environ.get("KIND_EXPERIMENTAL_PROVIDER")
    names = (chosen,) if chosen in ENGINES else ENGINES
    name = next((n for n in names if shutil.which(n, path=environ.get("PATH"))), None)
    if name is None:
        raise EngineError(
            f"no container engine answers, and the image is for one: install it. Saw no program {' nor '.join(names)}"
        )
    answer = run(name, "info", env=environ, check=False)
    if answer.status == 0:
        return name
    others = [n for n in names if n != name and shutil.which(n, path=environ.get("PATH"))]
    raise EngineError(
        "no container engine answers, and the image is for one: start it. Saw "
        f"{name}: {answer.tail.splitlines()[-1] if answer.tail else 'no answer'}"
        + "".join(f". kind takes {n} with KIND_EXPERIMENTAL_PROVIDER={n}" for n in others)
    )


def stored(engine: str, image: str) -> str:
    """What `engine` calls an image of ours: Podman names the registry that it would be of.

    >>> stored("podman", "local/web:1")
    'localhost/local/web:1'
    """
    return f"localhost/{image}" if engine == "podman" else image


def _requirements(work: Path, environ: Mapping[str, str]) -> Path:
    """Where debootstrap is. Raises EngineError with everything that is missing."""
    lacking = []
    if sys.platform != "linux":
        lacking.append("Linux: a node image is one")
    elif os.geteuid() != 0:
        lacking.append(
            "root: a Debian is unpacked with its owners (run it with sudo, as whoever may use the engine)"
        )
    found = shutil.which("debootstrap", path=f"{environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        lacking.append("debootstrap: install that package")
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (free := shutil.disk_usage(work).free) < FREE:
        lacking.append(f"{FREE / 1e9:.0f} GB free in {work}: there are {free / 1e9:.1f}")
    if lacking:
        raise EngineError("a node image takes " + "; ".join(lacking))
    assert found is not None
    return Path(found)


def _programs(target: Path, environ: Mapping[str, str]) -> dict[str, Path]:
    """pause and the programs to test with, built of this package's own sources."""
    go, folder = toolchain(environ), Path(__file__).with_name("programs")
    names = ("pause", *TEST_IMAGES)
    for name in names:
        words = ("build", "-trimpath", "-ldflags", "-s -w", "-o", target / name, f"./{name}")
        run(go, *words, cwd=folder, env=go_environment(environ), limit=LIMIT)
    return {name: target / name for name in names}


def _kind_files(environ: Mapping[str, str]) -> Path:
    """The files that kind's base image has, from the module of the kind that is pinned, which go.sum verifies."""
    part = next(p for p in lock().parts if p.name == "kind")
    assert part.build is not None
    done = run(
        *(toolchain(environ), "mod", "download", "-json", part.build.requires),
        env=go_environment(environ),
        cwd=part.build.directory,
        limit=LIMIT,
    )
    return Path(json.loads(done.stdout)["Dir"]) / "images" / "base" / "files"


def _test_image(engine: str, name: str, program: Path, private: Path) -> str:
    image, packed = stored(engine, f"{PREFIX}/{name}:1"), private / f"{name}.tar"
    run("tar", "-C", program.parent, "-cf", packed, program.name)
    run(engine, "import", "--change", f'ENTRYPOINT ["/{name}"]', packed, image, limit=LIMIT)
    return image


def _import(engine: str, tree: Path, image: str, private: Path, environ: Mapping[str, str]) -> str:
    packed = private / "node.tar"
    run("tar", "-C", tree, "--numeric-owner", "-cf", packed, ".", limit=LIMIT)
    changes = (
        "ENV container=docker",
        'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]',
        archive.PATH.replace("PATH", "ENV PATH", 1),
    )
    words = [w for change in changes for w in ("--change", change)]
    try:
        run(engine, "import", *words, packed, image, limit=LIMIT)
        # `import` knows no STOPSIGNAL.
        dockerfile = f"FROM {image}\nSTOPSIGNAL SIGRTMIN+3\n"
        plain = {**environ, "DOCKER_BUILDKIT": "0"}
        run(engine, "build", "-q", "-t", image, "-", stdin=dockerfile, env=plain, limit=LIMIT)
    except EngineError as error:
        if re.search("no space left on device", str(error)):
            raise EngineError(
                f"no space left where {engine} keeps images; see `{engine} system df`: {error}"
            ) from error
        raise
    return image
