"""The files of a bundle: our policies and those of the user's folders, copied, each with the name the user knows."""

from __future__ import annotations

import importlib.resources
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.model import Finding
from pytest_gitops.rego import gatekeeper
from pytest_gitops.rego.problems import invalid
from pytest_gitops.repository.manifest import ManifestError, parse

MANIFESTS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of policies: where it is, and what findings call it."""

    path: Path
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A Rego file of the bundle: the user's name for it, the line of that file before its first one, whether it is
    ours, and whether it is written in Rego before OPA 1, where that is known."""

    name: str
    offset: int = 0
    builtin: bool = False
    old: bool | None = None


@dataclass(kw_only=True)
class Files:
    """The Rego files in `directory`, by their path in it with a leading "/"."""

    directory: Path
    files: dict[str, File] = field(default_factory=dict)

    def inside(self, file: str) -> str:
        """OPA's name of a file, absolute or relative to the bundle or its parent, as it is called here."""
        inside = file.removeprefix(str(self.directory)).removeprefix("./")
        return "/" + inside.removeprefix(f"{self.directory.name}/").lstrip("/")

    def place(self, file: str, row: int) -> tuple[str, int]:
        """The user's file and line of what OPA says of a file of the bundle."""
        inside = self.inside(file)
        known = self.files.get(inside)
        return (known.name, row + known.offset) if known else (inside.lstrip("/"), row)

    def text(self, inside: str) -> str:
        return (self.directory / inside.lstrip("/")).read_text(encoding="utf-8", errors="replace")

    def drop(self, inside: str) -> File:
        """Leave a file out."""
        (self.directory / inside.lstrip("/")).unlink()
        return self.files.pop(inside)

    def users(self) -> Iterator[str]:
        """Those that are not ours, at the time of asking."""
        yield from [inside for inside, file in self.files.items() if not file.builtin]

    def put(self, path: str, text: bytes | str, file: File) -> None:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        self.files[f"/{path}"] = file


def builtin() -> Path:
    """Our own policies: the wheel's or the checkout's. Raises EngineError if neither is there."""
    package = Path(str(importlib.resources.files("pytest_gitops")))
    for folder in (package / "policies", package.parent.parent / "policies"):
        if (folder / "lib").is_dir():
            return folder
    raise EngineError(f"the policies of pytest-gitops are not in {package}: the installation is incomplete")


def named(folders: Sequence[Path | Folder]) -> list[Folder]:
    """The folders with what they are called: a mere path is called by itself."""
    return [f if isinstance(f, Folder) else Folder(path=f, title=str(f)) for f in folders]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What the folders hold: files, Gatekeeper's objects made into files and rules, and what could not be read."""

    files: Files
    gatekeeper: gatekeeper.Gatekeeper
    problems: tuple[Finding, ...]


def gather(directory: Path, folders: Sequence[Folder], *, tests: bool = False) -> Gathered:
    """Copy our policies and those of `folders` to `directory`; with `tests`, also the users' tests and what helps them.

    Raises ConfigError for a folder that is none, has no policies, or links out of itself.
    """
    files, documents, problems = Files(directory=directory), list[gatekeeper.Written](), list[Finding]()
    ours = Folder(path=builtin(), title="policies")
    for path in _rego(ours.path, tests=False):
        relative = path.relative_to(ours.path).as_posix()
        files.put(f"builtin/{relative}", path.read_bytes(), File(name=f"policies/{relative}", builtin=True))
    if tests:
        helpers = importlib.resources.files("pytest_gitops").joinpath("rego/testing.rego").read_text("utf-8")
        files.put("builtin/testing.rego", helpers, File(name="testing.rego", builtin=True))
    for number, folder in enumerate(folders):
        if not folder.path.is_dir():
            raise ConfigError(
                "expected a folder with .rego files, saw no folder", where=f"--gitops-policy {folder.title}"
            )
        rego = list(_rego(folder.path, tests=tests))
        manifests = list(_manifests(folder.path))
        for path in rego:
            relative = path.relative_to(folder.path).as_posix()
            files.put(f"user{number}/{relative}", _read(folder, path), File(name=_name(folder, path)))
        found = 0
        for path in manifests:
            text = _read(folder, path)
            if b"gatekeeper.sh" not in text:
                continue
            found += 1
            try:
                read = [item for document in parse(text) for item in document.items()]
            except ManifestError as error:
                problems.append(invalid(error.problem, file=_name(folder, path), line=error.line))
                continue
            documents += [gatekeeper.Written(file=_name(folder, path), document=d) for d in read]
        if not rego and not found:
            raise ConfigError(
                "expected .rego files or Gatekeeper's templates in it, saw none",
                where=f"--gitops-policy {folder.title}",
            )
    constraints = gatekeeper.read(documents)
    for template in constraints.templates:
        for source in template.sources:
            files.put(source.path, source.text, File(name=source.file, offset=source.offset, old=source.old))
    return Gathered(files=files, gatekeeper=constraints, problems=(*problems, *constraints.problems))


def checked(path: Path, *, inside: Path, where: str) -> Path:
    """The path itself. Raises ConfigError if it is a link out of `inside`."""
    if not path.resolve().is_relative_to(inside.resolve()):
        raise ConfigError(
            "the link leads out of the policy folder. Put a copy of the file there", where=where
        )
    return path


def old_ones(files: Mapping[str, File]) -> list[str]:
    """Those that are written in Rego before OPA 1."""
    return sorted(inside for inside, file in files.items() if file.old)


def _read(folder: Folder, path: Path) -> bytes:
    return checked(path, inside=folder.path, where=_name(folder, path)).read_bytes()


def _name(folder: Folder, path: Path) -> str:
    return posixpath.normpath(f"{folder.title}/{path.relative_to(folder.path).as_posix()}")


def _rego(folder: Path, *, tests: bool) -> Iterator[Path]:
    return (p for p in _visible(folder, (".rego",)) if tests or not p.name.endswith("_test.rego"))


def _manifests(folder: Path) -> Iterator[Path]:
    return _visible(folder, MANIFESTS)


def _visible(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    for path in sorted(p for p in folder.rglob("*") if p.suffix in suffixes):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
