"""The architecture, held: which package may import which, who owns a library, what stays small and cheap."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest
from sources import FILES, HARNESS, nodes, tree

# What each module or package may import of ours; late imports and those for types count as well. Arrows point up this
# list only: a name may be used by those that come after it. A package is one row, or has a row for each of its modules,
# all of them together.
LAYERS: dict[str, set[str]] = {
    # words and small tools, which everybody may know
    "__init__": set(),
    "model": set(),
    "errors": set(),
    "keeping": set(),
    "redaction": set(),
    "shapes": set(),
    "waiting": {"errors"},
    # what the user says, and the programs that we start
    "settings.credentials": {"errors"},
    "settings.expectations": {"errors", "model"},
    "settings.nodes": set(),
    "settings.registered": {"errors", "model"},
    "settings.shards": {"errors"},
    "settings.waivers": {"errors", "model"},
    "settings.settings": {
        "model", "settings.credentials", "settings.expectations", "settings.nodes", "settings.registered", "settings.shards", "settings.waivers",
    },
    "processes.confine": set(),
    "processes.ports": set(),
    "processes.sockets": set(),
    "processes.warden": set(),
    "processes.process": {"errors", "processes.warden", "waiting"},
    "serving": {"processes.ports"},
    # what a run is made of, each for itself
    "tools": {"errors", "processes.process", "waiting"},
    "world": {"errors", "processes.ports", "processes.process", "serving", "settings.credentials", "waiting"},
    "clusters": {
        "errors", "keeping", "processes.ports", "processes.process", "processes.sockets", "processes.warden", "serving",
        "settings.nodes", "shapes", "waiting",
    },
    "report": {"errors", "model"},
    "repository": {"errors", "keeping", "model", "processes.process", "settings.settings", "shapes", "world"},
    "rego": {"errors", "model", "processes.process", "processes.sockets", "redaction", "repository", "shapes"},
    "configuration.schemas": {"errors", "repository"},
    "configuration.file": {
        "configuration.schemas", "errors", "repository", "settings.expectations", "settings.nodes", "settings.registered",
        "settings.settings", "settings.waivers",
    },
    "scenarios": {"configuration.schemas", "errors", "model", "repository", "waiting"},
    "hosts.isolation": {"model", "settings.registered", "shapes"},
    "hosts.removal": {"clusters", "errors", "hosts.isolation", "waiting"},
    "hosts.hosts": {
        "clusters", "configuration.file", "errors", "hosts.removal", "model", "settings.registered",
        "settings.settings",
    },
    "planning.plan": {"model", "repository", "scenarios", "settings.expectations"},
    "planning.planner": {"model", "planning.plan", "repository"},
    "planning.listing": {"model", "repository", "scenarios", "settings.settings"},
    "changes": {"model", "repository", "shapes"},
    "argocd": {
        "clusters", "errors", "keeping", "model", "planning.plan", "processes.confine", "processes.ports",
        "processes.process", "repository", "settings.expectations", "settings.registered", "shapes", "waiting",
    },
    "admission": {
        "clusters", "errors", "model", "processes.process", "repository", "settings.settings", "shapes", "tools",
        "waiting",
    },
    "rollouts": {"argocd", "processes.ports", "processes.process", "shapes"},
    # what they answer, and what that is asked on
    "stages": {
        "admission", "argocd", "changes", "clusters", "errors", "model", "planning.plan", "rego", "repository",
        "rollouts", "settings.credentials", "settings.expectations", "settings.registered", "settings.settings", "settings.waivers", "shapes",
        "waiting", "world",
    },
    "ground.outside": {"argocd", "processes.process", "repository", "settings.settings", "world"},
    "ground.side": {"argocd", "ground.outside", "model", "processes.process", "repository", "settings.settings", "world"},
    "ground.installing": {"argocd", "clusters", "errors", "ground.side", "repository", "world"},
    "ground.planes": {"clusters", "processes.process", "settings.settings"},
    "ground.fleet": {
        "argocd", "clusters", "errors", "ground.planes", "ground.side", "model", "processes.process", "settings.registered", "world",
    },
    "ground.crowd": {"errors", "repository", "settings.settings"},
    "ground.providing": {
        "clusters", "configuration.file", "errors", "ground.crowd", "ground.planes", "model", "processes.process", "settings.settings",
    },
    "ground.rule_sources": {"ground.side", "model", "rego", "settings.settings"},
    "ground.boot": {
        "admission", "argocd", "clusters", "errors", "ground.fleet", "ground.installing", "ground.outside",
        "ground.providing", "ground.rule_sources", "ground.side", "hosts.hosts", "keeping", "model", "processes.process", "rego", "repository",
        "settings.registered", "settings.settings", "tools", "waiting", "world",
    },
    "ground.delivering": {
        "argocd", "clusters", "ground.boot", "ground.side", "model", "processes.process", "rollouts",
        "settings.settings", "stages", "tools",
    },
    "ground.stubs": {"admission", "changes", "ground.boot", "shapes", "stages"},
    "ground.controllers": {
        "argocd", "clusters", "ground.boot", "ground.delivering", "ground.installing", "ground.side",
        "processes.process", "repository", "settings.settings",
    },
    "ground.upgrading": {
        "argocd", "clusters", "errors", "ground.boot", "ground.crowd", "ground.delivering", "ground.fleet",
        "ground.installing", "ground.planes", "ground.side", "processes.process", "repository", "settings.settings", "stages",
    },
    "ground.hosting": {
        "argocd", "clusters", "errors", "ground.boot", "hosts.isolation", "model", "settings.registered", "shapes",
        "stages", "waiting",
    },
    "ground.connecting": {
        "argocd", "ground.boot", "ground.fleet", "ground.hosting", "model", "settings.registered", "stages",
    },
    "renders.store": {"argocd", "keeping"},
    "renders.renderer": {"argocd", "model", "repository"},
    "renders.rendering": {
        "argocd", "ground.boot", "ground.side", "model", "planning.planner", "renders.renderer", "renders.store",
        "stages", "waiting",
    },
    "acting": {
        "argocd", "clusters", "errors", "ground.boot", "ground.delivering", "ground.fleet", "ground.installing",
        "ground.planes", "ground.side", "model", "redaction", "repository", "scenarios", "settings.expectations", "settings.settings",
        "stages", "waiting",
    },
    "selection.companions": {"argocd", "model", "shapes"},
    "selection.sharding": {"argocd", "model", "selection.companions", "stages"},
    "selection.changed": {"argocd", "changes", "model", "repository", "settings.waivers", "shapes", "stages"},
    "selection.sparing": {
        "admission", "argocd", "changes", "errors", "model", "planning.planner", "rego", "renders.rendering",
        "repository", "selection.changed", "settings.settings", "shapes", "stages",
    },
    "run.verdicts": {"model", "redaction"},
    "run.outcome": {
        "__init__", "argocd", "changes", "ground.boot", "model", "redaction", "run.verdicts", "scenarios",
        "settings.settings", "settings.waivers", "stages", "waiting",
    },
    "run.surveys": {
        "configuration.file", "errors", "ground.boot", "model", "planning.plan", "redaction", "repository", "run.verdicts",
        "scenarios", "settings.expectations", "settings.waivers", "stages", "waiting",
    },
    "run.asking": {"errors", "ground.connecting", "model", "run.verdicts", "settings.settings", "stages", "waiting"},
    "run.engine": {
        "acting", "argocd", "clusters", "errors", "ground.boot", "ground.connecting", "ground.controllers", "ground.crowd",
        "ground.delivering", "ground.side", "ground.stubs", "ground.upgrading", "model", "planning.plan",
        "planning.planner", "processes.process", "renders.rendering", "repository", "run.asking", "run.outcome", "run.surveys",
        "run.verdicts", "scenarios", "selection.sharding", "selection.sparing", "settings.registered",
        "settings.settings", "shapes", "stages", "waiting",
    },
    # the two ways in; pytest is an adapter
    "plugin": {
        "configuration.file", "errors", "model", "planning.listing", "report", "repository", "run.asking",
        "run.engine", "scenarios", "settings.credentials", "settings.expectations", "settings.registered",
        "settings.settings", "settings.shards", "stages", "waiting",
    },
    "kindnode": {"errors", "processes.process", "settings.settings", "tools"},
    "commands.clean": {"clusters", "errors", "hosts.removal", "settings.settings"},
    "commands.policy": {"configuration.file", "errors", "model", "rego", "settings.settings", "tools"},
    "commands.report": {"errors", "report"},
    "commands.cli": {
        "__init__", "commands.clean", "commands.policy", "commands.report", "errors", "kindnode", "settings.settings",
        "tools",
    },
}  # fmt: skip

# Who imports what is not ours: files, or folders with a slash at their end.
OWNERS: dict[str, tuple[str, ...]] = {
    "asyncssh": ("world/ssh.py",),
    "cryptography": ("world/certificates.py", "clusters/embedded/pki.py"),
    "fakeredis": ("tools/redis_stand_in.py",),
    "google": ("argocd/messages.py",),
    "grpc": ("argocd/render.py",),
    "jsonschema": ("configuration/schemas.py", "argocd/schema.py", "report/schema.py"),
    "kubernetes": ("clusters/api.py",),
    "opa_client": ("rego/opa.py",),
    "pytest": ("plugin/",),
    "requests": ("rego/opa.py",),
    "rich": ("tools/live.py",),
    "urllib3": ("clusters/api.py", "rego/opa.py"),
    "yaml": ("repository/manifest.py", "tools/parts.py"),
    # of the standard library, what must stay in one place
    "subprocess": ("processes/process.py",),
    "time": ("waiting.py", "processes/warden.py"),  # the warden is a program of its own
}

READERS_OF_THE_ENVIRONMENT = {
    "settings/settings.py",
    "processes/process.py",  # what a child inherits where nothing else is said
    "world/sshclient.py",  # a program of its own, started by git
}

MAX_LINES = 400


def name_of(file: Path) -> str:
    return file.relative_to(HARNESS).as_posix()


IN_ROWS = {unit.partition(".")[0] for unit in LAYERS if "." in unit}
"""The packages that have a row for each module."""


def unit_of(file: Path) -> str:
    """The row of the table that a file belongs to."""
    folder, *rest = file.relative_to(HARNESS).with_suffix("").parts
    return ".".join([folder, *rest]) if folder in IN_ROWS else folder


def is_front(file: Path) -> bool:
    """Whether a file is the `__init__` of a package with a row for each module: it has none itself."""
    return file.name == "__init__.py" and file.parent.name in IN_ROWS


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
        match module.split("."):
            case ["pytest_gitops", package] if package in IN_ROWS:
                pass  # it holds nothing itself
            case ["pytest_gitops", package, *rest]:
                unit = ".".join([package, *rest[:1]]) if package in IN_ROWS else package
                found.add(unit if unit in LAYERS else "__init__")
    return frozenset(found - {unit_of(file)})


@pytest.mark.parametrize("file", [f for f in FILES if not is_front(f)], ids=name_of)
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
        if not is_front(file):
            real.setdefault(unit_of(file), set()).update(units(file))
    assert real == LAYERS


def test_a_packages_rows_stand_together() -> None:
    # With the arrows pointing up, that leaves no two packages that import each other.
    packages = [package for package, _ in groupby(unit.partition(".")[0] for unit in LAYERS)]
    assert len(packages) == len(set(packages))


@pytest.mark.parametrize("file", [f for f in FILES if is_front(f)], ids=name_of)
def test_a_package_of_rows_has_nothing_of_its_own(file: Path) -> None:
    assert len(tree(file).body) == 1 and ast.get_docstring(tree(file))


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
