"""From the text of a `*.gitops-test.yaml` file to scenarios: schema, variables, loops, each error with its line."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_gitops.configuration import schemas
from pytest_gitops.errors import ConfigError
from pytest_gitops.repository.manifest import Document
from pytest_gitops.scenarios import comparing
from pytest_gitops.scenarios.values import DRIFTS, EXPECTATIONS, Action, Path, Scenario, Step

VARIABLE = re.compile(r"\$(\$)?\{([^}]*)\}")

MOST = 2_000
"""Scenarios of one file, loops counted out."""

SHORT = {Action.SYNC: "application", Action.WAIT: "application", Action.CHECKOUT: "revision"}
"""Actions that may be a mere text, and what the text is."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}

EXPECTS = {
    Action.EXPECT: EXPECTATIONS,
    Action.RENDER: ("objects", "absent", "golden"),
    Action.DRIFT: DRIFTS,
}
"""Actions that have to say at least one of these."""

COMPARES = ("sync", "health", "operation", "conditions", "status", "objects", "events", "message")
"""Arguments that are expectations."""


def schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    return schemas.load("scenarios/scenario.schema.json")


def parse(
    text: bytes, *, file: str, applications: Sequence[str], complete: bool = True
) -> tuple[Scenario, ...]:
    """The scenarios of `file`; `applications` are the "namespace/name" of every Application there is, for loops. Where
    they are not `complete`, a glob may mean none of them, and a name one that is not known.

    Raises ConfigError, with file and line.
    """
    document = schemas.one_document(text, name=file)
    if document is None:
        raise ConfigError("expected scenarios, saw an empty file", where=f"{file}:1")
    return tuple(_Parser(document, file, applications, complete).scenarios())


class _Parser:
    def __init__(self, document: Document, file: str, applications: Sequence[str], complete: bool) -> None:
        self.document, self.file = document, file
        self.applications, self.complete = applications, complete
        self.schema = schema()

    def scenarios(self) -> Iterator[Scenario]:
        # Steps are checked when variables are filled in: `scale: ${replicas}` is a number only then.
        loose = {**self.schema["$defs"], "step": {"type": "object"}}
        schemas.check(self.document, {**self.schema, "$defs": loose}, name=self.file)
        self.check_keys(self.document.value, ())
        seen: set[str] = set()
        total = 0
        for index, entry in enumerate(self.document.value["scenarios"]):
            path: Path = ("scenarios", index)
            if entry["name"] in seen:
                raise self.error(f"expected each name once, saw {entry['name']!r} again", *path, "name")
            seen.add(entry["name"])
            for loop in self.loop(entry, path):
                total += 1
                if total > MOST:
                    raise self.error(f"expected up to {MOST} scenarios in a file, saw more", *path)
                yield self.scenario(entry, index, loop)

    def check_keys(self, value: Any, path: Path) -> None:
        """Raise ConfigError for a key that YAML does not take for a text: `n`, `on`, a number."""
        children = enumerate(value) if isinstance(value, list) else ()
        for key, child in value.items() if isinstance(value, Mapping) else children:
            if isinstance(value, Mapping) and not isinstance(key, str):
                raise self.error(f"expected a text as key, saw {key!r}: write it in quotes", *path)
            self.check_keys(child, (*path, key))

    def loop(self, entry: Mapping[str, Any], path: Path) -> tuple[str, ...]:
        """The Applications that it runs for, one empty name where it is no loop."""
        if "applications" not in entry:
            return ("",)
        if "application" in entry:
            raise self.error("expected `application` or `applications`, saw both", *path, "applications")
        found: dict[str, None] = {}
        for number, pattern in enumerate(entry["applications"]):
            matching = [k for k in self.applications if _is_meant(pattern, k)]
            if not matching and not self.complete:
                matching = [] if any(c in pattern for c in "*?[") else [pattern]
            elif not matching:
                known = ", ".join(sorted(self.applications)) or "no Application at all"
                raise self.error(
                    f"expected a name or glob of Applications, saw {pattern!r}, which means none; there are {known}",
                    *path, "applications", number,
                )  # fmt: skip
            found.update(dict.fromkeys(matching))
        return tuple(map(self.short, found))

    def short(self, key: str) -> str:
        """The name alone where it means one Application."""
        name = key.rsplit("/", 1)[-1]
        return name if sum(k.rsplit("/", 1)[-1] == name for k in self.applications) == 1 else key

    def scenario(self, entry: Mapping[str, Any], index: int, loop: str) -> Scenario:
        path: Path = ("scenarios", index)
        variables = {**self.document.value.get("variables", {}), **entry.get("variables", {})}
        filling = _Filling(self, variables)
        about = loop or str(filling.of(entry.get("application", ""), (*path, "application")))
        if about:
            variables["application"] = about
        filled = {**entry}
        for part in ("steps", "always"):
            if part in entry:
                filled[part] = filling.of(entry[part], (*path, part))
        others = self.document.value["scenarios"]
        value = {
            "scenarios": [filled if i == index else {"name": "-", "steps": [{}]} for i in range(len(others))]
        }
        schemas.check(replace(self.document, value=value), self.schema, name=self.file)
        # pytest divides node ids at two colons.
        name = " ".join(entry["name"].split()).replace("::", ": :")
        return Scenario(
            name=f"{name}[{loop}]" if loop else name,
            file=self.file,
            line=self.document.line_of(*path),
            tags=tuple(dict.fromkeys(entry.get("tags", ()))),
            steps=tuple(self.steps(filled["steps"], (*path, "steps"), about)),
            always=tuple(self.steps(filled.get("always", []), (*path, "always"), about)),
        )

    def steps(self, entries: Sequence[Mapping[str, Any]], path: Path, about: str) -> Iterator[Step]:
        for index, entry in enumerate(entries):
            yield self.step(entry, (*path, index), about)

    def step(self, entry: Mapping[str, Any], path: Path, about: str) -> Step:
        actions = [a for a in Action if a.value in entry]
        if len(actions) != 1:
            known, saw = ", ".join(Action), ", ".join(actions) or "none of them"
            raise self.error(f"expected one of {known} in a step, saw {saw}", *path)
        action = actions[0]
        given = entry[action.value]
        arguments = dict(given) if isinstance(given, Mapping) else {SHORT[action]: given} if given else {}
        if action not in {Action.CHECKOUT, Action.RBAC} and not arguments.setdefault("application", about):
            raise self.error(f"{action}: expected an Application, saw no name of one", *path, action.value)
        wanted = EXPECTS.get(action, ())
        if wanted and not any(w in arguments for w in wanted):
            raise self.error(f"{action}: expected one of {', '.join(wanted)}; saw none", *path, action.value)
        if action is Action.DRIFT and sum(w in arguments for w in wanted) > 1:
            raise self.error(f"{action}: expected one of {', '.join(wanted)}; saw more", *path, action.value)
        for key in (k for k in COMPARES if k in arguments):
            for place, problem in comparing.problems(arguments[key]):
                raise self.error(problem, *path, action.value, key, *place)
        return Step(
            action=action,
            name=entry.get("name") or title(action, arguments),
            file=self.file,
            arguments=arguments,
            within=seconds(entry["within"]) if "within" in entry else None,
            path=path,
            document=self.document,
        )

    def error(self, message: str, *path: str | int) -> ConfigError:
        return ConfigError(message, where=f"{self.file}:{self.document.line_of(*path)}")


