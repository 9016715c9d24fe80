"""Writes docs/configuration.md from the schema of pytest-gitops.yaml and the plugin's own table of options, and the
reference at the end of docs/scenarios.md from the schema of scenarios.

usage: python docs/generate.py          (a test asserts that the files are what this writes)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_gitops.configuration.file import FILE_NAME, schema
from pytest_gitops.plugin import MARKERS, OPTIONS, ini_name
from pytest_gitops.scenarios.parsing import schema as schema_of_scenarios
from pytest_gitops.scenarios.values import Action
from pytest_gitops.settings.settings import TARGET_BRANCH_VARIABLES
from pytest_gitops.settings.shards import NODES

TARGET = Path(__file__).with_name("configuration.md")

SCENARIOS = Path(__file__).with_name("scenarios.md")
ACTIONS = {action.value for action in Action}
MADE = "<!-- From here on made by docs/generate.py. Change the schema, not this page. -->\n"

HEAD = f"""\
# Configuration

<!-- Made by docs/generate.py. Change the schema or the options, not this page. -->

Of what says the same thing, the first one counts:

1. the command line: `--gitops-timeout 60`
2. pytest's ini file: `gitops_timeout = 60`
3. `{FILE_NAME}`: `timeout: 60`
4. the environment
5. the default

Folders with policies add up, wherever they are named.

The directory under test is the nearest one that has a `{FILE_NAME}` or is the top of a git clone, upwards
from the first path that pytest is given, or from where it is started.
"""

ENVIRONMENT = {
    "PYTEST_GITOPS_CACHE": "the folder that tools are kept in; else `$XDG_CACHE_HOME/pytest-gitops`, "
    "`~/.cache/pytest-gitops`",
    "PYTEST_GITOPS_TOOL_<NAME>": "the path of a tool, taken whatever its version: "
    "`PYTEST_GITOPS_TOOL_KUBE_APISERVER=/opt/kube-apiserver`",
    "PYTEST_GITOPS_SHARD": "what stands for `--gitops-shard` where nothing else says it",
    ", ".join(
        name for index, total, _ in NODES for name in (index, total) if name
    ): "set by CI systems and by Indexed Jobs: what `--gitops-shard auto` goes by, and nothing else",
    "PYTEST_GITOPS_MIRRORS": "other places for release files: `dl.k8s.io=https://mirror.example/k8s …`",
    "PYTEST_GITOPS_CREDENTIALS": "what may be read of other hosts, one URL in each line, or a file of them: "
    "[private sources](private-sources.md)",
    "GOGC": "how much memory Go programs may take to compute less; reaches all that is started, as `GOMEMLIMIT` does. "
    "Without it the control plane of 25 Applications for each processor runs with 60",
    ", ".join(
        TARGET_BRANCH_VARIABLES
    ): "set by CI systems: the branch that the working tree will be merged into, "
    "so it stands for that branch",
    "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE": "how this machine gets outside, and what it trusts",
}


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_options(), *_file(), *_environment(), *_markers()])


def scenarios() -> str:
    """The page on scenarios: its own text, and the reference of the file."""
    text = SCENARIOS.read_text("utf-8")
    return text[: text.index(MADE)] + MADE + "\n" + "\n".join(_scenarios())


def _scenarios() -> Iterator[str]:
    described = schema_of_scenarios()
    parts = described["$defs"]
    yield "## Reference\n"
    yield "| key of the file | type | what |\n|---|---|---|"
    yield from _table(described, parts)
    yield "\n| key of a scenario | type | what |\n|---|---|---|"
    yield from _table(parts["scenario"], parts)
    yield "\nA step has one of the actions, and may have a name and a limit.\n"
    yield "| key of a step | type | what |\n|---|---|---|"
    yield from _table(parts["step"], parts)
    for action in Action:
        member = parts["step"]["properties"][action.value]
        if "$ref" not in member:
            continue
        yield f"\n### {action}\n"
        yield "| key | type | what |\n|---|---|---|"
        yield from _table(parts[action.value], parts)
    yield ""


def _table(about: Mapping[str, Any], parts: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, member in about.get("properties", {}).items():
        named = parts[member["$ref"].rpartition("/")[2]] if "$ref" in member else {}
        whole = {**named, **member}
        notes = [whole.get("description", "")]
        notes += ["Must be there."] if name in about.get("required", ()) else []
        notes += [f"Default: {_json(whole['default'])}."] if "default" in whole else []
        yield f"| `{prefix}{name}` | {_kind(whole)} | {_cell(' '.join(n for n in notes if n))} |"
        inner = whole if whole.get("type") == "object" else whole.get("items", {})
        if prefix == "" and name not in ACTIONS and inner.get("additionalProperties") is False:
            yield from _table(inner, parts, f"{name}." if inner is whole else f"{name}[].")


def _kind(about: Mapping[str, Any]) -> str:
    """A type in a word or two."""
    if "enum" in about:
        return " or ".join(_json(word) for word in about["enum"])
    if "const" in about:
        return _json(about["const"])
    said = about["type"]
    if said == "array":
        inner = about["items"].get("type", "object")
        return f"list of {inner}s"
    return " or ".join(said) if isinstance(said, list) else str(said)


def _options() -> Iterator[str]:
    yield "## Options\n"
    yield "`--gitops` switches the plugin on; in an ini file that is `addopts = --gitops`.\n"
    yield """\
