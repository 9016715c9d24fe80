"""A confined process touches what it is given and nothing else; what it starts is confined as it is."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_gitops.processes import confine
from pytest_gitops.processes.process import run

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(confine.version() < 1, reason="this kernel has no Landlock"),
]

SYSTEM = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", sys.prefix, sys.base_prefix]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("given", "mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(f"{name}\n")
    return tmp_path


def confined(folder: Path, *argv: str, connect: tuple[int, ...] = ()) -> tuple[int, str]:
    """Run a command that may read `given`, write `mine`, and use the system's programs; its status and words."""
    rules = folder / "rules.json"
    rules.write_text(
        json.dumps(
            {
                "read": [str(folder / "given"), str(folder / "missing")],
                "execute": SYSTEM,
                "write": ["/dev/null", str(folder / "mine")],
                "connect": connect,
            }
        )
    )
    done = run(sys.executable, "-I", "-S", confine.__file__, rules, *argv, check=False, env={"LC_ALL": "C"})
    return done.status, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["given", "mine"])
def test_what_is_given_is_read(folder: Path, name: str) -> None:
    assert confined(folder, "/bin/cat", str(folder / name / "file")) == (0, f"{name}\n")


@pytest.mark.parametrize("file", ["other/file", "given/../other/file"])
def test_nothing_else_is_read(folder: Path, file: str) -> None:
    status, said = confined(folder, "/bin/cat", str(folder / file))
    assert status == 1
    assert "Permission denied" in said


def test_a_link_leads_nowhere_else(folder: Path) -> None:
    (folder / "given" / "link").symlink_to(folder / "other" / "file")
    assert "Permission denied" in confined(folder, "/bin/cat", str(folder / "given" / "link"))[1]


def test_children_are_confined_too(folder: Path) -> None:
    words = (
        f"echo a > {folder}/mine/a; cat {folder}/mine/a; cat {folder}/other/file; echo b > {folder}/given/b"
    )
    status, said = confined(folder, "/bin/sh", "-c", words)
    assert status
    assert said.startswith("a\n")
    assert (said.count("Permission denied"), (folder / "given" / "b").exists()) == (2, False)


def test_what_it_writes_it_cannot_execute(folder: Path) -> None:
    words = f"cp /bin/echo {folder}/mine/echo; {folder}/mine/echo done"
    status, said = confined(folder, "/bin/sh", "-c", words)
    assert status
    assert "done" not in said.splitlines()


def test_the_environment_of_others_is_not_read(folder: Path) -> None:
    assert confined(folder, "/bin/cat", "/proc/1/environ")[0] == 1


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.skipif(confine.version() < confine.WITH_NETWORK, reason="this kernel's Landlock knows no ports")
def test_it_connects_to_the_ports_that_it_is_given_only(folder: Path, port: int) -> None:
    words = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
    assert confined(folder, sys.executable, "-I", "-S", "-c", words, connect=(port,)) == (0, "")
    status, said = confined(folder, sys.executable, "-I", "-S", "-c", words)
    assert status == 1
    assert "PermissionError" in said
