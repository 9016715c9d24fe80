"""The architecture, held: which package may import which, who owns a library, what stays small and cheap."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sources import FILES, HARNESS, nodes, tree

# What each module or package at the top may import of ours; late imports and those for types count as well. Arrows
# point up this list only: a name may be used by those that come after it.
LAYERS: dict[str, set[str]] = {
    # words and small tools, which everybody may know
    "__init__": set(),
    "model": set(),
    "errors": set(),
    "warden": set(),
    "confine": set(),
    "keeping": set(),
    "ports": set(),
    "redaction": set(),
    "shapes": set(),
    "waiting": {"errors"},
    "waivers": {"errors", "model"},
    "expectations": {"errors", "model"},
    "shards": {"errors"},
    "registered": {"errors", "model"},
    "settings": {"expectations", "model", "registered", "shards", "waivers"},
    "verdicts": {"model", "redaction"},
    "process": {"errors", "waiting", "warden"},
    # what a run is made of, each for itself
    "tools": {"errors", "process", "waiting"},
    "world": {"errors", "process", "waiting"},
    "clusters": {"errors", "ports", "process", "waiting", "warden"},
    "isolation": {"model", "registered"},
    "removal": {"clusters", "errors", "isolation", "waiting"},
    "report": {"errors", "model"},
    "repository": {"errors", "keeping", "model", "process", "settings", "shapes", "world"},
    "rego": {"errors", "model", "process", "redaction", "repository", "shapes"},
    "schemas": {"errors", "repository"},
    "scenarios": {"errors", "model", "repository", "schemas", "waiting"},
    "configuration": {"errors", "expectations", "registered", "repository", "schemas", "settings", "waivers"},
    "hosts": {"clusters", "configuration", "errors", "model", "registered", "removal", "settings"},
    "listing": {"model", "repository", "scenarios", "settings"},
    "plan": {"expectations", "model", "repository", "scenarios"},
    "changes": {"model", "repository", "shapes"},
    "planner": {"model", "plan", "repository"},
    "argocd": {
        "clusters", "confine", "errors", "expectations", "model", "plan", "ports", "process", "registered", "repository", "shapes",
        "waiting",
    },
    "companions": {"argocd", "model", "shapes"},
    "admission": {"clusters", "errors", "model", "process", "repository", "settings", "shapes", "tools", "waiting"},
    "renders": {"argocd", "keeping", "model", "repository"},
    "rollouts": {"argocd", "ports", "process", "shapes"},
    # what they answer together
    "stages": {
        "admission",         "argocd", "changes", "clusters", "errors", "expectations", "model", "plan", "rego", "registered", "repository", "rollouts", "settings", "shapes", "waiting", "waivers", "world",
    },
    "side": {"argocd", "model", "process", "repository", "settings", "world"},
    "installing": {"argocd", "clusters", "errors", "repository", "side", "world"},
    "fleet": {"argocd", "clusters", "errors", "model", "process", "registered", "side", "world"},
    "providing": {"clusters", "configuration", "errors", "model", "process", "settings"},
    "rule_sources": {"model", "rego", "settings", "side"},
    "boot": {
        "rule_sources",
        "admission", "argocd", "clusters", "errors", "fleet", "hosts", "installing", "model", "process", "providing", "registered", "rego", "repository", "settings",
        "side", "tools", "waiting", "world",
    },
    "delivering": {"argocd", "boot", "clusters", "model", "process", "rollouts", "settings", "side", "stages", "tools"},
    "controllers": {"argocd", "boot", "delivering", "process", "side"},
    "upgrading": {
        "argocd", "boot", "clusters", "delivering", "errors", "fleet", "installing", "process", "repository", "settings", "side", "stages",
    },
    "acting": {
        "argocd", "boot", "clusters", "delivering", "errors", "expectations", "fleet", "installing", "model", "redaction", "repository", "scenarios",
        "settings", "side", "stages", "waiting",
    },
    "outcome": {
        "__init__", "argocd", "boot", "changes", "model", "redaction", "scenarios", "settings", "stages", "verdicts", "waiting", "waivers",
    },
    "surveys": {
        "boot", "expectations", "model", "plan", "redaction", "repository", "scenarios", "stages", "verdicts", "waiting", "waivers",
    },
    "rendering": {"argocd", "boot", "model", "planner", "renders", "side", "stages", "waiting"},
    "hosting": {
        "argocd", "boot", "clusters", "errors", "isolation", "model", "registered", "shapes", "stages",
        "waiting",
    },
    "connecting": {"argocd", "boot", "fleet", "hosting", "model", "registered", "stages"},
    "changed": {"argocd", "changes", "model", "repository", "stages", "waivers"},
    "sparing": {
        "admission", "argocd", "changed", "changes", "errors", "model", "planner", "rego", "rendering", "repository", "settings", "shapes",
        "stages",
    },
    "sharding": {"argocd", "companions", "model", "stages"},
    "asking": {"connecting", "errors", "model", "settings", "stages", "verdicts", "waiting"},
    "engine": {
        "acting", "argocd", "asking", "boot", "clusters", "connecting", "controllers", "delivering", "errors", "model", "outcome", "plan", "planner", "process",
        "registered", "rendering", "repository", "scenarios", "settings", "sharding", "side", "sparing", "stages", "surveys",
        "upgrading", "verdicts", "waiting",
    },
    # the two ways in; pytest is an adapter
    "plugin": {
        "asking", "configuration", "engine", "errors", "expectations", "listing", "model", "registered", "report", "repository",
        "scenarios", "settings", "shards", "stages", "waiting",
    },
    "policy_commands": {"configuration", "errors", "model", "rego", "settings", "tools"},
    "report_commands": {"errors", "report"},
    "cleaning": {"clusters", "errors", "removal", "settings"},
    "kindnode": {"errors", "process", "settings", "tools"},
    "cli": {"__init__", "cleaning", "errors", "kindnode", "policy_commands", "report_commands", "settings", "tools"},
}  # fmt: skip

# Who imports what is not ours: files, or folders with a slash at their end.
OWNERS: dict[str, tuple[str, ...]] = {
    "asyncssh": ("world/ssh.py",),
    "cryptography": ("world/certificates.py", "clusters/embedded/pki.py"),
    "fakeredis": ("tools/redis_stand_in.py",),
    "google": ("argocd/messages.py",),
    "grpc": ("argocd/render.py",),
    "jsonschema": ("schemas.py", "argocd/schema.py", "report/schema.py"),
    "kubernetes": ("clusters/api.py",),
    "opa_client": ("rego/opa.py",),
    "pytest": ("plugin/",),
    "requests": ("rego/opa.py",),
    "rich": ("tools/live.py",),
    "urllib3": ("clusters/api.py", "rego/opa.py"),
    "yaml": ("repository/manifest.py", "tools/parts.py"),
    # of the standard library, what must stay in one place
    "subprocess": ("process.py",),
    "time": ("waiting.py", "warden.py"),  # the warden is a program of its own
}

READERS_OF_THE_ENVIRONMENT = {
    "settings.py",
    "process.py",  # what a child inherits where nothing else is said
    "world/sshclient.py",  # a program of its own, started by git
}

MAX_LINES = 400


def name_of(file: Path) -> str:
    return file.relative_to(HARNESS).as_posix()


def unit_of(file: Path) -> str:
    return file.relative_to(HARNESS).parts[0].removesuffix(".py")


def imported(node: ast.AST) -> list[str]:
    """The modules that an import names; `from pytest_gitops import x` may name a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        assert node.module
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


