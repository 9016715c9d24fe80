"""What Argo CD's processes may touch: a pull request tells them what to do, so nothing of the machine is theirs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_gitops.processes import confine
from pytest_gitops.repository.manifest import parse

PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
"""Where a system's own programs and libraries lie: git, the shell, and what they need."""

LIBRARIES = (
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/nix/store",
    "/gnu/store",
)

ETC = (
    "alternatives", "ca-certificates", "crypto-policies", "group", "host.conf", "hosts", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "passwd", "pki", "protocols",
    "resolv.conf", "services", "ssl",
)  # fmt: skip

FACTS = (
    *(f"/etc/{name}" for name in ETC),
    "/proc/self",
    "/proc/sys",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
    "/usr/share/zoneinfo",
)
"""What libraries ask of every system, and what is no secret."""

SHARED_MEMORY = "/dev/shm"  # noqa: S108  # Argo CD's choice, not ours
"""Where Argo CD puts kubeconfigs, what it is about to apply, and ssh keys while git uses them (util/io)."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """With what processes are confined. `reads` are files and folders that all of them may read, `programs`
    those that the repo-server may also run, `ports` those of loopback that all may connect to."""

    reads: tuple[Path, ...] = ()
    programs: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()

    def repo_server(self, directory: Path, *, ports: Iterable[int]) -> dict[str, list[str | int]]:
        """The rules of the process that renders, by git, helm and kustomize; `directory` is its own."""
        ours = [*sorted({sys.prefix, sys.base_prefix, sys.exec_prefix}), str(directory / "bin")]
        return {
            "read": [*FACTS, *map(str, self.reads)],
            # The git that kustomize runs for remote bases is written by Argo CD (util/kustomize/gitwrapper.go), to
            # where it writes all that it is about to read.
            "execute": [*PROGRAMS, *ours, str(directory / "tmp"), *map(str, self.programs)],
            "write": [*DEVICES, SHARED_MEMORY, str(directory)],
            "connect": [*self.ports, *ports],
        }

    def controller(
        self, directory: Path, program: Path, kubeconfig: Path, *, ports: Iterable[int]
    ) -> dict[str, list[str | int]]:
        """The rules of a controller: it runs nothing, and reaches all but its API server by the world."""
        return {
            "read": [*FACTS, *map(str, self.reads), str(kubeconfig.parent)],
            "execute": [*LIBRARIES, str(program)],
            "write": [*DEVICES, SHARED_MEMORY, str(directory)],
            "connect": [*self.ports, *ports, _port(kubeconfig)],
        }


def is_possible(git: str | None) -> bool:
    """Whether this machine confines, and `git`, the program, is where we know what it needs."""
    if not confine.version() or git is None:
        return False
    return any(Path(git).resolve().is_relative_to(folder) for folder in PROGRAMS)


def command(rules: dict[str, list[str | int]], file: Path) -> Sequence[str | Path]:
    """What is put before a program's own words to confine it; the rules are written to `file`."""
    file.write_text(json.dumps(rules), "utf-8")
    return (sys.executable, "-I", "-S", confine.__file__, file)


def _port(kubeconfig: Path) -> int:
    server = str(parse(kubeconfig.read_bytes())[0].value["clusters"][0]["cluster"]["server"])
    return int(server.rpartition(":")[2].strip("/"))
