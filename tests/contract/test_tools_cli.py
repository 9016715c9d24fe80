"""`pytest-gitops tools` as its users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_gitops.tools import locked
from pytest_gitops.waiting import wait_until

pytestmark = pytest.mark.engine

LIMIT = 60.0
COMMAND = (sys.executable, "-m", "pytest_gitops.commands.cli")
MIRRORED = ("dl.k8s.io", "github.com", "raw.githubusercontent.com", "openpolicyagent.org", "get.helm.sh")


def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which no release host is asked and no tool of this machine is found."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_GITOPS")},
        "PATH": str(tmp_path / "bin"),
        "PYTEST_GITOPS_MIRRORS": " ".join(f"{host}=https://127.0.0.1:1" for host in MIRRORED),
        "PYTEST_GITOPS_CACHE": str(tmp_path / "cache"),
    }


def run(tmp_path: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        env={**environ(tmp_path), **more},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def script(path: Path, says: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_list_shows_every_part_and_gets_nothing(tmp_path: Path) -> None:
    helm = script(tmp_path / "bin" / "helm", "v3.22.0+gcafe")
    done = run(tmp_path, "tools", "list")
    assert done.returncode == 0
    rows = {words[0]: words[1:] for words in map(str.split, done.stdout.splitlines()[1:])}
    assert rows.keys() == {p.name for p in locked()}
    assert rows["helm"] == ["3.22.0", "path", "0.0", "MB", str(helm)]
    assert rows["etcd"][1] == "missing"


def test_install_then_path_prints_where_it_is(tmp_path: Path) -> None:
    script(tmp_path / "bin" / "git", "git version 2.39.5")
    done = run(tmp_path, "tools", "install", "git")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"git: looking (asking {tmp_path}/bin/git)",
        "git: ready (2.39.5 from PATH)",
        f"1 tool is ready in {tmp_path}/cache",
    ]
    assert run(tmp_path, "tools", "path", "git").stdout == f"{tmp_path}/bin/git\n"


def test_cache_is_chosen_by_an_option(tmp_path: Path) -> None:
    script(tmp_path / "bin" / "git", "git version 2.39.5")
    done = run(tmp_path, "tools", "install", "git", "--cache", str(tmp_path / "other"))
    assert done.stdout.endswith(f"ready in {tmp_path}/other\n")
    assert (tmp_path / "other" / "found" / "git.json").exists()
    assert not (tmp_path / "cache").exists()


def test_a_path_in_the_environment_wins(tmp_path: Path) -> None:
    mine = script(tmp_path / "mine", "etcd Version: 3.5.0")
    done = run(tmp_path, "tools", "path", "etcd", PYTEST_GITOPS_TOOL_ETCD=str(mine))
    assert done.stdout == f"{mine}\n"


def test_path_of_what_is_missing_says_how_to_get_it(tmp_path: Path) -> None:
    done = run(tmp_path, "tools", "path", "etcd")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: etcd is not there yet. Get it with `pytest-gitops tools install etcd`.\n"


def test_an_unknown_tool_is_wrong_usage(tmp_path: Path) -> None:
    done = run(tmp_path, "tools", "install", "terraform")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no tool 'terraform'; there are argo-rollouts, ")


def test_what_cannot_be_had_is_an_error_without_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "tools", "install", "git")
    assert done.returncode == 1
    assert done.stderr == (
        "error: git: version 2.30 or newer cannot be had:\n"
        "  - PATH: no git on PATH\n"
        "Install git with the system's package manager, and run it again.\n"
    )


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "tools", "install", "opa", "--cache", str(tmp_path / "file" / "cache"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: opa: the cache {tmp_path}/file/cache cannot be used: ")


def test_without_a_command_the_usage_is_shown(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert "usage: pytest-gitops" in done.stderr


def test_ctrl_c_says_that_it_can_go_on(tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "helm"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\n: > {tmp_path}/asked\nexec /bin/sleep 30\n")
    slow.chmod(0o755)
    started = subprocess.Popen(
        [*COMMAND, "tools", "install", "helm"],
        env=environ(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with started:
        wait_until((tmp_path / "asked").exists, limit=LIMIT, what="helm is asked")
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to everybody in the foreground
        _, errors = started.communicate(timeout=LIMIT)
    assert started.returncode == 130
    assert errors == "Interrupted. Nothing half-made is used; run it again, it goes on from here.\n"


def test_importing_the_package_and_the_command_is_cheap() -> None:
    heavy = "yaml, ssl, urllib.request, rich, subprocess, importlib.metadata, pytest, kubernetes, grpc"
    code = (
        "import sys, pytest_gitops.tools, pytest_gitops.commands.cli;"
        f"print([n for n in '{heavy}'.split(', ') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_warm_run_starts_no_program_and_needs_no_https(tmp_path: Path) -> None:
    script(tmp_path / "bin" / "git", "git version 2.39.5")
    assert run(tmp_path, "tools", "install", "git").returncode == 0
    code = (
        "import sys; from pathlib import Path; from pytest_gitops import tools; from pytest_gitops.processes import process;"
        "process.run = None;"
        f"tools.ensure(['git'], cache=Path('{tmp_path}/cache'), environ={{'PATH': '{tmp_path}/bin'}});"
        "print([n for n in ('ssl', 'urllib.request', 'tarfile') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