@cache
def imports(file: Path) -> frozenset[str]:
    return frozenset(module for node in nodes(file, ast.Import, ast.ImportFrom) for module in imported(node))


@cache
def units(file: Path) -> frozenset[str]:
    """What of ours a file imports, as names of the table."""
    found = set()
    for module in imports(file):
        first, *rest = module.split(".")
        if first == "pytest_gitops" and rest:
            found.add(rest[0] if rest[0] in LAYERS else "__init__")
    return frozenset(found - {unit_of(file)})


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_module_imports_only_what_lies_below_it(file: Path) -> None:
    assert units(file) <= LAYERS[unit_of(file)]


def test_arrows_point_one_way() -> None:
    seen: set[str] = set()
    for unit, allowed in LAYERS.items():
        assert allowed <= seen, unit
        seen.add(unit)


def test_the_table_has_what_there_is_and_no_arrow_too_many() -> None:
    real: dict[str, set[str]] = {}
    for file in FILES:
        real.setdefault(unit_of(file), set()).update(units(file))
    assert real == LAYERS


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_in_its_own_place_alone(library: str) -> None:
    users = {name_of(f) for f in FILES if any(m.split(".")[0] == library for m in imports(f))}
    assert users
    assert not [
        u for u in users if not any(u == o or (o.endswith("/") and u.startswith(o)) for o in OWNERS[library])
    ]
    assert all(any(u.startswith(o) for u in users) for o in OWNERS[library])


def test_every_library_has_an_owner() -> None:
    others = (
        {m.split(".")[0] for f in FILES for m in imports(f)}
        - set(sys.stdlib_module_names)
        - {"pytest_gitops"}
    )
    assert others <= set(OWNERS)


def test_the_environment_is_read_in_one_place() -> None:
    def reads(node: ast.AST) -> bool:
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            return any(a.name in {"environ", "environb", "getenv"} for a in node.names)
        return (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
            and node.attr in {"environ", "environb", "getenv", "putenv"}
        )

    readers = {name_of(f) for f in FILES if any(map(reads, nodes(f, ast.ImportFrom, ast.Attribute)))}
    assert readers == READERS_OF_THE_ENVIRONMENT


def at_once(file: Path) -> set[str]:
    """Our modules that are imported when this one is: not late, and not for types alone."""

    def visit(body: list[ast.stmt]) -> Iterator[str]:
        for node in body:
            yield from imported(node)
            if isinstance(node, (ast.ClassDef, ast.Try, ast.With)):
                yield from visit(node.body)
            elif isinstance(node, ast.If):
                if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
                    yield from visit(node.body)
                yield from visit(node.orelse)

    return set(visit(tree(file).body))


def test_no_modules_import_each_other() -> None:
    def module(file: Path) -> str:
        parts = ("pytest_gitops", *file.relative_to(HARNESS).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    graph = {module(f): at_once(f) for f in FILES}
    graph = {m: {i for i in found if i in graph and i != m} for m, found in graph.items()}
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join([*way[way.index(name) :], name])
        if name not in done:
            for each in sorted(graph[name]):
                follow(each, (*way, name))
            done.add(name)

    for name in sorted(graph):
        follow(name, ())


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_module_is_small_and_says_what_it_owns(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= MAX_LINES
    docstring = ast.get_docstring(tree(file))
    assert docstring, "a module's docstring says what it owns"
    assert docstring.splitlines()[0]
