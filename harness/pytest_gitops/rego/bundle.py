"""Which rules there are: gathers our policies and the user's folders into one bundle, reads their METADATA.

The bundle is a copy in the run's private directory, so that what was checked is what is loaded. Each file
keeps its own version of Rego: OPA 1's, or the older one (`deny[msg] { … }`) that many conftest folders have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding
from pytest_gitops.rego.compiling import compile_all, manifest, opa
from pytest_gitops.rego.files import Files, Folder, builtin, checked, gather, named
from pytest_gitops.rego.gatekeeper import ROOT as GATEKEEPER
from pytest_gitops.rego.module import RUN_PACKAGE, SKIP, module
from pytest_gitops.rego.problems import not_checked
from pytest_gitops.rego.rules import (
    ALL_NAMESPACES,
    CONFTEST_NAME,
    Annotation,
    Head,
    Rule,
    in_namespaces,
    rules_from,
)

__all__ = ["ALL_NAMESPACES", "RESERVED", "Bundle", "Folder", "builtin", "load"]

RESERVED = ("gitops", RUN_PACKAGE, SKIP, GATEKEEPER, "system")
"""First words of packages and data paths that are not the user's to fill."""

_MAYBE_CONFTEST = re.compile(r"\b(deny|violation|warn|exception)")
_FILE_INFO = re.compile(r"\bdata\.conftest\.file\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Policies ready to be loaded: `files.directory` is OPA's bundle. `problems` is what is to be said of policies
    that are not asked."""

    files: Files
    rules: tuple[Rule, ...]
    problems: tuple[Finding, ...] = ()

    @property
    def directory(self) -> Path:
        return self.files.directory


def load(
    binary: Path,
    directory: Path,
    *,
    folders: Sequence[Path | Folder] = (),
    data: Mapping[str, Any] | None = None,
    data_files: Sequence[Path] = (),
    namespaces: Sequence[str] = ALL_NAMESPACES,
    tests: bool = False,
) -> Bundle:
    """Gather our policies and those of `folders` in `directory`, which must not exist yet, and compile them.

    `data` is what policies see under `data`; `data_files` are files and folders of YAML and JSON that they see
    beside it, where `conftest --data` puts them. `namespaces` are patterns of the packages whose conftest rules are
    asked. A policy that does not compile, or whose METADATA cannot be read, is one of the bundle's problems. With
    `tests`, the users' tests are in the bundle, too. Raises ConfigError for a folder without policies, for data
    that cannot be read, and for a pattern that no package fits.
    """
    directory.mkdir(mode=0o700, parents=True)
    gathered = gather(directory, named(folders), tests=tests)
    files, constraints = gathered.files, gathered.gatekeeper
    everything = _data(binary, directory, data or {}, data_files)
    (directory / "data.json").write_text(json.dumps(everything), encoding="utf-8")
    problems = [*gathered.problems]
    if any(files.users()) or set(everything) - {"settings"}:
        problems += compile_all(binary, files, reserved=RESERVED)
    else:
        manifest(files)  # what is ours alone is known to compile
    inspected = json.loads(opa(binary, directory, "inspect", "-a", "-f", "json", ".").stdout)
    with ThreadPoolExecutor(2, thread_name_prefix="rego") as pool:
        found = pool.map(lambda file: _heads(binary, files, file), files.users())
        heads = [head for each in found for head in each]
    _check_namespaces(heads, namespaces, complete=not problems)
    problems += _without_a_file(files, [h for h in heads if in_namespaces(h.package, namespaces)])
    templates = {t.package for t in constraints.templates if _whole(t.package, files)}
    reading = rules_from(
        _annotations(inspected, files),
        heads,
        [r for r in constraints.rules if r.package in templates],
        namespaces=namespaces,
    )
    (directory / RUN_PACKAGE).mkdir()
    (directory / RUN_PACKAGE / "run.rego").write_text(module(reading.rules), encoding="utf-8")
    return Bundle(files=files, rules=reading.rules, problems=(*problems, *reading.problems))


def _whole(package: Sequence[str], files: Files) -> bool:
    """Whether the template compiled; a library that did not takes its template along."""
    return f"/{'/'.join(package)}.rego" in files.files


def _data(binary: Path, directory: Path, data: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if paths:
        for path in paths:
            if not path.exists():
                raise ConfigError("expected a file or folder with data, saw nothing", where=str(path))
            for each in [path, *(path.rglob("*") if path.is_dir() else ())]:
                checked(each, inside=path if path.is_dir() else path.parent, where=str(each))
        words = [word for path in paths for word in ("--data", str(path.resolve()))]
        # OPA reads them as conftest does, with the same loader: folders are keys, files at the top are merged.
        done = opa(
            binary, directory, "eval", *words, "--ignore", "*.rego", "--format", "json", "data", check=False
        )
        answer = json.loads(done.stdout or "{}")
        if done.status:
            told = "; ".join(str(e.get("message")) for e in answer.get("errors") or ()) or done.tail
            raise ConfigError(f"data for policies cannot be read: {told}")
        found = answer["result"][0]["expressions"][0]["value"]
    for key in [*found, *data]:
        if key in RESERVED:
            raise ConfigError(
                f"data for policies: {key!r} is taken by pytest-gitops itself. Choose another name"
            )
    # `settings` of the configuration is what the built-in rules read: it stays whole.
    return {**found, **data}


def _check_namespaces(heads: Sequence[Head], namespaces: Sequence[str], *, complete: bool) -> None:
    packages = sorted({".".join(h.package) for h in heads if CONFTEST_NAME.fullmatch(h.name)})
    for pattern in namespaces:
        known = any(fnmatchcase(package, pattern) for package in packages)
        if complete and pattern != "*" and not known:
            raise ConfigError(
                f"{pattern!r}: expected a package with conftest's rules that it fits, saw none; "
                f"there {'is' if len(packages) == 1 else 'are'} {', '.join(packages) or 'none at all'}",
                where="policy.namespaces",
            )


def _without_a_file(files: Files, heads: Sequence[Head]) -> Iterator[Finding]:
    """conftest tells a policy which file its input was read from; what is rendered was read from none."""
    asked = {h.file for h in heads if CONFTEST_NAME.fullmatch(h.name)}
    for inside in files.users():
        text = files.text(inside)
        if files.files[inside].name in asked and (used := _FILE_INFO.search(text)):
            name, line = files.place(inside, text.count("\n", 0, used.start()) + 1)
            yield not_checked(
                "data.conftest.file: a rendered object has no file, so what hangs on its name was not checked",
                file=name,
                line=line,
                help="ask for the object's kind, name or labels instead",
            )


def _annotations(inspected: Mapping[str, Any], files: Files) -> Iterator[Annotation]:
    for entry in inspected.get("annotations") or ():
        location = entry.get("location") or {}
        inside = files.inside(str(location.get("file", "")))
        known = files.files.get(inside)
        path = tuple(str(part["value"]) for part in entry["path"][1:])
        if path[:1] == (GATEKEEPER,):
            continue
        file, line = files.place(inside, int(location.get("row", 1)))
        yield Annotation(
            path=path,
            scope=entry["annotations"].get("scope", ""),
            text=entry["annotations"],
            file=file,
            line=line,
            builtin=bool(known and known.builtin),
        )


def _heads(binary: Path, files: Files, inside: str) -> list[Head]:
    if not _MAYBE_CONFTEST.search(files.text(inside)) or inside.startswith(f"/{GATEKEEPER}/"):
        return []
    flags = ("--v0-compatible",) if files.files[inside].old else ()
    words = ("parse", "--format", "json", "--json-include", "locations,-comments", *flags)
    tree = json.loads(opa(binary, files.directory, *words, inside.lstrip("/")).stdout)
    package = tuple(str(part["value"]) for part in tree["package"]["path"][1:])
    found = []
    for rule in tree.get("rules") or ():
        head = rule["head"]
        ref = [part["value"] for part in head.get("ref", ())] or [head.get("name")]
        row = int((rule.get("location") or head.get("location") or {}).get("row", 1))
        # A function is no rule that conftest would ask.
        if not head.get("args") and isinstance(ref[0], str):
            found.append(Head(package=package, name=ref[0], file=files.files[inside].name, line=row))
    return found
