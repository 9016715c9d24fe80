"""Compiles a bundle with OPA: which file is written in which Rego, and which ones have to be left out.

A policy that does not compile is a finding and the others still run. OPA compiles a bundle as one, so what it
complains about is taken out, file by file, until it complains no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding
from pytest_gitops.processes.process import Completed, run
from pytest_gitops.rego.files import Files, old_ones
from pytest_gitops.rego.problems import invalid, not_compiling

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

ELSEWHERE = {
    # (conftest v0.71.1, builtins/)
    "parse_config": "conftest",
    "parse_config_file": "conftest",
    "parse_combined_config_files": "conftest",
    "external_data": "Gatekeeper",
}
"""Functions that OPA itself does not have, and who has them."""

LIMIT_SECONDS = 60.0

OLD_SYNTAX = ("`if` keyword is required", "`contains` keyword is required")

STRICTER = (
    "deprecated built-in function",
    "variables must not shadow",
    "import must not shadow",
    "rules must not shadow",
)
"""What OPA 1 refuses of files that it can read, and the Rego before it did not."""

_UNDEFINED = re.compile(r"undefined function ([\w.]+)")
_PACKAGE = re.compile(r"^\s*package\s+([A-Za-z_]\w*)", re.MULTILINE)


def opa(binary: Path, directory: Path, *arguments: str, check: bool = True) -> Completed:
    """Run OPA in `directory`. No environment: nothing of the user's (OPA_…, proxies, tokens) may decide over or reach
    a policy. It lives for a moment: fewer collections, a quarter less computing."""
    env = {"HOME": str(directory), "GOGC": "400"}
    return run(binary, *arguments, cwd=directory, env=env, limit=LIMIT_SECONDS, check=check)


def capabilities(binary: Path, directory: Path) -> Path:
    """A file beside `directory` that says what policies may call."""
    target = directory.with_name(f"{directory.name}-capabilities.json")
    allowed = json.loads(opa(binary, directory, "capabilities", "--current").stdout)
    allowed["builtins"] = [b for b in allowed["builtins"] if b["name"] not in FORBIDDEN]
    allowed["allow_net"] = []  # nor may a schema in METADATA
    target.write_text(json.dumps(allowed), encoding="utf-8")
    return target


def manifest(files: Files) -> None:
    """Write the bundle's manifest: which file is in which Rego."""
    versions = dict.fromkeys(old_ones(files.files), 0)
    text = json.dumps({"roots": [""], "rego_version": 1, "file_rego_versions": versions})
    (files.directory / ".manifest").write_text(text, encoding="utf-8")


def compile_all(binary: Path, files: Files, *, reserved: Sequence[str]) -> list[Finding]:
    """Find out each file's Rego, and leave out what does not compile; returns what is to be said of that.

    Raises ConfigError for a mistake that is no file's, such as data that clashes with a package.
    """
    problems = _reserved(files, reserved)
    allowed = str(capabilities(binary, files.directory))
    words = ("check", "--format", "json", "--max-errors", "0", "--capabilities", allowed)
    _syntax(binary, files, words, problems)
    tried: set[str] = set()
    while True:
        manifest(files)
        # The bundle: it heeds the manifest, but stops at the first file that it cannot parse.
        done = opa(binary, files.directory, *words, "--bundle", ".", check=False)
        if not done.status:
            return problems
        wrong = _by_file(_errors(done), files)
        mine = {f: e for f, e in wrong.items() if f in files.files and not files.files[f].builtin}
        if not mine:
            raise _nobodys([e for errors in wrong.values() for e in errors], files)
        for inside, errors in mine.items():
            stricter = all(str(e.get("message")).startswith(STRICTER) for e in errors)
            if files.files[inside].old is None and stricter and inside not in tried:
                tried.add(inside)
                files.files[inside] = replace(files.files[inside], old=True)
            else:
                problems.append(_left_out(inside, errors, files))