class _Filling:
    """Puts the values of variables where `${name}` stands."""

    def __init__(self, parser: _Parser, variables: Mapping[str, Any]) -> None:
        self.parser, self.variables = parser, variables

    def of(self, value: Any, path: Path) -> Any:
        if isinstance(value, Mapping):
            return {k: self.of(v, (*path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.of(v, (*path, i)) for i, v in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        whole = VARIABLE.fullmatch(value)
        if whole and not whole[1]:
            return self.value(whole[2], path)
        return VARIABLE.sub(lambda m: m[0][1:] if m[1] else str(self.value(m[2], path)), value)

    def value(self, name: str, path: Path) -> Any:
        if name not in self.variables:
            known = ", ".join(sorted(self.variables)) or "there are none"
            raise self.parser.error(f"expected a variable, saw no {name!r}; known here: {known}", *path)
        return self.variables[name]


def _is_meant(pattern: str, key: str) -> bool:
    return fnmatch.fnmatchcase(key if "/" in pattern else key.rsplit("/", 1)[-1], pattern)


def seconds(within: str | float) -> float:
    """A duration in seconds."""
    if isinstance(within, (int, float)):
        return float(within)
    number = within.rstrip("ms")
    return float(number) * UNITS[within.removeprefix(number)]


def title(action: Action, arguments: Mapping[str, Any]) -> str:
    """What a step is called that has no name."""
    about = arguments.get("application", "")
    match action:
        case Action.CHECKOUT:
            return f"checkout {arguments['revision']}"
        case Action.RBAC:
            who = arguments.get("subject") or ", ".join(arguments.get("groups", ()))
            return f"rbac {who} {arguments['action']} {arguments['resource']} {arguments.get('object', '*')}"
        case Action.DRIFT:
            what = next(w for w in EXPECTS[action] if w in arguments)
            return f"drift: {what} {arguments['object']['kind']} {arguments['object']['name']} of {about}"
        case _:
            return f"{action} {about}"