Write an option and its path in one word, `--gitops-report=../out`. pytest looks for its ini file before it knows the
options of plugins: of two words it takes the second for a path of tests if there is such a path, and looks from there.
Where settings of yours would be lost by that, the run ends with exit code 4 and says so.
"""
    yield "| option | ini | what |\n|---|---|---|"
    for name, _, metavar, text in OPTIONS:
        shown = f"--gitops-{name} {metavar}" if metavar else f"--gitops-{name}"
        yield f"| `{_cell(shown)}` | `{ini_name(name)}` | {_cell(text)} |"
    yield ""


def _file() -> Iterator[str]:
    described = schema()
    yield f"## {FILE_NAME}\n"
    yield f"{described['description']}\n"
    yield "| key | type | what |\n|---|---|---|"
    for path, about, required in _keys(described, ""):
        notes = [about.get("description", "")]
        notes += ["Must be there."] if required else []
        notes += [f"Default: {_json(about['default'])}."] if "default" in about else []
        notes += [f"Example: {_json(about['examples'][0])}." if "examples" in about else ""]
        yield f"| `{path}` | {_type(about)} | {_cell(' '.join(n for n in notes if n))} |"
    yield ""
    yield "An unknown key is an error that names the known ones.\n"


def _keys(about: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Every key below an object, with its dotted path; those of a list's entries as `key[]`."""
    for name, member in about.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, member, name in about.get("required", ())
        yield from _keys(member, f"{path}.")
        yield from _keys(member.get("items", {}), f"{path}[].")


def _type(about: Mapping[str, Any]) -> str:
    if "const" in about:
        return _json(about["const"])
    if "type" not in about:
        return " or ".join(_json(word) for word in about["enum"])
    if about["type"] == "array":
        return f"list of {about['items']['type']}s"
    if isinstance(about["type"], list):
        return " or ".join(about["type"])
    return str(about["type"])


def _environment() -> Iterator[str]:
    yield "## Environment\n"
    yield "| variable | what |\n|---|---|"
    for names, text in ENVIRONMENT.items():
        yield f"| {', '.join(f'`{n}`' for n in names.split(', '))} | {_cell(text)} |"
    yield ""


def _markers() -> Iterator[str]:
    yield "## Markers\n"
    yield "| `-m` | items |\n|---|---|"
    for marker in MARKERS:
        name, _, text = marker.partition(": ")
        yield f"| `{name}` | {_cell(text)} |"
    yield ""


def _json(value: Any) -> str:
    return f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TARGET.write_text(page(), "utf-8")
    SCENARIOS.write_text(scenarios(), "utf-8")