def _reserved(files: Files, words: Sequence[str]) -> list[Finding]:
    problems = []
    for inside in files.users():
        named = _PACKAGE.search(text := files.text(inside))
        if named and named[1] in words and not inside.startswith(f"/{named[1]}/"):
            line = text.count("\n", 0, named.start(1)) + 1
            name, line = files.place(inside, line)
            files.drop(inside)
            problems.append(
                invalid(
                    f"package {named[1]}: the name is taken by pytest-gitops itself, so no rule of this file is asked",
                    file=name,
                    line=line,
                    help="choose another package",
                )
            )
    return problems


def _syntax(binary: Path, files: Files, words: Sequence[str], problems: list[Finding]) -> None:
    """Settle which files are in the older Rego, and leave out those that are in neither."""
    users = [inside.lstrip("/") for inside in files.users() if files.files[inside].old is None]
    if not users:
        return
    # By themselves they may lean on what is not there; here only whether they can be read counts.
    parsed = opa(binary, files.directory, *words, *users, check=False)
    if not parsed.status:
        return
    unread = {
        inside: errors
        for inside, errors in _by_file(_errors(parsed), files).items()
        if inside in files.files and files.files[inside].old is None and _parse_errors(errors)
    }
    if not unread:
        return
    paths = [f.lstrip("/") for f in unread]
    done = opa(binary, files.directory, *words, "--v0-compatible", *paths, check=False)
    older = _by_file(_errors(done), files) if done.status else {}
    for inside, errors in unread.items():
        still = _parse_errors(older.get(inside, ()))
        if not still:
            files.files[inside] = replace(files.files[inside], old=True)
            continue
        # The complaint of the Rego that the file was meant to be.
        meant_old = any(str(e.get("message")).startswith(OLD_SYNTAX) for e in errors)
        problems.append(_left_out(inside, still if meant_old else _parse_errors(errors), files))


def _parse_errors(errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [e for e in errors if e.get("code") == "rego_parse_error"]


def _errors(done: Completed) -> list[Mapping[str, Any]]:
    for text in (done.stderr, done.stdout):
        try:
            return list(json.loads(text)["errors"])
        except (ValueError, KeyError, TypeError):
            continue
    raise ConfigError(f"the policies do not compile: {done.tail}")


def _by_file(errors: Sequence[Mapping[str, Any]], files: Files) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for error in errors:
        file = (error.get("location") or {}).get("file")
        found.setdefault(files.inside(file) if file else "", []).append(error)
    return found


def _left_out(inside: str, errors: Sequence[Mapping[str, Any]], files: Files) -> Finding:
    first = min(errors, key=lambda e: int((e.get("location") or {}).get("row", 1)))
    name, line = files.place(inside, int((first.get("location") or {}).get("row", 1)))
    files.drop(inside)
    more = f" ({len(errors) - 1} more in this file)" if len(errors) > 1 else ""
    return not_compiling(_told(first) + more, file=name, line=line)


def _told(error: Mapping[str, Any]) -> str:
    message = " ".join(str(error.get("message")).split()).removeprefix("rego_type_error: ")
    named = _UNDEFINED.search(message)
    function = named[1] if named else ""
    if function in FORBIDDEN:
        return f"{function} is not there (policies have neither network nor environment here)"
    if function in ELSEWHERE:
        return f"{function} is not there (it is a function of {ELSEWHERE[function]}, OPA has none)"
    return message


def _nobodys(errors: Sequence[Mapping[str, Any]], files: Files) -> ConfigError:
    """What no file of the user's is to blame for."""

    def told(error: Mapping[str, Any]) -> str:
        location = error.get("location") or {}
        if not location.get("file"):
            return _told(error)
        file, line = files.place(location["file"], int(location.get("row", 1)))
        return f"{file}:{line}: {_told(error)}"

    lines = "\n".join(dict.fromkeys(told(e) for e in errors[:10]))
    return ConfigError(f"the policies do not compile: {lines}")
