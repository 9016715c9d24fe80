"""Which rules there are: gathers our policies and the user's folders into one bundle, reads their METADATA.

The bundle is a copy in the run's private directory, so that what was checked is what is loaded. Each file
keeps its own version of Rego: OPA 1's, or the older one (`deny[msg] { … }`) that many conftest folders have.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.process import Completed, run
from pytest_gitops.rego.query import RUN_PACKAGE, module
from pytest_gitops.rego.rules import Annotation, Head, Rule, rules_from

FORBIDDEN = frozenset(
    {
        "http.send",
        "net.lookup_ip_addr",
        "opa.runtime",
        # A schema's "$ref" may be a URL.
        "json.match_schema",
        "json.verify_schema",
    }
)
"""Built-in functions that a policy may not call: a verdict must not hang on the network or on the machine."""

RESERVED = ("gitops", RUN_PACKAGE, "system")
"""First words of data paths that are not the user's to fill."""

LIMIT_SECONDS = 60.0

_OLD_SYNTAX = ("`if` keyword is required", "`contains` keyword is required")
_MAYBE_CONFTEST = re.compile(r"\b(deny|violation|warn|exception)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Policies ready to be loaded. `directory` is OPA's bundle; `names` gives for each path in it, with a
    leading "/", the name under which the user knows the file."""

    directory: Path
    rules: tuple[Rule, ...]
    names: Mapping[str, str]

    def known(self, file: str) -> str:
        """The user's name for a file that OPA names."""
        return _known(file, self.directory, self.names)


def builtin() -> Path:
    """Our own policies: the wheel's or the checkout's. Raises EngineError if neither is there."""
    package = Path(str(importlib.resources.files("pytest_gitops")))
    for folder in (package / "policies", package.parent.parent / "policies"):
        if (folder / "lib").is_dir():
            return folder
    raise EngineError(f"the policies of pytest-gitops are not in {package}: the installation is incomplete")


def load(
    binary: Path, directory: Path, *, folders: Sequence[Path] = (), data: Mapping[str, Any] | None = None
) -> Bundle:
    """Gather our policies and those of `folders` in `directory`, which must not exist yet, and compile them.

    `data` is what policies see under `data`. Raises ConfigError naming file and line for a policy that does
    not compile, calls a forbidden function or has METADATA that we cannot read, and for a folder without
    policies.
    """
    directory.mkdir(mode=0o700, parents=True)
    _check_data(data or {})
    (directory / "data.json").write_text(json.dumps(data or {}), encoding="utf-8")
    names = _copy(builtin(), directory, "builtin", "policies")
    ours = frozenset(names)
    for number, folder in enumerate(folders):
        names |= _copy(_policy_folder(folder), directory, f"user{number}", str(folder))
    users = [file for file in names if file not in ours]
    old = _compile(binary, directory, names) if users or data else frozenset[str]()
    _manifest(directory, old)
    annotations = _annotations(
        _opa(binary, directory, "inspect", "-a", "-f", "json", "."), directory, names, ours
    )
    heads = [head for file in users for head in _heads(binary, directory, file, names[file], old=file in old)]
    rules = rules_from(annotations, heads)
    (directory / RUN_PACKAGE).mkdir()
    (directory / RUN_PACKAGE / "run.rego").write_text(module(rules), encoding="utf-8")
    return Bundle(directory=directory, rules=rules, names=names)


def _check_data(data: Mapping[str, Any]) -> None:
    for key in data:
        if key in RESERVED:
            raise ConfigError(
                f"data for policies: {key!r} is taken by pytest-gitops itself. Choose another name"
            )


def _policy_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(
            "expected a folder with .rego files, saw no folder", where=f"--gitops-policy {folder}"
        )
    if not any(_policies(folder)):
        raise ConfigError("expected .rego files in it, saw none", where=f"--gitops-policy {folder}")
    return folder


def _policies(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*.rego")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and not file.name.endswith("_test.rego"):
            yield file


def _copy(folder: Path, directory: Path, prefix: str, title: str) -> dict[str, str]:
    names, inside = {}, folder.resolve()
    for file in _policies(folder):
        relative = file.relative_to(folder)
        name = f"{title.rstrip('/')}/{relative.as_posix()}"
        if not file.resolve().is_relative_to(inside):
            raise ConfigError(
                "the link leads out of the policy folder. Put a copy of the file there", where=name
            )
        target = directory / prefix / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
        names[f"/{prefix}/{relative.as_posix()}"] = name
    return names


def _manifest(directory: Path, old: frozenset[str]) -> None:
    manifest = {"roots": [""], "rego_version": 1, "file_rego_versions": dict.fromkeys(sorted(old), 0)}
    (directory / ".manifest").write_text(json.dumps(manifest), encoding="utf-8")


def _opa(binary: Path, directory: Path, *arguments: str, check: bool = True) -> Completed:
    # No environment: nothing of the user's (OPA_…, proxies, tokens) may decide over or reach a policy.
    env = {"HOME": str(directory)}
    return run(binary, *arguments, cwd=directory, env=env, limit=LIMIT_SECONDS, check=check)


def _compile(binary: Path, directory: Path, names: Mapping[str, str]) -> frozenset[str]:
    """Compile everything; returns the files in the older syntax. Raises ConfigError with OPA's message."""
    capabilities = directory.with_name(f"{directory.name}-capabilities.json")
    allowed = json.loads(_opa(binary, directory, "capabilities", "--current").stdout)
    allowed["builtins"] = [b for b in allowed["builtins"] if b["name"] not in FORBIDDEN]
    allowed["allow_net"] = []  # nor may a schema in METADATA
    capabilities.write_text(json.dumps(allowed), encoding="utf-8")
    words = ("check", "--format", "json", "--max-errors", "0", "--capabilities", str(capabilities))
    # With --bundle OPA stops at the first file that it cannot parse; this one reads them all.
    parsed = _opa(binary, directory, *words, ".", check=False)
    old = _older(_errors(parsed), directory) if parsed.status else frozenset[str]()
    _manifest(directory, old)
    done = _opa(binary, directory, *words, "--bundle", ".", check=False)
    if done.status:
        raise _not_compiling(_errors(done), directory, names)
    return old


def _errors(done: Completed) -> list[Mapping[str, Any]]:
    for text in (done.stderr, done.stdout):
        try:
            return list(json.loads(text)["errors"])
        except (ValueError, KeyError, TypeError):
            continue
    raise ConfigError(f"the policies do not compile: {done.tail}")


def _older(errors: Sequence[Mapping[str, Any]], directory: Path) -> frozenset[str]:
    """The files whose every syntax error is only that they are written in the older syntax."""
    said: dict[str, list[str]] = {}
    for error in errors:
        if file := (error.get("location") or {}).get("file"):
            said.setdefault(_inside(file, directory), []).append(str(error.get("message")))
    return frozenset(
        file for file, messages in said.items() if all(m.startswith(_OLD_SYNTAX) for m in messages)
    )


def _not_compiling(
    errors: Sequence[Mapping[str, Any]], directory: Path, names: Mapping[str, str]
) -> ConfigError:
    def place(error: Mapping[str, Any]) -> str:
        location = error.get("location") or {}
        return (
            f"{_known(location['file'], directory, names)}:{location.get('row', 1)}"
            if location.get("file")
            else ""
        )

    lines = []
    for error in errors:
        message = " ".join(str(error.get("message")).split())
        if any(f"undefined function {name}" in message for name in FORBIDDEN):
            message += " (policies have neither network nor environment here)"
        lines.append((place(error), message))
    first, *rest = dict.fromkeys(lines)
    more = "".join(f"\n{where}: {message}" for where, message in rest[:9])
    return ConfigError(f"the policy does not compile: {first[1]}{more}", where=first[0])


def _inside(file: str, directory: Path) -> str:
    """OPA's name of a file, absolute or relative to the bundle or its parent, as the bundle has it."""
    inside = file.removeprefix(str(directory)).removeprefix("./").removeprefix(f"{directory.name}/")
    return "/" + inside.lstrip("/")


def _known(file: str, directory: Path, names: Mapping[str, str]) -> str:
    inside = _inside(file, directory)
    return names.get(inside, inside.lstrip("/"))


def _annotations(
    done: Completed, directory: Path, names: Mapping[str, str], ours: frozenset[str]
) -> Iterator[Annotation]:
    for entry in json.loads(done.stdout).get("annotations") or ():
        location = entry.get("location") or {}
        inside = _inside(str(location.get("file", "")), directory)
        yield Annotation(
            path=tuple(str(part["value"]) for part in entry["path"][1:]),
            scope=entry["annotations"].get("scope", ""),
            text=entry["annotations"],
            file=names.get(inside, inside),
            line=int(location.get("row", 1)),
            builtin=inside in ours,
        )


def _heads(binary: Path, directory: Path, file: str, name: str, *, old: bool) -> Iterator[Head]:
    path = directory / file.lstrip("/")
    if not _MAYBE_CONFTEST.search(path.read_text(encoding="utf-8", errors="replace")):
        return
    flags = ("--v0-compatible",) if old else ()
    words = ("parse", "--format", "json", "--json-include", "locations,-comments", *flags, str(path))
    tree = json.loads(_opa(binary, directory, *words).stdout)
    package = tuple(str(part["value"]) for part in tree["package"]["path"][1:])
    for rule in tree.get("rules") or ():
        head = rule["head"]
        ref = [part["value"] for part in head.get("ref", ())] or [head.get("name")]
        row = int((rule.get("location") or head.get("location") or {}).get("row", 1))
        # A function is no rule that conftest would ask.
        if not head.get("args") and isinstance(ref[0], str):
            yield Head(package=package, name=ref[0], file=name, line=row)
